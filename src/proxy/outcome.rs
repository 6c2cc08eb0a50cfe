//! The upstream's answer, made fit for the caller: hop-by-hop off, links and cookies turned back, marked private.

use std::sync::Arc;

use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::error::METHODS;
use super::finish::Finish;
use super::judge::Answer;
use super::links::{Format, Turner};
use super::prepared::Prepared;
use super::rescue::{CLOSE, REQUEST_ID};
use super::response_body::ResponseBody;
use super::route::{By, Table};
use super::upstream::Upstream;
use super::{Proxy, cors};
use crate::message::origin::Scheme;
use crate::message::{Guard, Links, Origin, Own, check, links, strip};
use crate::provider::{Base, LinkRule};
use crate::server::Arrival;

/// A request's good end.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every request ends with the large one"
)]
pub(super) enum Outcome {
    /// The upstream's answer, and the links in it that lead back.
    Forwarded(Answer, Option<Box<Turner>>),
    /// The proxy's own: a page's preflight, what the proxy itself can do, a login.
    Own(Box<Response<String>>),
}

/// How a request went that was answered by an upstream.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) request: &'a Prepared,
    /// Where it went.
    pub(super) base: &'a Base,
    /// Where it came from.
    pub(super) place: &'a Place<'a>,
    pub(super) upstream: &'a Upstream,
    /// The cookies that may be set.
    pub(super) cookies: &'a [&'static str],
    /// What is known of the links in the answer.
    pub(super) links: Option<&'a LinkRule>,
    pub(super) replayed: bool,
}

/// The proxy as this caller sees it, for what leads the caller back.
pub(super) struct Place<'a> {
    public_url: Option<&'a Origin>,
    own: &'a Arc<Own>,
    table: &'a Table,
    listener: usize,
    tls: bool,
    /// By a unix socket, whatever port it names.
    socket: bool,
    host: Option<&'a str>,
    prefix: &'a str,
}

impl Outcome {
    /// The answer to what is no upstream's business.
    pub(super) fn of_itself(guard: &Guard, parts: &Parts) -> Option<Self> {
        if check::asks_about_proxy(parts) {
            return Some(Self::own_options());
        }
        cors::is_preflight(guard, parts).then(|| Self::preflight(parts))
    }

    fn preflight(parts: &Parts) -> Self {
        Self::own(
            StatusCode::NO_CONTENT,
            cors::preflight(&parts.headers),
            String::new(),
        )
    }

    /// The answer to `OPTIONS *` (RFC 9110 section 9.3.7).
    fn own_options() -> Self {
        let headers = HeaderMap::from_iter([(ALLOW, HeaderValue::from_static(METHODS))]);
        Self::own(StatusCode::NO_CONTENT, headers, String::new())
    }

    pub(super) fn own(status: StatusCode, headers: HeaderMap, body: String) -> Self {
        let mut own = Response::new(body);
        *own.status_mut() = status;
        *own.headers_mut() = headers;
        Self::Own(Box::new(own))
    }

    pub(super) fn forwarded(mut answer: Answer, sent: &Sent<'_>) -> Self {
        let Sent {
            request,
            base,
            place,
            upstream,
            cookies,
            links,
            replayed,
        } = *sent;
        let status = answer.head.status;
        let headers = &mut answer.head.headers;
        // Elsewhere its length is that of its body: nothing else passed for an answer.
        let keeps_length = *request.method() == Method::HEAD || status != StatusCode::NO_CONTENT;
        let speaks = strip::answer(headers, keeps_length);
        if speaks.places {
            let name = place.host.map(check::name);
            let others = place
                .table
                .others(place.listener, name.as_deref(), upstream);
            let is_anothers = others.as_ref().map(|is| is as &dyn Fn(&str) -> bool);
            let links = place.links(base);
            links.turn_headers(headers, request.asked(), is_anothers);
        }
        if speaks.cookies {
            links::set_cookies(headers, cookies, place.prefix, !place.tls);
        }
        match speaks.caching {
            true => keep_private(headers),
            false => {
                headers.insert(CACHE_CONTROL, PRIVATE);
            }
        }
        headers.insert(UPSTREAM, upstream.label.clone());
        if replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("1"));
        }
        let turned = links.and_then(|rule| turn(&mut answer.head, rule, sent));
        Self::Forwarded(answer, turned)
    }

    /// Lets the upstream's next answer have the room of the request's fields.
    pub(super) fn reuse(&mut self, fields: HeaderMap) {
        if let Self::Forwarded(answer, _) = self
            && let Some(rest) = &mut answer.rest
        {
            rest.reuse(fields);
        }
    }

    /// The answer to the caller; the last one on its connection, if that `closes`.
    pub(super) fn answer(self, mut finish: Box<Finish>, closes: bool) -> Response<ResponseBody> {
        match self {
            Self::Forwarded(answer, links) => {
                finish.entry.status = answer.head.status;
                let body = ResponseBody::answer(answer.looked, answer.rest, links, finish);
                let mut response = Response::new(body);
                *response.status_mut() = answer.head.status;
                *response.headers_mut() = answer.head.headers;
                if closes {
                    response.headers_mut().insert(CONNECTION, CLOSE);
                }
                response
            }
            Self::Own(own) => {
                finish.entry.status = own.status();
                let id = HeaderValue::try_from(finish.id.to_string());
                let mut own = own.map(|body| ResponseBody::own(body.into(), finish));
                own.headers_mut().extend(id.map(|id| (REQUEST_ID, id)));
                own
            }
        }
    }
}

impl<'a> Place<'a> {
    /// `public_url` names the place that paths lead to; hosts and listeners of an upstream's own are called as the
    /// caller calls them.
    pub(super) fn new(
        proxy: &'a Proxy,
        arrival: &Arrival,
        host: Option<&'a str>,
        (prefix, by): (&'a str, By),
    ) -> Self {
        let public_url = proxy.public_url.as_ref();
        // Who ends TLS in front of the proxy does it for all of its hosts.
        let public_tls = public_url.map_or(arrival.tls, |url| url.scheme() == Scheme::Https);
        Self {
            public_url: public_url.filter(|_| by == By::Path),
            own: proxy.guard.own(),
            table: &proxy.table,
            listener: arrival.listener,
            tls: if by == By::Host {
                public_tls
            } else {
                arrival.tls
            },
            socket: arrival.peer.is_none(),
            host,
            prefix,
        }
    }

    /// The URL of the upstream here, without a slash at the end; an HTTP/1.0 caller without a Host knows none.
    pub(super) fn here(&self) -> Option<String> {
        match self.public_url {
            Some(url) => Some(format!("{url}{}", self.prefix)),
            None => Some(format!("{}{}", self.asked()?, self.prefix)),
        }
    }

    /// Where the caller has come.
    fn asked(&self) -> Option<String> {
        let scheme = if self.tls { "https" } else { "http" };
        Some(format!("{scheme}://{}", self.host?))
    }

    fn links(&self, upstream: &Base) -> Links {
        // Where no URL is known a path leads back as well.
        let base = self.here().unwrap_or_else(|| self.prefix.to_owned());
        let (origins, path) = (vec![upstream.origin.clone()], upstream.path.clone());
        let asked = self.asked().and_then(|asked| asked.parse().ok());
        let links = Links::new(origins, path, base, self.prefix.to_owned());
        links.among(self.own, asked, self.socket)
    }
}

/// What turns the URLs in the answer's body as it streams, if there may be some.
fn turn(head: &mut http::response::Parts, rule: &LinkRule, sent: &Sent<'_>) -> Option<Box<Turner>> {
    let format = head.headers.get(CONTENT_TYPE).and_then(Format::of);
    let format = format.filter(|_| head.status == StatusCode::OK)?;
    let coding = head.headers.get(CONTENT_ENCODING);
    if coding.is_some_and(|coding| coding != "identity") {
        sent.upstream.metrics.links_passed();
        return None;
    }
    // They speak of other bytes than the caller gets.
    for name in DIGESTS.iter().chain(&[CONTENT_LENGTH, ACCEPT_RANGES]) {
        head.headers.remove(name);
    }
    let links = sent.place.links(sent.base).also(&rule.hosts);
    Some(Box::new(Turner::new(format, links, &rule.places)))
}

/// The caller's request carried no `Authorization`, so a shared cache in between would not know that the answer is
/// for one account (RFC 9111 section 3.5). `private="FIELD"` is of that field alone (section 5.2.2.7).
fn keep_private(headers: &mut HeaderMap) {
    let mut kept = String::new();
    for directive in headers.get_all(CACHE_CONTROL).iter().flat_map(directives) {
        let is = |name: &str| directive.eq_ignore_ascii_case(name);
        if is("private") || is("no-store") {
            return;
        }
        if !is("public") && !begins(directive, "s-maxage") {
            kept.push_str(directive);
            kept.push_str(", ");
        }
    }
    kept.push_str("private");
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::try_from(kept).unwrap_or(PRIVATE),
    );
}

/// Commas in quotation marks do not part them. One whose marks do not close would swallow what stands behind it, and is none.
fn directives(value: &HeaderValue) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let directives = value.to_str().unwrap_or_default().split(move |c| {
        let begins_or_ends = c == '"' && !escaped;
        quoted ^= begins_or_ends;
        escaped = quoted && c == '\\' && !escaped;
        c == ',' && !quoted
    });
    let directives = directives.map(str::trim);
    directives.filter(|directive| {
        let whole = directive.matches('"').count() % 2 == 0;
        whole && !directive.is_empty()
    })
}

fn begins(directive: &str, name: &str) -> bool {
    let start = directive.get(..name.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(name))
}

const PRIVATE: HeaderValue = HeaderValue::from_static("private");
const UPSTREAM: HeaderName = HeaderName::from_static("x-upauth-upstream");
/// RFC 9530, and what was there before it.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];
const REPLAYED: HeaderName = HeaderName::from_static("x-upauth-replayed");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_private_unless_they_are_stricter() {
        let rows: &[(&[&'static str], &str)] = &[
            (&["max-age=60"], "max-age=60, private"),
            (&["Public, S-MaxAge=9, max-age=60"], "max-age=60, private"),
            (
                &["no-cache", "", "max-age=60"],
                "no-cache, max-age=60, private",
            ),
            (&["No-Store"], "No-Store"),
            (&["Private, max-age=1"], "Private, max-age=1"),
            (
                &["public, private=\"x\", max-age=1"],
                "private=\"x\", max-age=1, private",
            ),
            (
                &["public, x=\"a, private, s-maxage=9\""],
                "x=\"a, private, s-maxage=9\", private",
            ),
            (&["public, x=\"a, no-store"], "private"),
            (
                &["public, x=\"\\\", no-store, \\\"\", y"],
                "x=\"\\\", no-store, \\\"\", y, private",
            ),
            (&["public"], "private"),
            (&[","], "private"),
        ];
        for (given, expected) in rows {
            let mut headers = HeaderMap::new();
            for given in *given {
                headers.append(CACHE_CONTROL, HeaderValue::from_static(given));
            }
            keep_private(&mut headers);
            assert_eq!(headers[CACHE_CONTROL], expected, "{given:?}");
        }
        let mut strict = HeaderMap::new();
        for given in ["public", "no-store"] {
            strict.append(CACHE_CONTROL, HeaderValue::from_static(given));
        }
        keep_private(&mut strict);
        assert_eq!(strict.get_all(CACHE_CONTROL).iter().count(), 2);
    }
}
