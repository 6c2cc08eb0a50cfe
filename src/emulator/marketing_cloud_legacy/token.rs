//! Tokens for a JSON body in camel case; refresh tokens that are good for one use, and for five
//! minutes more if its answer was lost.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Map, Value};

use super::{
    Books, CLIENT_ID, CLIENT_SECRET, CloudDials, Lifetime, Session, Site, World, after, answer,
    form, random_text, refused,
};

pub(super) async fn issue(world: &World, parts: &Parts, body: &[u8]) -> Response {
    let _visit = world.enter_token_endpoint();
    let (dials, canned) = world.knobs.turn(|dials| {
        let dials = &mut dials.marketing_cloud_legacy;
        let next = dials.next_login.pop_front();
        (dials.clone(), next.or(dials.always_login.clone()))
    });
    let legacy = form::query(parts, "legacy").as_deref() == Some("1");
    world.count(|counters| {
        counters.legacy_token_requests += 1;
        let is_plain = matches!(parts.uri.query(), None | Some("legacy=1"));
        counters.credentials_in_query += u64::from(!is_plain);
    });
    tokio::time::sleep(Duration::from_millis(dials.delay_ms)).await;
    if let Some(canned) = canned {
        return canned.into_response();
    }
    let now = world.now();
    let granted = decide(&dials, parts, body).and_then(|asked| {
        let refresh = world.books(|books| refresh(books, &dials, &asked, now));
        refresh.map(|refresh| (asked, refresh))
    });
    match granted {
        Err(Refusal::Malformed) => {
            world.count(|counters| counters.refused_logins += 1);
            refused(StatusCode::BAD_REQUEST, 10_001, "Bad Request")
        }
        Err(Refusal::Unauthorized) => {
            world.count(|counters| counters.refused_logins += 1);
            refused(StatusCode::UNAUTHORIZED, dials.refusal_code, "Unauthorized")
        }
        Ok((asked, refresh)) => {
            let grant = if asked.refresh.is_some() {
                "refresh"
            } else if refresh.is_some() {
                "offline"
            } else {
                "online"
            };
            world.count(|counters| {
                *counters.logins.entry(CLIENT_ID.to_owned()).or_default() += 1;
                let name = format!("marketing-cloud-legacy {grant}");
                *counters.grants.entry(name).or_default() += 1;
            });
            let response = write(world, &dials, refresh, legacy, now);
            after::hand_over(
                world,
                |dials| &mut dials.marketing_cloud_legacy.after,
                response,
            )
            .await
        }
    }
}

/// What a request asks for.
struct Asked {
    offline: bool,
    refresh: Option<String>,
}

enum Refusal {
    Malformed,
    Unauthorized,
}

fn decide(dials: &CloudDials, parts: &Parts, body: &[u8]) -> Result<Asked, Refusal> {
    let body = answer::object(&parts.headers, body).ok_or(Refusal::Malformed)?;
    let secret = dials.client_secret.as_deref().unwrap_or(CLIENT_SECRET);
    // The documentation's table has the one name, its examples and every SDK the other.
    let id = text(&body, "clientId")?.or(text(&body, "clientID")?);
    if id != Some(CLIENT_ID) || text(&body, "clientSecret")? != Some(secret) {
        return Err(Refusal::Unauthorized);
    }
    let offline = match text(&body, "accessType")? {
        None | Some("online") => false,
        Some("offline") => true,
        Some(_) => return Err(Refusal::Malformed),
    };
    let refresh = text(&body, "refreshToken")?.map(str::to_owned);
    Ok(Asked { offline, refresh })
}

/// A member that must be a text if it is there.
fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(Refusal::Malformed),
    }
}

/// The refresh token of the answer: the successor of the one that came, or a first one.
fn refresh(
    books: &mut Books,
    dials: &CloudDials,
    asked: &Asked,
    now: Duration,
) -> Result<Option<String>, Refusal> {
    let Some(token) = &asked.refresh else {
        let first = || books.refresh.start(Site::LegacyLogin, CLIENT_ID, now);
        return Ok(asked.offline.then(first));
    };
    let known = books.refresh.get(token);
    let known = known.filter(|known| known.login == Site::LegacyLogin);
    let known = known.filter(|known| now < known.issued + LIFE);
    let (spent, successor) = match known {
        Some(known) => (known.spent, known.successor.clone()),
        None => return Err(Refusal::Unauthorized),
    };
    books.counters.spent_refresh_tokens += u64::from(spent.is_some());
    if spent.is_some_and(|spent| now >= spent + GRACE) {
        return Err(Refusal::Unauthorized);
    }
    let again = successor.filter(|_| dials.same_successor);
    Ok(again.or_else(|| books.refresh.succeed(token, now)))
}

fn write(
    world: &World,
    dials: &CloudDials,
    refresh: Option<String>,
    legacy: bool,
    now: Duration,
) -> Response {
    let life = world.settings.legacy_lifetime;
    let (token, left) = world.books(|books| {
        let family = refresh.as_ref().and_then(|token| books.refresh.get(token));
        let family = family.map(|refresh| refresh.family);
        let old = books.legacy.of_user(CLIENT_ID, Site::LegacyRest, now);
        let old = old.filter(|_| dials.same_token).map(str::to_owned);
        let token = old.unwrap_or_else(|| {
            let token = format!("7{}", random_text(23));
            books
                .legacy
                .add(token.clone(), session(Site::LegacyRest, family, now, life));
            token
        });
        let end = books.legacy.live(&token, now).map_or(now, Session::expires);
        (token, end.saturating_sub(now))
    });
    let mut fields = vec![format!(r#""accessToken":"{token}""#)];
    if let Some(written) = answer::lifetime(dials.expires_in, left, world.unix_ms()) {
        fields.push(format!(r#""expiresIn":{written}"#));
    }
    if let Some(refresh) = refresh {
        fields.push(format!(r#""refreshToken":"{refresh}""#));
    }
    if legacy {
        let token = format!("6{}", random_text(23));
        world.books(|books| {
            books
                .legacy
                .add(token.clone(), session(Site::CloudSoap, None, now, life));
        });
        fields.push(format!(r#""legacyToken":"{token}""#));
    }
    answer::json(StatusCode::OK, format!("{{{}}}", fields.join(",")))
}

fn session(home: Site, family: Option<u64>, now: Duration, life: Duration) -> Session {
    Session {
        user: CLIENT_ID.to_owned(),
        login: Site::LegacyLogin,
        home,
        environment: None,
        family,
        lifetime: Lifetime::Fixed(life),
        written: now,
        uses: 0,
        answers: Vec::new(),
    }
}

/// How long a refresh token lives.
const LIFE: Duration = Duration::from_secs(700 * 24 * 60 * 60);
/// How long a spent one is still taken.
const GRACE: Duration = Duration::from_secs(5 * 60);
