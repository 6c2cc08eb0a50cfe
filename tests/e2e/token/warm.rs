//! Tokens that are kept ready although nobody calls.

use super::LIMITS;
use crate::support::Emulated;
use crate::support::emulated::CRM;

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_upstream_logs_in_at_the_start_and_again_before_its_token_ends() {
    // Half of the time that a session lives unused.
    let at = Emulated::start(&format!("{CRM}warm = true\nsession_timeout = \"1s\"\n")).await;
    at.until(|counters| counters.token_requests >= 3).await;
    assert_eq!(at.counters().api_requests.values().sum::<u64>(), 0);
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let cold = Emulated::start(CRM).await;
    at.until(|counters| counters.token_requests >= 4).await;
    assert_eq!(cold.logins(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_warms_and_cools() {
    let mut at = Emulated::start(CRM).await;
    at.proxy.reload(&format!("{CRM}warm = true\n")).unwrap();
    at.until(|counters| counters.token_requests == 1).await;
    // An account is warm as long as one of its upstreams is.
    let other = CRM.replace("upstream.crm", "upstream.other");
    at.proxy
        .reload(&format!("{CRM}{other}warm = true\n"))
        .unwrap();
    at.proxy.reload(CRM).unwrap();
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), 1);
}
