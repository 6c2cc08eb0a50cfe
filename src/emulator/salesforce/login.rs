//! The token endpoint: `POST /services/oauth2/token` (Salesforce Help, "OAuth 2.0 Authorization
//! Errors").
//!
//! Real endpoints take parameters from the query string, too (amazon-connect-salesforce-lambda,
//! issue 43); this one does not and counts them, since secrets would land in access logs.

use std::time::Duration;

use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use super::granted::{self, Grant, Login};
use super::refresh::{self, Taken};
use super::{
    CLIENT_ID, CLIENT_SECRET, Form, PASSWORD, PERSON, RUN_AS, SECURITY_TOKEN, Site, User, World,
    after, answer, assertion, form, refusal_body,
};

/// `error` and `error_description`.
pub(super) type Refusal = (&'static str, &'static str);

pub(super) async fn token(world: &World, site: Site, parts: &Parts, body: &[u8]) -> Response {
    let _visit = world.enter_token_endpoint();
    world.count(|counters| {
        counters.token_requests += 1;
        counters.credentials_in_query += u64::from(parts.uri.query().is_some());
    });
    let form = Form::read(&parts.headers, body);
    // Until the answer is there, however long that takes.
    let taken = match form.get("grant_type") {
        Some("refresh_token") => refresh::take(world, &form).map(Some),
        _ => Ok(None),
    };
    let taken = match taken {
        Ok(taken) => taken,
        Err(refusal) => return deny(world, refusal),
    };
    let (delay, canned) = world.knobs.turn(|dials| {
        let next = dials.login.next.pop_front();
        (dials.login.delay_ms, next.or(dials.login.always.clone()))
    });
    tokio::time::sleep(Duration::from_millis(delay)).await;
    if let Some(canned) = canned {
        return canned.into_response();
    }
    let is_malformed = form::is_malformed(body) || form.repeats();
    match decide(
        world,
        site,
        &parts.headers,
        &form,
        is_malformed,
        taken.as_ref(),
    ) {
        Ok(login) => {
            let response = granted::answer(world, &login);
            after::hand_over(world, |dials| &mut dials.login.after, response).await
        }
        Err(refusal) => deny(world, refusal),
    }
}

fn deny(world: &World, refusal: Refusal) -> Response {
    world.count(|counters| counters.refused_logins += 1);
    refused(refusal)
}

/// A refusal of the token endpoint.
pub(super) fn refused((error, description): Refusal) -> Response {
    answer::json(StatusCode::BAD_REQUEST, refusal_body(error, description))
}

fn decide(
    world: &World,
    site: Site,
    headers: &HeaderMap,
    form: &Form,
    is_malformed: bool,
    taken: Option<&Taken<'_>>,
) -> Result<Login, Refusal> {
    let grant = form.get("grant_type").unwrap_or_default();
    if is_malformed && GRANTS.contains(&grant) {
        return Err(MALFORMED);
    }
    let mut client_secret = String::new();
    // An assertion is signed: it needs no secret beside it.
    if grant != JWT_BEARER && GRANTS.contains(&grant) {
        client_secret = client(world, headers, form)?;
    }
    let (user, grant) = match (grant, taken) {
        ("password", _) => (person(world, form)?, Grant::Password),
        ("client_credentials", _) => (run_as(site, form)?, Grant::ClientCredentials),
        (JWT_BEARER, _) => (assertion::user(world, site, form)?, Grant::JwtBearer),
        (_, Some(taken)) => {
            let refreshed = taken.redeem(site)?;
            let (family, successor) = (refreshed.family, refreshed.successor);
            (refreshed.user, Grant::Refresh { family, successor })
        }
        _ => return Err(NO_GRANT),
    };
    let most = world.knobs.turn(|dials| dials.login.logins_per_hour);
    let now = world.now();
    if !world.books(|books| books.people.logged_in(user.name, most, now)) {
        return Err(RATE);
    }
    world.count(|counters| {
        *counters.logins.entry(user.name.to_owned()).or_default() += 1;
        let name = format!("salesforce {}", grant.name());
        *counters.grants.entry(name).or_default() += 1;
    });
    Ok(Login {
        site,
        user,
        grant,
        client_secret,
    })
}

/// The client, in the body or as Basic but not both; its secret as it is now.
pub(super) fn client(world: &World, headers: &HeaderMap, form: &Form) -> Result<String, Refusal> {
    let secret = world.knobs.turn(|dials| dials.login.client_secret.clone());
    let secret = secret.unwrap_or_else(|| CLIENT_SECRET.to_owned());
    let in_body = form.get("client_id").map(|id| {
        let secret = form.get("client_secret").unwrap_or_default();
        (id.to_owned(), secret.to_owned())
    });
    let in_header = form::basic(headers);
    if headers.contains_key(header::AUTHORIZATION) && in_header.is_none() {
        return Err(BAD_SECRET);
    }
    let (id, given) = match (in_body, in_header) {
        (Some(_), Some(_)) => return Err(TWO_METHODS),
        (None, Some((id, given))) => (form::decoded(&id), form::decoded(&given)),
        (Some(pair), None) => pair,
        (None, None) => return Err(BAD_CLIENT),
    };
    if id != CLIENT_ID {
        return Err(BAD_CLIENT);
    }
    if given != secret {
        return Err(BAD_SECRET);
    }
    Ok(secret)
}

fn run_as(site: Site, form: &Form) -> Result<User, Refusal> {
    if site != Site::Login {
        return Err(WRONG_DOMAIN);
    }
    if form.get("scope").is_some() {
        return Err(SCOPE);
    }
    Ok(RUN_AS)
}

/// The password grant: the security token follows the password immediately. The refusal is the same
/// for every cause.
fn person(world: &World, form: &Form) -> Result<User, Refusal> {
    let dials = world.knobs.read().login;
    let password = dials.password.as_deref().unwrap_or(PASSWORD);
    let now = world.now();
    if form.get("username") != Some(PERSON.name) {
        return Err(FAILURE);
    }
    world.books(|books| {
        if books.people.is_locked(PERSON.name, now) {
            return Err(FAILURE);
        }
        let expected = format!("{password}{SECURITY_TOKEN}");
        if form.get("password") != Some(expected.as_str()) {
            let most = dials.failures_to_lock;
            books.people.failed(PERSON.name, most, now);
            return Err(FAILURE);
        }
        Ok(PERSON)
    })
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const GRANTS: [&str; 4] = [
    "client_credentials",
    "password",
    "refresh_token",
    JWT_BEARER,
];
const NO_GRANT: Refusal = ("unsupported_grant_type", "grant type not supported");
const MALFORMED: Refusal = ("invalid_request", "malformed request body");
const TWO_METHODS: Refusal = ("invalid_request", "more than one client authentication");
const BAD_CLIENT: Refusal = ("invalid_client_id", "client identifier invalid");
const BAD_SECRET: Refusal = ("invalid_client", "invalid client credentials");
const WRONG_DOMAIN: Refusal = ("invalid_grant", "request not supported on this domain");
const SCOPE: Refusal = ("invalid_request", "scope parameter not supported");
const FAILURE: Refusal = ("invalid_grant", "authentication failure");
const RATE: Refusal = ("invalid_grant", "login rate exceeded");
