//! [`Incoming`]: the body of an answer. Whoever waits for it takes it; what it is slow to take, the connection's task puts
//! together meanwhile.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use h2::RecvStream;

/// The body of an answer.
pub(super) struct Incoming {
    stream: RecvStream,
    /// How much is to come, where that was said.
    left: Option<u64>,
    /// What was given out, but not taken yet: the upstream may not send as much again.
    given: usize,
    /// What was gathered. The upstream may not send as much again either: with what h2 has of it, it is a window at most.
    kept: VecDeque<BytesMut>,
    /// Who waits.
    waker: Option<Waker>,
}

impl Incoming {
    /// A body of which so much is to come.
    pub(super) fn shared(stream: RecvStream, left: Option<u64>) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            stream,
            left,
            given: 0,
            kept: VecDeque::new(),
            waker: None,
        }))
    }

    pub(super) fn lock(shared: &Mutex<Self>) -> MutexGuard<'_, Self> {
        shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much is to come, where that was said.
    pub(super) fn left(&self) -> Option<u64> {
        self.left
    }

    /// Whether that was all.
    pub(super) fn is_over(&self) -> bool {
        self.kept.is_empty() && self.stream.is_end_stream()
    }

    /// The next piece; `None`: that was all.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, h2::Error>> {
        // Whoever asks for more has taken what it had.
        let given = std::mem::take(&mut self.given);
        if given > 0 {
            self.stream.flow_control().release_capacity(given)?;
        }
        let piece = match self.kept.pop_front() {
            Some(piece) => Some(piece.freeze()),
            None => ready!(self.poll_stream(cx))?,
        };
        if let Some(piece) = &piece {
            self.given = piece.len();
            let left = self.left;
            self.left = left.map(|left| left.saturating_sub(piece.len() as u64));
        }
        Poll::Ready(Ok(piece))
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, h2::Error>> {
        loop {
            match self.stream.poll_data(cx) {
                Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {}
                Poll::Ready(Some(piece)) => return Poll::Ready(piece.map(Some)),
                Poll::Ready(None) => break,
                Poll::Pending => {
                    self.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        // They are not forwarded; behind them is the end.
        let trailers = ready!(self.stream.poll_trailers(cx));
        Poll::Ready(trailers.map(|_| None))
    }

    /// Takes what is there. An end is left to whoever waits, as is an error: they come again.
    pub(super) fn gather(&mut self) {
        // Who waits was woken for what is there, and is to be woken for what comes.
        let waker = self.waker.take();
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        while let Poll::Ready(Some(Ok(bytes))) = self.stream.poll_data(&mut cx) {
            self.keep(&bytes);
        }
        self.waker = waker;
    }

    fn keep(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.kept.back_mut().filter(|last| last.len() < PIECE) {
                Some(last) => {
                    let (part, rest) = bytes.split_at(bytes.len().min(PIECE - last.len()));
                    last.extend_from_slice(part);
                    bytes = rest;
                }
                None => self.kept.push_back(BytesMut::with_capacity(PIECE)),
            }
        }
    }
}

/// As large as a frame, so that it is given out as it would have been.
const PIECE: usize = 16 * 1024;
