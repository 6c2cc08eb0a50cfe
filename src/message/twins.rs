//! Header names that some server takes for one another.
//!
//! CGI, WSGI and many frameworks turn both `-` and `_` into `_`, so that `X_SFDC_Session` from a caller reaches the
//! application beside, or instead of, the `X-SFDC-Session` that the proxy wrote (CVE-2025-64484 is of this kind).

use http::HeaderMap;
use http::header::HeaderName;

/// Header names, with every name that some server takes for one of them.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Their letters, by their number: few have as many as another.
    by_count: Vec<Vec<Box<[u8]>>>,
}

/// A name as it is compared: without its `-` and `_`.
#[derive(Clone, Copy, Debug)]
pub struct Spelled<'a> {
    name: &'a str,
    /// Of letters.
    count: usize,
}

impl Names {
    /// Of these names.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut by_count: Vec<Vec<Box<[u8]>>> = Vec::new();
        for name in names {
            let own: Box<[u8]> = letters(name).collect();
            if by_count.len() <= own.len() {
                by_count.resize(own.len() + 1, Vec::new());
            }
            if let Some(same) = by_count.get_mut(own.len()) {
                same.push(own);
            }
        }
        Self { by_count }
    }

    /// Whether `name` is one of them, or a twin of one.
    pub fn cover(&self, name: Spelled<'_>) -> bool {
        self.by_count.get(name.count).is_some_and(|same| {
            same.iter()
                .any(|own| letters(name.name).eq(own.iter().copied()))
        })
    }
}

impl<'a> Spelled<'a> {
    /// As `name` is written.
    pub fn of(name: &'a str) -> Self {
        Self {
            name,
            count: letters(name).count(),
        }
    }

    /// Whether it begins with `prefix`.
    pub(super) fn begins(self, prefix: &str) -> bool {
        let mut own = letters(self.name);
        letters(prefix).all(|letter| own.next() == Some(letter))
    }
}

/// Whether two names are equal but for letter case and their `-` and `_`.
pub(super) fn alike(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

/// Removes every field whose name `doomed` says; allocates only if there is one.
pub(super) fn remove_where(headers: &mut HeaderMap, mut doomed: impl FnMut(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| doomed(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes()
        .filter(|byte| !matches!(byte, b'-' | b'_'))
        .map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_dashes_and_underscores() {
        let rows = [
            ("authorization", "Authorization", true),
            ("authorization_", "Authorization", true),
            ("x_sfdc_session", "X-SFDC-Session", true),
            ("xsfdcsession", "X-SFDC-Session", true),
            ("x-sfdc-sessions", "X-SFDC-Session", false),
            ("x-sfdc", "X-SFDC-Session", false),
            ("", "X", false),
        ];
        for (a, b, expected) in rows {
            assert_eq!(alike(a, b), expected, "{a} {b}");
            let covered = Names::of(["Cookie", b, "x-sfdc-tokens"]).cover(Spelled::of(a));
            assert_eq!(covered, expected, "{a} {b}");
        }
    }

    #[test]
    fn prefixes_are_compared_likewise() {
        let rows = [
            ("x-forwarded-for", true),
            ("x_forwarded_for", true),
            ("x-forwarded", true),
            ("x-forward", false),
            ("x-forwarder", false),
        ];
        for (name, expected) in rows {
            assert_eq!(Spelled::of(name).begins("x-forwarded-"), expected, "{name}");
        }
    }

    #[test]
    fn all_values_of_a_doomed_name_go() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", "1".parse().unwrap());
        headers.append("x-a", "2".parse().unwrap());
        headers.append("x-b", "3".parse().unwrap());
        remove_where(&mut headers, |name| name == "x-a");
        assert_eq!(headers.len(), 1);
    }
}
