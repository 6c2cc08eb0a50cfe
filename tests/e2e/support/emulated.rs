//! The emulator with the real proxy in front of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;
use upauth::clock::Clock;
use upauth::emulator::{Counters, Dials, Emulator, Settings};
use upauth::telemetry::AccessLog;

use super::caller::PATIENCE;
use super::proxy::TestProxy;

/// Both, and time that can be let pass.
pub struct Emulated {
    pub emulator: Emulator,
    pub proxy: TestProxy,
    passed: Arc<AtomicU64>,
}

impl Emulated {
    /// Starts both; `${DEMO_...}` in `config` leads to the emulator.
    pub async fn start(config: &str) -> Self {
        Self::start_with(Settings::default(), config).await
    }

    /// The same with lifetimes of one's own.
    pub async fn start_with(settings: Settings, config: &str) -> Self {
        // Assertions and dates are read by the same clock that they are written by.
        let settings = Settings {
            began: Some(BEGAN),
            ..settings
        };
        let emulator = Emulator::start(settings).await.unwrap();
        let passed = Arc::new(AtomicU64::new(0));
        let proxy = proxy(&emulator, &passed, config);
        Self {
            emulator,
            proxy,
            passed,
        }
    }

    /// Stops the proxy, and starts another with a configuration of its own.
    pub async fn restart(&mut self, config: &str) {
        let next = proxy(&self.emulator, &self.passed, config);
        std::mem::replace(&mut self.proxy, next).stop().await;
    }

    /// Another proxy beside the first.
    pub fn another(&self, config: &str) -> TestProxy {
        proxy(&self.emulator, &self.passed, config)
    }

    /// Waits until a call succeeds.
    pub async fn until_ok(&self, path: &str) {
        let asking = async {
            while self.proxy.get(path).await.status != 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap();
    }

    pub fn turn(&self, change: impl FnOnce(&mut Dials)) {
        self.emulator.knobs().turn(change);
    }

    /// Lets time pass at once, for the tokens on both sides. (The proxy's timers do not hear of it, and a token in
    /// use is held against the wall clock once a second.)
    pub async fn pass(&self, by: Duration) {
        self.emulator.advance(by);
        self.set_clock_forward(by);
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }

    /// Sets the proxy's wall clock alone, forward.
    pub fn set_clock_forward(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap();
        self.passed.fetch_add(by, Ordering::SeqCst);
    }

    pub fn counters(&self) -> Counters {
        self.emulator.counters()
    }

    /// Requests to token endpoints, whatever came of them.
    pub fn logins(&self) -> u64 {
        let counters = self.counters();
        counters.token_requests
            + counters.billing_token_requests
            + counters.cloud_token_requests
            + counters.legacy_token_requests
    }

    /// Waits until the emulator has seen something.
    pub async fn until(&self, seen: impl Fn(&Counters) -> bool) {
        let waiting = async {
            while !seen(&self.counters()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("never seen: {:?}", self.counters()));
    }
}

impl Emulated {
    /// Calls until the call is served: what was mended is found at the next try.
    pub async fn until_served(&self, path: &str) {
        let served = async {
            while self.proxy.get(path).await.status != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, served)
            .await
            .unwrap_or_else(|_| panic!("never served: {:?}", self.counters()));
    }

    /// Calls until the only upstream's trouble is told in these words.
    pub async fn until_told(&self, upstream: &str, path: &str, words: &str) {
        let mut last = String::new();
        let told = async {
            while !last.contains(words) {
                self.proxy.get(path).await;
                last = self.proxy.status(upstream).await["why"].to_string();
            }
        };
        let told = tokio::time::timeout(PATIENCE, told).await;
        assert!(told.is_ok(), "never told: {words}, but {last}");
    }
}

/// A proxy in front of the emulator, whose wall clock is ahead by as many milliseconds as were let pass.
fn proxy(emulator: &Emulator, passed: &Arc<AtomicU64>, config: &str) -> TestProxy {
    let mut variables = emulator.variables();
    variables.push((
        "SECOND_INSTANCE_HOST".to_owned(),
        emulator.second_instance().to_string(),
    ));
    let mut all = variables.iter();
    let api = all.find(|(name, _)| name == "DEMO_OAUTH_API_URL");
    let api: http::Uri = api.unwrap().1.parse().unwrap();
    let host = api.authority().unwrap().to_string();
    variables.push(("OAUTH_API_HOST".to_owned(), host));
    let wall = passed.clone();
    let clock =
        Clock::with_wall(move || BEGAN + Duration::from_millis(wall.load(Ordering::SeqCst)));
    TestProxy::start_at(config, &variables, AccessLog::off(), clock)
}

/// `upstreams` with a file store in `folder`.
pub fn stored(folder: &TempDir, upstreams: &str) -> String {
    let state = folder.path().display();
    format!("[server]\nstate = \"{state}\"\n[store]\nkind = \"file\"\n{upstreams}")
}

/// What `count` tasks at once return.
pub async fn together<F>(count: usize, task: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..count {
        tasks.spawn(task(number));
    }
    tasks.join_all().await
}

/// Salesforce by client credentials; further keys may follow.
pub const CRM: &str = r#"
[upstream.crm]
provider = "salesforce"
login_url = "${DEMO_LOGIN_URL}"
client_id = "${DEMO_CRM_CLIENT_ID}"
client_secret = "${DEMO_CRM_CLIENT_SECRET}"
instance_hosts = ["${DEMO_INSTANCE_HOST}"]
"#;

/// Salesforce by password; further keys may follow.
pub const CRM_USER: &str = r#"
[upstream.crm-user]
provider = "salesforce"
grant = "password"
login_url = "${DEMO_LOGIN_URL}"
client_id = "${DEMO_CRM_CLIENT_ID}"
client_secret = "${DEMO_CRM_CLIENT_SECRET}"
username = "${DEMO_USERNAME}"
password = "${DEMO_PASSWORD}"
security_token = "${DEMO_SECURITY_TOKEN}"
instance_hosts = ["${DEMO_INSTANCE_HOST}"]
"#;

/// Salesforce by refresh token; further keys may follow.
pub const CRM_TOKEN: &str = r#"
[upstream.crm-token]
provider = "salesforce"
grant = "refresh_token"
login_url = "${DEMO_LOGIN_URL}"
client_id = "${DEMO_CRM_CLIENT_ID}"
client_secret = "${DEMO_CRM_CLIENT_SECRET}"
refresh_token = "${DEMO_CRM_REFRESH_TOKEN}"
instance_hosts = ["${DEMO_INSTANCE_HOST}"]
"#;

/// Zilliant, production; further keys may follow.
pub const PRICING: &str = r#"
[upstream.pricing]
provider = "zilliant"
login_url = "${DEMO_LOGIN_URL}"
api_url = "${DEMO_PRICING_URL}"
client_id = "${DEMO_CRM_CLIENT_ID}"
client_secret = "${DEMO_CRM_CLIENT_SECRET}"
username = "${DEMO_USERNAME}"
password = "${DEMO_PASSWORD}"
security_token = "${DEMO_SECURITY_TOKEN}"
"#;

/// Zuora; further keys may follow.
pub const BILLING: &str = r#"
[upstream.billing]
provider = "zuora"
login_url = "${DEMO_BILLING_URL}"
client_id = "${DEMO_BILLING_CLIENT_ID}"
client_secret = "${DEMO_BILLING_CLIENT_SECRET}"
"#;

/// Marketing Cloud by an installed package; further keys may follow.
pub const MAIL: &str = r#"
[upstream.mail]
provider = "marketing-cloud"
login_url = "${DEMO_MAIL_LOGIN_URL}"
client_id = "${DEMO_MAIL_CLIENT_ID}"
client_secret = "${DEMO_MAIL_CLIENT_SECRET}"
instance_hosts = ["${DEMO_MAIL_HOST}", "${DEMO_MAIL_SOAP_HOST}"]
"#;

/// Marketing Cloud by a legacy package; further keys may follow.
pub const MAIL_LEGACY: &str = r#"
[upstream.mail-legacy]
provider = "marketing-cloud-legacy"
login_url = "${DEMO_MAIL_LEGACY_LOGIN_URL}"
api_url = "${DEMO_MAIL_LEGACY_URL}"
client_id = "${DEMO_MAIL_LEGACY_CLIENT_ID}"
client_secret = "${DEMO_MAIL_LEGACY_CLIENT_SECRET}"
"#;

/// 2023-11-14T22:13:20Z.
const BEGAN: Duration = Duration::from_secs(1_700_000_000);
