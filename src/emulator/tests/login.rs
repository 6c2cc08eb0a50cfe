//! The Salesforce token endpoints.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{
    CLIENT_ID, CLIENT_SECRET, Canned, FORM, PASSWORD, SECURITY_TOKEN, USERNAME, bearer, call,
    emulator, form, machine_form, person_form, token, token_request,
};

#[tokio::test]
async fn each_grant_answers_with_its_own_fields() {
    let emulator = emulator().await;
    let machine = token_request(emulator.login(), &machine_form()).await;
    assert_eq!(machine.status, 200, "{}", machine.text());
    assert_eq!(
        machine.header("content-type"),
        Some("application/json;charset=UTF-8")
    );
    assert_eq!(machine.header("cache-control"), Some("no-cache, no-store"));
    assert_eq!(machine.header("connection"), None);
    let told = machine.json();
    let fields: Vec<&str> = told
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected = vec![
        "access_token",
        "api_instance_url",
        "id",
        "instance_url",
        "issued_at",
        "signature",
        "token_type",
    ];
    assert_eq!(fields, expected);

    let person = token_request(emulator.generic_login(), &person_form()).await;
    let told = person.json();
    let fields: Vec<&str> = told
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    expected.retain(|field| *field != "api_instance_url");
    assert_eq!(fields, expected);

    let token = machine.field("access_token");
    assert!(
        token.starts_with("00Dxx0000000001!") && token.len() == 112,
        "{token}"
    );
    assert!(token.contains('.') && token.contains('_'));
    assert!(machine.field("issued_at").parse::<u64>().unwrap() > 1_700_000_000_000);
    assert_eq!(
        machine.field("instance_url"),
        format!("http://{}", emulator.instance())
    );
    assert_eq!(machine.field("token_type"), "Bearer");
    assert_eq!(
        STANDARD.decode(machine.field("signature")).unwrap().len(),
        32
    );
}

#[tokio::test]
async fn refusals_are_those_of_the_catalogue() {
    let emulator = emulator().await;
    let machine = machine_form();
    let check = async |headers: &str, body: &str, error: &str, description: &str| {
        let body = body.as_bytes();
        let reply = call(
            emulator.login(),
            "POST /services/oauth2/token",
            headers,
            body,
        )
        .await;
        let expected = format!(r#"{{"error":"{error}","error_description":"{description}"}}"#);
        assert_eq!(
            (reply.status, reply.text()),
            (400, expected.as_str()),
            "{headers}"
        );
    };
    let (error, description) = ("unsupported_grant_type", "grant type not supported");
    let json = r#"{"grant_type":"client_credentials"}"#;
    check(
        "Content-Type: application/json\r\n",
        json,
        error,
        description,
    )
    .await;
    check("", &machine, error, description).await;
    check(FORM, "client_id=x", error, description).await;
    check(FORM, "grant_type=%67ibberish", error, description).await;
    let blob = form(&[(machine.as_str(), "")]);
    check(FORM, &blob, error, description).await;

    let error = "invalid_request";
    let scoped = format!("{machine}&scope=api");
    check(FORM, &scoped, error, "scope parameter not supported").await;
    let twice = format!("{machine}&client_id=x");
    check(FORM, &twice, error, "malformed request body").await;
    let basic = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    let both = format!("{FORM}Authorization: Basic {basic}\r\n");
    check(
        &both,
        &machine,
        error,
        "more than one client authentication",
    )
    .await;

    let wrong = machine.replace("DECAF", "C0FFE");
    check(FORM, &wrong, "invalid_client", "invalid client credentials").await;
    let strange = machine.replace("3MVG9", "3MVG8");
    check(
        FORM,
        &strange,
        "invalid_client_id",
        "client identifier invalid",
    )
    .await;
}

#[tokio::test]
async fn client_credentials_are_for_the_my_domain_host_alone() {
    let emulator = emulator().await;
    let reply = token_request(emulator.generic_login(), &machine_form()).await;
    let refusal =
        r#"{"error":"invalid_grant","error_description":"request not supported on this domain"}"#;
    assert_eq!((reply.status, reply.text()), (400, refusal));
}

#[tokio::test]
async fn a_client_may_come_as_basic() {
    let emulator = emulator().await;
    let basic = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    let headers = format!("{FORM}Authorization: Basic {basic}\r\n");
    let body = b"grant_type=client_credentials";
    let reply = call(
        emulator.login(),
        "POST /services/oauth2/token",
        &headers,
        body,
    )
    .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn a_password_that_is_not_encoded_well_fails() {
    let emulator = emulator().await;
    let check = async |body: String, status: u16| {
        let reply = token_request(emulator.login(), &body).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        if status != 200 {
            assert_eq!(reply.field("error"), "invalid_grant");
            assert_eq!(reply.field("error_description"), "authentication failure");
        }
    };
    check(person_form(), 200).await;
    check(person_form().replace('+', "%20"), 200).await;
    check(person_form().replace("%2B", "+"), 400).await;
    check(person_form().replace(SECURITY_TOKEN, ""), 400).await;
    let alone = [("password", PASSWORD), ("username", USERNAME)];
    let client = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    check(
        format!("grant_type=password&{}&{}", form(&client), form(&alone)),
        400,
    )
    .await;
}

#[tokio::test]
async fn ten_failures_lock_the_user_for_fifteen_minutes() {
    let emulator = emulator().await;
    let wrong = person_form().replace("sesame", "says+me");
    for _ in 0..10 {
        assert_eq!(token_request(emulator.login(), &wrong).await.status, 400);
    }
    assert_eq!(
        token_request(emulator.login(), &person_form()).await.status,
        400
    );
    emulator.advance(Duration::from_secs(15 * 60));
    assert_eq!(
        token_request(emulator.login(), &person_form()).await.status,
        200
    );
    assert_eq!(emulator.counters().refused_logins, 11);
}

#[tokio::test]
async fn more_logins_than_an_hour_allows_are_refused() {
    let emulator = emulator().await;
    emulator
        .knobs()
        .turn(|dials| dials.login.logins_per_hour = 2);
    let login = async || token_request(emulator.login(), &machine_form()).await;
    assert_eq!((login().await.status, login().await.status), (200, 200));
    assert_eq!(
        login().await.field("error_description"),
        "login rate exceeded"
    );
    emulator.advance(Duration::from_secs(3600));
    assert_eq!(login().await.status, 200);
    assert_eq!(emulator.counters().logins["integration@acme.example"], 3);
}

#[tokio::test]
async fn a_login_while_the_session_lives_may_return_the_same_token() {
    let emulator = emulator().await;
    assert_ne!(token(&emulator).await, token(&emulator).await);
    emulator.end_sessions("all");
    emulator.knobs().turn(|dials| dials.login.same_token = true);
    let first = token(&emulator).await;
    assert_eq!(token(&emulator).await, first);
    emulator.end_sessions("salesforce");
    assert_ne!(token(&emulator).await, first);
}

#[tokio::test]
async fn faults_are_given_once_each_and_in_order() {
    let emulator = emulator().await;
    let faults = [
        Canned::unknown_error(),
        Canned::html(),
        Canned::empty(),
        Canned::truncated(),
        Canned::ok_with_error(),
        Canned::retry_after(429, "30"),
    ];
    emulator
        .knobs()
        .turn(|dials| dials.login.next.extend(faults));
    let login = async || token_request(emulator.login(), &machine_form()).await;
    let retry = r#"{"error":"unknown_error","error_description":"retry your request"}"#;
    let reply = login().await;
    assert_eq!((reply.status, reply.text()), (400, retry));
    assert!(login().await.text().starts_with("<html>"));
    let reply = login().await;
    assert_eq!((reply.status, reply.text()), (503, ""));
    assert!(serde_json::from_str::<serde_json::Value>(login().await.text()).is_err());
    let reply = login().await;
    assert_eq!((reply.status, reply.text()), (200, retry));
    let reply = login().await;
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("30"))
    );
    assert_eq!(login().await.status, 200);
}

#[tokio::test]
async fn answers_are_written_as_the_dials_say() {
    let emulator = emulator().await;
    let written = async |patch: serde_json::Value| {
        emulator
            .knobs()
            .merge(&serde_json::json!({ "answer": patch }))
            .unwrap();
        token_request(emulator.login(), &machine_form()).await
    };
    let reversed = written(serde_json::json!({"reversed": true})).await;
    assert!(
        reversed.text().starts_with(r#"{"api_instance_url""#),
        "{}",
        reversed.text()
    );
    let pretty = written(serde_json::json!({"pretty": true, "extra_fields": true})).await;
    assert!(
        pretty
            .text()
            .starts_with("{\n  \"sfdc_community_url\" : \"a \\\"quoted")
    );
    let huge = written(serde_json::json!({"huge_token": true, "chunked": true})).await;
    assert!(huge.field("access_token").len() > 4000);
    assert_eq!(huge.header("transfer-encoding"), Some("chunked"));
    let strange = written(serde_json::json!({"instance_url": "https://evil.example"})).await;
    assert_eq!(strange.field("instance_url"), "https://evil.example");
}

#[tokio::test]
async fn a_session_can_be_looked_at_and_revoked() {
    let emulator = emulator().await;
    let token = token(&emulator).await;
    let client = form(&[("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)]);
    let ask = format!("{client}&{}", form(&[("token", &token)]));
    let introspect = "POST /services/oauth2/introspect";
    let reply = call(emulator.login(), introspect, FORM, ask.as_bytes()).await;
    assert_eq!(reply.json()["active"], true);
    let (exp, iat) = (reply.json()["exp"].as_u64(), reply.json()["iat"].as_u64());
    assert!(
        exp.unwrap().abs_diff(iat.unwrap()).abs_diff(7200) <= 1,
        "{}",
        reply.text()
    );
    let userinfo = "GET /services/oauth2/userinfo";
    let reply = call(emulator.login(), userinfo, &bearer(&token), b"").await;
    assert_eq!(
        reply.field("preferred_username"),
        "integration@acme.example"
    );
    let revoke = "POST /services/oauth2/revoke";
    let reply = call(emulator.login(), revoke, FORM, ask.as_bytes()).await;
    assert_eq!((reply.status, reply.text()), (200, ""));
    let reply = call(emulator.login(), introspect, FORM, ask.as_bytes()).await;
    assert_eq!(reply.text(), r#"{"active":false}"#);
}

#[tokio::test]
async fn a_home_may_move_and_secrets_may_change() {
    let emulator = emulator().await;
    emulator.knobs().turn(|dials| {
        dials.answer.instance_b = true;
        dials.login.client_secret = Some("NEW".to_owned());
    });
    let reply = token_request(emulator.login(), &machine_form()).await;
    assert_eq!(reply.field("error"), "invalid_client");
    let body = machine_form().replace(CLIENT_SECRET, "NEW");
    let reply = token_request(emulator.login(), &body).await;
    let home = emulator.second_instance();
    assert_eq!(reply.field("instance_url"), format!("http://{home}"));
    let good = bearer(&reply.field("access_token"));
    let root = "GET /services/data/v59.0";
    assert_eq!(call(home, root, &good, b"").await.status, 200);
    assert_eq!(
        call(emulator.instance(), root, &good, b"").await.status,
        401
    );
}
