//! Asks a running proxy through its admin listener.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};

use super::StartError;
use crate::egress::{Client, Destination, Profile};
use crate::message::Origin;
use crate::telemetry::Metrics;
use crate::tls;

/// The answer of the admin API.
#[derive(Debug)]
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
        admin: Origin,
        /// What happened.
        why: String,
    },
}

/// Sends `method path` to the admin listener at `admin`. Blocks for at most `limit`.
pub fn ask(admin: &Origin, method: Method, path: &str, limit: Duration) -> Result<Reply, AskError> {
    let unreachable = |why: String| AskError::Unreachable {
        admin: admin.clone(),
        why,
    };
    let uri: Uri = path
        .parse()
        .map_err(|_| unreachable("the name cannot be part of a path".to_owned()))?;
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    request.headers_mut().insert(HOST, admin.host_value());
    request
        .headers_mut()
        .insert("x-upauth-admin", http::HeaderValue::from_static("1"));
    let profile = Profile {
        proxy: None,
        id: 0,
        tls: tls::client(&[]).map_err(StartError::from)?,
        connect_timeout: Duration::from_secs(5),
        connections: 1,
        metrics: Arc::clone(&Metrics::new().upstream("")),
    };
    let to = Destination {
        profile: &profile,
        origin: admin,
        public_only: false,
        fresh: true,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)?;
    runtime.block_on(async {
        let client = Client::default();
        let answer = client.send(to, request, limit).await;
        let answer = answer.map_err(|failure| unreachable(failure.to_string()))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body
            .map_err(|error| unreachable(error.to_string()))?
            .to_bytes();
        Ok(Reply { status, body })
    })
}

/// The status of thousands of upstreams.
const LARGEST: usize = 16 * 1024 * 1024;
