//! [`Redacted`]: header fields as they may be logged.

use std::fmt;

use http::HeaderMap;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, DATE, EXPECT, HOST, HeaderName, RETRY_AFTER, SERVER, TRANSFER_ENCODING,
    USER_AGENT, VARY, VIA,
};

/// Shows names, and the values of a few harmless fields; of all others only how long they are.
pub struct Redacted<'a>(pub &'a HeaderMap);

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.0 {
            if HARMLESS.contains(name) && !value.is_sensitive() {
                map.entry(&name.as_str(), value);
            } else {
                map.entry(&name.as_str(), &format_args!("[{} bytes]", value.len()));
            }
        }
        map.finish()
    }
}

static HARMLESS: [HeaderName; 18] = [
    ACCEPT,
    ACCEPT_ENCODING,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    DATE,
    EXPECT,
    HOST,
    RETRY_AFTER,
    SERVER,
    TRANSFER_ENCODING,
    USER_AGENT,
    VARY,
    VIA,
    HeaderName::from_static("sforce-limit-info"),
    HeaderName::from_static("zuora-track-id"),
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_harmless_values_are_shown() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost"));
        headers.insert("authorization", HeaderValue::from_static("Bearer s3cret"));
        headers.append("x-unknown", HeaderValue::from_static("s3cret"));
        headers.append("x-unknown", HeaderValue::from_static(""));
        let mut value = HeaderValue::from_static("s3cret");
        value.set_sensitive(true);
        headers.insert("user-agent", value);
        assert_eq!(
            format!("{:?}", Redacted(&headers)),
            r#"{"host": "localhost", "authorization": [13 bytes], "x-unknown": [6 bytes], "x-unknown": [0 bytes], "user-agent": [6 bytes]}"#
        );
    }
}
