//! Marketing Cloud by a legacy package: its login in JSON, and hosts that the token answer does not name.

use upauth::telemetry::AccessLog;

use crate::support::emulated::MAIL_LEGACY;
use crate::support::{Emulated, TestProxy};

const ASSETS: &str = "/mail-legacy/asset/v1/content/assets";

#[tokio::test(flavor = "multi_thread")]
async fn the_example_runs_as_it_is_but_for_its_addresses() {
    let example = std::fs::read_to_string("examples/marketing-cloud-legacy.toml").unwrap();
    let config = example
        .replace("xk3m0c6cq2sbb9u0v7xkpwl2", "${DEMO_MAIL_LEGACY_CLIENT_ID}")
        .replace("MAIL_CLIENT_SECRET", "DEMO_MAIL_LEGACY_CLIENT_SECRET");
    assert_eq!(config.matches("DEMO_").count(), 2, "{config}");
    let hosts =
        "login_url = \"${DEMO_MAIL_LEGACY_LOGIN_URL}\"\napi_url = \"${DEMO_MAIL_LEGACY_URL}\"\n";
    let at = Emulated::start(&format!("{config}{hosts}")).await;
    let answer = at.proxy.get("/mail/asset/v1/content/assets").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["count"], 5);
    let counters = at.counters();
    assert_eq!(counters.legacy_token_requests, 1);
    assert_eq!(counters.grants["marketing-cloud-legacy online"], 1);
    assert_eq!(counters.api_requests["legacy_rest"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_older_kind_is_asked_for_in_the_query() {
    for (more, live) in [("", 1), ("legacy_token = true\n", 2)] {
        let at = Emulated::start(&format!("{MAIL_LEGACY}{more}")).await;
        assert_eq!(at.proxy.get(ASSETS).await.status, 200);
        let counters = at.counters();
        assert_eq!((counters.live, counters.credentials_in_query), (live, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_tried_once_whichever_number_the_refusal_has() {
    for number in [0, 1] {
        let at = Emulated::start(MAIL_LEGACY).await;
        at.turn(|dials| {
            dials.marketing_cloud_legacy.client_secret = Some("rotated".to_owned());
            dials.marketing_cloud_legacy.refusal_code = number;
        });
        for _ in 0..3 {
            let answer = at.proxy.get(ASSETS).await;
            assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0301"));
        }
        assert_eq!(at.logins(), 1);
        let status = at.proxy.status("mail-legacy").await.to_string();
        assert!(status.contains("Unauthorized"), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lifetime_of_a_token_that_was_issued_before_is_what_is_left_of_it() {
    let at = Emulated::start(MAIL_LEGACY).await;
    at.turn(|dials| dials.marketing_cloud_legacy.same_token = true);
    assert_eq!(at.proxy.get(ASSETS).await.status, 200);
    // Another proxy of the same client, later: its token has 100 s left.
    at.emulator.advance(std::time::Duration::from_secs(3500));
    let late = TestProxy::start_with(MAIL_LEGACY, &at.emulator.variables(), AccessLog::off());
    assert_eq!(late.get(ASSETS).await.status, 200);
    let left = &late.status("mail-legacy").await["expires_in_seconds"];
    assert!(left.as_u64().unwrap() <= 100, "{left}");
}
