//! Salesforce as data: REST, Bulk 1.0, identity and streaming; SOAP is not carried yet.

mod surfaces;

use std::borrow::Cow;
use std::time::Duration;

use super::answer::AnswerMap;
use super::assertion::Assertion;
use super::base::{Base, TargetField, TargetName};
use super::expiry::Unit;
use super::failure::Refused;
use super::login::{Call, Encode, Field, JWT_BEARER, Login, Value};
use super::refusal::{Class, RefusalRule};
use super::rotation::Rotation;
use super::surface::{carriers, constants};
use super::{Budget, Provider};
use crate::config::salesforce::{self as config, Grant, Salesforce, User};
use crate::message::{HostRules, Origin};
use crate::secret::{Algorithm, Source};

/// The provider of a Salesforce upstream.
pub fn provider(keys: &Salesforce, plain_http: &[String]) -> Provider {
    let (carriers, templates) = carriers(&keys.header);
    let (login, login_url, api_url) = match &keys.login {
        config::Login::Call {
            login_url,
            client_id,
            grant,
        } => {
            let call = login(login_url, client_id, grant);
            (Login::Call(call), Some(login_url), None)
        }
        config::Login::Program { command, api_url } => {
            (Login::Program(command.clone()), None, api_url.as_ref())
        }
    };
    let mut answer = answer_map(vec![instance(keys, plain_http)], keys.session_timeout);
    answer.templates = templates;
    answer.org.clone_from(&keys.expect_org);
    answer.refresh_token = Some(Cow::Borrowed("/refresh_token"));
    if api_url.is_some() {
        // Whatever host a program names, no request goes there.
        answer.targets.clear();
    }
    Provider {
        name: "salesforce",
        login,
        answer,
        refusals: refusals(),
        budget: Some(BUDGET),
        surfaces: surfaces::named(&carriers, login_url),
        rest: surfaces::rest(&carriers, login_url),
        configured: api_url
            .map(|url| (TargetName::Instance, Base::of(url.clone())))
            .into_iter()
            .collect(),
        rotation: rotation(&keys.login),
        token_per_target: false,
        environment: keys.environment,
    }
}

fn rotation(login: &config::Login) -> Rotation {
    match login {
        config::Login::Call {
            grant: Grant::RefreshToken { rotates, .. },
            ..
        } => Rotation::of(*rotates),
        _ => Rotation::None,
    }
}

fn instance(keys: &Salesforce, plain_http: &[String]) -> TargetField {
    let allow = match &keys.instance_hosts {
        Some(hosts) => hosts.clone(),
        None => constants(&INSTANCE_HOSTS),
    };
    let mut hosts = HostRules::new(allow, constants(&NEVER));
    if let config::Login::Call { login_url, .. } = &keys.login {
        hosts.push_origin(login_url);
    }
    TargetField {
        name: TargetName::Instance,
        place: Cow::Borrowed("/instance_url"),
        required: true,
        may_have_path: false,
        hosts,
        plain_http: plain_http.to_vec(),
    }
}

fn login(login_url: &Origin, client_id: &Source, grant: &Grant) -> Call {
    match grant {
        Grant::ClientCredentials { client_secret } => {
            let mut call = call(login_url, "client_credentials");
            add_client(&mut call, client_id, Some(client_secret));
            call
        }
        Grant::Password {
            client_secret,
            user,
        } => password_login(login_url, client_id, client_secret, user),
        Grant::JwtBearer {
            username,
            private_key,
            audience,
        } => {
            let mut call = call(login_url, JWT_BEARER);
            let assertion = Assertion {
                algorithm: Algorithm::Rs256,
                issuer: Field::ClientId,
                subject: Field::Username,
                audience: audience.clone().into(),
                // Not asked for, and a reading of the clock less to be wrong about.
                unique: false,
                key_id: None,
            };
            let assertion = Value::Assertion(Box::new(assertion));
            call.parameters.push(("assertion".into(), assertion));
            call.sources.extend([
                (Field::ClientId, client_id.clone()),
                (Field::Username, username.clone()),
                (Field::PrivateKey, private_key.clone()),
            ]);
            call
        }
        Grant::RefreshToken {
            refresh_token,
            client_secret,
            ..
        } => {
            let mut call = call(login_url, "refresh_token");
            add_client(&mut call, client_id, client_secret.as_ref());
            call.add("refresh_token", Field::RefreshToken, refresh_token);
            call
        }
    }
}

/// The password grant, which Zilliant uses too. Password and security token are one value.
pub(super) fn password_login(
    login_url: &Origin,
    client_id: &Source,
    client_secret: &Source,
    user: &User,
) -> Call {
    let mut call = call(login_url, "password");
    add_client(&mut call, client_id, Some(client_secret));
    call.add("username", Field::Username, &user.username);
    let password = Value::Fields(vec![Field::Password, Field::SecurityToken]);
    call.parameters.push(("password".into(), password));
    call.sources.push((Field::Password, user.password.clone()));
    let token = user.security_token.iter();
    call.sources
        .extend(token.map(|token| (Field::SecurityToken, token.clone())));
    call
}

fn call(login_url: &Origin, grant: &'static str) -> Call {
    Call {
        endpoint: login_url.clone(),
        path: "/services/oauth2/token".into(),
        encode: Encode::Form,
        parameters: vec![("grant_type".into(), Value::Text(grant.into()))],
        basic: None,
        headers: vec![],
        sources: vec![],
    }
}

fn add_client(call: &mut Call, id: &Source, secret: Option<&Source>) {
    call.add("client_id", Field::ClientId, id);
    if let Some(secret) = secret {
        call.add("client_secret", Field::ClientSecret, secret);
    }
}

/// Where the fields of Salesforce's token answer stand; Zilliant's has no instance of its own.
pub(super) fn answer_map(targets: Vec<TargetField>, session_timeout: Duration) -> AnswerMap {
    AnswerMap {
        token: Cow::Borrowed("/access_token"),
        targets,
        expires_in: Cow::Borrowed("/expires_in"),
        unit: Unit::Seconds,
        org: None,
        refresh_token: None,
        success: None,
        templates: vec![],
        unused: session_timeout,
        error_code: vec![Cow::Borrowed("/error")],
        error_text: vec![Cow::Borrowed("/error_description")],
    }
}

/// Salesforce Help, "OAuth 2.0 Authorization Errors"; SalesforceMobileSDK-iOS, `SFSDKOAuthConstants.h`; and what clients
/// quote in their issues. `inactive_org`, `rate_limit_exceeded` and `invalid assertion` are inferred, and `login rate
/// exceeded` is known from one report. The order matters: `invalid_grant` is a rate limit, a policy or a password.
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
        // No code is involved: a clock is wrong, or (until 2024) another refresh was under way. Both pass.
        RefusalRule::text("expired authorization code", Class::Later(RATE_LIMITED)),
        RefusalRule::text("expired access/refresh token", client),
        // "authentication failure" is deliberately vague: a wrong password, a lock-out that ends by
        // itself, or the hourly login limit; the last two also without a password.
        RefusalRule::code("invalid_grant", Class::Refused(Refused::Password)),
        RefusalRule::code("invalid_client", client),
        RefusalRule::code("invalid_client_id", client),
    ]
}

const INSTANCE_HOSTS: [&str; 3] = ["*.salesforce.com", "*.salesforce.mil", "*.sfcrmproducts.cn"];
/// Answers API calls with a redirect (Salesforce Help, article 005228480).
const NEVER: [&str; 1] = ["*.lightning.force.com"];
/// The limit counts logins per hour. To wait for 15 to 30 minutes is the advice of users, not of Salesforce.
const RATE_LIMITED: Duration = Duration::from_secs(15 * 60);
/// 3600 for each user, whatever the application (Salesforce Help, article 000312767).
pub(super) const BUDGET: Budget = Budget {
    logins: 3600,
    hard: true,
};
