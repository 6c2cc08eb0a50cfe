//! Upstreams end a connection on which many streams are reset, so callers who leave again and again must not stay on that of
//! others.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::support::Framed;
use crate::support::caller::PATIENCE;
use crate::support::frames::{
    DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, RST_STREAM, SETTINGS,
};

const LEAVE: usize = 250;

#[derive(Clone)]
struct Shared {
    came: mpsc::UnboundedSender<()>,
    /// The first request is answered; no other ever is.
    end: Arc<Notify>,
}

#[derive(Clone, Copy)]
struct Upstream {
    /// So many resets on a connection.
    bears: usize,
    /// So many pieces of one byte each were on their way when a stream was reset.
    late: usize,
}

async fn serve(
    mut frames: Frames<TlsStream<TcpStream>>,
    number: usize,
    shared: Shared,
    Upstream { bears, late }: Upstream,
) {
    frames.frame(SETTINGS, 0, 0, &[]).await;
    let (mut first, mut resets) = (None, 0);
    loop {
        tokio::select! {
            () = shared.end.notified(), if number == 0 => {
                let id = first.unwrap();
                frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
                frames.frame(DATA, END_STREAM, id, b"done").await;
            }
            frame = frames.next() => match frame {
                None => return,
                Some((HEADERS, id, _)) => {
                    first.get_or_insert(id);
                    shared.came.send(()).unwrap();
                }
                Some((RST_STREAM, id, _)) => {
                    for _ in 0..late {
                        frames.frame(DATA, 0, id, b"x").await;
                    }
                    resets += 1;
                    if resets > bears {
                        let calm = [0, 0, 0, 1, 0, 0, 0, 11];
                        return frames.frame(GOAWAY, 0, 0, &calm).await;
                    }
                }
                Some(_) => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_again_and_again_ends_no_request_of_others() {
    // As many as Tomcat does, of those who do nothing else.
    let api = leaving(Upstream { bears: 3, late: 0 }).await;
    // A new one for each two of them, and those that were left have ended.
    let made = api.agreed().len();
    assert!((LEAVE / 3..=LEAVE / 2 + 1).contains(&made), "{made}");
    api.ended(made - 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_pieces_for_callers_who_have_left_end_no_request_of_others() {
    leaving(Upstream {
        bears: 100,
        late: 1000,
    })
    .await;
}

/// One caller waits for an answer while others leave.
async fn leaving(upstream: Upstream) -> Framed {
    let (came, mut comes) = mpsc::unbounded_channel();
    let shared = Shared {
        came,
        end: Arc::default(),
    };
    let api = Framed::frames(&shared, move |frames, number, shared| {
        serve(frames, number, shared, upstream)
    })
    .await;
    let proxy = api.proxy();
    let mut comes = async || {
        timeout(PATIENCE, comes.recv())
            .await
            .expect("it never came")
    };
    let mut waiting = proxy.caller().await;
    let post = "POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
    waiting.write(post).await;
    comes().await;
    for _ in 0..LEAVE {
        let mut leaving = proxy.caller().await;
        leaving.begin("/api/x").await;
        comes().await;
    }
    shared.end.notify_one();
    let answer = timeout(PATIENCE, waiting.answer(false)).await;
    assert_eq!(answer.expect("it hangs").unwrap().text(), "done");
    api
}
