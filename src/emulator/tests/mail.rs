//! Marketing Cloud, the first generation, and what it shares with the second.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::marketing_cloud_legacy::{CLIENT_ID, CLIENT_SECRET};
use super::{Canned, Emulator, FORM, Reply, bearer, call, emulator};

const ASK: &str = "POST /v1/requestToken";
const ASSETS: &str = "GET /asset/v1/content/assets";
const JSON: &str = "Content-Type: application/json\r\n";
const MINUTE: Duration = Duration::from_secs(60);

/// The login of a client, with more members.
fn client(more: &Value) -> String {
    let mut body = json!({ "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET });
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    body.to_string()
}

async fn ask(emulator: &Emulator, more: &Value) -> Reply {
    let body = client(more);
    call(emulator.legacy_login(), ASK, JSON, body.as_bytes()).await
}

async fn refresh(emulator: &Emulator, token: &str) -> Reply {
    let more = json!({ "accessType": "offline", "refreshToken": token });
    ask(emulator, &more).await
}

#[tokio::test]
async fn an_answer_has_the_fields_that_were_asked_for() {
    let emulator = emulator().await;
    let check = async |query: &str, more: Value, fields: &str| {
        let line = format!("{ASK}{query}");
        let body = client(&more);
        let reply = call(emulator.legacy_login(), &line, JSON, body.as_bytes()).await;
        let told = reply.json();
        let told: Vec<_> = told
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            (reply.status, told.join(" ").as_str()),
            (200, fields),
            "{query} {more}"
        );
        assert_eq!(reply.json()["expiresIn"], 3600);
        assert_eq!(reply.field("accessToken").len(), 24);
    };
    check("", json!({}), "accessToken expiresIn").await;
    check("", json!({"accessType": "online"}), "accessToken expiresIn").await;
    let offline = json!({"accessType": "offline"});
    check("", offline.clone(), "accessToken expiresIn refreshToken").await;
    check("?legacy=1", json!({}), "accessToken expiresIn legacyToken").await;
    check(
        "?legacy=1",
        offline,
        "accessToken expiresIn legacyToken refreshToken",
    )
    .await;
    let counters = emulator.counters();
    assert_eq!(counters.grants["marketing-cloud-legacy offline"], 2);
    assert_eq!(
        (
            counters.legacy_token_requests,
            counters.credentials_in_query
        ),
        (5, 0)
    );
}

#[tokio::test]
async fn both_spellings_of_the_client_id_are_taken_and_no_other_form_of_it() {
    let emulator = emulator().await;
    let unauthorized = r#"{"documentation":"https://code.docs.exacttarget.com/rest/errors/401","errorcode":1,"message":"Unauthorized"}"#;
    let check = async |headers: &str, body: String, status: u16, told: &str| {
        let reply = call(emulator.legacy_login(), ASK, headers, body.as_bytes()).await;
        let is_right = told.is_empty() || reply.text() == told;
        assert!(
            reply.status == status && is_right,
            "{body}: {} {}",
            reply.status,
            reply.text()
        );
    };
    let good = client(&json!({}));
    check(JSON, good.clone(), 200, "").await;
    check(JSON, good.replace("clientId", "clientID"), 200, "").await;
    let snake = good
        .replace("clientId", "client_id")
        .replace("clientSecret", "client_secret");
    check(JSON, snake, 401, unauthorized).await;
    check(
        JSON,
        good.replace("secret01", "secret02"),
        401,
        unauthorized,
    )
    .await;
    check(JSON, client(&json!({"accessType": "ofline"})), 400, "").await;
    check(JSON, client(&json!({"refreshToken": 7})), 400, "").await;
    check(FORM, good.clone(), 400, "").await;
    check("", good, 400, "").await;
    check(FORM, "clientId=x&clientSecret=y".to_owned(), 400, "").await;
    emulator
        .knobs()
        .turn(|dials| dials.marketing_cloud_legacy.refusal_code = 0);
    let other = unauthorized.replace(r#"errorcode":1"#, r#"errorcode":0"#);
    check(JSON, client(&json!({"clientSecret": "x"})), 401, &other).await;
    let wrong = r#"{"documentation":"https://code.docs.exacttarget.com/rest/errors/404","errorcode":404,"message":"Not Found"}"#;
    let reply = call(emulator.legacy_login(), "GET /v1/requestToken", "", b"").await;
    assert_eq!((reply.status, reply.text()), (404, wrong));
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_use_and_five_minutes() {
    let emulator = emulator().await;
    let first = ask(&emulator, &json!({"accessType": "offline"}))
        .await
        .field("refreshToken");
    let second = refresh(&emulator, &first).await.field("refreshToken");
    emulator.advance(4 * MINUTE);
    // Its answer was lost: the old one still brings a successor.
    let lost = refresh(&emulator, &first).await.field("refreshToken");
    assert!(first != second && second != lost && first != lost);
    emulator.advance(MINUTE);
    assert_eq!(refresh(&emulator, &first).await.status, 401);
    assert_eq!(refresh(&emulator, &lost).await.status, 200);
    assert_eq!(refresh(&emulator, "1unknown").await.status, 401);
    emulator.advance(700 * 24 * 60 * MINUTE - 5 * MINUTE);
    assert_eq!(
        refresh(&emulator, &second).await.status,
        401,
        "unused, but too old"
    );
    assert_eq!(emulator.counters().spent_refresh_tokens, 2);
    assert_eq!(
        emulator.counters().grants["marketing-cloud-legacy refresh"],
        3
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_has_spent_the_refresh_token() {
    let emulator = emulator().await;
    let offline = json!({ "accessType": "offline" });
    let first = ask(&emulator, &offline).await.field("refreshToken");
    let after = |dials: &mut super::Dials| dials.marketing_cloud_legacy.after.lose = 1;
    emulator.knobs().turn(after);
    let body = client(&json!({ "accessType": "offline", "refreshToken": first }));
    let host = emulator.legacy_login();
    let length = body.len();
    let head = format!("{ASK} HTTP/1.1\r\nHost: {host}\r\n{JSON}Content-Length: {length}\r\n\r\n");
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut came = Vec::new();
    // A connection that breaks off may do so loudly.
    let _ = stream.read_to_end(&mut came).await;
    let came = String::from_utf8(came).unwrap();
    assert!(
        came.starts_with("HTTP/1.1 200 ") && !came.ends_with('}'),
        "{came}"
    );
    assert_eq!(
        emulator.counters().grants["marketing-cloud-legacy refresh"],
        1
    );
    assert_eq!(refresh(&emulator, &first).await.status, 200);
    assert_eq!(emulator.counters().spent_refresh_tokens, 1);
}

#[tokio::test]
async fn a_spent_refresh_token_may_return_its_successor_again() {
    let emulator = emulator().await;
    emulator
        .knobs()
        .turn(|dials| dials.marketing_cloud_legacy.same_successor = true);
    let first = ask(&emulator, &json!({"accessType": "offline"}))
        .await
        .field("refreshToken");
    let second = refresh(&emulator, &first).await.field("refreshToken");
    assert_eq!(
        refresh(&emulator, &first).await.field("refreshToken"),
        second
    );
}

#[tokio::test]
async fn a_login_while_a_token_lives_may_return_it_with_what_is_left() {
    let emulator = emulator().await;
    emulator
        .knobs()
        .turn(|dials| dials.marketing_cloud_legacy.same_token = true);
    let first = ask(&emulator, &json!({})).await;
    emulator.advance(2 * MINUTE);
    let again = ask(&emulator, &json!({})).await;
    assert_eq!(again.field("accessToken"), first.field("accessToken"));
    let left = again.json()["expiresIn"].as_u64().unwrap();
    assert!((3479..=3480).contains(&left), "{left}");
}

#[tokio::test]
async fn a_rest_host_takes_its_own_live_tokens_as_bearer_alone() {
    let emulator = emulator().await;
    let dead = r#"{"documentation":"https://developer.salesforce.com/docs/atlas.en-us.mc-apis.meta/mc-apis/error-handling.htm","errorcode":0,"message":"Not Authorized"}"#;
    let token = ask(&emulator, &json!({})).await.field("accessToken");
    let check = async |headers: &str, status: u16| {
        let reply = call(emulator.legacy_rest(), ASSETS, headers, b"").await;
        assert_eq!(reply.status, status, "{headers} {}", reply.text());
        if status == 401 {
            assert_eq!(reply.text(), dead);
        }
        reply
    };
    let good = bearer(&token);
    check(&good, 200).await;
    check("", 401).await;
    check(&bearer("dead"), 401).await;
    check(&format!("Authorization: OAuth {token}\r\n"), 401).await;
    check(&format!("{good}{good}"), 401).await;
    let reply = check(&bearer("dead"), 401).await;
    assert_eq!(reply.header("www-authenticate"), None);
    emulator
        .knobs()
        .turn(|dials| dials.marketing_cloud_legacy.challenge = true);
    let challenge = r#"Bearer realm="example.com", error="invalid_token", error_description="The access token expired""#;
    let reply = check(&bearer("dead"), 401).await;
    assert_eq!(reply.header("www-authenticate"), Some(challenge));
    let reply = call(emulator.cloud_rest(), ASSETS, &good, b"").await;
    assert_eq!(
        (reply.status, reply.text()),
        (401, dead),
        "the other generation's host"
    );
    emulator.advance(60 * MINUTE);
    check(&good, 401).await;
    assert_eq!(emulator.counters().dummy_credentials, 1);
}

#[tokio::test]
async fn a_rest_host_may_be_too_busy() {
    let emulator = emulator().await;
    let good = bearer(&ask(&emulator, &json!({})).await.field("accessToken"));
    let answers = [Canned::cloud_rate_limited(), Canned::cloud_blocked()];
    let api = |dials: &mut super::Dials| dials.marketing_cloud_legacy.api.next.extend(answers);
    emulator.knobs().turn(api);
    let list = async || call(emulator.legacy_rest(), ASSETS, &good, b"").await;
    let reply = list().await;
    assert_eq!(
        (reply.status, &reply.json()["errorcode"]),
        (429, &json!(50_100))
    );
    assert_eq!(reply.header("retry-after"), Some("5"));
    let reply = list().await;
    assert_eq!(
        (reply.status, &reply.json()["errorcode"]),
        (429, &json!(50_200))
    );
    assert_eq!(reply.header("retry-after"), None);
    assert_eq!(list().await.status, 200);
}

#[tokio::test]
async fn rest_has_pages_and_names_the_soap_host_absolutely() {
    let emulator = emulator().await;
    let good = bearer(&ask(&emulator, &json!({})).await.field("accessToken"));
    let get = async |line: &str| call(emulator.legacy_rest(), line, &good, b"").await;
    let reply = get("GET /platform/v1/endpoints/soap").await;
    let url = format!("http://{}/Service.asmx", emulator.cloud_soap());
    assert_eq!(reply.text(), json!({ "url": url }).to_string());
    let page = get(&format!("{ASSETS}?$page=2&$pageSize=3")).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let send = async |line: &str, body: &str| {
        let headers = format!("{good}{JSON}");
        call(emulator.legacy_rest(), line, &headers, body.as_bytes()).await
    };
    let contacts = "POST /contacts/v1/contacts";
    assert_eq!(
        send(contacts, r#"{"contactKey":"k"}"#)
            .await
            .field("contactKey"),
        "k"
    );
    assert_eq!(send(contacts, "[]").await.status, 400);
    let rows = "POST /hub/v1/dataevents/key:K/rowset";
    assert_eq!(send(rows, "[{}]").await.text(), "[{}]");
    assert_eq!(send(rows, "{}").await.status, 400);
    let reply = get("GET /v1/emulator/echo/x").await;
    assert_eq!(reply.field("path"), "/v1/emulator/echo/x");
}
