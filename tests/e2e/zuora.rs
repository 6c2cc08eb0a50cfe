//! Zuora: track ids, entities, older credentials, three shapes of a dead session and a hiccup.

use upauth::emulator::{Canned, DeadShape};

use crate::support::emulated::BILLING;
use crate::support::{Emulated, Scripted, TestProxy};

const ACCOUNTS: &str = "/billing/v1/accounts/A1";

/// Every second request finds its session dead.
async fn forgetful() -> Scripted {
    Scripted::start(|mut connection| async move {
        let mut dead = false;
        while connection.request().await.is_some() {
            dead = !dead;
            let json = "Content-Type: application/json\r\n";
            if dead {
                let body = r#"{"message":"Authentication error"}"#;
                connection.reply("401 Unauthorized", json, body).await;
            } else {
                connection.reply("200 OK", json, "{}").await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_call_has_no_authorization_and_the_api_call_a_bearer_token() {
    // The emulator refuses a login with any Authorization, and takes no scheme but Bearer.
    let at = Emulated::start(BILLING).await;
    let junk = "Authorization: Basic eDp5\r\nCookie: ZSession=junk\r\napiAccessKeyId: me\r\napiSecretAccessKey: pw\r\n";
    let answer = at.proxy.get_with(ACCOUNTS, junk).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-upauth-upstream"), Some("billing"));
    assert_eq!(answer.header("cache-control"), Some("private"));
    let counters = at.counters();
    assert_eq!(
        (counters.billing_token_requests, counters.refused_logins),
        (1, 0)
    );
    assert_eq!(
        (counters.dummy_credentials, counters.credentials_in_query),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_track_id_is_the_callers_if_valid_else_ours_and_the_same_on_a_replay() {
    let long = "x".repeat(65);
    let valid = ["order-17", "two words", &long[..64]];
    let invalid = ["a:b", "a;b", "it's", "\"a\"", &long, "caf\u{e9}", ""];
    for given in valid.iter().chain(&invalid) {
        let api = forgetful().await;
        let proxy = TestProxy::start(&api.upstream());
        let header = format!("Zuora-Track-Id: {given}\r\n");
        let answer = proxy.get_with("/api/v1/accounts", &header).await;
        assert_eq!(answer.header("x-upauth-replayed"), Some("1"), "{given}");
        let seen = api.seen();
        let ids: Vec<_> = seen
            .iter()
            .map(|s| s.header("zuora-track-id").unwrap())
            .collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1], "{given}: the replay has another id");
        assert!(seen.iter().all(|s| s.count("zuora-track-id") == 1));
        if valid.contains(given) {
            assert_eq!(ids[0], *given);
        } else {
            assert_ours(ids[0]);
            assert_ne!(ids[0], *given);
        }
        assert_ne!(
            seen[0].header("authorization"),
            seen[1].header("authorization")
        );
    }
}

fn assert_ours(id: &str) {
    assert!((8..=64).contains(&id.len()), "{id:?}");
    let good = |b: u8| (b'!'..=b'~').contains(&b) && !b":;\"'".contains(&b);
    assert!(id.bytes().all(good), "{id:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_track_id_each_request_gets_one_of_its_own() {
    let at = Emulated::start(BILLING).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = at.proxy.get(ACCOUNTS).await;
        let id = answer
            .header("zuora-track-id")
            .expect("a track id")
            .to_owned();
        assert_ours(&id);
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_entities_and_orgs_replace_the_callers() {
    let api = Scripted::constant("ok").await;
    let fenced = format!(
        "{}entity_ids = [\"ours-1\", \"ours-2\"]\norg_ids = [\"org-1\"]\n",
        api.upstream()
    );
    let callers = "Zuora-Entity-Ids: theirs\r\nzuora-entity-ids: theirs\r\nZuora_Entity_Ids: theirs\r\n\
                   entityId: theirs\r\nentityName: theirs\r\nZuora-Org-Ids: theirs\r\n";
    let proxy = TestProxy::start(&fenced);
    assert_eq!(proxy.get_with("/api/v1/x", callers).await.status, 200);
    let seen = &api.seen()[0];
    assert_eq!(seen.header("zuora-entity-ids"), Some("ours-1,ours-2"));
    assert_eq!(seen.header("zuora-org-ids"), Some("org-1"));
    let theirs = |(_, value): &(String, String)| value.contains("theirs");
    assert!(!seen.headers.iter().any(theirs), "{seen:?}");
    // Without a fence they are the caller's to say.
    let proxy = TestProxy::start(&api.upstream());
    let callers = "Zuora-Entity-Ids: theirs\r\nZuora-Org-Ids: theirs\r\n";
    assert_eq!(proxy.get_with("/api/v1/x", callers).await.status, 200);
    let seen = &api.seen()[1];
    assert_eq!(seen.header("zuora-entity-ids"), Some("theirs"));
    assert_eq!(seen.header("zuora-org-ids"), Some("theirs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_renewed_and_replayed_whichever_way_it_is_told() {
    for shape in [
        DeadShape::Message,
        DeadShape::Reasons,
        DeadShape::Success200,
    ] {
        for encoding in ["", "Accept-Encoding: gzip\r\n"] {
            let at = Emulated::start(BILLING).await;
            at.turn(|dials| dials.billing.dead = shape);
            assert_eq!(at.proxy.get(ACCOUNTS).await.status, 200);
            at.emulator.end_sessions("zuora");
            let answer = at.proxy.get_with(ACCOUNTS, encoding).await;
            assert_eq!(answer.header("x-upauth-replayed"), Some("1"), "{shape:?}");
            assert_eq!(answer.json()["success"], true, "{shape:?}");
            assert_eq!((at.logins(), at.counters().dead_sessions), (2, 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_replayed_after_401_and_after_200_only_renewed_for() {
    for (shape, replayed) in [
        (DeadShape::Message, true),
        (DeadShape::Reasons, true),
        (DeadShape::Success200, false),
    ] {
        let at = Emulated::start(BILLING).await;
        at.turn(|dials| dials.billing.dead = shape);
        let post = || at.proxy.post("/billing/v1/accounts", r#"{"name":"n"}"#);
        assert_eq!(post().await.json()["success"], true);
        at.emulator.end_sessions("zuora");
        let answer = post().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["success"], replayed, "{shape:?}");
        assert_eq!(answer.header("x-upauth-replayed").is_some(), replayed);
        // The next one finds a new token without a rejection of its own.
        let answer = post().await;
        assert_eq!(answer.json()["success"], true, "{shape:?}");
        assert_eq!(answer.header("x-upauth-replayed"), None);
        assert_eq!((at.logins(), at.counters().dead_sessions), (2, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_that_are_not_about_the_session_pass_and_cost_no_login() {
    let at = Emulated::start(BILLING).await;
    for alike in [
        Canned::json(
            200,
            r#"{"success":false,"reasons":[{"code":53100020,"message":"'name' may not be null"}]}"#,
        ),
        Canned::json(
            200,
            r#"{"success":true,"reasons":[{"code":90000011,"message":"old"}]}"#,
        ),
        Canned::json(401, r#"{"message":"Something else"}"#),
        Canned::json(403, r#"{"message":"Authentication error"}"#),
        Canned::status(429),
        Canned {
            status: 401,
            ..Canned::html()
        },
    ] {
        at.turn(|dials| dials.zuora.next.push_back(alike.clone()));
        let answer = at.proxy.get(ACCOUNTS).await;
        assert_eq!((answer.status, answer.text()), (alike.status, alike.body));
        assert_eq!(answer.header("x-upauth-replayed"), None);
    }
    assert_eq!(at.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hiccup_is_asked_again_once_with_the_same_token() {
    let at = Emulated::start(BILLING).await;
    let hiccups = |count: usize| {
        at.turn(|dials| dials.zuora.next.extend(vec![Canned::zuora_hiccup(); count]));
    };
    hiccups(1);
    let answer = at.proxy.get(ACCOUNTS).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-upauth-replayed"), None);
    hiccups(1);
    let answer = at
        .proxy
        .post("/billing/v1/accounts", r#"{"name":"n"}"#)
        .await;
    assert_eq!(answer.json()["success"], true, "{}", answer.text());
    hiccups(2);
    let answer = at.proxy.get(ACCOUNTS).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["message"], "Failed to get user info");
    assert_eq!(at.logins(), 1);
    assert_eq!(at.counters().api_requests["billing"], 6);
}
