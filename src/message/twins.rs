//! Header names that some server takes for one another.
//!
//! CGI, WSGI and many frameworks turn both `-` and `_` into `_`, so that `X_SFDC_Session` from a caller reaches the
//! application beside, or instead of, the `X-SFDC-Session` that the proxy wrote (CVE-2025-64484 is of this kind).

use http::HeaderMap;
use http::header::HeaderName;

/// Removes every field whose name some server takes for one of `names`, and these themselves.
pub fn strip<'a>(headers: &mut HeaderMap, names: &(impl Iterator<Item = &'a HeaderName> + Clone)) {
    remove_where(headers, |name| {
        names.clone().any(|own| alike(name, own.as_str()))
    });
}

/// Whether two names are equal but for letter case and their `-` and `_`.
pub(super) fn alike(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

/// Whether `name` begins with `prefix`, but for letter case and their `-` and `_`.
pub(super) fn begins_alike(name: &str, prefix: &str) -> bool {
    let mut letters_of_name = letters(name);
    letters(prefix).all(|letter| letters_of_name.next() == Some(letter))
}

/// Removes every field whose name `doomed` says; allocates only if there is one.
pub(super) fn remove_where(headers: &mut HeaderMap, doomed: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| doomed(name.as_str()))
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
            assert_eq!(begins_alike(name, "x-forwarded-"), expected, "{name}");
        }
    }

    #[test]
    fn a_name_goes_with_its_twins() {
        let names = [HeaderName::from_static("x-tenant")];
        let mut headers = HeaderMap::new();
        for name in ["x-tenant", "x_tenant", "xtenant", "x-tenants"] {
            headers.append(name, "1".parse().unwrap());
        }
        strip(&mut headers, &names.iter());
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("x-tenants"));
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
