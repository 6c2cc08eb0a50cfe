//! What the benches share: upstreams from a configuration, a token source that always has a token, origins.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot be set up has failed; each uses a part of this"
)]

pub mod origin;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use upauth::clock::Clock;
use upauth::config::{self, Config};
use upauth::message::Origin;
use upauth::provider::{Base, Credential, Lifetime, TargetName};
use upauth::secret::Fingerprinter;
use upauth::token::{Handle, LoginFuture, Prints, Refusals, SecretsFuture, Settings, TokenSource};

/// The upstreams of the three providers.
pub const PROVIDERS: &str = r#"
[upstream.salesforce]
provider = "salesforce"
login_url = "http://127.0.0.1:1"
client_id = "id"
client_secret = "secret"

[upstream.zilliant]
provider = "zilliant"
login_url = "http://127.0.0.1:1"
api_url = "http://127.0.0.1:2"
client_id = "id"
client_secret = "secret"
username = "user@example.com"
password = "password"

[upstream.zuora]
provider = "zuora"
login_url = "http://127.0.0.1:1"
client_id = "id"
client_secret = "secret"
"#;

/// The values of a configuration text.
pub fn config(text: &str) -> Config {
    Config::parse(text, "bench.toml", Path::new("."), &|_: &str| None)
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
        .config
}

/// The upstream of this name.
pub fn upstream<'a>(config: &'a Config, name: &str) -> &'a config::Upstream {
    let mut upstreams = config.upstreams.iter();
    upstreams.find(|upstream| upstream.name == name).unwrap()
}

/// A credential for a Salesforce instance, as long as real ones are.
pub fn credential() -> Credential {
    let origin: Origin = "https://acme.my.salesforce.com".parse().unwrap();
    let token = format!(
        "00D5g000001x!{}",
        "AQcAQH0dMHZfz972Szmpkb58urFRkgeBGsxL".repeat(3)
    );
    let raw = format!(r#"{{"access_token":"{token}","instance_url":"{origin}"}}"#);
    let lifetime = Lifetime::UntilUnusedFor(Duration::from_secs(7200));
    Credential::new(
        &token,
        raw.as_bytes(),
        &[],
        vec![(TargetName::Instance, Base::of(origin))],
        lifetime,
    )
    .unwrap()
}

/// Logs in at once, or never.
pub enum Source {
    /// Every login brings the same token.
    Ready,
    /// The first login brings a token; every later one stays under way.
    Once(std::sync::atomic::AtomicBool),
}

impl TokenSource for Source {
    fn login(&self) -> LoginFuture<'_> {
        Box::pin(async move {
            if let Self::Once(done) = self
                && done.swap(true, std::sync::atomic::Ordering::SeqCst)
            {
                std::future::pending().await
            } else {
                Ok(credential().into())
            }
        })
    }

    fn secrets(&self) -> SecretsFuture<'_> {
        let print = Fingerprinter::new().of([]);
        let prints = Prints {
            user: print,
            secrets: print,
            asks: print,
        };
        Box::pin(async move { Ok(prints) })
    }
}

/// An account that holds a token, its flights on `control`.
pub fn account(source: Source, clock: Clock, control: &Runtime) -> Handle {
    let handle = Handle::spawn(
        "bench".to_owned(),
        Arc::new(source),
        clock,
        Settings {
            // A login that stays under way does so for as long as a bench runs.
            token_timeout: Duration::from_secs(3600),
            budget: None,
        },
        Refusals::default(),
        control.handle(),
    );
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    control.block_on(handle.obtain(deadline)).unwrap();
    handle
}

/// A runtime for flights.
pub fn control() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}
