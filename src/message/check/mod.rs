//! What is malformed, ambiguous or never forwarded, told from the head of a request alone.
//!
//! hyper has parsed the head already and refuses bad framing, control characters and folded lines; it does not look at
//! `Host`, keeps unknown transfer codings and expectations, and drops a fragment unseen. This looks at the rest. Which hosts are
//! served is the [`guard`](super::guard)'s business.

use std::borrow::Cow;

use http::header::{
    CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, MAX_FORWARDS, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Version};

use super::origin::split_port;
use super::rejection::Rejection;
use super::target::Target;

/// What a sound request asks for.
#[derive(Clone)]
pub struct Asked<'a> {
    /// `host[:port]` as it came; see [`authority`].
    pub host: Option<&'a str>,
    /// Its [`name`].
    pub name: Option<Cow<'a, str>>,
    /// Path and query. `None`: `OPTIONS *`, which [asks about the proxy](asks_about_proxy).
    pub target: Option<Target>,
}

/// Refuses what cannot be forwarded safely.
pub fn check(parts: &Parts) -> Result<Asked<'_>, Rejection> {
    method(&parts.method)?;
    http2(parts)?;
    let target = match parts.method == Method::OPTIONS && parts.uri.path() == "*" {
        true => None,
        false => Some(Target::of(&parts.uri)?),
    };
    let host = authority(parts)?;
    framing(parts)?;
    expectation(&parts.headers)?;
    upgrade(&parts.headers)?;
    let name = host.map(name);
    Ok(Asked { host, name, target })
}

/// The host that is asked for, `host[:port]` as it came: that of absolute-form or `:authority`, else `Host`
/// (RFC 9112 section 3.2.2, RFC 9113 section 8.3.1). `None`: HTTP/1.0 without `Host`.
pub fn authority(parts: &Parts) -> Result<Option<&str>, Rejection> {
    let several = Rejection::Malformed("several Host fields");
    let header = single(&parts.headers, &HOST, several)?
        .map(|value| value.to_str().ok().filter(|host| is_authority(host)))
        .map(|host| host.ok_or(Rejection::Malformed("the Host is not a host")))
        .transpose()?;
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    if let Some(scheme) = parts.uri.scheme_str()
        && !matches!(scheme, "http" | "https")
    {
        return Err(Rejection::Malformed("the target's scheme is not http"));
    }
    if let Some(target) = target {
        if !is_authority(target) {
            return Err(Rejection::Malformed("the target's host is not a host"));
        }
        if parts.version >= Version::HTTP_2
            && header.is_some_and(|header| !header.eq_ignore_ascii_case(target))
        {
            return Err(Rejection::Malformed("Host and :authority differ"));
        }
    }
    // RFC 9112 section 3.2: a 1.1 request without Host is answered with 400, even in absolute-form.
    let host_is_optional =
        parts.version < Version::HTTP_11 || (parts.version >= Version::HTTP_2 && target.is_some());
    if header.is_none() && !host_is_optional {
        return Err(Rejection::Malformed("no Host field"));
    }
    Ok(target.or(header))
}

/// The name in `host[:port]`: lower case, without port and trailing dot; an IPv6 address keeps its brackets.
pub fn name(host: &str) -> Cow<'_, str> {
    let name = split_port(host).map_or(host, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Whether the proxy itself is asked for its options: `OPTIONS *`, or OPTIONS that may go no further
/// (RFC 9110 sections 7.6.2 and 9.3.7).
pub fn asks_about_proxy(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && (parts.uri.path() == "*"
            || parts
                .headers
                .get(MAX_FORWARDS)
                .is_some_and(|hops| hops == "0"))
}

/// The methods that are ever forwarded.
pub const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

fn method(method: &Method) -> Result<(), Rejection> {
    match *method {
        _ if METHODS.contains(method) => Ok(()),
        Method::CONNECT => Err(Rejection::NotBuilt),
        // TRACE would echo the credential (RFC 9110 section 9.3.8). Methods are case-sensitive; no upstream here has others.
        _ => Err(Rejection::Method),
    }
}

/// What its library lets through on HTTP/2 alone, and HTTP/1.1 cannot say: a query without a path (RFC 9113 section 8.3.1), which is
/// no absolute-form that leaves `/` out; a field name that is no token, for it has a quote.
fn http2(parts: &Parts) -> Result<(), Rejection> {
    if parts.version < Version::HTTP_2 {
        return Ok(());
    }
    let target = parts.uri.path_and_query().map(PathAndQuery::as_str);
    if target.is_some_and(|target| target.starts_with('?')) {
        return Err(Rejection::Malformed("the target is not a path"));
    }
    if parts.headers.keys().any(|name| name.as_str().contains('"')) {
        return Err(Rejection::Malformed("a field name is not a token"));
    }
    Ok(())
}

/// RFC 9112 section 6.3. The one coding that hyper takes off is `chunked`; any other would stay on the body unnamed.
fn framing(parts: &Parts) -> Result<(), Rejection> {
    let several = Rejection::Malformed("several Content-Length fields");
    let length = single(&parts.headers, &CONTENT_LENGTH, several)?;
    if length.is_some_and(|length| !is_number(length)) {
        return Err(Rejection::Malformed("Content-Length is not a number"));
    }
    let several = Rejection::Malformed("several Transfer-Encoding fields");
    let Some(coding) = single(&parts.headers, &TRANSFER_ENCODING, several)? else {
        return Ok(());
    };
    if parts.version != Version::HTTP_11 {
        return Err(Rejection::Malformed(
            "Transfer-Encoding in a version without it",
        ));
    }
    if !coding
        .as_bytes()
        .trim_ascii()
        .eq_ignore_ascii_case(b"chunked")
    {
        return Err(Rejection::Malformed("Transfer-Encoding other than chunked"));
    }
    if length.is_some() {
        return Err(Rejection::Malformed(
            "Content-Length beside Transfer-Encoding",
        ));
    }
    Ok(())
}

/// RFC 9110 section 10.1.1: there is one expectation.
fn expectation(headers: &HeaderMap) -> Result<(), Rejection> {
    let several = Rejection::Malformed("several Expect fields");
    match single(headers, &EXPECT, several)? {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Rejection::Malformed("Expect other than 100-continue"))
        }
        _ => Ok(()),
    }
}

/// WebSocket is refused; any other upgrade is an offer that may be ignored (RFC 9110 section 7.8), h2c above all.
fn upgrade(headers: &HeaderMap) -> Result<(), Rejection> {
    let websocket = |protocol: &[u8]| {
        let name = protocol
            .split(|byte| *byte == b'/')
            .next()
            .unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"websocket")
    };
    let offered = headers
        .get_all(UPGRADE)
        .iter()
        .any(|line| line.as_bytes().split(|byte| *byte == b',').any(websocket));
    if offered {
        Err(Rejection::NotBuilt)
    } else {
        Ok(())
    }
}

/// The value of a field that nobody sends twice; whoever does is met with `several`.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    several: Rejection,
) -> Result<Option<&'a HeaderValue>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(several),
    }
}

fn is_number(value: &HeaderValue) -> bool {
    let digits = value.as_bytes();
    !digits.is_empty() && digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit)
}

/// `host[:port]` of RFC 3986 section 3.2 without user information and percent-encoding: what names hosts in practice.
fn is_authority(text: &str) -> bool {
    let Ok((host, _)) = split_port(text) else {
        return false;
    };
    let byte_is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(byte_is_fine),
    }
}

#[cfg(test)]
mod tests;
