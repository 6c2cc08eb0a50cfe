//! Marketing Cloud by a legacy package as data: another login, and no hosts in its answer (Marketing Cloud Engagement
//! APIs, "requestToken Reference for Legacy Packages").

use std::borrow::Cow;
use std::time::Duration;

use super::Provider;
use super::answer::AnswerMap;
use super::expiry::Unit;
use super::failure::Refused;
use super::local::calls;
use super::login::{Call, Encode, Field, Login, Value};
use super::marketing_cloud::{BUDGET, INSTANCE_HOSTS, configured, rest, surfaces};
use super::refusal::{Class, RefusalRule};
use super::rotation::Rotation;
use super::surface::constants;
use crate::config::marketing_cloud_legacy::MarketingCloudLegacy;
use crate::message::Locator;

/// The provider of a Marketing Cloud upstream with a legacy package.
pub fn provider(keys: &MarketingCloudLegacy) -> Provider {
    Provider {
        name: "marketing-cloud-legacy",
        login: Login::Call(login(keys)),
        answer: AnswerMap {
            token: Cow::Borrowed("/accessToken"),
            targets: vec![],
            expires_in: Cow::Borrowed("/expiresIn"),
            unit: Unit::Seconds,
            org: None,
            refresh_token: keys.offline.then_some(Cow::Borrowed("/refreshToken")),
            success: None,
            templates: vec![],
            unused: UNUSED,
            error_code: vec![Cow::Borrowed("/errorcode")],
            error_text: vec![Cow::Borrowed("/message")],
        },
        // A wrong client is a 401 whose code is 0 or 1.
        refusals: vec![wrong_client("0"), wrong_client("1")],
        budget: Some(BUDGET),
        surfaces: surfaces(calls::marketing_cloud_legacy()),
        rest: rest(constants(&INSTANCE_HOSTS), keys.soap_url.as_ref()),
        configured: configured(Some(&keys.api_url), keys.soap_url.as_ref()),
        rotation: match keys.offline {
            true => Rotation::OnceWithGrace(GRACE),
            false => Rotation::None,
        },
        token_per_target: false,
        environment: None,
    }
}

fn wrong_client(code: &'static str) -> RefusalRule {
    RefusalRule {
        code: Some(Cow::Borrowed(code)),
        ..RefusalRule::status(401, Class::Refused(Refused::Client))
    }
}

fn login(keys: &MarketingCloudLegacy) -> Call {
    let mut call = Call {
        endpoint: keys.login_url.clone(),
        path: Locator::from(match keys.legacy_token {
            true => "/v1/requestToken?legacy=1",
            false => "/v1/requestToken",
        }),
        encode: Encode::Json,
        // The name that all examples and clients have; one table of the documentation says `clientID`.
        parameters: vec![
            ("clientId".into(), Value::Fields(vec![Field::ClientId])),
            (
                "clientSecret".into(),
                Value::Fields(vec![Field::ClientSecret]),
            ),
        ],
        basic: None,
        headers: vec![],
        sources: vec![
            (Field::ClientId, keys.client_id.clone()),
            (Field::ClientSecret, keys.client_secret.clone()),
        ],
    };
    if keys.offline {
        call.parameters.extend([
            ("accessType".into(), Value::Text("offline".into())),
            // Left out of a first login, which has none yet.
            (
                "refreshToken".into(),
                Value::Fields(vec![Field::RefreshToken]),
            ),
        ]);
        let first = keys.refresh_token.iter();
        call.sources
            .extend(first.map(|token| (Field::RefreshToken, token.clone())));
    }
    call
}

/// For how long a spent refresh token is still taken, less than Marketing Cloud says (five minutes, "requestToken
/// Reference for Legacy Packages"): the clock of its first use is ours.
const GRACE: Duration = Duration::from_secs(5 * 60 - 10);
/// Marketing Cloud says how long a token lives (an hour); this is for an answer that does not.
const UNUSED: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::tests::{secrets, source};
    use crate::provider::{CarrierForm, Lifetime, LoginFailure, TargetName, answer, login};

    fn keys() -> MarketingCloudLegacy {
        MarketingCloudLegacy {
            login_url: "https://auth.exacttargetapis.com".parse().unwrap(),
            api_url: "https://www.exacttargetapis.com".parse().unwrap(),
            soap_url: None,
            client_id: source("fakeid"),
            client_secret: source("fake\"secret"),
            offline: false,
            refresh_token: None,
            legacy_token: false,
        }
    }

    #[test]
    fn a_login_is_json_in_camel_case_and_the_first_offline_one_has_no_refresh_token() {
        let check = |keys: &MarketingCloudLegacy, path: &str, body: &str| {
            let provider = provider(keys);
            let Login::Call(call) = &provider.login else {
                panic!("no call");
            };
            let moment = login::Moment {
                wall: Duration::ZERO,
                unique: String::new(),
            };
            let request = login::request(call, &secrets(&provider), &moment).unwrap();
            assert_eq!(
                (request.path.as_str(), &request.body[..]),
                (path, body.as_bytes())
            );
        };
        let mut keys = keys();
        let online = r#"{"clientId":"fakeid","clientSecret":"fake\"secret"}"#;
        check(&keys, "/v1/requestToken", online);
        keys.legacy_token = true;
        check(&keys, "/v1/requestToken?legacy=1", online);
        keys.offline = true;
        let first = r#"{"accessType":"offline","clientId":"fakeid","clientSecret":"fake\"secret"}"#;
        check(&keys, "/v1/requestToken?legacy=1", first);
        keys.legacy_token = false;
        keys.refresh_token = Some(source("old-one"));
        let next = r#"{"accessType":"offline","clientId":"fakeid","clientSecret":"fake\"secret","refreshToken":"old-one"}"#;
        check(&keys, "/v1/requestToken", next);
    }

    #[test]
    fn an_answer_brings_token_and_lifetime_and_if_asked_for_the_next_refresh_token() {
        // The names of "requestToken Reference for Legacy Packages"; the values are invented.
        let body = br#"{"accessToken":"7FAKEtoken24chars","expiresIn":3600,"refreshToken":"1FAKEnew","legacyToken":"6FAKElegacy"}"#;
        for offline in [false, true] {
            let provider = provider(&MarketingCloudLegacy { offline, ..keys() });
            let answer = answer::Answer {
                status: http::StatusCode::OK,
                headers: &http::HeaderMap::new(),
                body,
                wall: Duration::ZERO,
            };
            let granted = answer::read(&provider, &secrets(&provider), &answer).unwrap();
            let credential = &granted.credential;
            assert_eq!(
                credential.value(CarrierForm::Bearer),
                "Bearer 7FAKEtoken24chars"
            );
            let hour = Lifetime::For(Duration::from_secs(3600));
            assert_eq!(credential.lifetime(), hour);
            let next = granted.refresh_token.as_ref().map(|token| token.expose());
            assert_eq!(next, offline.then_some("1FAKEnew"));
        }
    }

    #[test]
    fn a_wrong_client_is_known_by_its_code() {
        for (body, expected) in [
            (r#"{"errorcode":0,"message":"no"}"#, Refused::Client),
            (
                r#"{"errorcode":1,"message":"Unauthorized"}"#,
                Refused::Client,
            ),
            (r#"{"message":"Unauthorized"}"#, Refused::Policy),
        ] {
            let provider = provider(&keys());
            let answer = answer::Answer {
                status: http::StatusCode::UNAUTHORIZED,
                headers: &http::HeaderMap::new(),
                body: body.as_bytes(),
                wall: Duration::ZERO,
            };
            let failure = answer::read(&provider, &secrets(&provider), &answer).unwrap_err();
            let is_expected =
                matches!(failure, LoginFailure::Refused { what, .. } if what == expected);
            assert!(is_expected, "{failure}");
        }
    }

    #[test]
    fn calls_go_to_the_configured_hosts() {
        let mut keys = keys();
        keys.soap_url = Some("https://webservice.s6.exacttarget.com".parse().unwrap());
        let configured = provider(&keys).configured;
        let configured: Vec<_> = configured
            .iter()
            .map(|(name, base)| (*name, base.origin.to_string()))
            .collect();
        let expected = [
            (TargetName::Rest, "https://www.exacttargetapis.com"),
            (TargetName::Soap, "https://webservice.s6.exacttarget.com"),
        ];
        assert_eq!(
            configured,
            expected.map(|(name, url)| (name, url.to_owned()))
        );
    }
}
