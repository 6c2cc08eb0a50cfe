//! Form bodies, read strictly: what a real endpoint misunderstands is misunderstood here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

/// The parameters of a form body, in order. Empty ones are left out (RFC 6749 3.2).
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body; without the content type of a form there are no parameters at all.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        if !media_type(headers).eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Self::default();
        }
        let parameters = form_urlencoded::parse(body)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.into_owned(), value.into_owned()));
        Self(parameters.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().find(|(candidate, _)| candidate == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Does a parameter occur twice?
    pub(super) fn repeats(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }
}

/// The media type of a body, without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let value = value.unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// Does a percent sign stand without two hex digits after it?
pub(super) fn is_malformed(body: &[u8]) -> bool {
    body.split(|byte| *byte == b'%')
        .skip(1)
        .any(|rest| !matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
}

/// Id and secret of a Basic `Authorization`, as sent; the caller tries them raw and form-decoded.
pub(super) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// `text` without its form encoding.
pub(super) fn decoded(text: &str) -> String {
    form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// One parameter of a query string.
pub(super) fn query(parts: &http::request::Parts, name: &str) -> Option<String> {
    let query = parts.uri.query()?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(candidate, _)| candidate == name)
        .map(|(_, value)| value.into_owned())
}

/// One number of a query string.
pub(super) fn number(parts: &http::request::Parts, name: &str) -> Option<u64> {
    query(parts, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_a_form_only_if_it_says_so() {
        check("application/x-www-form-urlencoded", "a=1", Some("1"));
        check(
            "Application/X-WWW-Form-URLEncoded; charset=utf-8",
            "a=x+y%2Bz",
            Some("x y+z"),
        );
        check("application/x-www-form-urlencoded", "a=", None);
        check("application/json", "a=1", None);
        check("", "a=1", None);
    }

    fn check(content_type: &str, body: &str, a: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        assert_eq!(
            Form::read(&headers, body.as_bytes()).get("a"),
            a,
            "{content_type} {body}"
        );
    }
}
