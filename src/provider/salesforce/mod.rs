//! Salesforce as data (PROVIDERS 1): REST, Bulk 1.0, identity and streaming; SOAP is not carried yet.

mod surfaces;

use std::borrow::Cow;
use std::time::Duration;

use super::Provider;
use super::answer::AnswerMap;
use super::base::{TargetField, TargetName};
use super::credential::CarrierForm;
use super::expiry::Unit;
use super::failure::Refused;
use super::login::{Call, Encode, Field, Login, Value};
use super::refusal::{Class, RefusalRule};
use super::surface::constants;
use crate::config::salesforce::{Grant, Header, Salesforce, User};
use crate::message::{HostRules, Origin};
use crate::secret::Source;

/// The provider of a Salesforce upstream.
pub fn provider(keys: &Salesforce, plain_http: &[String]) -> Provider {
    let form = match keys.header {
        Header::Bearer => CarrierForm::Bearer,
        Header::OAuth => CarrierForm::OAuth,
    };
    let login = match &keys.grant {
        Grant::ClientCredentials => login(
            &keys.login_url,
            "client_credentials",
            &keys.client_id,
            &keys.client_secret,
        ),
        Grant::Password(user) => {
            password_login(&keys.login_url, &keys.client_id, &keys.client_secret, user)
        }
    };
    let instance = TargetField {
        name: TargetName::Instance,
        place: Cow::Borrowed("/instance_url"),
        required: true,
        may_have_path: false,
        hosts: hosts(keys),
        plain_http: plain_http.to_vec(),
    };
    Provider {
        name: "salesforce",
        login: Login::Call(login),
        answer: answer_map(vec![instance], keys.session_timeout),
        refusals: refusals(),
        surfaces: surfaces::named(form),
        rest: surfaces::rest(form),
        configured: vec![],
        token_per_target: false,
    }
}

/// The password grant, which Zilliant uses too. Password and security token are one value.
pub(super) fn password_login(
    login_url: &Origin,
    client_id: &Source,
    client_secret: &Source,
    user: &User,
) -> Call {
    let mut call = login(login_url, "password", client_id, client_secret);
    call.parameters.extend([
        ("username".into(), Value::Fields(vec![Field::Username])),
        (
            "password".into(),
            Value::Fields(vec![Field::Password, Field::SecurityToken]),
        ),
    ]);
    call.sources.extend([
        (Field::Username, user.username.clone()),
        (Field::Password, user.password.clone()),
    ]);
    let token = user.security_token.iter();
    call.sources
        .extend(token.map(|token| (Field::SecurityToken, token.clone())));
    call
}

fn login(
    login_url: &Origin,
    grant: &'static str,
    client_id: &Source,
    client_secret: &Source,
) -> Call {
    Call {
        endpoint: login_url.clone(),
        path: Cow::Borrowed("/services/oauth2/token"),
        encode: Encode::Form,
        parameters: vec![
            ("grant_type".into(), Value::Text(grant.into())),
            ("client_id".into(), Value::Fields(vec![Field::ClientId])),
            (
                "client_secret".into(),
                Value::Fields(vec![Field::ClientSecret]),
            ),
        ],
        basic: None,
        headers: vec![],
        sources: vec![
            (Field::ClientId, client_id.clone()),
            (Field::ClientSecret, client_secret.clone()),
        ],
    }
}

/// Where the fields of Salesforce's token answer stand; Zilliant's has no instance of its own.
pub(super) fn answer_map(targets: Vec<TargetField>, session_timeout: Duration) -> AnswerMap {
    AnswerMap {
        token: Cow::Borrowed("/access_token"),
        targets,
        expires_in: Cow::Borrowed("/expires_in"),
        unit: Unit::Seconds,
        refresh_token: None,
        success: None,
        templates: vec![],
        unused: session_timeout,
        error_code: vec![Cow::Borrowed("/error")],
        error_text: vec![Cow::Borrowed("/error_description")],
    }
}

/// PROVIDERS 1.8. The order matters: `invalid_grant` is a rate limit, a policy or a password.
pub(super) fn refusals() -> Vec<RefusalRule> {
    let policy = Class::Refused(Refused::Policy);
    let client = Class::Refused(Refused::Client);
    vec![
        RefusalRule::text("token request is already being processed", Class::Again),
        RefusalRule::text("login rate exceeded", Class::Later(RATE_LIMITED)),
        RefusalRule::code("rate_limit_exceeded", Class::Later(RATE_LIMITED)),
        // The name that SOAP has for it.
        RefusalRule::code("LOGIN_RATE_EXCEEDED", Class::Later(RATE_LIMITED)),
        RefusalRule::code("unknown_error", Class::Again),
        RefusalRule::text("retry your request", Class::Again),
        // Locked for maintenance or for ever; asking now and then locks nobody out.
        RefusalRule::code("inactive_org", Class::Later(RATE_LIMITED)),
        RefusalRule::text("ip restricted", policy),
        RefusalRule::text("hasn't approved this consumer", policy),
        RefusalRule::text("audience", policy),
        RefusalRule::text("request not supported on this domain", policy),
        RefusalRule::text("no client credentials user enabled", policy),
        RefusalRule::text("no valid scopes defined", policy),
        RefusalRule::text("activation secret invalid", policy),
        RefusalRule::text("invalid assertion", client),
        RefusalRule::text("expired authorization code", client),
        RefusalRule::text("expired access/refresh token", client),
        // "authentication failure" is deliberately vague: a wrong password, a lock-out that ends by
        // itself, or the hourly login limit; the last two also without a password.
        RefusalRule::code("invalid_grant", Class::Refused(Refused::Password)),
        RefusalRule::code("invalid_client", client),
        RefusalRule::code("invalid_client_id", client),
    ]
}

fn hosts(keys: &Salesforce) -> HostRules {
    let allow = match &keys.instance_hosts {
        Some(hosts) => hosts.clone(),
        None => constants(&INSTANCE_HOSTS),
    };
    let mut hosts = HostRules::new(allow, constants(&NEVER));
    hosts.push_origin(&keys.login_url);
    hosts
}

const INSTANCE_HOSTS: [&str; 3] = ["*.salesforce.com", "*.salesforce.mil", "*.sfcrmproducts.cn"];
/// Answers API calls with a redirect (PROVIDERS 1.1).
const NEVER: [&str; 1] = ["*.lightning.force.com"];
/// The limit counts logins per hour (PROVIDERS 1.9: wait 15 to 30 min).
const RATE_LIMITED: Duration = Duration::from_secs(15 * 60);
