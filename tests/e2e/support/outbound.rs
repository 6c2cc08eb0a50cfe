//! A proxy on the way out.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::caller::Caller;

/// A proxy that leads every `CONNECT` to one address, whatever its name, and keeps what it was asked.
pub struct Outbound {
    pub addr: SocketAddr,
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Outbound {
    /// `answer` is its status line.
    pub async fn start(to: SocketAddr, answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = asked.clone();
        tokio::task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::task::spawn(async move {
                    let mut caller = Caller::over(stream);
                    let Some(head) = caller.request_head().await else {
                        return;
                    };
                    kept.lock().unwrap().push(head);
                    caller.write(format!("HTTP/1.1 {answer}\r\n\r\n")).await;
                    if answer.starts_with("200") {
                        let mut inside = TcpStream::connect(to).await.unwrap();
                        let _ = inside.write_all(&caller.buffered()).await;
                        let _ =
                            tokio::io::copy_bidirectional(&mut caller.stream, &mut inside).await;
                    }
                });
            }
        });
        Self { addr, asked }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
