//! A connection on which nothing comes any more, although it is open: a machine that sleeps, a way that is gone.

use tokio::sync::mpsc;

use crate::support::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS};
use crate::support::{Framed, TestProxy};

/// What came, and over which connection.
type Came = mpsc::UnboundedSender<(usize, &'static str)>;

/// The first connection goes silent behind the answer to one request; on others, whatever is asked is answered.
async fn silent(came: &Came) -> Framed {
    Framed::frames(came, |mut frames, number, came| async move {
        let tell = |what| came.send((number, what)).unwrap();
        let mut is_first = true;
        frames.frame(SETTINGS, 0, 0, &[]).await;
        while let Some((kind, id, _)) = frames.next().await {
            match kind {
                HEADERS => tell("request"),
                PING => tell("ping"),
                _ => {}
            }
            if kind == HEADERS && (std::mem::take(&mut is_first) || number > 0) {
                frames.frame(HEADERS, END_HEADERS, id, &[0x88]).await;
                frames.frame(DATA, END_STREAM, id, b"ok").await;
            }
        }
        tell("end");
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_went_silent_is_asked_and_given_up_which_costs_no_get_and_doubles_no_post()
 {
    let (came, mut comes) = mpsc::unbounded_channel();
    let api = silent(&came).await;
    // None of what follows is by this clock.
    let proxy = TestProxy::start(&api.upstream("http2 = true\nresponse_timeout = \"10m\""));
    assert_eq!(proxy.get("/api/before").await.text(), "ok");
    assert_eq!(comes.recv().await, Some((0, "request")));
    let (mut get, mut post) = (proxy.caller().await, proxy.caller().await);
    get.begin("/api/get").await;
    assert_eq!(comes.recv().await, Some((0, "request")));
    let asked = "POST /api/post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
    post.write(asked).await;
    assert_eq!(comes.recv().await, Some((0, "request")));
    let (get, post) = tokio::join!(get.answer(false), post.answer(false));
    let (get, post) = (get.unwrap(), post.unwrap());
    assert_eq!((get.status, get.text().as_str()), (200, "ok"));
    assert_eq!((post.status, post.code().as_str()), (502, "UA-0403"));
    api.ended(1).await;
    let mut came: Vec<_> = std::iter::from_fn(|| comes.try_recv().ok()).collect();
    // The next connection may have come before the end of this one was seen.
    came.sort_by_key(|(number, _)| *number);
    assert_eq!(came, [(0, "ping"), (0, "end"), (1, "request")]);
}
