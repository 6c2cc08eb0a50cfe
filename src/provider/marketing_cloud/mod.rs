//! Marketing Cloud as data: a login in JSON, and two hosts that come with the token (Marketing Cloud Engagement APIs,
//! "Access Token for Server-to-Server Integrations").
//!
//! The first generation of logins has the same APIs, and takes their surfaces from here.

use std::borrow::Cow;
use std::time::Duration;

use http::header;

use super::answer::AnswerMap;
use super::base::{Base, TargetField, TargetName};
use super::credential::CarrierForm;
use super::expiry::Unit;
use super::judge::{DeadRule, Sign, Test, Verdict};
use super::local::{LocalCall, calls};
use super::login::{Call, Encode, Field, Login, Value};
use super::rotation::Rotation;
use super::surface::{Carrier, Denial, LinkRule, Surface, constants};
use super::{Budget, Provider};
use crate::config::marketing_cloud::MarketingCloud;
use crate::message::twins::Names;
use crate::message::{HostRule, HostRules, Origin};

/// The provider of a Marketing Cloud upstream.
pub fn provider(keys: &MarketingCloud, plain_http: &[String]) -> Provider {
    let target = |name, place, required| TargetField {
        name,
        place: Cow::Borrowed(place),
        required,
        may_have_path: false,
        hosts: hosts(keys),
        plain_http: plain_http.to_vec(),
    };
    let mut targets = vec![];
    if keys.api_url.is_none() {
        targets.push(target(TargetName::Rest, "/rest_instance_url", true));
    }
    if keys.soap_url.is_none() {
        targets.push(target(TargetName::Soap, "/soap_instance_url", false));
    }
    Provider {
        name: "marketing-cloud",
        login: Login::Call(login(keys)),
        answer: AnswerMap {
            token: Cow::Borrowed("/access_token"),
            targets,
            expires_in: Cow::Borrowed("/expires_in"),
            unit: Unit::Seconds,
            org: None,
            refresh_token: None,
            success: None,
            templates: vec![],
            unused: UNUSED,
            // The second shape is that of the API, which the login host has for paths it does not know.
            error_code: ["/error", "/errorcode"].map(Cow::Borrowed).to_vec(),
            error_text: ["/error_description", "/message"]
                .map(Cow::Borrowed)
                .to_vec(),
        },
        // Those of OAuth 2.0: `invalid_client` is in SFMC-SDK's tests, the others are inferred from it. The usual reading
        // knows them.
        refusals: vec![],
        budget: Some(BUDGET),
        surfaces: surfaces(calls::marketing_cloud()),
        rest: rest(allowed(keys), keys.soap_url.as_ref()),
        configured: configured(keys.api_url.as_ref(), keys.soap_url.as_ref()),
        rotation: Rotation::None,
        token_per_target: false,
        environment: None,
    }
}

fn login(keys: &MarketingCloud) -> Call {
    let mut parameters = vec![
        (
            "grant_type".into(),
            Value::Text("client_credentials".into()),
        ),
        ("client_id".into(), Value::Fields(vec![Field::ClientId])),
        (
            "client_secret".into(),
            Value::Fields(vec![Field::ClientSecret]),
        ),
    ];
    for (name, value) in [("account_id", &keys.account_id), ("scope", &keys.scope)] {
        let value = value.clone().into_iter();
        parameters.extend(value.map(|value| (name.into(), Value::Text(value.into()))));
    }
    Call {
        endpoint: keys.login_url.clone(),
        path: "/v2/token".into(),
        encode: Encode::Json,
        parameters,
        basic: None,
        headers: vec![],
        sources: vec![
            (Field::ClientId, keys.client_id.clone()),
            (Field::ClientSecret, keys.client_secret.clone()),
        ],
    }
}

fn hosts(keys: &MarketingCloud) -> HostRules {
    let mut hosts = HostRules::new(allowed(keys), vec![]);
    hosts.push_origin(&keys.login_url);
    hosts
}

fn allowed(keys: &MarketingCloud) -> Vec<HostRule> {
    match &keys.instance_hosts {
        Some(hosts) => hosts.clone(),
        None => constants(&INSTANCE_HOSTS),
    }
}

/// The targets that the configuration names.
pub(super) fn configured(
    api_url: Option<&Origin>,
    soap_url: Option<&Origin>,
) -> Vec<(TargetName, Base)> {
    let named = [(TargetName::Rest, api_url), (TargetName::Soap, soap_url)];
    let named = named.into_iter();
    named
        .filter_map(|(name, url)| Some((name, Base::of(url?.clone()))))
        .collect()
}

/// The families that are recognised by their path; `local` are the logins that are answered here.
pub(super) fn surfaces(local: Vec<LocalCall>) -> Vec<Surface> {
    let mut logins = family("login", &LOGINS);
    logins.denied = Some(Denial::Login);
    logins.local = local;
    // Rules over paths do not heed letter case: clients write it in either.
    let mut soap = family("soap", &["/Service.asmx/**"]);
    soap.target = TargetName::Soap;
    soap.denied = Some(Denial::NotBuilt("SOAP"));
    vec![logins, soap]
}

/// The family of all other paths. `hosts` and `soap_url` are where SOAP may be.
pub(super) fn rest(mut hosts: Vec<HostRule>, soap_url: Option<&Origin>) -> Surface {
    hosts.extend(soap_url.map(HostRule::of));
    let mut surface = family("rest", &[]);
    // Old clients (FuelSDK) ask where SOAP is, and go there by themselves.
    surface.links = vec![LinkRule {
        paths: constants(&["GET /platform/v1/endpoints/**"]),
        places: vec!["/url", "/items/*/url"],
        hosts,
    }];
    surface
}

fn family(name: &'static str, patterns: &[&str]) -> Surface {
    Surface {
        name,
        paths: constants(patterns),
        carriers: vec![Carrier {
            header: header::AUTHORIZATION,
            form: CarrierForm::Bearer,
        }],
        target: TargetName::Rest,
        dead: dead(),
        denied: None,
        once: false,
        acts: vec![],
        local: vec![],
        // Very old code has its token there.
        cut_parameters: vec!["access_token"],
        strip: Names::of(["authorization"]),
        cookies: vec![],
        stamps: vec![],
        links: vec![],
    }
}

/// Marketing Cloud Engagement APIs, "Handle Errors in REST API". All other codes of a 403 speak of permissions or of
/// the host (40002), and a 429 of haste: the next token would meet the same. No document says that a dead token is
/// always answered with a challenge, so nothing depends on it.
fn dead() -> Vec<DeadRule> {
    let code = |code| Sign::Json(Cow::Borrowed("/errorcode"), Test::Is(Cow::Borrowed(code)));
    let unmendable = UNMENDABLE.into_iter().map(|text| {
        let contains = Test::Contains(Cow::Borrowed(text));
        (
            401,
            Sign::Json(Cow::Borrowed("/message"), contains),
            Verdict::Alive,
        )
    });
    let dead = [(401, "0"), (401, "1"), (401, "40004"), (403, "40001")]
        .map(|(status, number)| (status, code(number), Verdict::Dead));
    unmendable
        .chain(dead)
        .map(|(status, sign, then)| DeadRule { status, sign, then })
        .collect()
}

/// They begin messages about what a token may do, not about whether it lives.
const UNMENDABLE: [&str; 2] = ["Insufficient", "insufficient"];
pub(super) const INSTANCE_HOSTS: [&str; 3] = [
    "*.marketingcloudapis.com",
    "*.exacttarget.com",
    "*.exacttargetapis.com",
];
/// It asks not to be asked for each call, and names no number (Marketing Cloud Engagement APIs, "Get an Access Token
/// for Legacy Packages"). A token lives 18 minutes at least.
pub(super) const BUDGET: Budget = Budget {
    logins: 60,
    hard: false,
};
/// Calls that mint a session or tell of it.
const LOGINS: [&str; 4] = [
    "/v1/requestToken/**",
    "/v2/token/**",
    "/v2/authorize/**",
    "/v2/userinfo/**",
];
/// Marketing Cloud says how long a token lives (18 min); this is for an answer that does not.
const UNUSED: Duration = Duration::from_secs(18 * 60);

#[cfg(test)]
pub(super) mod tests;
