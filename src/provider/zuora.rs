//! Zuora as data: one REST host, three shapes of a dead session.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderName, HeaderValue, header};

use super::Provider;
use super::answer::AnswerMap;
use super::base::{Base, TargetName};
use super::credential::CarrierForm;
use super::expiry::Unit;
use super::failure::Refused;
use super::judge::{DeadRule, Sign, Test, Verdict};
use super::local::calls;
use super::login::{Call, Encode, Field, Login, Value};
use super::refusal::{Class, RefusalRule};
use super::rotation::Rotation;
use super::surface::{Carrier, Denial, LinkRule, Stamp, Surface, constants};
use crate::config::zuora::Zuora;
use crate::message::twins::Names;

/// The provider of a Zuora upstream.
pub fn provider(keys: &Zuora) -> Provider {
    let mut logins = family("login", &LOGINS, keys);
    logins.denied = Some(Denial::Login);
    logins.local = calls::zuora();
    let mut soap = family("soap", &["/apps/services/**"], keys);
    soap.denied = Some(Denial::NotBuilt("SOAP"));
    Provider {
        name: "zuora",
        login: Login::Call(login(keys)),
        answer: AnswerMap {
            token: Cow::Borrowed("/access_token"),
            targets: vec![],
            expires_in: Cow::Borrowed("/expires_in"),
            unit: Unit::Seconds,
            org: None,
            refresh_token: None,
            success: None,
            templates: vec![],
            unused: UNUSED,
            // Zuora's own families beside the shape of RFC 6749.
            error_code: ["/error", "/code", "/reasons/0/code"]
                .map(Cow::Borrowed)
                .to_vec(),
            error_text: [
                "/error_description",
                "/message",
                "/reason",
                "/reasons/0/message",
            ]
            .map(Cow::Borrowed)
            .to_vec(),
        },
        refusals: vec![
            // An internal hiccup, wherever it is said.
            RefusalRule::text("failed to get user info", Class::Again),
            RefusalRule::text("invalid client", Class::Refused(Refused::Client)),
            RefusalRule::status(401, Class::Refused(Refused::Client)),
            RefusalRule::status(403, Class::Refused(Refused::Policy)),
        ],
        // It counts by address and tenant, far above what one user's logins come to here, and says when it is too much
        // (developer.zuora.com, "Rate and concurrent request limits"): what a user may do is no measure of it.
        budget: None,
        surfaces: vec![logins, soap],
        rest: family("rest", &[], keys),
        configured: vec![(TargetName::Api, Base::of(keys.api_url.clone()))],
        rotation: Rotation::None,
        token_per_target: false,
        environment: None,
    }
}

fn login(keys: &Zuora) -> Call {
    Call {
        endpoint: keys.login_url.clone(),
        path: "/oauth/token".into(),
        encode: Encode::Form,
        parameters: vec![
            (
                "grant_type".into(),
                Value::Text("client_credentials".into()),
            ),
            ("client_id".into(), Value::Fields(vec![Field::ClientId])),
            (
                "client_secret".into(),
                Value::Fields(vec![Field::ClientSecret]),
            ),
        ],
        // No authentication header of any kind (developer.zuora.com, "Create an OAuth token").
        basic: None,
        headers: vec![],
        sources: vec![
            (Field::ClientId, keys.client_id.clone()),
            (Field::ClientSecret, keys.client_secret.clone()),
        ],
    }
}

fn family(name: &'static str, patterns: &[&str], keys: &Zuora) -> Surface {
    let mut strip = vec![
        header::AUTHORIZATION,
        HeaderName::from_static("zuora-track-id"),
    ];
    // User and password of the older scheme; Zuora refuses them beside a token.
    strip.extend(["apiaccesskeyid", "apisecretaccesskey"].map(HeaderName::from_static));
    let mut stamps = vec![Stamp::ZuoraTrackId];
    if let Some(ids) = list(&keys.entity_ids) {
        // The fence would have a gate if the caller could name an entity the older way, or by a twin of
        // the name.
        strip.extend([ENTITY_IDS].into_iter().chain(OLDER_ENTITY));
        stamps.push(Stamp::Set(ENTITY_IDS, ids));
    }
    if let Some(ids) = list(&keys.org_ids) {
        strip.push(ORG_IDS);
        stamps.push(Stamp::Set(ORG_IDS, ids));
    }
    Surface {
        name,
        paths: constants(patterns),
        carriers: vec![Carrier {
            header: header::AUTHORIZATION,
            form: CarrierForm::Bearer,
        }],
        target: TargetName::Api,
        dead: dead(),
        denied: None,
        once: false,
        acts: vec![],
        local: vec![],
        cut_parameters: vec![],
        strip: Names::of(strip.iter().map(HeaderName::as_str)),
        // `ZSession` is a session of its own.
        cookies: vec![],
        stamps,
        // Lists name their next page by the whole URL (optimizely/zuora-client-python); `dataFile` and such are foreign
        // and signed (Edrolo/airbyte-source-zuora).
        links: vec![LinkRule {
            paths: constants(&["/v1/**", "/*/v1/**"]),
            places: vec!["/nextPage"],
            hosts: vec![],
        }],
    }
}

/// The shapes that zuora-sdk (`proxy_unauthorized_response.py`) and zendesk/iron_bank know. The last two digits of a
/// code are its category; 11 is authentication (developer.zuora.com, "Error codes").
fn dead() -> Vec<DeadRule> {
    let message = |text| Sign::Json(Cow::Borrowed("/message"), Test::Is(Cow::Borrowed(text)));
    let category = || {
        Sign::Json(
            Cow::Borrowed("/reasons/*/code"),
            Test::EndsWith(Cow::Borrowed("11")),
        )
    };
    let failed = Sign::Json(Cow::Borrowed("/success"), Test::Is(Cow::Borrowed("false")));
    let rule = |status, sign, then| DeadRule { status, sign, then };
    vec![
        rule(401, message("Failed to get user info"), Verdict::TryAgain),
        rule(401, message("Authentication error"), Verdict::Dead),
        rule(401, category(), Verdict::Dead),
        rule(200, Sign::All(vec![failed, category()]), Verdict::Dead),
    ]
}

fn list(ids: &[String]) -> Option<HeaderValue> {
    if ids.is_empty() {
        return None;
    }
    // An id that no header carries names no entity; the fence stands all the same.
    Some(HeaderValue::try_from(ids.join(",")).unwrap_or(HeaderValue::from_static("invalid")))
}

const ENTITY_IDS: HeaderName = HeaderName::from_static("zuora-entity-ids");
const ORG_IDS: HeaderName = HeaderName::from_static("zuora-org-ids");
const OLDER_ENTITY: [HeaderName; 2] = [
    HeaderName::from_static("entityid"),
    HeaderName::from_static("entityname"),
];
/// Calls that mint or show a session; older hosts have `/rest` or `/apps` in front.
const LOGINS: [&str; 3] = ["/oauth/**", "/v1/connections/**", "/*/v1/connections/**"];
/// Zuora says how long a token lives (an hour); this is for an answer that does not.
const UNUSED: Duration = Duration::from_secs(60 * 60);
