//! What a test or a visitor of the demo may turn while the emulator runs.
//!
//! [`Dials`] are plain values; [`Knobs`] is the shared handle. Whatever of the real providers could
//! not be confirmed is a dial here. Deliberately no logic: who reads a dial decides what it means.

mod marketing_cloud;
mod oauth2;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

pub use self::marketing_cloud::CloudDials;
pub use self::oauth2::{
    OauthAnswerDials, OauthClientAuth, OauthDead, OauthDials, OauthRequestDials,
};
use super::canned::Canned;

/// A shared handle on the [`Dials`]. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Knobs(Arc<Mutex<Dials>>);

impl Knobs {
    /// Changes the dials.
    pub fn turn<T>(&self, change: impl FnOnce(&mut Dials) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The dials as they are now.
    pub fn read(&self) -> Dials {
        self.turn(|dials| dials.clone())
    }

    /// Waits for as many milliseconds as a dial says. Turned down, it lets go of who waits already.
    pub(super) async fn wait(&self, dial: impl Fn(&Dials) -> u64) {
        let came = Instant::now();
        let wait = || Duration::from_millis(self.turn(|dials| dial(dials)));
        while came.elapsed() < wait() {
            sleep(wait().min(STEP)).await;
        }
    }

    /// Lays a JSON object over the dials: named keys change, the others stay.
    pub fn merge(&self, patch: &Value) -> Result<(), serde_json::Error> {
        self.turn(|dials| {
            let mut whole = serde_json::to_value(&*dials)?;
            lay_over(&mut whole, patch);
            *dials = serde_json::from_value(whole)?;
            Ok(())
        })
    }
}

/// Every dial, by what it concerns.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dials {
    /// The Salesforce token endpoints.
    pub login: LoginDials,
    /// What a Salesforce token answer looks like.
    pub answer: AnswerDials,
    /// The Salesforce instances.
    pub salesforce: ApiDials,
    /// The Zilliant API.
    pub zilliant: ApiDials,
    /// The Zuora API.
    pub zuora: ApiDials,
    /// What only Zuora has.
    pub billing: BillingDials,
    /// Marketing Cloud, the first generation.
    pub marketing_cloud_legacy: CloudDials,
    /// Marketing Cloud, the second generation.
    pub marketing_cloud: CloudDials,
    /// The OAuth 2.0 server that nobody in particular runs.
    pub oauth2: OauthDials,
}

/// Dials of the Salesforce token endpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginDials {
    /// Answers given instead of logging in, each to one request, in this order.
    pub next: VecDeque<Canned>,
    /// The answer given instead of logging in, to every request.
    pub always: Option<Canned>,
    /// How long the token endpoint takes, in milliseconds.
    pub delay_ms: u64,
    /// What becomes of answers.
    pub after: AfterLogin,
    /// A login while the user's session lives returns the same token.
    pub same_token: bool,
    /// Successful logins per user and hour, above which logins are refused.
    pub logins_per_hour: usize,
    /// Failed logins after which a user is locked for 15 minutes.
    pub failures_to_lock: u32,
    /// The consumer secret, if it was rotated.
    pub client_secret: Option<String>,
    /// The user's password, if it was changed.
    pub password: Option<String>,
    /// The key (PEM) that assertions are signed with, if it is another than the emulator's own.
    pub public_key: Option<String>,
    /// An assertion's `exp` is whole seconds, at most three minutes ahead; its `aud` has a scheme.
    pub strict_exp: bool,
    /// Each refresh token is good once, and brings the next.
    pub rotation: bool,
}

impl Default for LoginDials {
    fn default() -> Self {
        Self {
            next: VecDeque::new(),
            always: None,
            delay_ms: 0,
            after: AfterLogin::default(),
            same_token: false,
            logins_per_hour: 3600,
            failures_to_lock: 10,
            client_secret: None,
            password: None,
            public_key: None,
            strict_exp: false,
            rotation: false,
        }
    }
}

/// What becomes of the answer of a login that is done: its refresh token is spent by then.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AfterLogin {
    /// How long the answer is held back, in milliseconds.
    pub hold_ms: u64,
    /// So many answers are lost: half of the body arrives, and the connection ends.
    pub lose: u32,
}

/// How a Salesforce token answer is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerDials {
    /// The fields in reverse order.
    pub reversed: bool,
    /// Pretty-printed.
    pub pretty: bool,
    /// Without `Content-Length`.
    pub chunked: bool,
    /// Unknown fields added at the end, with characters that JSON escapes.
    pub extra_fields: bool,
    /// An access token of 4 KB.
    pub huge_token: bool,
    /// An access token in the form of a JWT, which lives for 30 minutes however it is used.
    pub jwt_token: bool,
    /// The user's home is instance B.
    pub instance_b: bool,
    /// `instance_url` as given here, whatever the token is good for.
    pub instance_url: Option<String>,
    /// `scope` is part of the `client_credentials` answer.
    pub scope: bool,
    /// Exactly this body; its `access_token` becomes a session.
    pub exact: Option<String>,
}

/// Dials of an API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiDials {
    /// Answers given instead of the API's own to authenticated requests, each to one.
    pub next: VecDeque<Canned>,
    /// Every token is refused as dead.
    pub rejects_all: bool,
    /// So many fresh tokens are refused once, on their first use (one node lags behind the login).
    pub fresh_rejections: u32,
    /// How long the API takes before it answers, in milliseconds.
    pub delay_ms: u64,
}

/// Dials that only Zuora has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BillingDials {
    /// Answers of `/oauth/token` given instead of logging in, each to one request.
    pub next_login: VecDeque<Canned>,
    /// How long `/oauth/token` takes, in milliseconds.
    pub delay_ms: u64,
    /// How `expires_in` is written.
    pub expires_in: ExpiresIn,
    /// How a dead token is reported.
    pub dead: DeadShape,
}

/// How a token answer writes the lifetime of its token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiresIn {
    /// `3598`
    #[default]
    Integer,
    /// `"3598"`
    String,
    /// `3598.0`
    Float,
    /// `0`
    Zero,
    /// `-1`
    Negative,
    /// `9223372036854775807`
    Huge,
    /// `3598000`
    Milliseconds,
    /// `1700003598`: the second since 1970 at which the token dies.
    UnixSeconds,
    /// `"2023-11-14T23:13:18Z"`
    Date,
    /// Left out.
    Missing,
}

/// How Zuora reports a dead token, as zuora-sdk and zendesk/iron_bank know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadShape {
    /// 401 with a `message`.
    #[default]
    Message,
    /// 401 with `reasons`.
    Reasons,
    /// 200 with `success: false`.
    Success200,
}

fn lay_over(whole: &mut Value, patch: &Value) {
    match (whole, patch) {
        (Value::Object(whole), Value::Object(patch)) => lay_over_object(whole, patch),
        (whole, patch) => *whole = patch.clone(),
    }
}

fn lay_over_object(whole: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match whole.get_mut(key) {
            Some(old) => lay_over(old, value),
            None => {
                whole.insert(key.clone(), value.clone());
            }
        }
    }
}

/// How often a dial is looked at while somebody waits for as long as it says.
const STEP: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_keeps_the_rest() {
        let knobs = Knobs::default();
        knobs.turn(|dials| dials.login.same_token = true);
        let patch = serde_json::json!({"login": {"delay_ms": 5}, "billing": {"dead": "reasons"}});
        knobs.merge(&patch).unwrap();
        let dials = knobs.read();
        assert!(dials.login.same_token);
        assert_eq!(
            (dials.login.delay_ms, dials.billing.dead),
            (5, DeadShape::Reasons)
        );
    }

    #[test]
    fn a_patch_with_an_unknown_key_changes_nothing() {
        let knobs = Knobs::default();
        let patch = serde_json::json!({"login": {"delay_ms": 5, "dellay": 1}});
        assert!(knobs.merge(&patch).is_err());
        assert_eq!(knobs.read().login.delay_ms, 0);
    }
}
