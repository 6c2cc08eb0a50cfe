//! [`Base`]: where the calls of a surface go: an origin, and what stands in front of every path there.

use std::str::FromStr;

use crate::message::origin::{OriginError, Scheme};
use crate::message::{Allowed, HostRules, Origin};

/// The name of an origin that a credential may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetName {
    /// The host that came with the token (Salesforce, OAuth 2.0).
    Instance,
    /// The REST host that came with the token (Marketing Cloud).
    Rest,
    /// The SOAP host, configured or from the answer (Marketing Cloud).
    Soap,
    /// The host that the configuration names.
    Api,
}

/// An origin, and the path that stands in front of every call's: empty, or `/v1/api` without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Scheme, host and port.
    pub origin: Origin,
    /// What stands in front of every path.
    pub path: String,
    /// How the allow-list covered the host.
    pub allowed: Allowed,
}

/// A target that the token answer names: where it stands, and which hosts it may be.
#[derive(Clone, Debug)]
pub struct TargetField {
    /// Which target.
    pub name: TargetName,
    /// Where it stands in the answer (a JSON pointer, RFC 6901).
    pub place: std::borrow::Cow<'static, str>,
    /// Whether an answer without it is of no use.
    pub required: bool,
    /// Whether a path may follow the host.
    pub may_have_path: bool,
    /// Which hosts are allowed.
    pub hosts: HostRules,
    /// Hosts besides loopback that may be spoken to without TLS.
    pub plain_http: Vec<String>,
}

impl Base {
    /// An origin that the operator wrote.
    pub fn of(origin: Origin) -> Self {
        Self {
            origin,
            path: String::new(),
            allowed: Allowed::Exactly,
        }
    }
}

/// An absolute URL without query and fragment that the operator wrote. A slash at its end does not count: answers of
/// token endpoints have it or not (PROVIDERS 2.3).
impl FromStr for Base {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let after_scheme = text.find("://").ok_or(OriginError::Scheme)? + 3;
        let end = text
            .match_indices(['/', '?', '#'])
            .map(|(at, _)| at)
            .find(|at| *at >= after_scheme);
        let (origin, path) = text.split_at(end.unwrap_or(text.len()));
        let origin = origin.parse()?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"?#\\".contains(&byte);
        let dots = path.split('/').any(|segment| segment.starts_with('.'));
        if !path.bytes().all(fits) || dots || path.contains("//") || path.ends_with('/') {
            return Err(OriginError::Path);
        }
        Ok(Self {
            path: path.to_owned(),
            ..Self::of(origin)
        })
    }
}

impl TargetField {
    /// The target that `text` names, if it is allowed.
    pub(super) fn allow(&self, text: &str) -> Option<Base> {
        let mut base: Base = text.parse().ok()?;
        let secure = base.origin.scheme() == Scheme::Https
            || base.origin.is_loopback()
            || self
                .plain_http
                .iter()
                .any(|host| host == base.origin.host());
        base.allowed = self.hosts.allow(&base.origin)?;
        let fits = self.may_have_path || base.path.is_empty();
        (secure && fits).then_some(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_an_origin_and_a_path_without_a_slash_at_its_end() {
        let rows = [
            ("https://h.example", Ok(("https://h.example", ""))),
            ("https://h.example/", Ok(("https://h.example", ""))),
            ("https://h.example//", Err(OriginError::Path)),
            (
                "https://H.example:8443/a/b/",
                Ok(("https://h.example:8443", "/a/b")),
            ),
            (
                "https://h.example/a%2Fb",
                Ok(("https://h.example", "/a%2Fb")),
            ),
            ("https://h.example//a", Err(OriginError::Path)),
            ("https://h.example/a/../b", Err(OriginError::Path)),
            ("https://h.example/.", Err(OriginError::Path)),
            ("https://h.example/a?b", Err(OriginError::Path)),
            ("https://h.example/a#b", Err(OriginError::Path)),
            ("https://h.example/a\\b", Err(OriginError::Path)),
            ("https://h.example/a b", Err(OriginError::Path)),
            ("https://h.example?b", Err(OriginError::Path)),
            (
                "https://h.example/a:/b/c",
                Ok(("https://h.example", "/a:/b/c")),
            ),
            ("https://u@h.example/a", Err(OriginError::UserInfo)),
            ("ftp://h.example/a", Err(OriginError::Scheme)),
            ("h.example/a", Err(OriginError::Scheme)),
            ("", Err(OriginError::Scheme)),
        ];
        for (text, expected) in rows {
            let base = text.parse::<Base>();
            let got = base
                .as_ref()
                .map(|base| (base.origin.to_string(), base.path.as_str()));
            let expected = expected.map(|(origin, path)| (origin.to_owned(), path));
            assert_eq!(got.map_err(|why| *why), expected, "{text}");
        }
    }
}
