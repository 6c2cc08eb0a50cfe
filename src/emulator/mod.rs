//! The providers, imitated over real sockets: for tests, which find out here whether the proxy is
//! right, and for the demo.
//!
//! Strict on purpose: what a real endpoint refuses or misunderstands is refused or misunderstood here
//! (a bare `+` in a password, Basic on Zuora's token endpoint, unpadded base64 for Zilliant, a foreign
//! `Host`). What the providers' documentation leaves open is a [`Dials`] field. The room imports no
//! other room, so that it cannot repeat the proxy's mistakes. All credentials are invented; it listens
//! on 127.0.0.1 alone, in clear text.

#![expect(
    clippy::result_large_err,
    reason = "a refusal is the answer itself, made once per request"
)]

mod after;
mod answer;
mod canned;
mod control;
mod counters;
mod facility;
mod form;
mod jobs;
mod jwt;
mod keys;
mod knobs;
mod listen;
mod marketing_cloud;
mod marketing_cloud_legacy;
mod oauth2;
mod people;
mod refresh;
mod salesforce;
mod sessions;
#[cfg(test)]
mod tests;
mod variables;
mod world;
mod zilliant;
mod zuora;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::DropGuard;

pub use self::canned::Canned;
pub use self::counters::Counters;
pub use self::knobs::{
    AfterLogin, AnswerDials, ApiDials, BillingDials, CloudDials, DeadShape, Dials, ExpiresIn,
    Knobs, LoginDials, OauthAnswerDials, OauthClientAuth, OauthDead, OauthDials, OauthRequestDials,
};
use self::world::{Site, World};

/// How an [`Emulator`] is started.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The listeners take free ports from here up; `None`: any free ports.
    pub first_port: Option<u16>,
    /// The inactivity timeout of Salesforce sessions (Zilliant's too).
    pub session: Duration,
    /// The lifetime of Zuora tokens.
    pub token_lifetime: Duration,
    /// The lifetime of Marketing Cloud's tokens, first generation.
    pub legacy_lifetime: Duration,
    /// The lifetime of Marketing Cloud's tokens, second generation.
    pub cloud_lifetime: Duration,
    /// The lifetime of the OAuth 2.0 server's tokens.
    pub oauth2_lifetime: Duration,
    /// What the emulator's calendar says at its start, since 1970; `None`: what the machine's says.
    pub began: Option<Duration>,
}

impl Settings {
    /// What the demo runs: ports from 7720 up and sessions short enough to watch them end.
    pub const DEMO: Self = Self {
        first_port: Some(7720),
        session: Duration::from_secs(45),
        token_lifetime: Duration::from_secs(60),
        legacy_lifetime: Duration::from_secs(60),
        cloud_lifetime: Duration::from_secs(60),
        oauth2_lifetime: Duration::from_secs(60),
        began: None,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            first_port: None,
            session: Duration::from_secs(2 * 60 * 60),
            token_lifetime: Duration::from_secs(3598),
            legacy_lifetime: Duration::from_secs(3600),
            cloud_lifetime: Duration::from_secs(1079),
            oauth2_lifetime: Duration::from_secs(3600),
            began: None,
        }
    }
}

/// The imitated providers. Dropping it ends its listeners.
pub struct Emulator {
    world: Arc<World>,
    _stop: DropGuard,
}

impl Emulator {
    /// Binds the listeners and serves them on the current runtime.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let listeners = listen::bind(settings.first_port).await?;
        let mut places = Vec::new();
        for (site, listener) in &listeners {
            places.push((*site, listener.local_addr()?));
        }
        let world = Arc::new(World::new(settings, places));
        for (site, listener) in listeners {
            listen::serve(&world, site, listener);
        }
        let stop = world.stop.clone().drop_guard();
        Ok(Self { world, _stop: stop })
    }

    /// What a configuration needs to reach the emulator, by the names the shipped one uses. Refresh
    /// tokens among it are the same at every call.
    pub fn variables(&self) -> Vec<(String, String)> {
        variables::of(&self.world)
    }

    /// The Salesforce My Domain login host.
    pub fn login(&self) -> SocketAddr {
        self.world.address(Site::Login)
    }

    /// A login host like `login.salesforce.com`, without `client_credentials`.
    pub fn generic_login(&self) -> SocketAddr {
        self.world.address(Site::GenericLogin)
    }

    /// The Salesforce instance that tokens are issued for.
    pub fn instance(&self) -> SocketAddr {
        self.world.address(Site::InstanceA)
    }

    /// The other Salesforce instance.
    pub fn second_instance(&self) -> SocketAddr {
        self.world.address(Site::InstanceB)
    }

    /// Zilliant's API, production.
    pub fn pricing_prod(&self) -> SocketAddr {
        self.world.address(Site::PricingProd)
    }

    /// Zilliant's API, development.
    pub fn pricing_dev(&self) -> SocketAddr {
        self.world.address(Site::PricingDev)
    }

    /// Zuora: tokens and API.
    pub fn billing(&self) -> SocketAddr {
        self.world.address(Site::Billing)
    }

    /// The foreign host of Zuora's query results.
    pub fn files(&self) -> SocketAddr {
        self.world.address(Site::Files)
    }

    /// Marketing Cloud, first generation: tokens.
    pub fn legacy_login(&self) -> SocketAddr {
        self.world.address(Site::LegacyLogin)
    }

    /// Marketing Cloud, first generation: REST.
    pub fn legacy_rest(&self) -> SocketAddr {
        self.world.address(Site::LegacyRest)
    }

    /// Marketing Cloud, second generation: tokens.
    pub fn cloud_login(&self) -> SocketAddr {
        self.world.address(Site::CloudLogin)
    }

    /// Marketing Cloud, second generation: REST.
    pub fn cloud_rest(&self) -> SocketAddr {
        self.world.address(Site::CloudRest)
    }

    /// Marketing Cloud, both generations: SOAP.
    pub fn cloud_soap(&self) -> SocketAddr {
        self.world.address(Site::CloudSoap)
    }

    /// The OAuth 2.0 server that nobody in particular runs.
    pub fn oauth_login(&self) -> SocketAddr {
        self.world.address(Site::OauthLogin)
    }

    /// The API that takes its tokens.
    pub fn oauth_api(&self) -> SocketAddr {
        self.world.address(Site::OauthApi)
    }

    /// The control port.
    pub fn control(&self) -> SocketAddr {
        self.world.address(Site::Control)
    }

    /// The dials.
    pub fn knobs(&self) -> &Knobs {
        &self.world.knobs
    }

    /// What was seen so far.
    pub fn counters(&self) -> Counters {
        self.world.counters()
    }

    /// Ends the sessions of a provider (by the name it has in a configuration) or of `all`; how many
    /// there were. Refresh tokens live on.
    pub fn end_sessions(&self, which: &str) -> usize {
        self.world.end_sessions(which).unwrap_or_default()
    }

    /// A first refresh token of a provider (by the name it has in a configuration), as a person would
    /// get it by logging in; `None` if the provider has none.
    pub fn mint_refresh_token(&self, provider: &str) -> Option<String> {
        self.world.mint(provider)
    }

    /// Ends all refresh tokens of a provider, and the sessions that came from them; how many families
    /// there were.
    pub fn revoke_refresh_tokens(&self, provider: &str) -> usize {
        self.world.revoke(provider).unwrap_or_default()
    }

    /// Lets the emulator's time pass at once.
    pub fn advance(&self, by: Duration) {
        self.world.advance(by);
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emulator")
    }
}
