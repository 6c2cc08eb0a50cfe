//! A caller that speaks HTTP/2, by prior knowledge or over a stream that was made otherwise.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::caller::{Answer, PATIENCE};

/// One HTTP/2 connection. Clones are streams of the same connection.
#[derive(Clone)]
pub struct H2(http2::SendRequest<Full<Bytes>>);

impl H2 {
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap()).await
    }

    pub async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            // As many clients do: what comes on an idle connection need not be a request.
            .keep_alive_interval(Some(Duration::from_millis(300)))
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::task::spawn(connection);
        Self(sender)
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask(get(path)).await.unwrap()
    }

    /// Sends a request and reads the whole answer. `Err` says how it broke off.
    pub async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let asked = async {
            let answer = self.0.send_request(request).await?;
            let (head, body) = answer.into_parts();
            let text =
                |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            Ok(Answer {
                version: format!("{:?}", head.version),
                status: head.status.as_u16(),
                headers: head
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), text(value)))
                    .collect(),
                body: body.collect().await?.to_bytes().to_vec(),
            })
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer.map_err(|error: hyper::Error| format!("{error:?}")),
            Err(_) => Err("nothing came".to_owned()),
        }
    }

    /// Begins a request, whose answer is read only as far as its head.
    pub async fn stuck(&mut self, path: &str) -> http::Response<hyper::body::Incoming> {
        self.0.send_request(get(path)).await.unwrap()
    }

    /// Whether the other side has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// A `GET` for the host `localhost`.
pub fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://localhost{path}"))
        .body(Full::default())
        .unwrap()
}
