//! [`Guard`]: which Hosts are served, and which browser pages may call.
//!
//! The Host comes first: a page that had its own name resolve to this machine (DNS rebinding) is same-origin to the
//! browser, sends no `Sec-Fetch-Site`, and its `Origin` equals its `Host`. After that the page's origin decides, for every method,
//! since a GET with the upstream's credential can do harm too.
//!
//! Browsers send `Sec-Fetch-Site` to https and to this machine's own names alone, if they are spelled as usual. Over plain http to another name a page can leave
//! out its `Referer`, and nothing tells of which page a link, a form or a frame is but that it is a browser's: where no key
//! is asked for, that is enough to refuse it. An image of such a page looks like a request of any program.

use std::sync::Arc;

use http::header::{HeaderMap, ORIGIN, REFERER, UPGRADE_INSECURE_REQUESTS};
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::check;
use super::origin::{Origin, is_loopback, split_port};
use super::own::Own;
use super::rejection::Rejection;

/// The hosts that are served and the browser origins that may call.
#[derive(Clone, Default)]
pub struct Guard {
    own: Arc<Own>,
    origins: Vec<Origin>,
    /// No caller shows a key, which no page knows.
    keyless: bool,
}

impl Guard {
    /// A guard that serves the proxy's `own` names besides this machine's (see `is_own_name`), and lets pages of `origins`
    /// call.
    pub fn new(own: Own, origins: Vec<Origin>) -> Self {
        Self {
            own: Arc::new(own),
            origins,
            keyless: false,
        }
    }

    /// The names that are served.
    pub fn own(&self) -> &Arc<Own> {
        &self.own
    }

    /// The same, of which it is known whether callers are served without a key.
    pub fn keyless(self, keyless: bool) -> Self {
        Self { keyless, ..self }
    }

    /// Refuses a foreign Host and a page of another origin. HTTP/1.0 without Host passes.
    pub fn check(&self, parts: &Parts) -> Result<(), Rejection> {
        let host = check::authority(parts)?;
        self.check_host(host, host.map(check::name).as_deref(), &parts.headers)
            .map(drop)
    }

    /// The same of a request whose host and its [`name`](check::name) are known already. Whether it may be a browser's: one that
    /// asks for the script of a service worker is.
    pub fn check_host(
        &self,
        host: Option<&str>,
        name: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<bool, Rejection> {
        let own = host
            .zip(name)
            .is_none_or(|(host, name)| is_own_name(host, name));
        if !own && name.is_some_and(|name| !self.own.has(name)) {
            return Err(Rejection::WrongHost);
        }
        self.check_page(headers, host, own || !self.keyless)
    }

    /// The `Origin` of the request when it is a listed one: to be answered with CORS.
    pub fn cors_origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        if self.origins.is_empty() {
            return None;
        }
        let value = single(headers, &ORIGIN).ok()??;
        self.origins.contains(&origin(value)?).then_some(value)
    }

    /// Passes what is of no browser, of one of the proxy's own pages, or of a listed origin. Unless a browser `tells` where its
    /// requests come from, one that does not say so has something to hide.
    fn check_page(
        &self,
        headers: &HeaderMap,
        host: Option<&str>,
        tells: bool,
    ) -> Result<bool, Rejection> {
        let hides = !tells && headers.keys().any(is_of_navigation);
        if !hides && !headers.keys().any(is_of_browsers) {
            return Ok(false);
        }
        let own = |page: &Origin| host.is_some_and(|host| is_own(page, host));
        let named = single(headers, &ORIGIN)?;
        if let Some(value) = named {
            let page = origin(value).ok_or(Rejection::CrossSite)?;
            if self.origins.contains(&page) {
                // Another site, and Sec-Fetch-Site says so.
                return Ok(true);
            }
            if !own(&page) {
                return Err(Rejection::CrossSite);
            }
        }
        let known = match single(headers, &SEC_FETCH_SITE)? {
            Some(site) if site == "same-origin" => true,
            // `none` is the user's own doing; together with `no-cors` no browser says it.
            Some(site) => site == "none" && !is_no_cors(headers),
            // Browsers before Sec-Fetch-Site send no Origin with a plain GET, but a Referer.
            None => match single(headers, &REFERER)? {
                Some(url) => {
                    page_of(url).is_some_and(|page| own(&page) || self.origins.contains(&page))
                }
                None => !is_no_cors(headers) && (named.is_some() || !hides),
            },
        };
        match known {
            true => Ok(true),
            false => Err(Rejection::CrossSite),
        }
    }
}

/// Whether browsers know that a host is this machine, and send `Sec-Fetch-Site` to it: `localhost`, names under it, 127.0.0.0/8
/// and `[::1]`, in just this spelling. Other ways to write a loopback address (`localhost.`, `[::ffff:127.0.0.1]`) lead here too,
/// but let a page hide (W3C Secure Contexts, section 3.1, as Firefox and WebKit have it).
fn is_own_name(host: &str, name: &str) -> bool {
    let dotted = host.as_bytes().get(name.len()) == Some(&b'.');
    name == "[::1]" || (!dotted && !name.starts_with('[') && is_loopback(name))
}

/// Whether browsers alone send a field of this name: it may say of which page a request is.
fn is_of_browsers(name: &HeaderName) -> bool {
    let text = name.as_str();
    matches!(*name, ORIGIN | REFERER) || text.starts_with("sec-fetch-") || text == "service-worker"
}

/// Whether a browser sends a field of this name with what it opens or fetches ahead, wherever that is, and programs send none.
fn is_of_navigation(name: &HeaderName) -> bool {
    *name == UPGRADE_INSECURE_REQUESTS || name.as_str() == "sec-purpose"
}

/// A field that browsers send once.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Rejection> {
    check::single(headers, name, Rejection::CrossSite)
}

/// The origin in an `Origin` field; `null` is none.
fn origin(value: &HeaderValue) -> Option<Origin> {
    value.to_str().ok()?.parse().ok()
}

fn page_of(referer: &HeaderValue) -> Option<Origin> {
    Origin::split_url(referer.to_str().ok()?).map(|(page, _)| page)
}

fn is_no_cors(headers: &HeaderMap) -> bool {
    headers
        .get_all(SEC_FETCH_MODE)
        .iter()
        .any(|mode| mode == "no-cors")
}

/// Whether a page is of this very host and port. The scheme is not known here (TLS may end before the proxy), so a
/// missing port is that of the page's scheme.
fn is_own(page: &Origin, host: &str) -> bool {
    let Ok((_, port)) = split_port(host) else {
        return false;
    };
    page.host() == check::name(host) && page.port() == port.unwrap_or(page.scheme().default_port())
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

#[cfg(test)]
mod tests;
