//! A caller that speaks bytes: what is written is what is sent.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection to the proxy.
pub struct Caller<S = TcpStream> {
    pub stream: S,
    buffer: Vec<u8>,
}

/// An answer as it came over the wire.
#[derive(Clone, Debug)]
pub struct Answer {
    pub version: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, if it is there once or more.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The `UA-nnnn` of an answer of the proxy's own.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or("none").to_owned()
    }
}

impl Caller {
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Caller<S> {
    pub fn over(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a whole request and reads the whole answer.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        let head = request.as_ref().starts_with(b"HEAD ");
        self.write(request).await;
        self.answer(head)
            .await
            .unwrap_or_else(|why| panic!("no answer: {why}"))
    }

    /// `GET` on this connection.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.get_with(path, "").await
    }

    /// `GET` with these header lines, each ended by CRLF.
    pub async fn get_with(&mut self, path: &str, headers: &str) -> Answer {
        self.ask(format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        ))
        .await
    }

    /// `POST` with a body of declared length.
    pub async fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.post_with(path, "", body).await
    }

    /// `POST` with these header lines, each ended by CRLF.
    pub async fn post_with(&mut self, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.ask(request).await
    }

    /// Sends a `GET` and reads nothing of its answer yet.
    pub async fn begin(&mut self, path: &str) {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .await;
    }

    /// Begins a `POST` whose body comes in pieces.
    pub async fn begin_upload(&mut self, path: &str) {
        self.write(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
    }

    /// A piece of a body that comes in pieces.
    pub async fn piece(&mut self, piece: &str) {
        self.write(format!("{:x}\r\n{piece}\r\n", piece.len()))
            .await;
    }

    /// The end of a body that came in pieces.
    pub async fn end(&mut self) {
        self.write("0\r\n\r\n").await;
    }

    /// The head of the next request, for a server; `None` when the connection ended.
    pub async fn request_head(&mut self) -> Option<String> {
        let head = self.until(b"\r\n\r\n").await.ok()?;
        Some(String::from_utf8_lossy(&head).into_owned())
    }

    /// The head of the next answer, without interim ones.
    pub async fn head(&mut self) -> Result<Answer, String> {
        loop {
            let head = self.until(b"\r\n\r\n").await?;
            let head = String::from_utf8_lossy(&head).into_owned();
            let mut lines = head.trim_end().split("\r\n");
            let mut status = lines.next().unwrap_or("").splitn(3, ' ');
            let version = status.next().unwrap_or("").to_owned();
            let status = status
                .next()
                .and_then(|s| s.parse().ok())
                .ok_or(format!("odd head: {head}"))?;
            if status == 100 {
                continue;
            }
            let headers = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect();
            return Ok(Answer {
                version,
                status,
                headers,
                body: Vec::new(),
            });
        }
    }

    /// The next answer. `Err` says how it broke off.
    pub async fn answer(&mut self, to_head: bool) -> Result<Answer, String> {
        let head = self.head().await?;
        self.rest_of(head, to_head).await
    }

    /// The answer that belongs to a head. `Err` says how it broke off.
    pub async fn rest_of(&mut self, mut answer: Answer, to_head: bool) -> Result<Answer, String> {
        self.read_body(&mut answer, to_head).await?;
        Ok(answer)
    }

    /// The body that belongs to a head. If it breaks off, what came of it is there.
    pub async fn read_body(&mut self, answer: &mut Answer, to_head: bool) -> Result<(), String> {
        if to_head || answer.status == 204 || answer.status == 304 {
            return Ok(());
        }
        if answer.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk().await? {
                answer.body.extend(chunk);
            }
            return Ok(());
        }
        let Some(length) = answer.header("content-length") else {
            while self.fill().await? > 0 {}
            answer.body = self.buffered();
            return Ok(());
        };
        let body = self.exactly(length.parse().map_err(|_| "odd length")?);
        let body = body.await;
        let broke = body.as_ref().err().cloned();
        answer.body = body.unwrap_or_else(|_| self.buffered());
        broke.map_or(Ok(()), Err)
    }

    /// The next chunk of a chunked body; `None` at its end, behind which there are no trailers.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        let line = self.until(b"\r\n").await?;
        let size = String::from_utf8_lossy(&line);
        let size = usize::from_str_radix(size.trim(), 16)
            .map_err(|_| format!("odd chunk size {size:?}"))?;
        let chunk = self.exactly(size).await?;
        let end = self.exactly(2).await?;
        if end != b"\r\n" {
            return Err(format!("behind a chunk: {}", end.escape_ascii()));
        }
        Ok((size > 0).then_some(chunk))
    }

    /// Whether the other side has closed, given a little time.
    pub async fn is_closed(&mut self, within: Duration) -> bool {
        let mut byte = [0];
        matches!(
            tokio::time::timeout(within, self.stream.read(&mut byte)).await,
            Ok(Ok(0) | Err(_))
        )
    }

    /// Whether the other side closes without an answer when it is sent `bytes`.
    pub async fn is_closed_after(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        self.head().await.is_err()
    }

    /// Takes what was read beyond what was asked for.
    pub fn buffered(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    pub async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, String> {
        while self.buffer.len() < length {
            if self.fill().await? == 0 {
                return Err(format!(
                    "closed after {} of {length} bytes",
                    self.buffer.len()
                ));
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, String> {
        loop {
            if let Some(at) = self
                .buffer
                .windows(end.len())
                .position(|window| window == end)
            {
                return Ok(self.buffer.drain(..at + end.len()).collect());
            }
            if self.fill().await? == 0 {
                return Err(format!(
                    "closed after {:?}",
                    String::from_utf8_lossy(&self.buffer)
                ));
            }
        }
    }

    async fn fill(&mut self) -> Result<usize, String> {
        let read = self.stream.read_buf(&mut self.buffer);
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("nothing came".to_owned()),
        }
    }
}

/// Longest wait for anything in a test: far above what is ever needed.
pub const PATIENCE: Duration = Duration::from_secs(30);
