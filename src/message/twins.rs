//! Header names that some server takes for one another.
//!
//! CGI, WSGI and many frameworks turn both `-` and `_` into `_`, so that `X_SFDC_Session` from a caller reaches the
//! application beside, or instead of, the `X-SFDC-Session` that the proxy wrote (CVE-2025-64484 is of this kind).

use http::HeaderMap;
use http::header::HeaderName;
use smallvec::SmallVec;

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
    /// The first of its letters: worked out once, compared with many.
    first: [u8; FIRST],
    /// Of all letters.
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
        let Some(same) = self.by_count.get(name.count) else {
            return false;
        };
        // By the first letter, if they have any: nearly every name is none of them.
        let [first, ..] = name.first;
        same.iter()
            .filter(|own| own.first().is_none_or(|letter| *letter == first))
            .any(|own| match name.first.get(..name.count) {
                Some(all) => all == &**own,
                None => letters(name.name).eq(own.iter().copied()),
            })
    }
}

impl<'a> Spelled<'a> {
    /// As `name` is written.
    pub fn of(name: &'a str) -> Self {
        let (mut first, mut count) = ([0; FIRST], 0);
        for letter in letters(name) {
            if let Some(place) = first.get_mut(count) {
                *place = letter;
            }
            count += 1;
        }
        Self { name, first, count }
    }

    /// Whether its letters begin with these, which are none but small letters.
    pub(super) fn begins(self, letters: &str) -> bool {
        self.first.starts_with(letters.as_bytes())
    }
}

/// Whether two names are equal but for letter case and their `-` and `_`.
pub(super) fn alike(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

/// Removes every field whose name `doomed` says; allocates only if there are many.
pub(super) fn remove_where(headers: &mut HeaderMap, mut doomed: impl FnMut(&HeaderName) -> bool) {
    let mut names = SmallVec::<[HeaderName; 4]>::new();
    for name in headers.keys() {
        if doomed(name) {
            names.push(name.clone());
        }
    }
    for name in names {
        headers.remove(name);
    }
}

/// More letters than nearly every name has, and than any prefix here.
const FIRST: usize = 48;

fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes()
        .filter(|byte| !matches!(byte, b'-' | b'_'))
        .map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "x-a-name-of-more-letters-than-anybody-in-the-world-would-ever-write";

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
            (LONG, LONG, true),
            (LONG, &LONG[..LONG.len() - 1], false),
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
            assert_eq!(Spelled::of(name).begins("xforwarded"), expected, "{name}");
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
