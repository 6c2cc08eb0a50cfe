//! What all listeners share: where they are, what they have issued, and what time it is.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::counters::Counters;
use super::jobs::Jobs;
use super::knobs::Knobs;
use super::people::People;
use super::refresh::RefreshTokens;
use super::sessions::Sessions;
use super::{marketing_cloud_legacy, oauth2, salesforce};

/// A listener, by what it imitates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Site {
    Login,
    InstanceA,
    InstanceB,
    GenericLogin,
    PricingProd,
    PricingDev,
    Billing,
    Control,
    LegacyLogin,
    LegacyRest,
    CloudLogin,
    CloudRest,
    CloudSoap,
    Files,
    OauthLogin,
    OauthApi,
}

impl Site {
    /// In the order of their ports: what is new comes last.
    pub(super) const ALL: [Self; 16] = [
        Self::Login,
        Self::InstanceA,
        Self::InstanceB,
        Self::GenericLogin,
        Self::PricingProd,
        Self::PricingDev,
        Self::Billing,
        Self::Control,
        Self::LegacyLogin,
        Self::LegacyRest,
        Self::CloudLogin,
        Self::CloudRest,
        Self::CloudSoap,
        Self::Files,
        Self::OauthLogin,
        Self::OauthApi,
    ];

    /// Salesforce's login hosts.
    pub(super) const LOGIN_HOSTS: [Self; 2] = [Self::Login, Self::GenericLogin];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::InstanceA => "instance",
            Self::InstanceB => "second_instance",
            Self::GenericLogin => "generic_login",
            Self::PricingProd => "pricing_prod",
            Self::PricingDev => "pricing_dev",
            Self::Billing => "billing",
            Self::Control => "control",
            Self::LegacyLogin => "legacy_login",
            Self::LegacyRest => "legacy_rest",
            Self::CloudLogin => "cloud_login",
            Self::CloudRest => "cloud_rest",
            Self::CloudSoap => "cloud_soap",
            Self::Files => "files",
            Self::OauthLogin => "oauth_login",
            Self::OauthApi => "oauth_api",
        }
    }
}

pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) knobs: Knobs,
    pub(super) stop: CancellationToken,
    /// Events for the open streams; `None` ends them.
    pub(super) events: broadcast::Sender<Option<String>>,
    places: Vec<(Site, SocketAddr)>,
    books: Mutex<Books>,
    at_token_endpoints: AtomicU64,
    /// A first refresh token of each provider that has any.
    seeds: Vec<(&'static str, String)>,
    started: Instant,
    /// Milliseconds that were skipped.
    skipped: AtomicU64,
}

/// Everything that changes as requests come in.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) counters: Counters,
    /// Salesforce sessions (Zilliant's too).
    pub(super) sessions: Sessions,
    /// Zuora tokens.
    pub(super) billing: Sessions,
    /// Marketing Cloud's tokens, first generation.
    pub(super) legacy: Sessions,
    /// Marketing Cloud's tokens, second generation.
    pub(super) cloud: Sessions,
    /// The OAuth 2.0 server's tokens.
    pub(super) oauth2: Sessions,
    pub(super) refresh: RefreshTokens,
    /// Assertions that were used, by `jti`, with the second of their end.
    pub(super) assertions: HashMap<String, u64>,
    pub(super) people: People,
    pub(super) jobs: Jobs,
}

impl World {
    pub(super) fn new(settings: Settings, places: Vec<(Site, SocketAddr)>) -> Self {
        let mut world = Self {
            settings,
            knobs: Knobs::default(),
            stop: CancellationToken::new(),
            events: broadcast::channel(EVENTS).0,
            places,
            books: Mutex::default(),
            at_token_endpoints: AtomicU64::new(0),
            seeds: Vec::new(),
            started: Instant::now(),
            skipped: AtomicU64::new(0),
        };
        let seed = |(provider, _, _)| Some((provider, world.mint(provider)?));
        world.seeds = REFRESHING.into_iter().filter_map(seed).collect();
        world
    }

    /// The refresh token that a configuration starts with, the same at every call.
    pub(super) fn seed(&self, provider: &str) -> String {
        let seed = self.seeds.iter().find(|(known, _)| *known == provider);
        seed.map_or_else(String::new, |(_, token)| token.clone())
    }

    /// A first refresh token, as a person would get it by logging in.
    pub(super) fn mint(&self, provider: &str) -> Option<String> {
        let known = REFRESHING
            .into_iter()
            .find(|(name, _, _)| *name == provider);
        let (_, login, user) = known?;
        let now = self.now();
        Some(self.books(|books| books.refresh.start(login, user, now)))
    }

    /// Ends a provider's refresh tokens, with the sessions that came from them, and says how many
    /// families there were.
    pub(super) fn revoke(&self, provider: &str) -> Option<usize> {
        let known = REFRESHING
            .into_iter()
            .find(|(name, _, _)| *name == provider);
        let (_, login, _) = known?;
        self.books(|books| {
            let families = books.refresh.families(|token| token.login == login);
            for family in &families {
                books.end_family(*family);
            }
            Some(families.len())
        })
    }

    /// Looks at or changes the books.
    pub(super) fn books<T>(&self, work: impl FnOnce(&mut Books) -> T) -> T {
        work(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn count(&self, work: impl FnOnce(&mut Counters)) {
        self.books(|books| work(&mut books.counters));
    }

    pub(super) fn address(&self, site: Site) -> SocketAddr {
        let place = self.places.iter().find(|(candidate, _)| *candidate == site);
        place.map_or_else(
            || SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            |(_, address)| *address,
        )
    }

    /// `host:port` of a listener.
    pub(super) fn authority(&self, site: Site) -> String {
        self.address(site).to_string()
    }

    pub(super) fn origin(&self, site: Site) -> String {
        format!("http://{}", self.address(site))
    }

    /// Time since the start, with what was skipped.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed() + self.skipped()
    }

    /// Milliseconds since 1970, with what was skipped.
    pub(super) fn unix_ms(&self) -> u128 {
        if let Some(began) = self.settings.began {
            return (began + self.now()).as_millis();
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the emulator imports no room, the clock included"
        )]
        let now = SystemTime::now();
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        (now + self.skipped()).as_millis()
    }

    /// Lets time pass at once.
    pub(super) fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.skipped.fetch_add(by, Ordering::Relaxed);
    }

    fn skipped(&self) -> Duration {
        Duration::from_millis(self.skipped.load(Ordering::Relaxed))
    }

    /// One more request at a token endpoint, until the answer is dropped.
    pub(super) fn enter_token_endpoint(&self) -> Visit<'_> {
        let here = self.at_token_endpoints.fetch_add(1, Ordering::Relaxed) + 1;
        self.count(|counters| {
            counters.token_requests_at_once = counters.token_requests_at_once.max(here);
        });
        Visit(&self.at_token_endpoints)
    }

    /// A snapshot of the counters.
    pub(super) fn counters(&self) -> Counters {
        let now = self.now();
        self.books(|books| {
            let live = books.all_sessions().map(|sessions| sessions.count(now));
            Counters {
                live: live.into_iter().sum(),
                ..books.counters.clone()
            }
        })
    }

    /// Ends the sessions of a provider or of `all`.
    pub(super) fn end_sessions(&self, which: &str) -> Option<usize> {
        self.books(|books| match which {
            "salesforce" => Some(books.sessions.end(|_, s| s.environment.is_none())),
            "zilliant" => Some(books.sessions.end(|_, s| s.environment.is_some())),
            "zuora" => Some(books.billing.end(|_, _| true)),
            "marketing-cloud-legacy" => Some(books.legacy.end(|_, _| true)),
            "marketing-cloud" => Some(books.cloud.end(|_, _| true)),
            "oauth2" => Some(books.oauth2.end(|_, _| true)),
            "all" => {
                let ended = books
                    .all_sessions()
                    .map(|sessions| sessions.end(|_, _| true));
                Some(ended.into_iter().sum())
            }
            _ => None,
        })
    }
}

impl Books {
    /// Ends a family of refresh tokens, and the sessions that came from it.
    pub(super) fn end_family(&mut self, family: u64) {
        self.refresh.end(family);
        self.counters.revoked_families += 1;
        for sessions in self.all_sessions() {
            sessions.end(|_, session| session.family == Some(family));
        }
    }

    fn all_sessions(&mut self) -> [&mut Sessions; 5] {
        [
            &mut self.sessions,
            &mut self.billing,
            &mut self.legacy,
            &mut self.cloud,
            &mut self.oauth2,
        ]
    }
}

/// The presence of one request at a token endpoint.
pub(super) struct Visit<'a>(&'a AtomicU64);

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `length` random letters and digits.
pub(super) fn random_text(length: usize) -> String {
    let mut bytes = vec![0; length];
    // The generator of aws-lc seeds itself from the system and reports no failure after start.
    let _ = rand::fill(&mut bytes);
    let letter = |byte: &u8| {
        let place = usize::from(*byte) % LETTERS.len();
        LETTERS.get(place).copied().map_or('0', char::from)
    };
    bytes.iter().map(letter).collect()
}

/// Providers with refresh tokens: where they are redeemed, and whose they are.
const REFRESHING: [(&str, Site, &str); 3] = [
    ("salesforce", Site::Login, salesforce::USERNAME),
    (
        "marketing-cloud-legacy",
        Site::LegacyLogin,
        marketing_cloud_legacy::CLIENT_ID,
    ),
    ("oauth2", Site::OauthLogin, oauth2::USERNAME),
];
const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Events that a slow reader may lag behind.
const EVENTS: usize = 256;
