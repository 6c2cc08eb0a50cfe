//! What `WWW-Authenticate` says about a token (RFC 6750 section 3).

use http::{HeaderMap, header};

/// Whether the challenges name no error at all, or `invalid_token`. Other errors, such as `insufficient_scope`, speak of a
/// token that lives.
///
/// A challenge without an error is what whoever sends no token gets; there was one, so the API did not take it for one.
pub(super) fn is_of_dead_token(headers: &HeaderMap) -> bool {
    let mut none = true;
    for value in headers.get_all(header::WWW_AUTHENTICATE) {
        for error in errors(value.as_bytes()) {
            if error == b"invalid_token" {
                return true;
            }
            none = false;
        }
    }
    none
}

/// The values of the parameters `error` in all challenges of one field. Text within quotation marks is a value, whatever
/// it looks like.
fn errors(field: &[u8]) -> Vec<&[u8]> {
    let mut errors = Vec::new();
    let (mut rest, mut name) = (field, &b""[..]);
    while let Some(first) = rest.first() {
        let (value, after) = match first {
            b'"' => quoted(rest),
            b' ' | b'\t' | b',' => {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            b'=' => {
                rest = rest.get(1..).unwrap_or_default();
                let start = rest.trim_ascii_start();
                let (value, after) = match start.first() {
                    Some(b'"') => quoted(start),
                    _ => word(start),
                };
                if name.eq_ignore_ascii_case(b"error") {
                    errors.push(value);
                }
                name = b"";
                rest = after;
                continue;
            }
            _ => word(rest),
        };
        name = value;
        rest = after;
    }
    errors
}

/// The inside of the quotation marks that `text` begins with, and what follows them.
fn quoted(text: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => break,
            _ => at += 1,
        }
    }
    let inside = text.get(1..at.min(text.len())).unwrap_or_default();
    (inside, text.get(at + 1..).unwrap_or_default())
}

/// Up to the next space, comma, equals sign or quotation mark.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let ends = |byte: &u8| b" \t,=\"".contains(byte);
    let end = text.iter().position(ends).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_challenge_speaks_of_a_dead_token_unless_it_names_another_error() {
        let rows: [(&[&str], bool); 22] = [
            (&[], true),
            (&["Bearer"], true),
            (&["Bearer realm=\"x\""], true),
            (&["Basic realm=\"x\""], true),
            (&["Bearer realm=\"x\", error=\"invalid_token\""], true),
            (
                &["Bearer realm=\"x\",error=\"invalid_token\",error_description=\"expired\""],
                true,
            ),
            (&["Bearer error=invalid_token"], true),
            (&["bearer ERROR = \"invalid_token\""], true),
            (
                &["Basic realm=\"a, or b\", Bearer error=\"invalid_token\""],
                true,
            ),
            (
                &["Basic realm=\"x\"", "Bearer error=\"invalid_token\""],
                true,
            ),
            (&["Negotiate abc==, Bearer error=\"invalid_token\""], true),
            (
                &["Bearer error=\"insufficient_scope\", scope=\"a b\""],
                false,
            ),
            (&["Bearer error=\"invalid_request\""], false),
            (
                &["Bearer realm=\"x\"", "Bearer error=\"insufficient_scope\""],
                false,
            ),
            (
                &["Bearer realm=\"error=\\\"invalid_token\\\"\", error=\"insufficient_scope\""],
                false,
            ),
            (
                &["Bearer error_description=\"x\", error=\"insufficient_scope\""],
                false,
            ),
            (
                &["Bearer error=\"insufficient_scope\", error_description=\"error=invalid_token\""],
                false,
            ),
            (
                &["Bearer error_description=\"error=\\\"invalid_request\\\"\""],
                true,
            ),
            (&["Bearer error="], false),
            (&["Bearer error=\"invalid_token"], true),
            (&["\"\\"], true),
            (&["===,,\"\"="], true),
        ];
        for (fields, expected) in rows {
            let mut headers = HeaderMap::new();
            for field in fields {
                let value = HeaderValue::from_str(field).unwrap();
                headers.append(header::WWW_AUTHENTICATE, value);
            }
            assert_eq!(is_of_dead_token(&headers), expected, "{fields:?}");
        }
    }
}
