//! [`Proxy`]: the way through an HTTP proxy, for https targets only.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::TcpStream;
use tower::ServiceExt;

#[cfg(test)]
use super::connect::connector;
use super::connect::{Resolver, is_late};
use super::failure::{Failure, Phase, chain};
use crate::config;
use crate::message::Origin;
use crate::message::origin::Scheme;

/// A proxy that is asked to `CONNECT`. Its `Debug` does not show the password.
pub struct Proxy {
    address: Uri,
    /// For messages.
    name: String,
    authorization: Option<HeaderValue>,
    /// Knows which hosts are reached directly.
    matcher: Matcher,
}

impl Proxy {
    /// The proxy of a leg.
    pub fn of(config: &config::Proxy) -> Option<Self> {
        let name = config.url.authority().to_string();
        let (host, port) = (config.url.host(), config.url.port());
        let address = format!("http://{host}:{port}/");
        let matcher = Matcher::builder()
            .https(address.clone())
            .no(config.except.clone())
            .build();
        let authorization = config.user.as_ref().map(|(user, password)| {
            let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
            let mut value = HeaderValue::try_from(format!("Basic {pair}"))?;
            value.set_sensitive(true);
            Ok::<_, http::Error>(value)
        });
        Some(Self {
            address: address.parse().ok()?,
            name,
            authorization: authorization.transpose().ok()?,
            matcher,
        })
    }

    /// Whether `origin` is reached through it. Plain http is not: the proxy would see the token.
    pub(super) fn takes(&self, origin: &Origin) -> bool {
        let uri = Uri::builder()
            .scheme("https")
            .authority(origin.authority().clone())
            .path_and_query("/")
            .build();
        origin.scheme() == Scheme::Https
            && !origin.is_loopback()
            && uri.is_ok_and(|uri| self.matcher.intercept(&uri).is_some())
    }

    /// A connection to `target`, which names host and port, through the proxy.
    pub(super) async fn connect<B>(
        &self,
        target: Uri,
        connector: HttpConnector<Resolver>,
    ) -> Result<TcpStream, Failure<B>> {
        let mut tunnel = Tunnel::new(self.address.clone(), connector);
        if let Some(authorization) = &self.authorization {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let connected = tunnel.oneshot(target).await;
        let stream = connected.map_err(|error| {
            let text = format!("through the proxy {}: {}", self.name, chain(&error));
            Failure {
                timeout: is_late(&error),
                ..Failure::new(Phase::Connect, text)
            }
        })?;
        Ok(stream.into_inner())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::egress::names::Names;
    use crate::secret::Secret;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn config(port: u16, except: &str) -> config::Proxy {
        config::Proxy {
            url: format!("http://127.0.0.1:{port}").parse().unwrap(),
            user: Some(("me".to_owned(), Secret::new("hunter2"))),
            except: except.to_owned(),
        }
    }

    #[test]
    fn only_https_off_this_machine_and_off_the_exceptions_goes_through_it() {
        let proxy = Proxy::of(&config(3128, "a.example, 10.0.0.0/8")).unwrap();
        let rows = [
            ("https://b.example", true),
            ("https://b.example:8443", true),
            ("https://nota.example", true),
            ("https://11.0.0.1", true),
            ("https://a.example", false),
            ("https://x.a.example", false),
            ("https://10.1.2.3", false),
            ("http://b.example", false),
            ("https://localhost:8443", false),
            ("https://127.0.0.1", false),
            ("https://[::1]", false),
        ];
        for (origin, expected) in rows {
            assert_eq!(proxy.takes(&origin.parse().unwrap()), expected, "{origin}");
        }
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_is_named_and_its_password_is_not() {
        let rows = [
            ("HTTP/1.1 407 No\r\n\r\n", "proxy authorization required"),
            ("HTTP/1.1 502 No\r\n\r\n", "unsuccessful"),
            ("HTTP/1.1 20", "unexpected end of file"),
            ("SSH-2.0-x\r\n", "unsuccessful"),
        ];
        for (answer, words) in rows {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let proxy = Proxy::of(&config(port, "")).unwrap();
            let asked = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    stream.read_buf(&mut head).await.unwrap();
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                // Until the other side has read the answer.
                let _ = stream.read_to_end(&mut head).await;
                head
            };
            let target = Uri::from_static("http://api.example:443/");
            let connected =
                proxy.connect::<()>(target, connector(&Names::default(), false, PATIENCE));
            let (connected, asked) = tokio::join!(connected, asked);
            let failure = connected.unwrap_err();
            let text = failure.to_string();
            assert_eq!(failure.phase, Phase::Connect, "{text}");
            let name = format!("through the proxy 127.0.0.1:{port}");
            assert!(text.contains(&name) && text.contains(words), "{text}");
            let hidden = !text.contains("hunter2") && !format!("{proxy:?}").contains("bWU6");
            assert!(hidden, "{text} {proxy:?}");
            assert!(asked.starts_with(b"CONNECT api.example:443 HTTP/1.1\r\n"));
        }
    }
}
