//! Whom a token request is for, by which grant, or why it is refused (RFC 6749 4.3, 4.4, 6; RFC 7523).

use super::request::Asked;
use super::{
    CLIENT_ID, HeaderMap, OauthDials, PASSWORD, Refusal, Site, USERNAME, World, assertion, client,
};

/// A token that is to be issued.
pub(super) struct Granted {
    pub(super) user: &'static str,
    pub(super) scope: String,
    pub(super) family: Option<u64>,
    /// The refresh token of the answer.
    pub(super) refresh: Option<String>,
}

pub(super) fn decide(
    world: &World,
    dials: &OauthDials,
    headers: &HeaderMap,
    asked: &Asked,
) -> Result<Granted, Refusal> {
    let grant = asked.get("grant_type").ok_or(NO_GRANT)?;
    let names_client = ["client_id", "client_secret", "client_assertion"];
    let names_client = names_client.iter().any(|name| asked.get(name).is_some());
    // The signature of a grant is enough, unless somebody says more.
    if grant != JWT_BEARER || names_client || headers.contains_key("authorization") {
        client::admit(world, dials, headers, asked)?;
    }
    let scope = asked.get("scope").unwrap_or(SCOPE);
    let is_known = |scope: &str| SCOPE.split(' ').any(|known| known == scope);
    if !scope.split(' ').all(is_known) {
        return Err(BAD_SCOPE);
    }
    let (name, user) = match grant {
        "client_credentials" => (grant, CLIENT_ID),
        "password" => (grant, person(asked)?),
        "refresh_token" => (grant, USERNAME),
        JWT_BEARER => ("jwt_bearer", subject(world, dials, asked)?),
        _ => return Err(STRANGE_GRANT),
    };
    let (family, refresh) = match grant {
        "refresh_token" => redeem(world, dials, asked)?,
        _ => (None, None),
    };
    world.count(|counters| {
        *counters.logins.entry(user.to_owned()).or_default() += 1;
        let name = format!("oauth2 {name}");
        *counters.grants.entry(name).or_default() += 1;
    });
    Ok(Granted {
        user,
        scope: scope.to_owned(),
        family,
        refresh,
    })
}

fn person(asked: &Asked) -> Result<&'static str, Refusal> {
    let pair = (asked.get("username"), asked.get("password"));
    if pair != (Some(USERNAME), Some(PASSWORD)) {
        return Err(BAD_PERSON);
    }
    Ok(USERNAME)
}

fn subject(world: &World, dials: &OauthDials, asked: &Asked) -> Result<&'static str, Refusal> {
    let text = asked.get("assertion").unwrap_or_default();
    let jwt = assertion::verified(world, dials, text).ok_or(BAD_ASSERTION)?;
    if (jwt.text("iss"), jwt.text("sub")) != (Some(CLIENT_ID), Some(USERNAME)) {
        return Err(BAD_ASSERTION);
    }
    if !assertion::is_first(world, &jwt) {
        return Err(REPLAYED);
    }
    Ok(USERNAME)
}

/// The family, and with rotation the token that follows. One that was rotated out takes the whole
/// family with it.
fn redeem(
    world: &World,
    dials: &OauthDials,
    asked: &Asked,
) -> Result<(Option<u64>, Option<String>), Refusal> {
    let token = asked.get("refresh_token").unwrap_or_default();
    let now = world.now();
    world.books(|books| {
        let known = books.refresh.get(token);
        let known = known.filter(|known| known.login == Site::OauthLogin);
        let (family, spent) = known
            .map(|known| (known.family, known.spent))
            .ok_or(BAD_REFRESH)?;
        if spent.is_some() {
            books.counters.spent_refresh_tokens += 1;
            books.end_family(family);
            return Err(BAD_REFRESH);
        }
        let next = dials.rotation.then(|| books.refresh.succeed(token, now));
        Ok((Some(family), next.flatten()))
    })
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// All there is.
const SCOPE: &str = "read write";
const NO_GRANT: Refusal = Refusal::new("invalid_request", "grant_type is missing");
const STRANGE_GRANT: Refusal = Refusal::new("unsupported_grant_type", "no such grant");
const BAD_SCOPE: Refusal = Refusal::new("invalid_scope", "no such scope");
const BAD_PERSON: Refusal = Refusal::new("invalid_grant", "username or password is wrong");
const BAD_ASSERTION: Refusal = Refusal::new("invalid_grant", "the assertion is not acceptable");
const REPLAYED: Refusal = Refusal::new("invalid_grant", "the assertion was used before");
const BAD_REFRESH: Refusal = Refusal::new("invalid_grant", "the refresh token is not valid");
