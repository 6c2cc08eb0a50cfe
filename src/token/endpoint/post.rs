//! One POST, and what can go wrong with it.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

use super::{Endpoint, coding, never};
use crate::config::{Leg, Proxy};
use crate::message::origin::Scheme;
use crate::provider::login::LoginRequest;
use crate::provider::refusal::printable;
use crate::provider::{Answer, LoginFailure, answer};
use crate::tls::{ClientConfig, NO_TLS, is_no_tls};
use crate::token::{NotExchanged, Presented};

impl Endpoint {
    pub(super) async fn post(
        &self,
        request: LoginRequest,
    ) -> Result<(StatusCode, HeaderMap, Bytes), NotExchanged> {
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
        let sent = client.execute(post).await;
        let mut answer = sent.map_err(|error| self.broken(error))?;
        let head = (answer.status(), answer.headers().clone());
        let mut body = BytesMut::new();
        loop {
            let chunk = match answer.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Err(self.broken_off(error, head.0, body.freeze())),
            };
            if body.len() + chunk.len() > BODY_MAX {
                return Err(self.too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let body = coding::opened(&head.1, body.freeze()).map_err(|_| self.too_large())?;
        Ok((head.0, head.1, body))
    }

    /// An answer that breaks off may have done so behind its last brace: its length was wrong, or its end got lost. Its token is not
    /// taken, but what was presented may be used up, and the successor is there. Only JSON shows that it is whole.
    fn broken_off(&self, error: reqwest::Error, status: StatusCode, body: Bytes) -> NotExchanged {
        let not = self.broken(error);
        let json =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let opened = coding::opened(&json, body).unwrap_or_default();
        let answer = Answer {
            status,
            headers: &json,
            body: &opened,
            wall: self.clock.now().wall,
        };
        match answer::successor(&self.provider, &answer) {
            Some(successor) => NotExchanged {
                presented: Presented::Replaced(successor),
                ..not
            },
            None => not,
        }
    }

    fn too_large(&self) -> NotExchanged {
        NotExchanged {
            failure: self.unreachable("its answer is larger than 1 MiB"),
            presented: Presented::Perhaps,
        }
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
            (false, true) => "no answer in time".to_owned(),
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
const CAUSE_SHOWN: usize = 160;
