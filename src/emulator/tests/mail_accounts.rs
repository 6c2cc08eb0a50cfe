//! Marketing Cloud, the second generation: tokens of an account, and the two hosts they are for.

use std::time::Duration;

use serde_json::{Value, json};

use super::marketing_cloud::{ACCOUNTS, CLIENT_ID, CLIENT_SECRET};
use super::{Emulator, FORM, Reply, bearer, call, emulator, form, marketing_cloud_legacy};

const ASK: &str = "POST /v2/token";
const JSON: &str = "Content-Type: application/json\r\n";
const SOAP: &str = "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: Retrieve\r\n";

/// The login of a client, with other or more members.
fn client(more: &Value) -> String {
    let mut body = json!({
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    });
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    body.to_string()
}

async fn ask(emulator: &Emulator, more: &Value) -> Reply {
    let body = client(more);
    call(emulator.cloud_login(), ASK, JSON, body.as_bytes()).await
}

async fn token(emulator: &Emulator, account: &str) -> String {
    let reply = ask(emulator, &json!({ "account_id": account })).await;
    reply.field("access_token")
}

/// A `Retrieve`, its header before or behind its body.
fn envelope(header: &str, is_behind: bool) -> String {
    let body = "<Body><RetrieveRequestMsg xmlns=\"http://exacttarget.com/wsdl/partnerAPI\"><RetrieveRequest><ObjectType>DataFolder</ObjectType></RetrieveRequest></RetrieveRequestMsg></Body>";
    let header = format!("<Header>{header}</Header>");
    let (first, second) = if is_behind {
        (body, header.as_str())
    } else {
        (header.as_str(), body)
    };
    format!(
        "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\">{first}{second}</Envelope>"
    )
}

fn fueloauth(token: &str) -> String {
    format!("<fueloauth xmlns=\"http://exacttarget.com\">{token}</fueloauth>")
}

#[tokio::test]
async fn a_token_answer_names_two_hosts_with_a_slash_at_their_end() {
    let emulator = emulator().await;
    let reply = ask(&emulator, &json!({ "scope": "email_read" })).await;
    let token = reply.field("access_token");
    let (soap, rest) = (emulator.cloud_soap(), emulator.cloud_rest());
    let expected = format!(
        r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":1079,"scope":"email_read","soap_instance_url":"http://{soap}/","rest_instance_url":"http://{rest}/"}}"#
    );
    assert_eq!((reply.status, reply.text()), (200, expected.as_str()));
    assert!(token.len() > 512 && token.split('.').count() == 3);
}

#[tokio::test]
async fn wrong_token_requests_are_refused() {
    let emulator = emulator().await;
    let check = async |headers: &str, body: String, status: u16, error: &str| {
        let reply = call(emulator.cloud_login(), ASK, headers, body.as_bytes()).await;
        assert_eq!(
            (reply.status, reply.field("error").as_str()),
            (status, error),
            "{body}"
        );
        reply
    };
    let good = client(&json!({}));
    let invalid = "invalid_request";
    check(
        FORM,
        form(&[("grant_type", "client_credentials")]),
        400,
        invalid,
    )
    .await;
    check(FORM, good.clone(), 400, invalid).await;
    check(JSON, client(&json!({"grant_type": null})), 400, invalid).await;
    check(
        JSON,
        client(&json!({"grant_type": "password"})),
        400,
        "unsupported_grant_type",
    )
    .await;
    check(JSON, client(&json!({"account_id": "999"})), 400, invalid).await;
    check(
        JSON,
        client(&json!({"scope": "email_read everything"})),
        400,
        "invalid_scope",
    )
    .await;
    let both = format!("{JSON}Authorization: Basic eDp5\r\n");
    check(&both, good.clone(), 400, invalid).await;
    let camel = good.replace("client_id", "clientId");
    check(JSON, camel, 401, "invalid_client").await;
    let reply = check(
        JSON,
        client(&json!({"client_secret": "x"})),
        401,
        "invalid_client",
    )
    .await;
    let refusal = json!({
        "error": "invalid_client",
        "error_description": "Client authentication failed. Make sure that the client ID and client secret are valid and that the package is installed and enabled.",
        "error_uri": "https://developer.salesforce.com/docs",
    });
    assert_eq!(reply.json(), refusal);
    assert_eq!(emulator.counters().refused_logins, 9);
}

#[tokio::test]
async fn a_token_of_one_account_sees_nothing_of_another() {
    let emulator = emulator().await;
    let get = async |token: &str, id: &str| {
        let line = format!("GET /asset/v1/content/assets/{id}");
        call(emulator.cloud_rest(), &line, &bearer(token), b"").await
    };
    let [first, second] = ACCOUNTS;
    let number: u64 = second.parse().unwrap();
    let of_second = ask(&emulator, &json!({ "account_id": number }))
        .await
        .field("access_token");
    let of_first = token(&emulator, first).await;
    let reply = get(&of_first, &format!("{first}001")).await;
    assert_eq!(
        (reply.status, &reply.json()["owner"]["account"]),
        (200, &json!(first))
    );
    assert_eq!(get(&of_second, &format!("{first}001")).await.status, 404);
    assert_eq!(get(&of_second, &format!("{second}001")).await.status, 200);
    assert_eq!(get(&of_second, &format!("{second}009")).await.status, 404);
    assert_eq!(emulator.counters().other_accounts, 1);
    let list = "GET /asset/v1/content/assets";
    let reply = call(emulator.cloud_rest(), list, &bearer(&of_second), b"").await;
    assert!(!reply.text().contains(first), "{}", reply.text());
    let line = "GET /v2/userinfo";
    let reply = call(emulator.cloud_login(), line, &bearer(&of_second), b"").await;
    assert_eq!(reply.json()["organization"]["member_id"], second);
    let reply = call(emulator.cloud_login(), line, &bearer("dead"), b"").await;
    assert_eq!(reply.status, 401);
    emulator.advance(Duration::from_secs(1079));
    assert_eq!(get(&of_first, &format!("{first}001")).await.status, 401);
}

#[tokio::test]
async fn soap_finds_the_token_in_the_envelope_alone() {
    let emulator = emulator().await;
    let token = token(&emulator, ACCOUNTS[1]).await;
    let line = "POST /sErViCe.asmx";
    let check = async |headers: &str, body: String, status: u16, shown: &str| {
        let reply = call(emulator.cloud_soap(), line, headers, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{body} {}", reply.text());
        assert!(reply.text().contains(shown), "{}", reply.text());
        if status != 415 {
            assert_eq!(
                reply.header("content-type"),
                Some("text/xml; charset=utf-8")
            );
        }
    };
    let good = envelope(&fueloauth(&token), false);
    check(SOAP, good.clone(), 200, "<ID>510002</ID>").await;
    check(
        SOAP,
        envelope(&fueloauth(&token), true),
        200,
        "MoreDataAvailable",
    )
    .await;
    let second = good.replace(
        "<ObjectType>",
        "<ContinueRequest>x</ContinueRequest><ObjectType>",
    );
    check(SOAP, second, 200, "<OverallStatus>OK<").await;
    let unasked = good.replace("ObjectType", "ObjektTyp");
    check(SOAP, unasked, 200, "<OverallStatus>Error: ").await;

    let failed = "<faultstring>Login Failed</faultstring>";
    let header = format!("{SOAP}{}", bearer(&token));
    check(&header, envelope("", false), 500, failed).await;
    check(
        SOAP,
        envelope(&fueloauth(&token).repeat(2), false),
        500,
        failed,
    )
    .await;
    let no_namespace = format!("<fueloauth>{token}</fueloauth>");
    check(SOAP, envelope(&no_namespace, false), 500, failed).await;
    let outside = good.replace("<Header>", "").replace("</Header>", "");
    check(SOAP, outside, 500, failed).await;
    check(JSON, good.clone(), 415, "").await;
    check(
        "Content-Type: text/xml\r\n",
        good,
        500,
        "SOAPAction is missing",
    )
    .await;
    assert_eq!(emulator.counters().dummy_credentials, 1);
}

#[tokio::test]
async fn soap_says_of_a_dead_token_that_it_expired() {
    let emulator = emulator().await;
    let line = "POST /service.asmx";
    let dead = envelope(&fueloauth("dead"), false);
    let reply = call(emulator.cloud_soap(), line, SOAP, dead.as_bytes()).await;
    let actor = format!("http://{}/Service.asmx", emulator.cloud_soap());
    let fault = format!(
        r#"<soap:Fault><faultcode xmlns:q0="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">q0:Security</faultcode><faultstring>Token Expired</faultstring><faultactor>{actor}</faultactor></soap:Fault>"#
    );
    assert!(
        reply.status == 500 && reply.text().contains(&fault),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn soap_takes_each_generations_token_in_its_own_element() {
    let emulator = emulator().await;
    let body = json!({
        "clientId": marketing_cloud_legacy::CLIENT_ID,
        "clientSecret": marketing_cloud_legacy::CLIENT_SECRET,
    });
    let line = "POST /v1/requestToken?legacy=1";
    let reply = call(
        emulator.legacy_login(),
        line,
        JSON,
        body.to_string().as_bytes(),
    )
    .await;
    let (modern, legacy) = (reply.field("accessToken"), reply.field("legacyToken"));
    let old = |token: &str| {
        format!("<oAuth xmlns=\"http://exacttarget.com\"><oAuthToken>{token}</oAuthToken></oAuth>")
    };
    let check = async |header: String, status: u16| {
        let body = envelope(&header, false);
        let line = "POST /Service.asmx";
        let reply = call(emulator.cloud_soap(), line, SOAP, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{header} {}", reply.text());
    };
    check(fueloauth(&modern), 200).await;
    check(old(&legacy), 200).await;
    check(fueloauth(&legacy), 500).await;
    check(old(&modern), 500).await;
    let line = "GET /asset/v1/content/assets";
    let reply = call(emulator.legacy_rest(), line, &bearer(&legacy), b"").await;
    assert_eq!(reply.status, 401, "the old token is for SOAP");
}
