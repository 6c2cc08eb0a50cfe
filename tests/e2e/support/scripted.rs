//! A server that follows a script: it sees bytes and answers bytes. It also answers Zuora's token call, so that a
//! scripted API can stand behind a real upstream.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::caller::{Caller, PATIENCE};

/// The server; dropping it ends its connections, and fails the test if its script panicked.
pub struct Scripted {
    pub addr: SocketAddr,
    pub logins: Arc<AtomicUsize>,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
    panicked: Arc<AtomicUsize>,
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which connection it came on.
    pub connection: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn count(&self, name: &str) -> usize {
        self.headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .count()
    }
}

/// One connection of a script.
pub struct Connection {
    pub caller: Caller<TcpStream>,
    pub number: usize,
    seen: Arc<Mutex<Vec<Seen>>>,
    logins: Arc<AtomicUsize>,
}

impl Connection {
    /// The head of the next request that is not a login. `None`: the connection ended.
    pub async fn head(&mut self) -> Option<Seen> {
        loop {
            let seen = self.any_head().await?;
            if seen.target != "/oauth/token" {
                self.seen.lock().unwrap().push(seen.clone());
                return Some(seen);
            }
            self.body(&seen).await?;
            let login = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
            let body = format!(
                r#"{{"access_token":"token-{login}","token_type":"bearer","expires_in":3598}}"#
            );
            self.reply("200 OK", "Content-Type: application/json\r\n", &body)
                .await;
        }
    }

    /// The next request with its body.
    pub async fn request(&mut self) -> Option<Seen> {
        let mut seen = self.head().await?;
        seen.body = self.body(&seen).await?;
        if let Some(last) = self.seen.lock().unwrap().last_mut() {
            last.body.clone_from(&seen.body);
        }
        Some(seen)
    }

    /// How many requests for `target` came so far, on all connections.
    pub fn number_of(&self, target: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.target == target).count()
    }

    /// The body that belongs to a head.
    pub async fn body(&mut self, seen: &Seen) -> Option<Vec<u8>> {
        if seen.header("transfer-encoding").is_some() {
            let mut body = Vec::new();
            while let Some(chunk) = self.caller.chunk().await.ok()? {
                body.extend(chunk);
            }
            return Some(body);
        }
        let length = seen
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        self.caller.exactly(length).await.ok()
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.caller.stream.write_all(bytes.as_ref()).await;
    }

    /// Takes a request and begins an answer that comes in pieces. `None`: the connection ended.
    pub async fn begin(&mut self, kind: &str) -> Option<Seen> {
        let seen = self.request().await?;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: ";
        self.write(format!("{head}{kind}\r\n\r\n")).await;
        Some(seen)
    }

    /// A piece of such an answer.
    pub async fn piece(&mut self, piece: &str) {
        self.write(format!("{:x}\r\n{piece}\r\n", piece.len()))
            .await;
    }

    /// The end of such an answer.
    pub async fn end(&mut self) {
        self.write("0\r\n\r\n").await;
    }

    /// Waits until the other side has left.
    pub async fn left(&mut self) {
        let mut byte = [0];
        let gone = timeout(PATIENCE, self.caller.stream.read(&mut byte)).await;
        assert!(matches!(gone, Ok(Ok(0) | Err(_))), "{gone:?}");
    }

    /// Ends the connection by a reset.
    pub fn reset(self) {
        self.caller.stream.set_zero_linger().unwrap();
    }

    /// A whole answer.
    pub async fn reply(&mut self, status: &str, headers: &str, body: &str) {
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.write(head).await;
    }

    async fn any_head(&mut self) -> Option<Seen> {
        let head = self.caller.request_head().await?;
        let mut lines = head.trim_end().split("\r\n");
        let mut first = lines.next()?.split(' ');
        Some(Seen {
            method: first.next()?.to_owned(),
            target: first.next()?.to_owned(),
            headers: lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            body: Vec::new(),
            connection: self.number,
        })
    }
}

impl Scripted {
    /// Runs `script` for each connection.
    pub async fn start<F>(script: impl Fn(Connection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let logins = Arc::new(AtomicUsize::new(0));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let panicked = Arc::new(AtomicUsize::new(0));
        let (logins_of, seen_of, panicked_of) = (logins.clone(), seen.clone(), panicked.clone());
        let task = tokio::task::spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    Some(ended) = connections.join_next() => {
                        panicked_of.fetch_add(usize::from(ended.is_err()), Ordering::SeqCst);
                        continue;
                    }
                };
                stream.set_nodelay(true).unwrap();
                connections.spawn(script(Connection {
                    caller: Caller::over(stream),
                    number,
                    seen: seen_of.clone(),
                    logins: logins_of.clone(),
                }));
            }
        });
        Self {
            addr,
            logins,
            seen,
            task,
            panicked,
        }
    }

    /// The same for a script that shares something with its test: each connection has a clone.
    pub async fn start_with<T, F>(
        shared: &T,
        script: impl Fn(Connection, T) -> F + Send + Sync + 'static,
    ) -> Self
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let shared = shared.clone();
        Self::start(move |connection| script(connection, shared.clone())).await
    }

    /// Answers every request with 200 and `body`.
    pub async fn constant(body: &'static str) -> Self {
        Self::start(move |mut connection| async move {
            while connection.request().await.is_some() {
                connection.reply("200 OK", "", body).await;
            }
        })
        .await
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until so many requests came.
    pub async fn saw(&self, count: usize) {
        let enough = async {
            while self.seen().len() < count {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, enough).await.expect("they never came");
    }

    pub fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }

    /// The `[upstream.api]` that stands for this server.
    pub fn upstream(&self) -> String {
        format!(
            "[upstream.api]\nprovider = \"zuora\"\nlogin_url = \"http://{}\"\nclient_id = \"id\"\nclient_secret = \"secret\"\n",
            self.addr
        )
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
        if !std::thread::panicking() {
            assert_eq!(
                self.panicked.load(Ordering::SeqCst),
                0,
                "the scripted server panicked"
            );
        }
    }
}
