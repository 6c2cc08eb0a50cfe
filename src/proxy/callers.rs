//! Which callers are let in, and how far: the keys of `[access]`, shown as they are or by their placeholders.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::request::Parts;

use super::error::Error;
use super::finish::Finish;
use super::upstream::reads_only;
use super::{Proxy, Upstream};
use crate::code::{self, Code};
use crate::config::keys::Key;
use crate::message::offered::offered;
use crate::message::{Readings, Target};
use crate::provider::Surface;
use crate::secret::Digest;

/// Everybody who is let in. Without any key that is everybody.
#[derive(Default)]
pub struct Callers(Vec<Bearer>);

/// Whoever has one key.
pub(super) struct Bearer {
    /// What logs and metrics call it.
    pub(super) name: Arc<str>,
    key: Digest,
    placeholder: Digest,
    upstreams: Option<Vec<String>>,
    read_only: bool,
    requests: Arc<AtomicU64>,
}

impl Callers {
    /// Those of the configuration, each with the count of its requests.
    pub fn new(keys: &[Key], counts: impl Fn(&str) -> Arc<AtomicU64>) -> Self {
        let bearers = keys.iter().map(|key| Bearer {
            name: Arc::from(key.name.as_str()),
            key: key.digest,
            placeholder: Digest::of(placeholder(&key.digest).as_bytes()),
            upstreams: key.upstreams.clone(),
            read_only: key.read_only,
            requests: counts(&key.name),
        });
        Self(bearers.collect())
    }

    /// Whether nobody needs a key.
    pub(super) fn are_anybody(&self) -> bool {
        self.0.is_empty()
    }

    /// Who shows one of `offered`; `None`: nobody needs to.
    pub(super) fn find<'a>(
        &self,
        offered: impl Iterator<Item = Cow<'a, [u8]>>,
    ) -> Result<Option<&Bearer>, &'static Code> {
        if self.are_anybody() {
            return Ok(None);
        }
        let mut why = &code::KEY_MISSING;
        for credential in offered.take(MOST_SHOWN) {
            let token = token_in(&credential);
            let credential = token.as_deref().map_or(&*credential, str::as_bytes);
            if let Some(bearer) = self.bearer(credential) {
                return Ok(Some(bearer));
            }
            why = &code::KEY_WRONG;
        }
        Err(why)
    }

    /// All are compared, and each as a whole: how long it takes tells nothing.
    fn bearer(&self, credential: &[u8]) -> Option<&Bearer> {
        let shown = Digest::of(credential);
        let mut found = None;
        for bearer in &self.0 {
            let key = bearer.key.matches(&shown);
            let placeholder = bearer.placeholder.matches(&shown);
            if key | placeholder {
                found = Some(bearer);
            }
        }
        found
    }
}

impl Proxy {
    /// Lets a caller in that shows a key, where there are keys.
    pub(super) fn admit(
        &self,
        upstream: &Upstream,
        surface: &Surface,
        parts: &Parts,
        target: &Target,
        path: &Readings<'_>,
        finish: &mut Finish,
    ) -> Result<(), Error> {
        if self.callers.are_anybody() {
            return Ok(());
        }
        let shown = offered(&parts.headers, target, &surface.cut_parameters);
        let Some(bearer) = self.callers.find(shown).map_err(Error::Denied)? else {
            return Ok(());
        };
        finish.entry.key = Some(bearer.name.clone());
        let reads = || reads_only(surface, parts, target, path);
        bearer.admit(&upstream.name, reads).map_err(Error::Denied)
    }
}

impl Bearer {
    /// Whether the key is for this upstream at all.
    pub(super) fn reaches(&self, upstream: &str) -> Result<(), &'static Code> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match &self.upstreams {
            Some(names) if !names.iter().any(|name| name == upstream) => Err(&code::KEY_SCOPE),
            _ => Ok(()),
        }
    }

    /// Whether the key lets a request in that only reads, or any other.
    pub(super) fn admit(
        &self,
        upstream: &str,
        reads: impl FnOnce() -> bool,
    ) -> Result<(), &'static Code> {
        self.reaches(upstream)?;
        match self.read_only && !reads() {
            true => Err(&code::KEY_READ_ONLY),
            false => Ok(()),
        }
    }

    /// What stands in for the key.
    pub(super) fn placeholder(&self) -> String {
        placeholder(&self.key)
    }
}

/// The token in a whole token answer, which Zilliant's clients send instead of the token.
fn token_in(answer: &[u8]) -> Option<String> {
    if !answer.starts_with(b"{") {
        return None;
    }
    let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
    answer.get("access_token")?.as_str().map(str::to_owned)
}

/// What stands in for a key where a client holds a token of the API: worthless there, and the same on every replica
/// and after every restart, because it is made of the configuration alone.
fn placeholder(key: &Digest) -> String {
    format!("{SESSION}{}", key.tag("upauth placeholder"))
}

/// A head has room for thousands of them, each of which is compared with every key; a client shows one or two, a login
/// some more.
const MOST_SHOWN: usize = 16;

/// What stands in for a token where nobody needs a key; where keys are asked for it lets nobody in.
pub(super) const NOBODY: &str = "00D000000000000!upauth.placeholder";

/// Shaped like a session of Salesforce, of an organisation that cannot be.
const SESSION: &str = "00D000000000000!upauth.";
