//! The Salesforce instances: who passes, and REST.

use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;

use super::{Canned, Emulator, Settings, bearer, call, emulator, raw, token};

const ROOT: &str = "GET /services/data/v59.0/";
const ECHO: &str = "GET /services/apexrest/echo";

#[tokio::test]
async fn a_dead_session_looks_as_its_api_has_it() {
    let emulator = emulator().await;
    let check = async |line: &str, headers: &str, status: u16, content_type: &str, body: &str| {
        let reply = call(emulator.instance(), line, headers, b"").await;
        assert_eq!(
            (reply.status, reply.text()),
            (status, body),
            "{line} {headers}"
        );
        assert_eq!(reply.header("content-type"), Some(content_type));
        assert_eq!(reply.header("www-authenticate"), None);
        assert!(reply.header("sforce-limit-info").is_some());
    };
    let json = "application/json;charset=UTF-8";
    let rest = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
    check(ROOT, &bearer("dead"), 401, json, rest).await;
    check(ROOT, "Authorization: OAuth dead\r\n", 401, json, rest).await;
    let xml = "<Errors><Error><errorCode>INVALID_SESSION_ID</errorCode><message>Session expired or invalid</message></Error></Errors>";
    let wants_xml = format!("{}Accept: application/xml\r\n", bearer("dead"));
    check(ROOT, &wants_xml, 401, "application/xml", xml).await;
    let garbled = r#"[{"message":"INVALID_HEADER_TYPE","errorCode":"INVALID_AUTH_HEADER"}]"#;
    check(ROOT, "", 401, json, garbled).await;
    check(ROOT, "Authorization: gibberish\r\n", 401, json, garbled).await;
    check(ROOT, "Authorization: Basic eDp5\r\n", 401, json, garbled).await;
    let bulk = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\"><exceptionCode>InvalidSessionId</exceptionCode><exceptionMessage>Invalid session id</exceptionMessage></error>";
    let job = "GET /services/async/59.0/job/750";
    check(
        job,
        "X-SFDC-Session: dead\r\n",
        400,
        "application/xml",
        bulk,
    )
    .await;
    let bulk = r#"{"exceptionCode":"InvalidSessionId","exceptionMessage":"Invalid session id"}"#;
    let headers = "X-SFDC-Session: dead\r\nContent-Type: application/json\r\n";
    check(job, headers, 400, json, bulk).await;
    check(
        "GET /id/o/u",
        &bearer("dead"),
        403,
        "text/html",
        "Bad_OAuth_Token",
    )
    .await;
}

#[tokio::test]
async fn a_token_is_good_on_its_own_instance_alone() {
    let emulator = emulator().await;
    let good = bearer(&token(&emulator).await);
    assert_eq!(
        call(emulator.instance(), ROOT, &good, b"").await.status,
        200
    );
    assert_eq!(
        call(emulator.second_instance(), ROOT, &good, b"")
            .await
            .status,
        401
    );
    let reply = call(emulator.login(), ROOT, &good, b"").await;
    assert!(reply.text().contains("URL_NOT_RESET"));
    let versions = call(emulator.second_instance(), "GET /services/data", "", b"").await;
    assert_eq!(versions.status, 200);
}

#[tokio::test]
async fn a_stale_host_is_misdirected() {
    let emulator = emulator().await;
    let host = format!(
        "Host: {}\r\n{}",
        emulator.login(),
        bearer(&token(&emulator).await)
    );
    assert_eq!(raw(emulator.instance(), ROOT, &host, b"").await.status, 421);
    assert_eq!(emulator.counters().wrong_host, 1);
}

#[tokio::test]
async fn a_session_slides_but_late() {
    let settings = Settings {
        session: Duration::from_secs(1800),
        ..Settings::default()
    };
    let emulator = Emulator::start(settings).await.unwrap();
    let good = bearer(&token(&emulator).await);
    let minutes_later = async |minutes: u64| {
        emulator.advance(Duration::from_secs(minutes * 60));
        call(emulator.instance(), ROOT, &good, b"").await.status
    };
    assert_eq!(minutes_later(10).await, 200);
    assert_eq!(minutes_later(10).await, 200);
    assert_eq!(minutes_later(29).await, 200);
    assert_eq!(minutes_later(31).await, 401);
}

#[tokio::test]
async fn strange_credentials_are_counted() {
    let emulator = emulator().await;
    let token = token(&emulator).await;
    let check = async |line: &str, headers: String, dummies: u64, both: u64| {
        let before = emulator.counters();
        call(emulator.instance(), line, &headers, b"").await;
        let after = emulator.counters();
        assert_eq!(
            after.dummy_credentials - before.dummy_credentials,
            dummies,
            "{line} {headers}"
        );
        assert_eq!(
            after.both_header_forms - before.both_header_forms,
            both,
            "{line} {headers}"
        );
    };
    let good = bearer(&token);
    let job = "GET /services/async/59.0/job/750";
    check(ECHO, good.clone(), 0, 0).await;
    check(job, format!("X-SFDC-Session: {token}\r\n"), 0, 0).await;
    check(&format!("{ECHO}?oauth_token=x"), good.clone(), 1, 0).await;
    check(ECHO, format!("{good}Cookie: sid=x\r\n"), 1, 0).await;
    check(ECHO, format!("{good}apiAccessKeyId: x\r\n"), 1, 0).await;
    check(ECHO, format!("{good}X-SFDC-Session: \r\n"), 1, 1).await;
    check(ECHO, format!("{good}{good}"), 1, 0).await;
    check(job, format!("{good}X-SFDC-Session: {token}\r\n"), 1, 0).await;
    check(
        job,
        format!("Authorization: Bearer x\r\nX-SFDC-Session: {token}\r\n"),
        1,
        1,
    )
    .await;
}

#[tokio::test]
async fn a_query_has_two_pages_and_keeps_its_bytes() {
    let emulator = emulator().await;
    let good = bearer(&token(&emulator).await);
    let query = "q=SELECT+Id%20FROM+Account+WHERE+Name='50%25'";
    for slash in ["", "/"] {
        let line = format!("GET /services/data/v59.0/query{slash}?{query}");
        let reply = call(emulator.instance(), &line, &good, b"").await;
        assert_eq!(reply.header("x-raw-query"), Some(query));
        assert_eq!(reply.json()["done"], false);
        let next = reply.field("nextRecordsUrl");
        assert!(next.starts_with("/services/data/v59.0/query/01g"), "{next}");
        let reply = call(emulator.instance(), &format!("GET {next}"), &good, b"").await;
        assert_eq!(reply.json()["done"], true);
    }
}

#[tokio::test]
async fn records_are_created_changed_and_described() {
    let emulator = emulator().await;
    let good = bearer(&token(&emulator).await);
    let check = async |line: &str, headers: &str, body: &str, status: u16| {
        let headers = format!("{good}{headers}");
        let reply = call(emulator.instance(), line, &headers, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{line}: {}", reply.text());
        reply
    };
    let account = "/services/data/v59.0/sobjects/Account";
    let reply = check(&format!("POST {account}"), "", r#"{"Name":"x"}"#, 201).await;
    let place = format!("{account}/{}", reply.field("id"));
    assert_eq!(reply.header("location"), Some(place.as_str()));
    check(&format!("POST {account}"), "", "Name=x", 400).await;
    let reply = check(&format!("PATCH {place}"), "", "{}", 204).await;
    assert_eq!((reply.text(), reply.header("content-type")), ("", None));
    check(&format!("POST {place}?_HttpMethod=PATCH"), "", "{}", 204).await;
    check(&format!("GET {account}/describe"), "", "", 200).await;
    let since = "If-Modified-Since: Tue, 01 Jan 2030 00:00:00 GMT\r\n";
    check(&format!("GET {account}/describe"), since, "", 304).await;
    check("GET /services/data/v59.0/limits", "", "", 200).await;
    let body = r#"{"compositeRequest":[{"url":"/x","referenceId":"r"}]}"#;
    let reply = check("POST /services/data/v59.0/composite", "", body, 200).await;
    assert_eq!(reply.json()["compositeResponse"][0]["referenceId"], "r");
    let reply = check(ROOT, "", "", 200).await;
    let identity = reply.field("identity");
    let path = identity
        .strip_prefix(&format!("http://{}", emulator.login()))
        .unwrap();
    check(&format!("GET {path}"), "", "", 200).await;
}

#[tokio::test]
async fn answers_are_zipped_and_pretty_when_asked() {
    let emulator = emulator().await;
    let headers = "Accept-Encoding: gzip\r\nX-PrettyPrint: 1\r\n";
    let headers = format!("{}{headers}", bearer("dead"));
    let reply = call(emulator.instance(), ROOT, &headers, b"").await;
    assert_eq!(
        (reply.status, reply.header("content-encoding")),
        (401, Some("gzip"))
    );
    let mut text = String::new();
    GzDecoder::new(reply.bytes.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.starts_with("[\n  {\n"), "{text}");
}

#[tokio::test]
async fn faults_of_an_instance_are_given_to_live_sessions() {
    let emulator = emulator().await;
    let good = bearer(&token(&emulator).await);
    emulator.knobs().turn(|dials| {
        dials.salesforce.next.push_back(Canned::not_for_rest());
        dials.salesforce.fresh_rejections = 1;
    });
    let ask = async || call(emulator.instance(), ROOT, &good, b"").await;
    assert!(ask().await.text().contains("Session expired or invalid"));
    assert!(
        ask()
            .await
            .text()
            .contains("This session is not valid for use with the REST API")
    );
    assert_eq!(ask().await.status, 200);
}
