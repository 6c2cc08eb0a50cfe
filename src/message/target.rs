//! [`Target`]: path and query of a request, the raw bytes as they came (RFC 9112 section 3.2.1).
//!
//! A target is never normalised, and never glued behind an origin as text: `http://host:40745` + `*` is a valid URL of
//! another server. Whoever needs a whole URI builds it from parts.

use std::fmt;

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode;

use super::rejection::Rejection;

/// Path and query in origin-form. A clone is a count. Its `Debug` leaves the query out: callers may have secrets there.
#[derive(Clone)]
pub struct Target {
    whole: PathAndQuery,
    /// Where it begins, in the path: before it is the prefix that led to the upstream.
    from: usize,
}

impl Target {
    /// The target of a request: origin-form, or path and query of absolute-form (RFC 9112 section 3.2.2).
    pub fn of(uri: &Uri) -> Result<Self, Rejection> {
        uri.path_and_query()
            .cloned()
            .and_then(Self::new)
            .ok_or(Rejection::Malformed("the target is not a path"))
    }

    /// The path, as it came.
    pub fn path(&self) -> &str {
        self.whole.path().get(self.from..).unwrap_or("/")
    }

    /// The query, as it came, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.whole.query()
    }

    /// Path and query, as they came.
    pub fn as_str(&self) -> &str {
        self.whole.as_str().get(self.from..).unwrap_or("/")
    }

    /// The target behind `prefix` (`/crm`), if it is under it on a segment boundary. What follows stays verbatim.
    pub fn strip_prefix(&self, prefix: &str) -> Option<Self> {
        let rest = self.as_str().strip_prefix(prefix)?;
        if rest.starts_with('/') {
            Some(Self {
                whole: self.whole.clone(),
                from: self.from + prefix.len(),
            })
        } else if rest.is_empty() || rest.starts_with('?') {
            Self::new(format!("/{rest}").parse().ok()?)
        } else {
            None
        }
    }

    /// The target with `path` in front (`/api/v1`, or nothing); every byte of its own stays as it came. `None`: no path
    /// can be so long.
    pub fn behind(&self, path: &str) -> Option<Self> {
        match path.is_empty() {
            true => Some(self.clone()),
            false => Self::new(format!("{path}{}", self.as_str()).parse().ok()?),
        }
    }

    /// The target without the query parameters of these names (in any letter case and percent-encoding); every other
    /// byte stays as it came.
    pub fn without_parameters(&self, names: &[&str]) -> Self {
        let listed = |parameter: &&str| names.iter().any(|name| is_named(parameter, name));
        let Some(query) = self
            .query()
            .filter(|query| query.split('&').any(|p| listed(&p)))
        else {
            return self.clone();
        };
        let kept: Vec<&str> = query.split('&').filter(|p| !listed(p)).collect();
        let mut text = self.path().to_owned();
        if !kept.is_empty() {
            text.push('?');
            text.push_str(&kept.join("&"));
        }
        // Bytes that were valid with more between them are valid without; were it otherwise, the query must go, not stay.
        let rest = text.parse().or_else(|_| self.path().parse());
        Self {
            whole: rest.unwrap_or(PathAndQuery::from_static("/")),
            from: 0,
        }
    }

    fn new(path_and_query: PathAndQuery) -> Option<Self> {
        let text = path_and_query.as_str();
        let whole = if text.starts_with('/') {
            path_and_query
        } else if text.is_empty() || text.starts_with('?') {
            // Absolute-form without a path (RFC 9112 section 3.2.1: the client MUST send `/`).
            format!("/{text}").parse().ok()?
        } else {
            return None;
        };
        Some(Self { whole, from: 0 })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.path()).finish()
    }
}

/// Whether a query parameter (`name=value`) has this name once decoded, in any letter case.
pub(super) fn is_named(parameter: &str, name: &str) -> bool {
    let own = parameter.split_once('=').map_or(parameter, |(own, _)| own);
    percent_decode(own.as_bytes())
        .map(|byte| byte.to_ascii_lowercase())
        .eq(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::of(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_target_is_a_path_or_malformed() {
        let rows = [
            ("/", Some("/")),
            ("/a/b?c=d", Some("/a/b?c=d")),
            ("/a/../b/%2e%2e/c", Some("/a/../b/%2e%2e/c")),
            ("/c;x/%2F..%5c\\", Some("/c;x/%2F..%5c\\")),
            ("//evil.example/x", Some("//evil.example/x")),
            ("/?", Some("/?")),
            (
                "/q?q=SELECT+Id%20FROM%25+'x'",
                Some("/q?q=SELECT+Id%20FROM%25+'x'"),
            ),
            ("http://h/x?y", Some("/x?y")),
            ("http://h", Some("/")),
            ("http://h?y", Some("/?y")),
            ("http://h//evil/x", Some("//evil/x")),
            ("*", None),
            ("evil.example:80", None),
            ("@evil.example", None),
        ];
        for (text, expected) in rows {
            let got = text.parse().ok().and_then(|uri| Target::of(&uri).ok());
            assert_eq!(got.as_ref().map(Target::as_str), expected, "{text}");
            assert!(!format!("{got:?}").contains('?'), "{got:?}");
        }
    }

    #[test]
    fn a_prefix_is_stripped_on_a_segment_boundary() {
        let rows = [
            ("/crm", Some("/")),
            ("/crm/", Some("/")),
            ("/crm?y", Some("/?y")),
            ("/crm/x?y", Some("/x?y")),
            ("/crm//evil.example/x", Some("//evil.example/x")),
            ("/crm/crm/x", Some("/crm/x")),
            ("/crm/*", Some("/*")),
            ("/crmx", None),
            ("/CRM/x", None),
            ("/%63rm/x", None),
            ("//crm/x", None),
            ("/x?/crm", None),
        ];
        for (text, expected) in rows {
            let got = target(text).strip_prefix("/crm");
            assert_eq!(got.as_ref().map(Target::as_str), expected, "{text}");
            assert!(!format!("{got:?}").contains('?'), "{got:?}");
        }
        let twice = target("/a/crm/x?y").strip_prefix("/a").unwrap();
        let twice = twice.strip_prefix("/crm").unwrap();
        assert_eq!((twice.path(), twice.query()), ("/x", Some("y")));
        let cut = target("/crm/id?token=s&a").strip_prefix("/crm").unwrap();
        assert_eq!(cut.without_parameters(&["token"]).as_str(), "/id?a");
        assert_eq!(cut.behind("/api").unwrap().as_str(), "/api/id?token=s&a");
    }

    #[test]
    fn a_path_in_front_leaves_the_targets_own_bytes_alone() {
        let rows = [
            ("", "/x?y", "/x?y"),
            ("/api/v1", "/x?y", "/api/v1/x?y"),
            ("/api", "/", "/api/"),
            ("/api", "//evil.example/../x", "/api//evil.example/../x"),
            ("/api", "/%2e%2e/x?q=SELECT+'", "/api/%2e%2e/x?q=SELECT+'"),
        ];
        for (path, text, expected) in rows {
            let got = target(text).behind(path).unwrap();
            assert_eq!(got.as_str(), expected, "{path} {text}");
        }
        assert!(target("/x").behind(&"/a".repeat(40_000)).is_none());
    }

    #[test]
    fn only_whole_listed_parameters_are_cut() {
        let rows = [
            ("/id?oauth_token=s", "/id"),
            ("/id?format=json&oauth_token=s", "/id?format=json"),
            ("/id?oauth_token=s&format=json", "/id?format=json"),
            ("/id?a=1&oauth_token=s&b=%20+'", "/id?a=1&b=%20+'"),
            ("/id?a&oauth_token&&b=", "/id?a&&b="),
            ("/id?oauth_token=s&access_token=t&oauth_token=u", "/id"),
            ("/id?%6Fauth%5ftoken=s&a", "/id?a"),
            ("/id?OAuth_Token=s&a", "/id?a"),
            ("/id?x=oauth_token=s", "/id?x=oauth_token=s"),
            ("/id?my_oauth_token=s", "/id?my_oauth_token=s"),
            ("/id?q=a%26oauth_token=s", "/id?q=a%26oauth_token=s"),
            ("/oauth_token=s", "/oauth_token=s"),
            ("//x/..?access_token=s", "//x/.."),
            ("/id?", "/id?"),
        ];
        for (text, expected) in rows {
            let got = target(text).without_parameters(&["oauth_token", "access_token"]);
            assert_eq!(got.as_str(), expected, "{text}");
        }
    }
}
