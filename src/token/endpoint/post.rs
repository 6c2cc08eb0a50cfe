//! One POST, and what can go wrong with it.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use tokio::time::{Instant, timeout_at};

use super::coding::Opened;
use super::{Endpoint, coding, never};
use crate::config::{Leg, Proxy};
use crate::message::origin::Scheme;
use crate::provider::LoginFailure;
use crate::provider::login::LoginRequest;
use crate::provider::refusal::printable;
use crate::tls::{ClientConfig, NO_TLS, is_no_tls};
use crate::token::{NotExchanged, Presented};

/// What came of one POST.
pub(super) struct Posted {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Why the body is no more than what there was of it.
    pub(super) broken: Option<LoginFailure>,
}

impl Endpoint {
    pub(super) async fn post(
        &self,
        request: LoginRequest,
        deadline: Instant,
    ) -> Result<Posted, NotExchanged> {
        let uri = Uri::builder()
            .scheme(request.origin.uri_scheme())
            .authority(request.origin.authority().clone())
            .path_and_query(request.path.as_str())
            .build();
        let mut post = http::Request::post(uri.unwrap_or_default()).body(request.body);
        if let Ok(post) = &mut post {
            *post.headers_mut() = request.headers;
        }
        let post = post
            .ok()
            .and_then(|post| reqwest::Request::try_from(post).ok())
            .ok_or_else(|| never(self.unreachable("its address is not a URL")))?;
        let client = self.client().await.map_err(never)?;
        let sent = timeout_at(deadline, client.execute(post)).await;
        let sent = sent.map_err(|_| NotExchanged {
            failure: self.unreachable(LATE),
            presented: Presented::Perhaps,
        })?;
        let mut answer = sent.map_err(|error| self.broken(error))?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        let mut body = BytesMut::new();
        let broken = loop {
            match timeout_at(deadline, answer.chunk()).await {
                Ok(Ok(Some(chunk))) if body.len() + chunk.len() > BODY_MAX => {
                    break Some(self.unreachable(TOO_LARGE));
                }
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                Ok(Ok(None)) => break None,
                Ok(Err(error)) => break Some(self.broken(error).failure),
                Err(_) => break Some(self.unreachable(LATE)),
            }
        };
        let (body, why) = match coding::opened(&headers, body.freeze()) {
            Opened::Whole(body) => (body, None),
            Opened::Part(body) => (body, Some("its compressed answer is damaged")),
            Opened::TooLarge(body) => (body, Some(TOO_LARGE)),
        };
        let broken = broken.or_else(|| why.map(|why| self.unreachable(why)));
        if broken.is_some() {
            // Of a form nobody knows where it was to end.
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Posted {
            status,
            headers,
            body,
            broken,
        })
    }

    /// A connection error in short words: the root cause knows the port, the certificate or the name,
    /// and never the request.
    fn broken(&self, error: reqwest::Error) -> NotExchanged {
        let error = error.without_url();
        let mut cause = error.source();
        let mut root = String::new();
        while let Some(inner) = cause {
            root = inner.to_string();
            cause = inner.source();
        }
        if error.is_connect() && is_no_tls(&error) {
            NO_TLS.clone_into(&mut root);
        }
        let root = printable(&root, CAUSE_SHOWN);
        let what = match (error.is_connect(), error.is_timeout()) {
            (true, true) => format!("no connection in time{}", self.by(&root)),
            (false, true) => LATE.to_owned(),
            (true, false) => format!("cannot connect{}: {root}", self.by(&root)),
            (false, false) => format!("the connection broke: {root}"),
        };
        NotExchanged {
            failure: self.unreachable(&what),
            presented: match error.is_connect() {
                true => Presented::Never,
                false => Presented::Perhaps,
            },
        }
    }

    /// Which proxy is on the way to the endpoint, for a connection that came to nothing because of `root`.
    fn by(&self, root: &str) -> String {
        let endpoint = self.provider.login.endpoint();
        let taken = endpoint.is_some_and(|at| at.scheme() == Scheme::Https && !at.is_loopback());
        match &self.leg.proxy {
            Some(proxy) if taken => {
                let place = proxy.url.authority();
                // Whether the host is among the exceptions, only the client knows.
                match proxy.except.is_empty() || root.contains("tunnel") {
                    true => format!(" through the proxy {place}"),
                    false => format!(", perhaps through the proxy {place}"),
                }
            }
            _ => String::new(),
        }
    }

    pub(super) fn unreachable(&self, what: &str) -> LoginFailure {
        let place = match self.provider.login.endpoint() {
            Some(endpoint) => endpoint.authority().to_string(),
            None => self.provider.login.to_string(),
        };
        LoginFailure::transient(format!("{place}: {what}"))
    }
}

/// What posts, by `leg` and through `proxy`. reqwest's own TLS would not build on a machine without a trust store, not even
/// for plain http.
pub(super) fn client(
    tls: ClientConfig,
    leg: &Leg,
    timeout: Duration,
    proxy: Option<&Proxy>,
) -> reqwest::Result<reqwest::Client> {
    let mut client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        // Logins are rare, and a POST on a connection that has just gone away cannot be told from
        // one that was counted.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("upauth/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(leg.connect_timeout)
        .timeout(timeout);
    if let Some(proxy) = proxy {
        client = client.proxy(through(proxy)?);
    }
    client.build()
}

/// For https endpoints only: over plain http the proxy would see the secrets.
fn through(proxy: &Proxy) -> reqwest::Result<reqwest::Proxy> {
    let mut through = reqwest::Proxy::https(proxy.url.to_string())?;
    if let Some((user, password)) = &proxy.user {
        through = through.basic_auth(user, password.expose());
    }
    Ok(through.no_proxy(reqwest::NoProxy::from_string(&proxy.except)))
}

/// A token answer is below 4 KiB; a page may be larger, and is not worth more.
pub(super) const BODY_MAX: usize = 1024 * 1024;
const LATE: &str = "no answer in time";
const TOO_LARGE: &str = "its answer is larger than 1 MiB";
const CAUSE_SHOWN: usize = 160;
