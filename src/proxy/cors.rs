//! Cross-origin answers for the pages the operator allows (`[access] origins`); every other page was refused before.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};

use crate::message::Guard;

/// Whether this is an allowed page's preflight: it is answered here, never with a token.
pub(super) fn is_preflight(guard: &Guard, parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && guard.cors_origin(&parts.headers).is_some()
}

/// The answer to a preflight: what the page asked for. Policy is applied to the request itself.
pub(super) fn preflight(asked: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (from, to) in [
        (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
        (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
    ] {
        if let Some(value) = asked.get(from) {
            headers.insert(to, value.clone());
        }
    }
    headers
}

/// Lets the page at `origin` read the answer.
pub(super) fn allow<B>(mut answer: Response<B>, origin: HeaderValue) -> Response<B> {
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    answer
}
