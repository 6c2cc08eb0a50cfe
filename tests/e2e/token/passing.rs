//! What passes by itself at a token endpoint, and ends no upstream.

use upauth::emulator::Canned;

use crate::support::Emulated;
use crate::support::emulated::{CRM_TOKEN, stored};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_is_out_when_a_rotated_refresh_token_is_used_costs_no_grant() {
    const LIMITS: &str = "/crm-token/services/data/v59.0/limits";
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, &format!("{CRM_TOKEN}token_wait = \"1s\"\n"));
    let mut at = Emulated::start(&config).await;
    at.turn(|dials| dials.login.rotation = true);
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    at.emulator.end_sessions("all");
    let out = [Canned::empty(), Canned::html(), Canned::truncated()];
    at.turn(|dials| dials.login.next.extend(out));
    let answer = at.proxy.get(LIMITS).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0302"));
    at.until_told("crm-token", LIMITS, "may have been used up")
        .await;
    // The next process knows no more, and goes on as well.
    at.until(|counters| counters.token_requests >= 3).await;
    at.restart(&config).await;
    at.until_served(LIMITS).await;
    let counters = at.counters();
    let lost = (counters.spent_refresh_tokens, counters.token_requests);
    assert_eq!(lost, (0, 5), "{counters:?}");
}
