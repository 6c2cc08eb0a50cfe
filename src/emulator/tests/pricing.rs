//! Zilliant.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};

use super::{Emulator, Reply, bearer, call, emulator, person_form, token_request};

/// A token answer, invented, and its header value, computed apart from this code.
const ANSWER: &str = r#"{"access_token":"00Dxx0000000001!AQ4AQFakeFakeFake_fake.0","instance_url":"https://acme.my.salesforce.com","id":"https://login.salesforce.com/id/00Dxx0000000001EAA/005xx000000000AAAQ","token_type":"Bearer","issued_at":"1700000000000","signature":"ZmFrZXNpZ25hdHVyZQ=="}"#;
const HEADER: &str = "OAuth eyJhY2Nlc3NfdG9rZW4iOiIwMER4eDAwMDAwMDAwMDEhQVE0QVFGYWtlRmFrZUZha2VfZmFrZS4wIiwiaW5zdGFuY2VfdXJsIjoiaHR0cHM6Ly9hY21lLm15LnNhbGVzZm9yY2UuY29tIiwiaWQiOiJodHRwczovL2xvZ2luLnNhbGVzZm9yY2UuY29tL2lkLzAwRHh4MDAwMDAwMDAwMUVBQS8wMDV4eDAwMDAwMDAwMEFBQVEiLCJ0b2tlbl90eXBlIjoiQmVhcmVyIiwiaXNzdWVkX2F0IjoiMTcwMDAwMDAwMDAwMCIsInNpZ25hdHVyZSI6IlptRnJaWE5wWjI1aGRIVnlaUT09In0=";

const READ: &str = "GET /v1/LogicalEntityData/Price?$filter=ProductId%20eq%20'114695416'&$top=1";

async fn read(emulator: &Emulator, to: SocketAddr, credential: &str) -> Reply {
    let login = emulator.login();
    let headers = format!("Authorization: {credential}\r\nX-Forwarded-Host: {login}\r\n");
    call(to, READ, &headers, b"").await
}

fn oauth(answer: &Reply) -> String {
    format!("OAuth {}", STANDARD.encode(&answer.bytes))
}

/// An answer whose base64 is padded and differs between the two alphabets.
async fn answer_with_padding(emulator: &Emulator) -> Reply {
    for pad in ["", "x", "xx"] {
        let instance_url = format!("https://a.example/{pad}?>?>?>");
        emulator
            .knobs()
            .turn(|dials| dials.answer.instance_url = Some(instance_url));
        let answer = token_request(emulator.login(), &person_form()).await;
        let encoded = STANDARD.encode(&answer.bytes);
        if encoded.ends_with('=') {
            assert_ne!(URL_SAFE.encode(&answer.bytes), encoded);
            return answer;
        }
    }
    panic!("one of three lengths is padded");
}

#[tokio::test]
async fn the_test_vector_is_accepted() {
    let emulator = emulator().await;
    let exact = Some(ANSWER.to_owned());
    emulator.knobs().turn(|dials| dials.answer.exact = exact);
    let reply = token_request(emulator.login(), &person_form()).await;
    assert_eq!((reply.text(), oauth(&reply).as_str()), (ANSWER, HEADER));
    let reply = read(&emulator, emulator.pricing_prod(), HEADER).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let query = "$filter=ProductId%20eq%20'114695416'&$top=1";
    assert_eq!(reply.field("query"), query);
}

#[tokio::test]
async fn only_the_whole_answer_in_padded_standard_base64_passes() {
    let emulator = emulator().await;
    let prod = emulator.pricing_prod();
    let answer = answer_with_padding(&emulator).await;
    let check = async |credential: String, status: u16| {
        let reply = read(&emulator, prod, &credential).await;
        assert_eq!(reply.status, status, "{credential}: {}", reply.text());
    };
    check(oauth(&answer), 200).await;
    check(
        format!("OAuth {}", STANDARD_NO_PAD.encode(&answer.bytes)),
        401,
    )
    .await;
    check(format!("OAuth {}", URL_SAFE.encode(&answer.bytes)), 401).await;
    check(format!("Bearer {}", STANDARD.encode(&answer.bytes)), 401).await;
    let token = answer.field("access_token");
    check(format!("OAuth {}", STANDARD.encode(&token)), 401).await;
    check(format!("OAuth {token}"), 401).await;
    let rewritten = answer.json().to_string();
    check(format!("OAuth {}", STANDARD.encode(rewritten)), 401).await;
    let mut broken = oauth(&answer);
    broken.insert(90, ' ');
    check(broken, 401).await;
    check(oauth(&answer), 200).await;
}

#[tokio::test]
async fn the_login_host_travels_in_x_forwarded_host() {
    let emulator = emulator().await;
    let answer = token_request(emulator.login(), &person_form()).await;
    let check = async |forwarded: String, status: u16| {
        let headers = format!("Authorization: {}\r\n{forwarded}", oauth(&answer));
        let reply = call(emulator.pricing_prod(), READ, &headers, b"").await;
        assert_eq!(reply.status, status, "{forwarded}");
    };
    let login = emulator.login();
    check(String::new(), 401).await;
    check(
        format!("X-Forwarded-Host: {}\r\n", emulator.pricing_prod()),
        401,
    )
    .await;
    check(
        format!("X-Forwarded-Host: {login}\r\nX-Forwarded-Host: {login}\r\n"),
        401,
    )
    .await;
    check(format!("X-Forwarded-Host: {login}\r\n"), 200).await;
}

#[tokio::test]
async fn a_token_belongs_to_the_environment_it_was_first_used_in() {
    let emulator = emulator().await;
    let answer = token_request(emulator.login(), &person_form()).await;
    let (prod, dev) = (emulator.pricing_prod(), emulator.pricing_dev());
    assert_eq!(read(&emulator, dev, &oauth(&answer)).await.status, 200);
    assert_eq!(read(&emulator, prod, &oauth(&answer)).await.status, 401);
    assert_eq!(read(&emulator, dev, &oauth(&answer)).await.status, 200);
    assert_eq!(emulator.counters().mixed_environments, 1);
    assert_eq!(
        (
            emulator.end_sessions("salesforce"),
            emulator.end_sessions("zilliant")
        ),
        (0, 1)
    );
    let reply = read(&emulator, dev, &oauth(&answer)).await;
    assert_eq!(
        (reply.status, reply.text()),
        (401, r#"{"message":"Authentication error"}"#)
    );
    assert_eq!(emulator.counters().dead_sessions, 1);
}

#[tokio::test]
async fn records_are_a_bare_array() {
    let emulator = emulator().await;
    let answer = token_request(emulator.login(), &person_form()).await;
    let check = async |line: &str, body: &str, status: u16, shown: &str| {
        let headers = format!(
            "Authorization: {}\r\nX-Forwarded-Host: {}\r\nContent-Type: application/json\r\n",
            oauth(&answer),
            emulator.login()
        );
        let reply = call(emulator.pricing_prod(), line, &headers, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{line} {body}");
        assert!(reply.text().contains(shown), "{}", reply.text());
    };
    let records = "/v2/LogicalEntityData/Price/records";
    check(&format!("POST {records}"), "[{}]", 200, "created").await;
    check(&format!("PATCH {records}"), "[{}]", 200, "updated").await;
    check(&format!("POST {records}?delete"), "[{}]", 200, "deleted").await;
    check(&format!("POST {records}?delete="), "[{}]", 200, "created").await;
    check(&format!("POST {records}"), "{}", 400, "array").await;
}

#[tokio::test]
async fn no_credential_and_a_bearer_token_are_refused_alike() {
    let emulator = emulator().await;
    let prod = emulator.pricing_prod();
    for headers in [String::new(), bearer("x")] {
        let reply = call(prod, READ, &headers, b"").await;
        assert_eq!(
            (reply.status, reply.text()),
            (401, r#"{"message":"No token found in the request"}"#)
        );
    }
}
