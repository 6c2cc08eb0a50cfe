//! [`Served`]: what is served now, as a whole: one configuration, its upstreams, and those that wait for their turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::DropGuard;

use super::accounts::Member;
use super::listeners::{Listeners, guard};
use super::routes::Ways;
use crate::config::Config;
use crate::message::Guard;
use crate::telemetry::AccessLog;

/// One configuration at work. Never changed: the next one takes its place.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) config: Arc<Config>,
    /// In the order of the file. A member may be one of an earlier configuration, see `waiting`.
    pub(super) members: Vec<Arc<Member>>,
    /// Changed upstreams that have not logged in yet, by name: until then the earlier one serves.
    pub(super) waiting: BTreeMap<String, Waiting>,
    pub(super) ways: Arc<Ways>,
    pub(super) guard: Guard,
    pub(super) log: AccessLog,
}

/// A member that takes over on its first success.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) member: Arc<Member>,
    /// Ends its tries when nobody waits for them any more.
    pub(super) _trying: Arc<DropGuard>,
}

impl Served {
    /// `before` are the ways of the one whose place it takes.
    pub(super) fn new(
        config: Config,
        members: Vec<Arc<Member>>,
        listeners: &Listeners,
        before: Option<&Ways>,
        log: AccessLog,
    ) -> Self {
        Self {
            ways: Arc::new(Ways::of(&config, listeners, before)),
            guard: guard(&config, listeners.ports()),
            config: Arc::new(config),
            members,
            waiting: BTreeMap::new(),
            log,
        }
    }

    /// The member that serves as `name`.
    pub(super) fn member(&self, name: &str) -> Option<&Arc<Member>> {
        self.members
            .iter()
            .find(|member| member.config.name == name)
    }

    /// The member that an operator means: the one that waits, if there is one.
    pub(super) fn latest(&self, name: &str) -> Option<&Arc<Member>> {
        let waiting = self.waiting.get(name).map(|waiting| &waiting.member);
        waiting.or_else(|| self.member(name))
    }

    /// Those that serve and those that wait.
    pub(super) fn everybody(&self) -> impl Iterator<Item = &Arc<Member>> {
        let waiting = self.waiting.values().map(|waiting| &waiting.member);
        self.members.iter().chain(waiting)
    }
}
