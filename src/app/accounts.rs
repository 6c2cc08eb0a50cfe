//! Accounts and their members. Upstreams that log in alike share one [`Handle`]: a token, a flight, a login budget.
//!
//! A reload makes all members anew but those that are as they were, and gives accounts that did not change to them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime;

use super::StartError;
use super::authorities::TlsClients;
use super::metered::{Label, Metered};
use super::storage::Storage;
use crate::clock::Clock;
use crate::config::{Config, Leg, Upstream};
use crate::egress::Proxy;
use crate::provider::Provider;
use crate::secret::{Fingerprint, Fingerprinter};
use crate::telemetry::Metrics;
use crate::tls::Trust;
use crate::token::endpoint::Endpoint;
use crate::token::{Handle, Refusals, Settings};

/// One upstream as it is served: what was decided about it, and what it logs in with.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) config: Upstream,
    /// The configuration of a member that waits until its login works. What that one forbids callers holds already; nothing
    /// else of it does.
    pub(super) newer: Option<Upstream>,
    pub(super) provider: Arc<Provider>,
    /// Its credential.
    pub(super) tokens: Handle,
    /// Who is told of its logins.
    label: Arc<Label>,
    /// Which connections to its API are its own.
    pub(super) profile: usize,
    /// TLS to its API.
    pub(super) api_tls: Trust,
    /// The proxy on the way to its API.
    pub(super) proxy: Option<Arc<Proxy>>,
    marks: Marks,
}

/// Digests by which a member is recognised.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Marks {
    /// Who logs in, where and how.
    account: Fingerprint,
    /// The same, and how the API is reached.
    way: Fingerprint,
    /// The same, and everything else.
    whole: Fingerprint,
}

/// What outlives a reload, and makes the members of each configuration.
pub(super) struct Accounts {
    clock: Clock,
    metrics: Metrics,
    control: runtime::Handle,
    fingerprinter: Fingerprinter,
    refusals: Refusals,
    tls: TlsClients,
    profiles: usize,
    storage: Storage,
}

impl Member {
    /// Whether both log in as the same.
    pub(super) fn shares_account(&self, other: &Self) -> bool {
        self.marks.account == other.marks.account
    }

    /// Whether both are the same in everything.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.marks == other.marks
    }

    /// The same for as long as `newer` waits. Its account, target, TLS and header fields belong together and stay; callers may
    /// do what both allow. For what is forbidden must not wait for a login, and what is opened may be meant for another
    /// account.
    pub(super) fn until(self: &Arc<Self>, newer: &Self) -> Arc<Self> {
        if self.marks.whole == newer.marks.whole {
            return self.clone();
        }
        Arc::new(Self {
            newer: Some(newer.config.clone()),
            // No configuration's: it is taken for neither.
            marks: Marks {
                whole: newer.marks.whole,
                ..self.marks
            },
            ..Self::clone(self)
        })
    }
}

impl Accounts {
    pub(super) fn new(
        clock: &Clock,
        metrics: &Metrics,
        control: &runtime::Handle,
        storage: Storage,
    ) -> Self {
        Self {
            clock: clock.clone(),
            metrics: metrics.clone(),
            control: control.clone(),
            fingerprinter: Fingerprinter::new(),
            refusals: Refusals::default(),
            tls: TlsClients::default(),
            profiles: 0,
            storage,
        }
    }

    /// The members of `config`, in its order. What is unchanged comes from `known`; `touched` are the upstreams of which
    /// something is written in another way. Nothing is sent yet.
    pub(super) fn members(
        &mut self,
        config: &Config,
        known: &[Arc<Member>],
        touched: &BTreeSet<&str>,
    ) -> Result<Vec<Arc<Member>>, StartError> {
        if !known.is_empty() {
            self.tls.look_again();
        }
        let mut by_account = HashMap::new();
        let mut by_name: HashMap<&str, Vec<&Arc<Member>>> = HashMap::new();
        for member in known {
            by_account.insert(member.marks.account, account(member));
            by_name.entry(&member.config.name).or_default().push(member);
        }
        let mut members = Vec::with_capacity(config.upstreams.len());
        for upstream in &config.upstreams {
            let provider = Arc::new(Provider::of(upstream));
            let (api_tls, api_mark) = self.tls.get(&upstream.api.ca)?;
            let (token_tls, token_mark) = self.tls.get(&upstream.token.ca)?;
            let marks = self.marks(upstream, &provider, &api_mark, &token_mark);
            let mut namesakes = by_name.get(upstream.name.as_str()).into_iter().flatten();
            let same = namesakes.clone().find(|old| old.marks == marks);
            if let Some(same) = same.filter(|_| !touched.contains(upstream.name.as_str())) {
                members.push(Arc::clone(same));
                continue;
            }
            let (tokens, label) = match by_account.get(&marks.account) {
                Some(account) => account.clone(),
                None => self.open(upstream, &provider, token_tls),
            };
            let profile = match namesakes.find(|old| old.marks.way == marks.way) {
                Some(old) => old.profile,
                None => {
                    self.profiles += 1;
                    self.profiles
                }
            };
            let member = Member {
                config: upstream.clone(),
                newer: None,
                provider,
                tokens,
                label,
                profile,
                api_tls,
                proxy: upstream
                    .api
                    .proxy
                    .as_ref()
                    .and_then(Proxy::of)
                    .map(Arc::new),
                marks,
            };
            by_account
                .entry(marks.account)
                .or_insert_with(|| account(&member));
            members.push(Arc::new(member));
        }
        self.tls.forget_the_rest();
        Ok(members)
    }

    /// Names each account after the first of its members, in logs and metrics, and keeps it warm if one of them wants it.
    /// Accounts of `before` that have no members any more are kept warm for nobody, whoever still holds them.
    pub(super) fn tell<'a>(
        &self,
        members: impl Iterator<Item = &'a Arc<Member>>,
        before: impl Iterator<Item = &'a Arc<Member>>,
    ) {
        let mut told: HashMap<*const Label, (&Arc<Member>, bool)> = HashMap::new();
        for member in members {
            let account = told
                .entry(Arc::as_ptr(&member.label))
                .or_insert((member, false));
            account.1 |= member.config.warm;
        }
        for gone in before.filter(|old| !told.contains_key(&Arc::as_ptr(&old.label))) {
            gone.tokens.keep_warm(false);
        }
        for (member, warm) in told.into_values() {
            let name = &member.config.name;
            member.label.turn(self.metrics.upstream(name));
            member.tokens.rename(name);
            member.tokens.keep_warm(warm);
        }
    }

    /// Has accounts whose logins fail try again with what is in their files now. Waits for a look at the files, but for no
    /// program that hangs. Not to be called on a runtime's thread.
    pub(super) fn reread<'a>(&self, members: impl Iterator<Item = &'a Arc<Member>>) {
        let mut seen = HashSet::new();
        let accounts = members.filter(|member| seen.insert(Arc::as_ptr(&member.label)));
        let accounts: Vec<_> = accounts.map(|member| member.tokens.clone()).collect();
        let (done, looked) = mpsc::channel();
        self.control.spawn(async move {
            for tokens in accounts {
                tokens.reread().await;
            }
            let _ = done.send(());
        });
        let _ = looked.recv_timeout(LOOK);
    }

    /// Has what is of no use to anybody removed from the store; returns at once.
    pub(super) fn sweep<'a>(&self, members: impl Iterator<Item = &'a Arc<Member>>) {
        self.storage.sweep(members.map(|member| &member.provider));
    }

    fn marks(&self, upstream: &Upstream, provider: &Provider, api: &str, token: &str) -> Marks {
        let of = |parts: &[String]| self.fingerprinter.of(parts.iter().map(String::as_bytes));
        let mut parts = provider.account(upstream);
        parts.push(token.to_owned());
        parts.push(password(&upstream.token));
        let account = of(&parts);
        parts.push(api.to_owned());
        parts.push(password(&upstream.api));
        let (most, http2) = (upstream.connections, upstream.http2);
        parts.push(format!("{:?} {most} {http2}", upstream.api));
        let way = of(&parts);
        parts.push(format!("{upstream:?}"));
        // `Debug` does not show them, and they may come from a file that has changed.
        let set = upstream.set_headers.iter().map(|(_, value)| value);
        parts.extend(set.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Marks {
            account,
            way,
            whole: of(&parts),
        }
    }

    fn open(
        &self,
        upstream: &Upstream,
        provider: &Arc<Provider>,
        tls: Trust,
    ) -> (Handle, Arc<Label>) {
        let source = endpoint(upstream, provider, tls, &self.clock, &self.fingerprinter);
        let label = Arc::new(Label::new(self.metrics.upstream(&upstream.name)));
        let source = Metered {
            source,
            label: label.clone(),
            rotation: provider.rotation,
            clock: self.clock.clone(),
        };
        let source = self
            .storage
            .source(source, upstream, provider, self.clock.clone());
        let settings = Settings {
            token_timeout: upstream.token_timeout,
            budget: provider.budget,
        };
        let handle = Handle::spawn(
            upstream.name.clone(),
            source,
            self.clock.clone(),
            settings,
            self.refusals.clone(),
            &self.control,
        );
        (handle, label)
    }
}

fn account(member: &Member) -> (Handle, Arc<Label>) {
    (member.tokens.clone(), member.label.clone())
}

/// What `Debug` does not show of a leg. For a digest.
fn password(leg: &Leg) -> String {
    let user = leg.proxy.as_ref().and_then(|proxy| proxy.user.as_ref());
    user.map_or_else(String::new, |(_, password)| password.expose().to_owned())
}

/// The login client of one upstream.
pub(super) fn endpoint(
    upstream: &Upstream,
    provider: &Arc<Provider>,
    tls: Trust,
    clock: &Clock,
    fingerprinter: &Fingerprinter,
) -> Endpoint {
    Endpoint::new(
        provider.clone(),
        tls,
        &upstream.token,
        upstream.token_timeout,
        clock.clone(),
        fingerprinter.clone(),
    )
}

/// For how long a reload waits until secrets were looked at.
const LOOK: Duration = Duration::from_secs(2);
