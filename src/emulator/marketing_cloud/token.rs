//! `POST /v2/token`: client credentials in a JSON body in snake case (Marketing Cloud Engagement
//! APIs, "Access Token for Server-to-Server Integrations").

use std::time::Duration;

use axum::response::Response;
use http::request::Parts;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    ACCOUNTS, CLIENT_ID, CLIENT_SECRET, CloudDials, Lifetime, Session, Site, World, after, answer,
    random_text,
};

pub(super) async fn issue(world: &World, parts: &Parts, body: &[u8]) -> Response {
    let _visit = world.enter_token_endpoint();
    let (dials, canned) = world.knobs.turn(|dials| {
        let dials = &mut dials.marketing_cloud;
        let next = dials.next_login.pop_front();
        (dials.clone(), next.or(dials.always_login.clone()))
    });
    world.count(|counters| {
        counters.cloud_token_requests += 1;
        counters.credentials_in_query += u64::from(parts.uri.query().is_some());
    });
    tokio::time::sleep(Duration::from_millis(dials.delay_ms)).await;
    if let Some(canned) = canned {
        return canned.into_response();
    }
    match decide(&dials, parts, body) {
        Ok(asked) => {
            world.count(|counters| {
                let account = format!("{CLIENT_ID} {}", asked.account);
                *counters.logins.entry(account).or_default() += 1;
                let name = "marketing-cloud client_credentials".to_owned();
                *counters.grants.entry(name).or_default() += 1;
            });
            let response = write(world, &dials, &asked);
            after::hand_over(world, |dials| &mut dials.marketing_cloud.after, response).await
        }
        Err(refusal) => {
            world.count(|counters| counters.refused_logins += 1);
            refused(refusal)
        }
    }
}

/// What a request asks for.
struct Asked {
    account: &'static str,
    scope: String,
}

/// The status, `error` and `error_description`.
type Refusal = (StatusCode, &'static str, &'static str);

fn decide(dials: &CloudDials, parts: &Parts, body: &[u8]) -> Result<Asked, Refusal> {
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return Err(TWO_METHODS);
    }
    let body = answer::object(&parts.headers, body).ok_or(MALFORMED)?;
    match text(&body, "grant_type")? {
        Some("client_credentials") => {}
        Some(_) => return Err(NO_GRANT),
        None => return Err(MALFORMED),
    }
    let secret = dials.client_secret.as_deref().unwrap_or(CLIENT_SECRET);
    let id = text(&body, "client_id")?;
    if id != Some(CLIENT_ID) || text(&body, "client_secret")? != Some(secret) {
        return Err(BAD_CLIENT);
    }
    let account = account(&body)?;
    let asked = text(&body, "scope")?.unwrap_or(SCOPE);
    let is_known = |scope: &str| SCOPE.split(' ').any(|known| known == scope);
    if !asked.split(' ').all(is_known) {
        return Err(BAD_SCOPE);
    }
    let scope = asked.to_owned();
    Ok(Asked { account, scope })
}

/// The business unit: a number, written as one or as a text.
fn account(body: &Map<String, Value>) -> Result<&'static str, Refusal> {
    let asked = match body.get("account_id") {
        None | Some(Value::Null) => return Ok(ACCOUNTS[0]),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(MALFORMED),
    };
    let known = ACCOUNTS.iter().find(|known| **known == asked);
    known.copied().ok_or(BAD_ACCOUNT)
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(MALFORMED),
    }
}

fn write(world: &World, dials: &CloudDials, asked: &Asked) -> Response {
    let now = world.now();
    let (token, left) = world.books(|books| {
        let old = books.cloud.of_user(asked.account, Site::CloudRest, now);
        let old = old.filter(|_| dials.same_token).map(str::to_owned);
        let token = old.unwrap_or_else(|| {
            let token = new_token();
            let session = Session {
                user: asked.account.to_owned(),
                login: Site::CloudLogin,
                home: Site::CloudRest,
                environment: None,
                family: None,
                lifetime: Lifetime::Fixed(world.settings.cloud_lifetime),
                written: now,
                uses: 0,
                answers: Vec::new(),
            };
            books.cloud.add(token.clone(), session);
            token
        });
        let end = books.cloud.live(&token, now).map_or(now, Session::expires);
        (token, end.saturating_sub(now))
    });
    let expires_in = answer::lifetime(dials.expires_in, left, world.unix_ms());
    let expires_in = expires_in.map_or_else(String::new, |n| format!(r#""expires_in":{n},"#));
    let (soap, rest) = (world.origin(Site::CloudSoap), world.origin(Site::CloudRest));
    let body = format!(
        r#"{{"access_token":"{token}","token_type":"Bearer",{expires_in}"scope":"{}","soap_instance_url":"{soap}/","rest_instance_url":"{rest}/"}}"#,
        asked.scope,
    );
    answer::json(StatusCode::OK, body)
}

/// Longer than the 512 characters that somebody may have room for.
fn new_token() -> String {
    format!(
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEiLCJ2ZXIiOiIxIiwidHlwIjoiSldUIn0.{}.{}",
        random_text(480),
        random_text(43)
    )
}

fn refused((status, error, description): Refusal) -> Response {
    let told = json!({
        "error": error,
        "error_description": description,
        "error_uri": "https://developer.salesforce.com/docs",
    });
    answer::value(status, told)
}

const SCOPE: &str = "email_read email_write list_and_subscribers_read";
const BAD: StatusCode = StatusCode::BAD_REQUEST;
const MALFORMED: Refusal = (BAD, "invalid_request", "The request body is not valid.");
const TWO_METHODS: Refusal = (BAD, "invalid_request", "Credentials belong in the body.");
const NO_GRANT: Refusal = (
    BAD,
    "unsupported_grant_type",
    "The grant type is not supported.",
);
const BAD_SCOPE: Refusal = (BAD, "invalid_scope", "The scope is not valid.");
const BAD_ACCOUNT: Refusal = (BAD, "invalid_request", "The account_id is not valid.");
const BAD_CLIENT: Refusal = (
    StatusCode::UNAUTHORIZED,
    "invalid_client",
    "Client authentication failed. Make sure that the client ID and client secret are valid and that the package is installed and enabled.",
);
