//! Both readers, before the same upstream.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, StatusCode};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Case, End, Outcome};
use crate::egress::exchange::{Exchange, Head};

/// An upstream that says this, piece by piece, and then closes or stays silent.
struct Script {
    pieces: VecDeque<Vec<u8>>,
    closes: bool,
    written: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // An answer comes behind its request.
        if self.written.lock().unwrap().is_empty() {
            return Poll::Pending;
        }
        let Some(piece) = self.pieces.front_mut() else {
            return match self.closes {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            };
        };
        let count = piece.len().min(buf.remaining());
        buf.put_slice(&piece[..count]);
        piece.drain(..count);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Script {
    fn of(case: &Case) -> Self {
        Self {
            pieces: case.pieces.clone().into(),
            closes: case.closes,
            written: Arc::default(),
        }
    }
}

pub(crate) fn by_ours(case: &Case) -> Outcome {
    let mut cx = Context::from_waker(Waker::noop());
    let mut exchange = Exchange::<_, Full<Bytes>>::new(Script::of(case));
    let head = Head {
        method: &case.method,
        target: "/",
        host: "h",
        fields: &HeaderMap::new(),
        own: &[],
    };
    exchange.begin(&head, Full::default());
    let answer = match exchange.poll_head(&mut cx, &mut 0) {
        Poll::Pending => return Outcome::Waits,
        Poll::Ready(Err(_)) => return Outcome::Refused,
        Poll::Ready(Ok(answer)) => answer,
    };
    let mut body = Vec::new();
    let end = loop {
        match exchange.poll_body(&mut cx, &mut 0) {
            Poll::Pending => break End::Open,
            Poll::Ready(Some(Ok(bytes))) => body.extend_from_slice(&bytes),
            Poll::Ready(Some(Err(_))) => break End::Cut,
            Poll::Ready(None) if exchange.rest() && exchange.is_live() => break End::Kept,
            Poll::Ready(None) => break End::Whole,
        }
    };
    Outcome::Answer {
        status: answer.status(),
        fields: answer.headers().clone(),
        body,
        end,
    }
}

/// What goes to an upstream for a request with this body.
pub(crate) fn written(head: &Head<'_>, body: &[u8]) -> Vec<u8> {
    let case = Case {
        method: head.method.clone(),
        pieces: Vec::new(),
        closes: false,
    };
    let script = Script::of(&case);
    let written = script.written.clone();
    let mut exchange = Exchange::new(script);
    exchange.begin(head, Full::new(Bytes::copy_from_slice(body)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(exchange.poll_head(&mut cx, &mut 0).is_pending());
    written.lock().unwrap().clone()
}

pub(crate) fn by_hyper(case: &Case) -> Outcome {
    let mut cx = Context::from_waker(Waker::noop());
    let io = TokioIo::new(Script::of(case));
    let handshake = pin!(http1::handshake::<_, Full<Bytes>>(io)).poll(&mut cx);
    let Poll::Ready(Ok((mut sender, driver))) = handshake else {
        panic!("hyper waits before it is asked");
    };
    let mut driver = Some(Box::pin(driver));
    let mut drive = move |cx: &mut Context<'_>| {
        // Nothing wakes it: what one poll leaves behind is for the next.
        for _ in 0..4 {
            if let Some(running) = &mut driver
                && running.as_mut().poll(cx).is_ready()
            {
                driver = None;
            }
        }
        driver.is_some()
    };
    let request = Request::builder().method(&case.method).uri("/");
    let request = request.header("host", "h").body(Full::default()).unwrap();
    let mut sent = pin!(sender.try_send_request(request));
    let runs = drive(&mut cx);
    let answer = match sent.as_mut().poll(&mut cx) {
        Poll::Ready(Ok(answer)) => answer,
        Poll::Pending if runs => return Outcome::Waits,
        Poll::Ready(Err(_)) | Poll::Pending => return Outcome::Refused,
    };
    let (head, incoming) = answer.into_parts();
    let Some(fields) = acceptable(head.status, head.headers) else {
        return Outcome::Refused;
    };
    let may_keep = !(fields.contains_key(TRANSFER_ENCODING) && fields.contains_key(CONTENT_LENGTH));
    let (body, end) = read_body(incoming, &mut drive);
    let may_serve = may_keep && drive(&mut cx) && sender.is_ready();
    let end = match end {
        End::Kept if !may_serve => End::Whole,
        end => end,
    };
    Outcome::Answer {
        status: head.status,
        fields,
        body,
        end,
    }
}

fn read_body(
    mut incoming: Incoming,
    drive: &mut impl FnMut(&mut Context<'_>) -> bool,
) -> (Vec<u8>, End) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut body = Vec::new();
    loop {
        let frame = match Pin::new(&mut incoming).poll_frame(&mut cx) {
            Poll::Pending => {
                drive(&mut cx);
                Pin::new(&mut incoming).poll_frame(&mut cx)
            }
            ready @ Poll::Ready(_) => ready,
        };
        match frame {
            Poll::Pending => return (body, End::Open),
            Poll::Ready(Some(Ok(frame))) => {
                body.extend_from_slice(&frame.into_data().unwrap_or_default());
            }
            Poll::Ready(Some(Err(_))) => return (body, End::Cut),
            Poll::Ready(None) => return (body, End::Kept),
        }
    }
}

/// The rules that hyper does not have. `None`: not to be passed on.
fn acceptable(status: StatusCode, mut fields: HeaderMap) -> Option<HeaderMap> {
    if status == StatusCode::SWITCHING_PROTOCOLS || status.as_u16() > 599 {
        return None;
    }
    let codings: Vec<_> = fields.get_all(TRANSFER_ENCODING).iter().collect();
    let plain = match codings[..] {
        [] => true,
        [one] => one.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    let mut length = None;
    for line in fields.get_all(CONTENT_LENGTH) {
        for part in line.as_bytes().split(|byte| *byte == b',') {
            let digits = str::from_utf8(part.trim_ascii()).ok()?;
            let one: u64 = digits.parse().ok()?;
            if digits.starts_with('+') || length.is_some_and(|length| length != one) {
                return None;
            }
            length = Some(one);
        }
    }
    if let Some(length) = length {
        fields.insert(CONTENT_LENGTH, length.into());
    }
    plain.then_some(fields)
}
