//! One request over a unix socket of this machine: how the running proxy is asked.

use std::fmt;
use std::path::Path;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};

/// Sends `request` to whoever listens at `path`, and reads an answer of at most `most` bytes. `Err` says what went wrong.
#[cfg(unix)]
pub async fn over_socket(
    path: &Path,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<Response<Bytes>, String> {
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;

    let stream = tokio::net::UnixStream::connect(path).await;
    let stream = TokioIo::new(stream.map_err(text)?);
    let (mut sender, connection) = http1::handshake(stream).await.map_err(text)?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(text)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, most).collect().await.map_err(text)?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    let drive = async {
        // What ends it early ends the answer too.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = answer => answer,
        () = drive => Err("the connection ended".to_owned()),
    }
}

/// There are none here.
#[cfg(not(unix))]
pub async fn over_socket(
    _: &Path,
    _: Request<Full<Bytes>>,
    _: usize,
) -> Result<Response<Bytes>, String> {
    Err("this system has no unix sockets".to_owned())
}

fn text(error: impl fmt::Display) -> String {
    error.to_string()
}
