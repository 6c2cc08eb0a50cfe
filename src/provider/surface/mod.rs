//! [`Surface`]: one API family of a provider; the unit of provider data.
//!
//! It says how a token travels there, where to, which answers mean a dead session, and what is denied.
//! Applying it to a request is the proxy's business.

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, HeaderValue, Method};

use super::base::TargetName;
use super::credential::{CarrierForm, Template};
use super::judge::DeadRule;
use super::local::LocalCall;
use crate::config::carrier as config;
use crate::message::twins::Names;
use crate::message::{HostRule, PathRule, Readings};

/// One API family of a provider.
#[derive(Clone, Debug)]
pub struct Surface {
    /// A short name for logs and metrics.
    pub name: &'static str,
    /// The paths that belong to it. Empty for the family of all other paths.
    pub paths: Vec<PathRule>,
    /// How the token travels.
    pub carriers: Vec<Carrier>,
    /// Where the token may go.
    pub target: TargetName,
    /// Which answers mean a dead session; the first match wins, so exceptions stand first.
    pub dead: Vec<DeadRule>,
    /// Set when calls of this family do not pass unless `allow` says so.
    pub denied: Option<Denial>,
    /// Whether applications of the operator answer here in words of their own, so that no answer proves that nothing was
    /// done: a call that may have acted is not sent again.
    pub once: bool,
    /// Calls that write or run something by a method that only reads.
    pub acts: Vec<PathRule>,
    /// Calls of this family that the proxy can answer itself.
    pub local: Vec<LocalCall>,
    /// Query parameters that are credentials and are cut out whole.
    pub cut_parameters: Vec<&'static str>,
    /// Header fields that are this provider's credentials or fences, or are stamped: taken off every request.
    pub strip: Names,
    /// Cookies of the caller that pass; all others are taken off.
    pub cookies: Vec<&'static str>,
    /// Header fields that are put on every request.
    pub stamps: Vec<Stamp>,
    /// Which answers hold URLs that would lead the caller past the proxy.
    pub links: Vec<LinkRule>,
}

/// Documents that hold URLs of the upstream, and where they stand in it.
#[derive(Clone, Debug)]
pub struct LinkRule {
    /// The calls that are answered with them.
    pub paths: Vec<PathRule>,
    /// Where the URLs stand: JSON pointers (RFC 6901) without escapes, `*` for any member or element. In XML they are
    /// the names of elements within the outermost one.
    pub places: Vec<&'static str>,
    /// Hosts besides the one that was called whose URLs lead back to the proxy too.
    pub hosts: Vec<HostRule>,
}

/// A header field that carries the token, and how the token is written into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// The field.
    pub header: HeaderName,
    /// The form.
    pub form: CarrierForm,
}

/// How a token is written into `headers`, and the templates that this needs.
pub(super) fn carriers(headers: &[config::Header]) -> (Vec<Carrier>, Vec<Template>) {
    let mut templates = Vec::new();
    let carriers = headers.iter().map(|header| Carrier {
        header: header.name().clone(),
        form: match header {
            config::Header::Bearer => CarrierForm::Bearer,
            config::Header::OAuth => CarrierForm::OAuth,
            config::Header::OAuthBase64 => CarrierForm::OAuthBase64,
            config::Header::Own { before, after, .. } => {
                templates.push(Template {
                    before: before.clone(),
                    after: after.clone(),
                });
                CarrierForm::Template(templates.len() - 1)
            }
        },
    });
    (carriers.collect(), templates)
}

/// Why a family of calls does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Such calls mint, end or show sessions, or run what their caller wrote, which can show one: with the injected token
    /// they would hand it out.
    Login,
    /// This version cannot carry a token there (the protocol's name); `allow` does not open it.
    NotBuilt(&'static str),
}

/// A header field that is put on every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// `Zuora-Track-Id`: the caller's if it is a valid one, else ours; see [`track_id`].
    ZuoraTrackId,
    /// A fixed value, which replaces the caller's.
    Set(HeaderName, HeaderValue),
}

impl Surface {
    /// What is known of the links in the answer to a call.
    pub fn links(&self, method: &Method, path: &Readings<'_>) -> Option<&LinkRule> {
        // A URL that is not turned back costs more than a look at a document without one.
        let of_path = |rule: &&LinkRule| rule.paths.iter().any(|one| one.matches_any(method, path));
        self.links.iter().find(of_path)
    }

    /// Whether `path` belongs here. A restriction looks at any reading of the path, everything else at all
    /// of them, so that a path that could be read as a login is one.
    pub fn covers(&self, path: &Readings<'_>) -> bool {
        // Families are told apart by path alone; no rule here names a method.
        let method = Method::GET;
        self.paths.iter().any(|rule| match self.denied {
            None if !self.once => rule.matches_all(&method, path),
            _ => rule.matches_any(&method, path),
        })
    }

    /// Whether a call of `path` is none that only reads, whatever its method is.
    pub fn acts(&self, path: &Readings<'_>) -> bool {
        let mut acts = self.acts.iter();
        acts.any(|rule| rule.matches_any(&Method::GET, path))
    }
}

/// The `Zuora-Track-Id` to send: the caller's if Zuora would take it, else `ours` without what it
/// would not (at most 64 characters of ASCII, none of `: ; " '`).
pub fn track_id(callers: Option<&HeaderValue>, ours: &str) -> HeaderValue {
    let takes = |byte: u8| (0x20..=0x7e).contains(&byte) && !b":;\"'".contains(&byte);
    if let Some(value) = callers
        && (1..=TRACK_ID_MAX).contains(&value.len())
        && value.as_bytes().iter().all(|byte| takes(*byte))
    {
        return value.clone();
    }
    let ours: String = ours
        .chars()
        .filter(|c| u8::try_from(*c).is_ok_and(takes))
        .take(TRACK_ID_MAX)
        .collect();
    HeaderValue::try_from(ours).unwrap_or(HeaderValue::from_static("upauth"))
}

/// The path or host rules of `texts`, which are constants of a provider's data file.
#[expect(
    clippy::expect_used,
    reason = "constants; a rule that silently went missing would open a denied path"
)]
pub(super) fn constants<T: FromStr<Err: fmt::Debug>>(texts: &[&str]) -> Vec<T> {
    texts
        .iter()
        .map(|text| text.parse().expect("the rules of providers are valid"))
        .collect()
}

const TRACK_ID_MAX: usize = 64;

#[cfg(test)]
mod tests;
