//! An API that speaks HTTP/2 behind TLS and follows a script, by requests or by frames; its login is a scripted server's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;

use super::caller::PATIENCE;
use super::frames::Frames;
use super::tls::{Ca, Folder};
use super::{Scripted, TestProxy};

/// The API; its connections end with the test's runtime.
pub struct Framed {
    login: Scripted,
    ca: std::path::PathBuf,
    pub port: u16,
    told: Told,
    _folder: Folder,
}

/// What is known of its connections.
#[derive(Clone, Default)]
struct Told {
    /// What each agreed on.
    agreed: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicUsize>,
}

/// A request that came to a script.
pub struct Call {
    pub request: Request<RecvStream>,
    pub respond: SendResponse<Bytes>,
    /// Which connection it came on.
    pub connection: usize,
}

impl Framed {
    /// Runs `script` for each connection, which has agreed on one of these protocols.
    pub async fn accept<F>(
        alpn: &[&str],
        script: impl Fn(TlsStream<TcpStream>, usize) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (ca, folder) = (Ca::new(), Folder::new());
        let acceptor = ca.acceptor(&["localhost"], alpn);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Told::default();
        let tell = told.clone();
        tokio::task::spawn(async move {
            let mut connections = JoinSet::new();
            let mut number = 0;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let agreed = stream.get_ref().1.alpn_protocol().unwrap_or_default();
                let agreed = String::from_utf8_lossy(agreed).into_owned();
                tell.agreed.lock().unwrap().push(agreed);
                let (script, ended) = (script(stream, number), tell.ended.clone());
                number += 1;
                connections.spawn(async move {
                    script.await;
                    ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            login: Scripted::constant("").await,
            ca: folder.write("ca.pem", &ca.pem),
            port,
            told,
            _folder: folder,
        }
    }

    /// Runs `script` for each connection, frame by frame. The settings are the script's to send.
    pub async fn frames<T, F>(
        shared: &T,
        script: impl Fn(Frames<TlsStream<TcpStream>>, usize, T) -> F + Send + Sync + 'static,
    ) -> Self
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (shared, script) = (shared.clone(), Arc::new(script));
        Self::accept(&["h2"], move |stream, number| {
            let (shared, script) = (shared.clone(), script.clone());
            async move {
                if let Some(frames) = Frames::accept(stream).await {
                    script(frames, number, shared).await;
                }
            }
        })
        .await
    }

    /// Runs `script` for each request.
    pub async fn calls<T, F>(
        builder: Builder,
        shared: &T,
        script: impl Fn(Call, T) -> F + Send + Sync + 'static,
    ) -> Self
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (shared, script) = (shared.clone(), Arc::new(script));
        Self::accept(&["h2"], move |stream, connection| {
            let (shared, script, builder) = (shared.clone(), script.clone(), builder.clone());
            async move {
                let Ok(mut accepted) = builder.handshake(stream).await else {
                    return;
                };
                let mut calls = JoinSet::new();
                while let Some(Ok((request, respond))) = accepted.accept().await {
                    let call = Call {
                        request,
                        respond,
                        connection,
                    };
                    calls.spawn(script(call, shared.clone()));
                }
            }
        })
        .await
    }

    /// The `[upstream.api]` that stands for it, with these lines.
    pub fn upstream(&self, lines: &str) -> String {
        let (login, port, ca) = (self.login.upstream(), self.port, &self.ca);
        format!(
            "{login}api_url = \"https://localhost:{port}\"\nca = {{ file = {ca:?} }}\n{lines}\n"
        )
    }

    /// A proxy in front of it that speaks HTTP/2 to it.
    pub fn proxy(&self) -> TestProxy {
        TestProxy::start(&self.upstream("http2 = true"))
    }

    /// What each of its connections has agreed on.
    pub fn agreed(&self) -> Vec<String> {
        self.told.agreed.lock().unwrap().clone()
    }

    /// Waits until so many connections have ended.
    pub async fn ended(&self, count: usize) {
        let enough = async {
            while self.told.ended.load(Ordering::SeqCst) < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, enough).await;
        in_time.expect("they never ended");
    }
}

impl Call {
    /// The whole body.
    pub async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(Ok(bytes)) = self.request.body_mut().data().await {
            let _ = self
                .request
                .body_mut()
                .flow_control()
                .release_capacity(bytes.len());
            body.extend(bytes);
        }
        body
    }

    /// Answers with 200 and `body`.
    pub fn reply(&mut self, body: &'static str) {
        // Whoever has left need not hear it.
        if let Ok(mut stream) = self.respond.send_response(Response::new(()), false) {
            let _ = stream.send_data(Bytes::from_static(body.as_bytes()), true);
        }
    }

    /// Answers with 200 and a body that comes in pieces.
    pub fn begin(&mut self) -> SendStream<Bytes> {
        let begun = self.respond.send_response(Response::new(()), false);
        begun.unwrap()
    }
}
