//! Salesforce: grants, carriers, dead sessions.

/// Assertions, refresh tokens, programs.
pub mod grants;
/// The instance that comes with the token.
mod instance;
/// Calls that are never forwarded.
mod refused;

use aws_lc_rs::digest;
use serde_json::json;
use upauth::emulator::Canned;

use crate::support::emulated::{CRM, CRM_USER};
use crate::support::{Answer, Emulated};

const ECHO: &str = "/crm/services/apexrest/echo";
const DEAD: &str = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_token_travels_as_bearer_or_as_oauth_alone() {
    for (key, scheme) in [
        ("", "Bearer"),
        ("header = \"bearer\"\n", "Bearer"),
        ("header = \"oauth\"\n", "OAuth"),
    ] {
        let at = Emulated::start(&format!("{CRM}{key}")).await;
        let token = "00Dxx0000000001!AQ4A.known_token";
        let exact = json!({
            "access_token": token,
            "instance_url": format!("http://{}", at.emulator.instance()),
        });
        at.turn(|dials| dials.answer.exact = Some(exact.to_string()));
        let junk = "Authorization: Bearer junk\r\nX-SFDC-Session: junk\r\nCookie: sid=junk\r\n";
        let told = at
            .proxy
            .get_with(&format!("{ECHO}?oauth_token=junk&a=1"), junk)
            .await
            .json();
        let headers = told["headers"].as_array().unwrap();
        let carried: Vec<_> = headers
            .iter()
            .filter(|header| header["sha256"].is_string())
            .collect();
        let digest = digest::digest(&digest::SHA256, format!("{scheme} {token}").as_bytes());
        let digest: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(carried.len(), 1, "{carried:?}");
        assert_eq!(carried[0]["name"], "authorization");
        assert_eq!(carried[0]["sha256"], digest, "{scheme}");
        assert_eq!(told["query"], "a=1");
        let counters = at.counters();
        assert_eq!(counters.dummy_credentials, 0);
        assert_eq!(counters.logins["integration@acme.example"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_of_the_password_grant_is_encoded_on_its_own() {
    // The password holds a plus, a percent sign, spaces, an ampersand and an equals sign; the secret is in the body.
    let at = Emulated::start(CRM_USER).await;
    let answer = at.proxy.get("/crm-user/services/data/v59.0/limits").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let counters = at.counters();
    assert_eq!(counters.logins["pricing@acme.example"], 1);
    assert_eq!(
        (counters.refused_logins, counters.credentials_in_query),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_answers_name_the_upstream_and_are_private() {
    let at = Emulated::start(CRM).await;
    let answer = at.proxy.get("/crm/services/data/v59.0/limits").await;
    assert_eq!(answer.header("x-upauth-upstream"), Some("crm"));
    assert_eq!(answer.header("cache-control"), Some("private"));
    assert_eq!(answer.header("x-upauth-replayed"), None);
    // What the upstream says stricter stands.
    at.turn(|dials| {
        let headers = vec![("Cache-Control".to_owned(), "no-store".to_owned())];
        dials.salesforce.next.push_back(Canned {
            headers,
            ..Canned::json(404, "[]")
        });
    });
    let answer = at.proxy.get("/crm/services/data/v59.0/limits").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-upauth-upstream"), Some("crm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_session_is_renewed_and_the_request_replayed_once_in_every_form() {
    let json = "Content-Type: application/json\r\n";
    let rest = "/crm/services/data/v59.0/limits";
    let identity = "/crm/id/00Dxx0000000001EAA/005xx000000000AAAQ";
    for (path, headers) in [
        (rest, ""),
        (rest, "Accept: application/json\r\n"),
        (rest, "Accept: application/xml\r\n"),
        (rest, "Accept-Encoding: gzip\r\n"),
        (rest, "Accept-Encoding: gzip\r\nAccept: application/xml\r\n"),
        (rest, "X-PrettyPrint: 1\r\n"),
        (identity, ""),
        ("/crm/services/oauth2/userinfo", ""),
        ("/crm/services/async/59.0/job/JOB", ""),
        ("/crm/services/async/59.0/job/JOB", json),
        (
            "/crm/services/async/59.0/job/JOB",
            "Accept-Encoding: gzip\r\n",
        ),
    ] {
        let at = Emulated::start(CRM).await;
        let job = bulk_job(&at).await;
        let path = path.replace("JOB", &job);
        let answer = at.proxy.get_with(&path, headers).await;
        assert_eq!(answer.status, 200, "{path} {headers}: {}", answer.text());
        assert_eq!(answer.header("x-upauth-replayed"), None);
        at.emulator.end_sessions("all");
        let answer = at.proxy.get_with(&path, headers).await;
        assert_eq!(answer.status, 200, "{path} {headers}: {}", answer.text());
        assert_eq!(answer.header("x-upauth-replayed"), Some("1"), "{path}");
        let counters = at.counters();
        assert_eq!((counters.token_requests, counters.dead_sessions), (2, 1));
        assert_eq!(counters.dummy_credentials, 0, "{path}");
        assert_eq!(at.proxy.get(rest).await.header("x-upauth-replayed"), None);
    }
}

async fn bulk_job(at: &Emulated) -> String {
    let answer = create_job(at).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn create_job(at: &Emulated) -> Answer {
    // simple-salesforce sends both forms; only one of them belongs there.
    let headers =
        "Content-Type: application/json\r\nX-SFDC-Session: junk\r\nAuthorization: Bearer junk\r\n";
    let body = r#"{"operation":"insert","object":"Account","contentType":"JSON"}"#;
    let mut caller = at.proxy.caller().await;
    let path = "/crm/services/async/59.0/job";
    caller.post_with(path, headers, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_calls_carry_the_session_header_alone_and_a_post_is_replayed() {
    let at = Emulated::start(CRM).await;
    bulk_job(&at).await;
    at.emulator.end_sessions("all");
    let answer = create_job(&at).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
    let counters = at.counters();
    assert_eq!(
        (counters.dummy_credentials, counters.both_header_forms),
        (0, 0)
    );
    assert_eq!((counters.dead_sessions, counters.token_requests), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_of_the_org_may_have_done_is_not_done_again() {
    let limits = "/crm/services/data/v59.0/limits";
    for (method, path, replayed) in [
        ("POST", ECHO, false),
        ("POST", "/crm/services/data/../apexrest/echo", false),
        ("PATCH", ECHO, false),
        ("DELETE", ECHO, false),
        ("GET", ECHO, true),
        ("HEAD", ECHO, true),
        ("POST", limits, true),
    ] {
        let at = Emulated::start(CRM).await;
        assert_eq!(at.proxy.get(limits).await.status, 200);
        // Either the session is dead, or a class says so after it did what it was asked to.
        at.turn(|dials| dials.salesforce.next.push_back(Canned::json(401, DEAD)));
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        let answer = at.proxy.caller().await.ask(request).await;
        let header = answer.header("x-upauth-replayed");
        assert_eq!(header.is_some(), replayed, "{method} {path}");
        let sent = at.counters().api_requests["instance"];
        assert_eq!(sent, if replayed { 3 } else { 2 }, "{method} {path}");
        if !replayed {
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (401, DEAD),
                "{method} {path}"
            );
        }
        // The session is renewed all the same.
        assert_eq!(at.proxy.get(limits).await.status, 200);
        assert_eq!(at.logins(), 2, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_only_look_like_a_dead_session_pass_and_cost_no_login() {
    let at = Emulated::start(CRM).await;
    let xml = |text: &str| Canned {
        status: 401,
        content_type: "application/xml".to_owned(),
        body: text.to_owned(),
        ..Canned::default()
    };
    for alike in [
        Canned::not_for_rest(),
        Canned::not_attached_to_agent(),
        Canned::json(
            401,
            r#"[{"message":"INVALID_HEADER_TYPE","errorCode":"INVALID_AUTH_HEADER"}]"#,
        ),
        Canned::json(
            401,
            r#"[{"message":"Destination URL not reset","errorCode":"URL_NOT_RESET"}]"#,
        ),
        Canned::json(401, r#"{"errorCode":"INVALID_SESSION_ID"}"#),
        Canned::json(400, DEAD),
        Canned::json(403, DEAD),
        Canned::json(200, DEAD),
        Canned::json(
            403,
            r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#,
        ),
        xml(
            "<Errors><Error><errorCode>INVALID_SESSION_ID</errorCode><message>This session is not valid for use with the REST API</message></Error></Errors>",
        ),
        xml(
            "<Errors><Error><errorCode>OTHER</errorCode><message>INVALID_SESSION_ID</message></Error></Errors>",
        ),
        Canned {
            status: 401,
            ..Canned::html()
        },
        Canned::status(401),
    ] {
        at.turn(|dials| dials.salesforce.next.push_back(alike.clone()));
        let answer = at.proxy.get(ECHO).await;
        assert_eq!((answer.status, answer.text()), (alike.status, alike.body));
        assert_eq!(answer.header("x-upauth-replayed"), None);
        assert_eq!(at.proxy.get(ECHO).await.status, 200);
    }
    assert_eq!(at.logins(), 1);
}
