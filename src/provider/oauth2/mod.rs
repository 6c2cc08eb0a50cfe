//! Any OAuth 2.0 server (RFC 6749) as data, as the operator describes it.

mod refusals;

use std::borrow::Cow;

use serde_json::Value as Json;

use super::Provider;
use super::answer::{AnswerMap, Success};
use super::assertion::Assertion;
use super::base::{Base, TargetField, TargetName};
use super::expiry::Unit;
use super::judge::{DeadRule, Sign, Verdict};
use super::login::{Basic, Call, Encode, Field, JWT_BEARER, Login, Value};
use super::rotation::Rotation;
use super::surface::{Denial, Surface, carriers};
use crate::config::oauth2::{
    self as config, Dead, Grant, OAuth2, Parameter, Proof, Scalar, Signing, Target,
};
use crate::message::twins::Names;
use crate::message::{HostRules, Locator, PathRule, Readings};
use crate::secret::Algorithm;

/// The provider of an upstream with any OAuth 2.0 server.
pub fn provider(keys: &OAuth2, plain_http: &[String]) -> Provider {
    let (carriers, templates) = carriers(&keys.header);
    let strip = carriers.iter().map(|carrier| carrier.header.as_str());
    let rest = Surface {
        name: "rest",
        paths: vec![],
        strip: Names::of(strip.chain(["authorization"])),
        carriers,
        target: match keys.target {
            Target::Api(_) => TargetName::Api,
            Target::Instance { .. } => TargetName::Instance,
        },
        dead: dead(&keys.dead_session),
        denied: None,
        once: false,
        acts: vec![],
        local: vec![],
        // A second token, which an API may not take beside the first (RFC 6750 section 2).
        cut_parameters: vec!["access_token"],
        cookies: vec![],
        stamps: vec![],
        links: vec![],
    };
    let login = Login::Call(login(keys));
    Provider {
        name: "oauth2",
        refusals: refusals::of(&keys.grant, login.sends_password()),
        login,
        answer: answer_map(keys, templates, plain_http),
        // It is not known; the server says when it is too much.
        budget: None,
        surfaces: logins(keys, &rest).into_iter().collect(),
        rest,
        configured: match &keys.target {
            Target::Api(address) => vec![(TargetName::Api, Base::from(address.clone()))],
            Target::Instance { .. } => vec![],
        },
        rotation: match keys.grant {
            Grant::RefreshToken { rotates, .. } => Rotation::of(rotates),
            _ => Rotation::None,
        },
        token_per_target: false,
        environment: None,
    }
}

/// Where the token endpoint is a call of the API: it mints sessions. However the server reads its path, so may a caller write it.
fn logins(keys: &OAuth2, rest: &Surface) -> Option<Surface> {
    let (origin, path) = &keys.token_url;
    let Target::Api(address) = &keys.target else {
        return None;
    };
    let below = |path: &str| {
        let path = path.strip_prefix(&address.path)?;
        (path.is_empty() || path.starts_with('/')).then(|| PathRule::of_call(path))
    };
    let readings = Readings::of(path.without_query());
    let paths: Vec<PathRule> = readings.texts().filter_map(|path| below(&path)).collect();
    (*origin == address.origin && !paths.is_empty()).then(|| Surface {
        name: "login",
        paths,
        denied: Some(Denial::Login),
        ..rest.clone()
    })
}

fn login(keys: &OAuth2) -> Call {
    let (endpoint, path) = keys.token_url.clone();
    let grant = match &keys.grant {
        Grant::ClientCredentials => "client_credentials",
        Grant::Password { .. } => "password",
        Grant::RefreshToken { .. } => "refresh_token",
        Grant::JwtBearer { .. } => JWT_BEARER,
    };
    let mut call = Call {
        endpoint,
        path,
        encode: match keys.encode {
            config::Encode::Form => Encode::Form,
            config::Encode::Json => Encode::Json,
        },
        parameters: vec![("grant_type".into(), Value::Text(grant.into()))],
        basic: None,
        headers: vec![],
        sources: vec![],
    };
    add_client(&mut call, keys);
    add_grant(&mut call, keys);
    for (name, value) in [("scope", &keys.scope), ("audience", &keys.audience)] {
        let value = value.iter().cloned();
        let value = value.map(|value| (name.into(), Value::Text(value.into())));
        call.parameters.extend(value);
    }
    for (number, (name, parameter)) in keys.request.iter().enumerate() {
        let value = match parameter {
            Parameter::Given(scalar) => Value::Json(json(scalar)),
            Parameter::List(list) => Value::Json(list.iter().map(json).collect()),
            Parameter::Secret(source) => {
                call.sources.push((Field::Request(number), source.clone()));
                Value::Fields(vec![Field::Request(number)])
            }
        };
        // Another word for the grant is said instead of it.
        call.parameters.retain(|(other, _)| other != name);
        call.parameters.push((name.clone().into(), value));
    }
    for (number, (name, source)) in keys.token_headers.iter().enumerate() {
        let field = Field::Header(number);
        call.sources.push((field, source.clone()));
        call.headers
            .push((name.clone(), Value::Fields(vec![field])));
    }
    call
}

fn add_client(call: &mut Call, keys: &OAuth2) {
    let client = &keys.client;
    let id = client.id.iter();
    call.sources
        .extend(id.map(|id| (Field::ClientId, id.clone())));
    if let Some(Signing { private_key, .. }) = &client.signing {
        call.sources.push((Field::PrivateKey, private_key.clone()));
    }
    let id = || ("client_id".into(), Value::Fields(vec![Field::ClientId]));
    match &client.proof {
        Proof::Body { secret } => {
            call.parameters.push(id());
            call.add("client_secret", Field::ClientSecret, secret);
        }
        Proof::Basic { secret, encoded } => {
            call.sources.push((Field::ClientSecret, secret.clone()));
            call.basic = Some(match encoded {
                true => Basic::Encoded,
                false => Basic::Raw,
            });
        }
        Proof::PrivateKeyJwt { audience } => {
            let assertion = assertion(keys, Field::ClientId, audience);
            call.parameters.extend([
                id(),
                (
                    "client_assertion_type".into(),
                    Value::Text(ASSERTION_TYPE.into()),
                ),
                ("client_assertion".into(), assertion),
            ]);
        }
        // The assertion of the grant names the client.
        Proof::None if matches!(keys.grant, Grant::JwtBearer { .. }) => {}
        Proof::None => call.parameters.push(id()),
    }
}

fn add_grant(call: &mut Call, keys: &OAuth2) {
    match &keys.grant {
        Grant::ClientCredentials => {}
        Grant::Password { username, password } => {
            call.add("username", Field::Username, username);
            call.add("password", Field::Password, password);
        }
        Grant::RefreshToken { refresh_token, .. } => {
            call.add("refresh_token", Field::RefreshToken, refresh_token);
        }
        Grant::JwtBearer { username, audience } => {
            call.sources.push((Field::Username, username.clone()));
            let assertion = assertion(keys, Field::Username, audience);
            call.parameters.push(("assertion".into(), assertion));
        }
    }
}

fn assertion(keys: &OAuth2, subject: Field, audience: &Locator) -> Value {
    let signing = keys.client.signing.as_ref();
    Value::Assertion(Box::new(Assertion {
        algorithm: signing.map_or(Algorithm::Rs256, |signing| signing.algorithm),
        issuer: Field::ClientId,
        subject,
        audience: audience.clone(),
        // Servers that remember assertions take none twice, and some ask when it was made.
        unique: true,
        key_id: signing.and_then(|signing| signing.key_id.clone()),
    }))
}

fn json(scalar: &Scalar) -> Json {
    match scalar {
        Scalar::Text(text) => text.as_str().into(),
        Scalar::Integer(number) => (*number).into(),
        Scalar::Float(number) => (*number).into(),
        Scalar::Flag(flag) => (*flag).into(),
    }
}

fn answer_map(keys: &OAuth2, templates: Vec<super::Template>, plain_http: &[String]) -> AnswerMap {
    let fields = &keys.fields;
    let at = |place: &String| Cow::Owned(place.clone());
    let targets = match &keys.target {
        Target::Api(_) => vec![],
        Target::Instance { place, hosts } => vec![TargetField {
            name: TargetName::Instance,
            place: at(place),
            required: true,
            may_have_path: true,
            hosts: HostRules::new(hosts.clone(), vec![]),
            plain_http: plain_http.to_vec(),
        }],
    };
    AnswerMap {
        token: at(&fields.access_token),
        targets,
        expires_in: at(&fields.expires_in),
        unit: match fields.unit {
            config::Unit::Seconds => Unit::Seconds,
            config::Unit::Milliseconds => Unit::Milliseconds,
            config::Unit::Minutes => Unit::Minutes,
        },
        org: None,
        refresh_token: Some(at(&fields.refresh_token)),
        success: keys.success.as_ref().map(|success| Success {
            place: at(&success.path),
            equals: success.equals.clone(),
        }),
        templates,
        unused: keys.session_timeout,
        error_code: vec![at(&fields.error)],
        error_text: vec![at(&fields.error_description)],
    }
}

/// A 403 with `insufficient_scope` is in no list unless the operator writes it there: another token has the same scope.
fn dead(entries: &[Dead]) -> Vec<DeadRule> {
    if entries.is_empty() {
        return vec![DeadRule {
            status: 401,
            sign: Sign::Challenge,
            then: Verdict::Dead,
        }];
    }
    let rule = |entry: &Dead| DeadRule {
        status: entry.status,
        sign: match &entry.body {
            Some(part) => Sign::Contains(Cow::Owned(part.clone())),
            None => Sign::Any,
        },
        then: Verdict::Dead,
    };
    entries.iter().map(rule).collect()
}

/// `client_assertion_type` of RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[cfg(test)]
mod tests;
