//! Zilliant as data: a Salesforce login whose whole answer is the credential (docs.zilliant.com, "Request an access
//! token").

use http::{HeaderName, header};

use super::Provider;
use super::answer::AnswerMap;
use super::base::{Base, TargetName};
use super::credential::CarrierForm;
use super::judge::{DeadRule, Sign, Verdict};
use super::local::calls;
use super::login::Login;
use super::rotation::Rotation;
use super::salesforce::{BUDGET, answer_map, password_login, refusals};
use super::surface::{Carrier, Denial, Stamp, Surface, constants};
use crate::config::zilliant::Zilliant;
use crate::message::twins::Names;

/// The provider of a Zilliant upstream.
pub fn provider(keys: &Zilliant) -> Provider {
    Provider {
        name: "zilliant",
        login: Login::Call(password_login(
            &keys.login_url,
            &keys.client_id,
            &keys.client_secret,
            &keys.user,
        )),
        // The instance in the answer is Salesforce's; no request goes there.
        answer: AnswerMap {
            org: keys.expect_org.clone(),
            ..answer_map(vec![], keys.session_timeout)
        },
        refusals: refusals(),
        budget: Some(BUDGET),
        surfaces: vec![logins(keys)],
        rest: rest(keys),
        configured: vec![(TargetName::Api, Base::of(keys.api_url.clone()))],
        rotation: Rotation::None,
        token_per_target: true,
        environment: None,
    }
}

fn rest(keys: &Zilliant) -> Surface {
    Surface {
        name: "rest",
        paths: vec![],
        carriers: vec![Carrier {
            header: header::AUTHORIZATION,
            form: CarrierForm::OAuthBase64,
        }],
        target: TargetName::Api,
        // What the body of an expired session looks like is not public.
        dead: vec![DeadRule {
            status: 401,
            sign: Sign::Any,
            then: Verdict::Dead,
        }],
        denied: None,
        once: false,
        acts: vec![],
        local: vec![],
        cut_parameters: vec![],
        strip: Names::of(["authorization", "x-forwarded-host"]),
        cookies: vec![],
        // Zilliant finds the environment by the OAuth host (docs.zilliant.com, "Introduction").
        stamps: vec![Stamp::Set(
            HeaderName::from_static("x-forwarded-host"),
            keys.login_url.host_value(),
        )],
        links: vec![],
    }
}

/// Its applications log in at Salesforce; those that are told to do it at the proxy are answered here.
fn logins(keys: &Zilliant) -> Surface {
    Surface {
        name: "login",
        paths: constants(&["/services/oauth2/**"]),
        denied: Some(Denial::Login),
        local: calls::salesforce(),
        ..rest(keys)
    }
}
