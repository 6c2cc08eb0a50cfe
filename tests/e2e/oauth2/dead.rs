//! Dead tokens, and answers that only look like one.

use upauth::emulator::{Canned, OauthDead};

use super::{ANY, ME, SECRET};
use crate::support::Emulated;

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_renewed_and_the_request_sent_once_more_in_every_form() {
    let words = "dead_session = [{ status = 403, body = \"token is expired\" }]\n";
    for (dead, more) in [
        (OauthDead::InvalidToken, ""),
        (OauthDead::SecondChallenge, ""),
        (OauthDead::Bare, ""),
        (OauthDead::Expired403, words),
    ] {
        let at = Emulated::start(&format!("{ANY}{SECRET}{more}")).await;
        at.turn(|dials| dials.oauth2.dead = dead);
        assert_eq!(at.proxy.get(ME).await.status, 200);
        at.emulator.end_sessions("oauth2");
        let answer = at.proxy.get(ME).await;
        let replayed = answer.header("x-upauth-replayed");
        assert_eq!((answer.status, replayed), (200, Some("1")), "{dead:?}");
        let counters = at.counters();
        assert_eq!(
            (counters.oauth2_token_requests, counters.dead_sessions),
            (2, 1)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_new_token_does_not_mend_passes_and_costs_no_login() {
    let at = Emulated::start(&format!("{ANY}{SECRET}")).await;
    // 403 and insufficient_scope.
    assert_eq!(at.proxy.get("/any/admin").await.status, 403);
    let challenge = |status, challenge: &str| Canned {
        headers: vec![("WWW-Authenticate".to_owned(), challenge.to_owned())],
        ..Canned::json(status, r#"{"error":"x"}"#)
    };
    for alike in [
        challenge(401, "Bearer error=\"insufficient_scope\""),
        challenge(
            401,
            "Bearer realm=\"error=\\\"invalid_token\\\"\", error=\"invalid_request\"",
        ),
        challenge(403, "Bearer error=\"invalid_token\""),
        challenge(400, "Bearer error=\"invalid_token\""),
        Canned::json(403, r#"{"message":"token is expired"}"#),
        Canned::json(200, r#"{"error":"invalid_token"}"#),
    ] {
        at.turn(|dials| dials.oauth2.api.next.push_back(alike.clone()));
        let answer = at.proxy.get(ME).await;
        assert_eq!((answer.status, answer.text()), (alike.status, alike.body));
        assert_eq!(answer.header("x-upauth-replayed"), None);
    }
    assert_eq!(at.counters().oauth2_token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_list_of_dead_answers_replaces_the_usual_one() {
    let more = "dead_session = [{ status = 440 }]\n";
    let at = Emulated::start(&format!("{ANY}{SECRET}{more}")).await;
    assert_eq!(at.proxy.get(ME).await.status, 200);
    at.emulator.end_sessions("oauth2");
    assert_eq!(at.proxy.get(ME).await.status, 401);
    assert_eq!(at.counters().oauth2_token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_is_judged_by_its_challenge() {
    let at = Emulated::start(&format!("{ANY}{SECRET}")).await;
    assert_eq!(at.proxy.get(ME).await.status, 200);
    at.turn(|dials| {
        let headers = vec![(
            "WWW-Authenticate".to_owned(),
            "Bearer error=\"insufficient_scope\"".to_owned(),
        )];
        dials.oauth2.api.next.push_back(Canned {
            headers,
            ..Canned::status(401)
        });
    });
    let mut caller = at.proxy.caller().await;
    caller
        .write("HEAD /any/me HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(caller.answer(true).await.unwrap().status, 401);
    assert_eq!(at.counters().oauth2_token_requests, 1);
}
