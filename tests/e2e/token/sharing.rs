//! One login, one renewal, however many want the token.

use std::time::Duration;

use super::{LIMITS, crowd, statuses};
use crate::support::emulated::{CRM, CRM_USER};
use crate::support::{Answer, Caller, Emulated, together};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_cold_callers_cost_one_login() {
    let at = Emulated::start(CRM).await;
    at.turn(|dials| dials.login.delay_ms = 300);
    let answers = crowd(&at, 200, LIMITS).await;
    assert_eq!(statuses(&answers), [200]);
    assert_eq!(at.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_caller_who_hangs_up_during_the_login_takes_nothing_from_the_others() {
    let at = Emulated::start(CRM).await;
    at.turn(|dials| dials.login.delay_ms = 400);
    let mut first = at.proxy.caller().await;
    first
        .write(format!("GET {LIMITS} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        .await;
    at.until(|counters| counters.token_requests == 1).await;
    let hang_up = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(first);
    };
    let (answers, ()) = tokio::join!(crowd(&at, 20, LIMITS), hang_up);
    assert_eq!(statuses(&answers), [200]);
    assert_eq!(at.logins(), 1);
    // And if nobody else waits, the login is not thrown away.
    let at = Emulated::start(CRM).await;
    at.turn(|dials| dials.login.delay_ms = 200);
    let mut only = at.proxy.caller().await;
    only.write(format!("GET {LIMITS} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        .await;
    at.until(|counters| counters.token_requests == 1).await;
    drop(only);
    at.until(|counters| counters.live == 1).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_rejections_of_one_token_cost_one_renewal() {
    let at = Emulated::start(&format!("{CRM}connections = 600\n")).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    // All are on their way with the same token when it dies.
    at.turn(|dials| {
        dials.salesforce.delay_ms = 60_000;
        dials.login.delay_ms = 100;
    });
    let kill = async {
        at.until(|counters| counters.api_requests["instance"] == 501)
            .await;
        at.emulator.end_sessions("all");
        at.turn(|dials| dials.salesforce.delay_ms = 0);
    };
    let (answers, ()) = tokio::join!(crowd(&at, 500, LIMITS), kill);
    assert_eq!(statuses(&answers), [200]);
    let replayed = |answer: &&Answer| answer.header("x-upauth-replayed") == Some("1");
    assert_eq!(answers.iter().filter(replayed).count(), 500);
    assert_eq!(at.counters().dead_sessions, 500);
    assert_eq!(at.logins(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_upstreams_of_one_account_share_one_login_and_one_renewal() {
    let other = CRM.replace("upstream.crm", "upstream.reports") + "read_only = true\n";
    let at = Emulated::start(&format!("{CRM}{other}")).await;
    at.turn(|dials| dials.login.delay_ms = 100);
    let addr = at.proxy.addr();
    let both = move |me: usize| async move {
        let name = ["crm", "reports"][me % 2];
        let path = format!("/{name}/services/data/v59.0/limits");
        let answer = Caller::connect(addr).await.get(&path).await;
        assert_eq!(
            (answer.status, answer.header("x-upauth-upstream")),
            (200, Some(name))
        );
    };
    together(20, both).await;
    assert_eq!(at.logins(), 1);
    at.emulator.end_sessions("all");
    together(20, both).await;
    assert_eq!(at.logins(), 2);
    // Another carrier is the same account; another user is not.
    let oauth = CRM.replace("upstream.crm", "upstream.crm-oauth") + "header = \"oauth\"\n";
    let at = Emulated::start(&format!("{CRM}{oauth}{CRM_USER}")).await;
    for (name, logins) in [("crm", 1), ("crm-oauth", 1), ("crm-user", 2)] {
        let path = format!("/{name}/services/data/v59.0/limits");
        assert_eq!(at.proxy.get(&path).await.status, 200);
        assert_eq!(at.logins(), logins, "{name}");
    }
}
