//! `POST /oauth/token`: a form, and no `Authorization` of any kind (developer.zuora.com, "Create an
//! OAuth token").

use axum::response::Response;
use http::StatusCode;
use http::request::Parts;

use super::{
    CLIENT_ID, CLIENT_SECRET, Form, Lifetime, Session, Site, World, answer, form, header,
    random_text,
};

pub(super) async fn issue(world: &World, parts: &Parts, body: &[u8]) -> Response {
    let _visit = world.enter_token_endpoint();
    let canned = world
        .knobs
        .turn(|dials| dials.billing.next_login.pop_front());
    world.count(|counters| {
        counters.billing_token_requests += 1;
        counters.credentials_in_query += u64::from(parts.uri.query().is_some());
    });
    world.knobs.wait(|dials| dials.billing.delay_ms).await;
    if let Some(canned) = canned {
        return canned.into_response();
    }
    if let Some(refused) = refused(parts, body) {
        world.count(|counters| counters.refused_logins += 1);
        return refused;
    }
    let token = random_text(32).to_ascii_lowercase();
    let session = Session {
        user: CLIENT_ID.to_owned(),
        login: Site::Billing,
        home: Site::Billing,
        environment: None,
        family: None,
        lifetime: Lifetime::Fixed(world.settings.token_lifetime),
        written: world.now(),
        uses: 0,
        answers: Vec::new(),
    };
    world.books(|books| {
        books.billing.add(token.clone(), session);
        let logins = &mut books.counters.logins;
        *logins.entry(CLIENT_ID.to_owned()).or_default() += 1;
    });
    let expires_in = written_expires_in(world);
    let body = format!(
        r#"{{"access_token":"{token}","token_type":"bearer"{expires_in},"scope":"{SCOPE}","jti":"{}"}}"#,
        random_text(12)
    );
    answer::json(StatusCode::OK, body)
}

fn refused(parts: &Parts, body: &[u8]) -> Option<Response> {
    let refuse = |status, body: &'static str| Some(answer::json(status, body));
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return refuse(StatusCode::BAD_REQUEST, WITH_AUTHORIZATION);
    }
    let form = Form::read(&parts.headers, body);
    let is_grant = form.get("grant_type") == Some("client_credentials");
    if !is_grant || form.repeats() || form::is_malformed(body) {
        return refuse(StatusCode::BAD_REQUEST, NO_GRANT);
    }
    if form.get("client_id") != Some(CLIENT_ID) {
        return refuse(StatusCode::UNAUTHORIZED, BAD_CLIENT);
    }
    if form.get("client_secret") != Some(CLIENT_SECRET) {
        return refuse(StatusCode::UNAUTHORIZED, BAD_SECRET);
    }
    None
}

fn written_expires_in(world: &World) -> String {
    let how = world.knobs.turn(|dials| dials.billing.expires_in);
    let written = answer::lifetime(how, world.settings.token_lifetime, world.unix_ms());
    written.map_or_else(String::new, |value| format!(r#","expires_in":{value}"#))
}

const SCOPE: &str = "entity.1a2b7a37-fake platform.write service.echo.read tenant.12345";
const WITH_AUTHORIZATION: &str =
    r#"{"code":"58490010","message":"No authentication header is allowed here"}"#;
const NO_GRANT: &str = r#"{"code":"58490011","message":"grant_type is missing or not supported"}"#;
const BAD_CLIENT: &str = r#"{"message":"Invalid client id"}"#;
const BAD_SECRET: &str = r#"{"message":"Invalid client secret"}"#;
