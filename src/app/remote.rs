//! Asks a running proxy through its admin listener.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};

use super::{StartError, listeners};
use crate::config::server::Listen;
use crate::egress::{Client, Destination, Head, Profile, over_socket};
use crate::message::Origin;
use crate::telemetry::Metrics;
use crate::tls::Trust;

/// The answer of the admin API.
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its body: JSON.
    pub body: Bytes,
}

/// Why the running proxy could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The client could not be made.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Nobody answers there.
    #[error("no proxy answers at {admin}: {why}")]
    Unreachable {
        /// The admin address.
        admin: String,
        /// What happened.
        why: String,
    },
}

/// Sends `method path` to the admin listener `at`. Blocks for at most `limit`.
pub fn ask(at: &Listen, method: Method, path: &str, limit: Duration) -> Result<Reply, AskError> {
    let unreachable = |why: String| AskError::Unreachable {
        admin: listeners::first(at),
        why,
    };
    let uri: Uri = path
        .parse()
        .map_err(|_| unreachable("the name cannot be part of a path".to_owned()))?;
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let meant = HeaderValue::from_static("1");
    request.headers_mut().insert("x-upauth-admin", meant);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)?;
    let answer = async {
        match at.unix() {
            Some(socket) => over_unix(socket, request).await,
            None => over_tcp(at, request, limit).await,
        }
    };
    let answer = runtime.block_on(async { tokio::time::timeout(limit, answer).await });
    answer
        .unwrap_or_else(|_| Err("no answer in time".to_owned()))
        .map_err(unreachable)
}

async fn over_unix(socket: &Path, mut request: Request<Full<Bytes>>) -> Result<Reply, String> {
    let host = HeaderValue::from_static("localhost");
    request.headers_mut().insert(HOST, host);
    let answer = over_socket(socket, request, LARGEST).await?;
    Ok(Reply {
        status: answer.status().as_u16(),
        body: answer.into_body(),
    })
}

async fn over_tcp(
    at: &Listen,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> Result<Reply, String> {
    let origin = here(at).ok_or("it has no address")?;
    let (parts, body) = request.into_parts();
    let head = Head {
        method: &parts.method,
        target: parts.uri.path_and_query().map_or("/", PathAndQuery::as_str),
        host: origin.authority().as_str(),
        fields: &parts.headers,
        own: &[],
    };
    let profile = Profile {
        proxy: None,
        id: 0,
        tls: Trust::new(&[]),
        connect_timeout: Duration::from_secs(5),
        connections: 1,
        http2: false,
        metrics: Arc::clone(&Metrics::new().upstream("")),
    };
    let to = Destination {
        profile: &profile,
        origin: &origin,
        public_only: false,
        fresh: true,
    };
    let client = Client::default();
    let answer = client.send(to, &head, body, limit).await;
    let answer = answer.map_err(|failure| failure.to_string())?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    Ok(Reply { status, body })
}

/// Where this machine reaches its own listener: one on every address is asked on loopback.
fn here(listen: &Listen) -> Option<Origin> {
    let mut addr = listen.tcp()?;
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{addr}").parse().ok()
}

/// The status of thousands of upstreams.
const LARGEST: usize = 16 * 1024 * 1024;
