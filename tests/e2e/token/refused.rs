//! Tokens and passwords that are refused: few logins, whoever asks how often.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::LIMITS;
use crate::support::emulated::{CRM, CRM_USER};
use crate::support::tls::Folder;
use crate::support::{Caller, Emulated, Scripted, TestProxy, together};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_costs_one_login_however_many_ask() {
    let at = Emulated::start(CRM_USER).await;
    at.turn(|dials| dials.login.password = Some("changed".to_owned()));
    let addr = at.proxy.addr();
    let asked = together(20, move |_| async move {
        let mut caller = Caller::connect(addr).await;
        for _ in 0..50 {
            let answer = caller.get("/crm-user/services/data/v59.0/limits").await;
            assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0301"));
            assert_eq!(answer.header("retry-after"), None);
            // What the provider said is the operator's to know.
            assert!(!answer.text().contains("authentication failure"));
        }
    });
    asked.await;
    assert_eq!(at.logins(), 1);
    let status = at.proxy.status("crm-user").await;
    assert_eq!(status["state"], "refused");
    assert!(
        status["why"]
            .as_str()
            .unwrap()
            .contains("authentication failure")
    );
    assert_eq!(at.counters().api_requests.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_upstreams_of_a_user_with_a_wrong_password_try_it_once_together() {
    let other =
        CRM_USER.replace("upstream.crm-user", "upstream.other") + "session_timeout = \"1h\"\n";
    // A third one names the same user by a file.
    let folder = Folder::new();
    let file = folder.path().join("username");
    let third = CRM_USER
        .replace("upstream.crm-user", "upstream.third")
        .replace("\"${DEMO_USERNAME}\"", &format!("{{ file = {file:?} }}"));
    let at = Emulated::start(&format!("{CRM_USER}{other}{third}")).await;
    let variables = at.emulator.variables();
    let (_, user) = variables
        .iter()
        .find(|(name, _)| name == "DEMO_USERNAME")
        .unwrap();
    folder.write("username", &format!("{user}\n"));
    at.turn(|dials| dials.login.password = Some("changed".to_owned()));
    for name in ["crm-user", "other", "third"] {
        let answer = at.proxy.get(&format!("/{name}/services/data")).await;
        assert_eq!(answer.code(), "UA-0301", "{name}");
    }
    assert_eq!(at.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_rejects_every_token_costs_a_handful_of_logins() {
    let at = Emulated::start(CRM).await;
    at.turn(|dials| dials.salesforce.rejects_all = true);
    let addr = at.proxy.addr();
    let asked = together(10, move |_| async move {
        let mut caller = Caller::connect(addr).await;
        for _ in 0..50 {
            let answer = caller.get(LIMITS).await;
            assert_eq!(answer.status, 401, "{}", answer.text());
            assert_eq!(answer.json()[0]["errorCode"], "INVALID_SESSION_ID");
        }
    });
    asked.await;
    assert!((1..=5).contains(&at.logins()), "{}", at.logins());
    // When it comes to its senses, what is there serves.
    at.turn(|dials| dials.salesforce.rejects_all = false);
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_that_is_known_a_moment_late_causes_no_login_of_its_own() {
    let at = Emulated::start(CRM).await;
    at.turn(|dials| dials.salesforce.fresh_rejections = 2);
    // The first token is rejected, so is its successor: the answer passes, and nobody logs in for it.
    assert_eq!(at.proxy.get(LIMITS).await.status, 401);
    let answer = at.proxy.get(LIMITS).await;
    assert_eq!(
        (answer.status, answer.header("x-upauth-replayed")),
        (200, None)
    );
    assert_eq!(at.logins(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_rejects_what_others_accept_costs_six_logins_at_once() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let (status, body) = match seen.target.as_str() {
                "/closed" => ("401 Unauthorized", r#"{"message":"Authentication error"}"#),
                _ => ("200 OK", "{}"),
            };
            connection.reply(status, "", body).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    for _ in 0..250 {
        assert_eq!(caller.get("/api/open").await.status, 200);
        assert_eq!(caller.get("/api/closed").await.status, 401);
    }
    // A machine may be so slow that the next is due.
    assert!((7..=8).contains(&api.logins()), "{}", api.logins());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_rejects_now_and_then_costs_six_logins_at_once_although_each_seems_to_help() {
    let calls = Arc::new(AtomicUsize::new(0));
    let api = Scripted::start(move |mut connection| {
        let calls = calls.clone();
        async move {
            while let Some(seen) = connection.request().await {
                let odd =
                    seen.target == "/odd" && calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
                let status = if odd { "401 Unauthorized" } else { "200 OK" };
                let body = if odd {
                    r#"{"message":"Authentication error"}"#
                } else {
                    "{}"
                };
                connection.reply(status, "", body).await;
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    for _ in 0..300 {
        let answer = caller.get("/api/odd").await;
        assert!(matches!(answer.status, 200 | 401));
    }
    // A machine may be so slow that the next is due.
    assert!((7..=8).contains(&api.logins()), "{}", api.logins());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_really_end_one_after_the_other_are_replaced_at_once() {
    let at = Emulated::start(CRM).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    for _ in 0..6 {
        at.emulator.end_sessions("all");
        let answer = at.proxy.get(LIMITS).await;
        let replayed = answer.header("x-upauth-replayed");
        assert_eq!((answer.status, replayed), (200, Some("1")));
    }
    assert_eq!(at.logins(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_token_again_after_a_rejection_is_not_asked_for_in_a_loop() {
    // A login that returns the token that was just rejected, as orgs do while a session lives.
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            if seen.target == "/services/oauth2/token" {
                let host = seen.header("host").unwrap().to_owned();
                let body = format!(r#"{{"access_token":"same","instance_url":"http://{host}"}}"#);
                connection.reply("200 OK", "", &body).await;
            } else {
                let body = r#"[{"errorCode":"INVALID_SESSION_ID"}]"#;
                connection.reply("401 Unauthorized", "", body).await;
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&format!(
        "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"http://{}\"\nclient_id = \"id\"\n\
         client_secret = \"secret\"\ntoken_wait = \"300ms\"\n",
        api.addr
    ));
    for _ in 0..50 {
        let answer = proxy.get(LIMITS).await;
        assert!(matches!(answer.status, 401 | 503), "{}", answer.status);
    }
    let seen = api.seen();
    let logins = seen
        .iter()
        .filter(|seen| seen.target == "/services/oauth2/token");
    assert!(logins.count() <= 5);
}
