//! [`Address`]: where the calls of an API go: an origin, and what stands in front of every path there.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::origin::{Origin, OriginError};

/// An origin, and the path that stands in front of every call's: empty, or `/v1/api` without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Scheme, host and port.
    pub origin: Origin,
    /// What stands in front of every path.
    pub path: String,
}

/// An absolute URL without query and fragment. A slash at its end does not count: answers of token endpoints have it
/// or not (those of Marketing Cloud do).
impl FromStr for Address {
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
        if !path.bytes().all(fits) || has_dots(path) || path.contains("//") || path.ends_with('/') {
            return Err(OriginError::Path);
        }
        let path = path.to_owned();
        Ok(Self { origin, path })
    }
}

/// Whether a segment begins with a dot, as some server may read the path: decoded, more than once perhaps.
fn has_dots(path: &str) -> bool {
    let mut read = path.to_owned();
    loop {
        let mut segments = read.split(['/', '\\']);
        if segments.any(|segment| segment.starts_with('.')) {
            return true;
        }
        // Each time it is shorter, if there is anything to decode.
        let decoded = percent_decode_str(&read).decode_utf8_lossy();
        if decoded.len() >= read.len() {
            return false;
        }
        read = decoded.into_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_origin_and_a_path_without_a_slash_at_its_end() {
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
            ("https://h.example/%2e%2E/x", Err(OriginError::Path)),
            ("https://h.example/a%2f..%2fb", Err(OriginError::Path)),
            ("https://h.example/a/%25252e./b", Err(OriginError::Path)),
            ("https://h.example/a%5C.%2e", Err(OriginError::Path)),
            (
                "https://h.example/a%2eb%",
                Ok(("https://h.example", "/a%2eb%")),
            ),
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
            let address = text.parse::<Address>();
            let got = address
                .as_ref()
                .map(|address| (address.origin.to_string(), address.path.as_str()));
            let expected = expected.map(|(origin, path)| (origin.to_owned(), path));
            assert_eq!(got.map_err(|why| *why), expected, "{text}");
        }
    }
}
