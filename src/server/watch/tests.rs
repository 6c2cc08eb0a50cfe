//! How long callers may keep a connection waiting, on a clock that is moved by hand.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::*;
use crate::server::untaken::Shared;

const HEADER: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(75);

fn watch() -> (Watch, Entry) {
    let watch = Watch::with(HEADER, IDLE);
    let entry = watch.enter(Arc::default());
    (watch, entry)
}

/// Swept now, and again after a while.
async fn is_over_after(watch: &Watch, entry: &Entry, wait: Duration) -> bool {
    let sweep = || watch.over(&entry.state, millis(watch.start), watch.idle_timeout);
    sweep();
    tokio::time::advance(wait).await;
    sweep()
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_over_in_the_time_for_heads_and_silence_in_the_time_for_idleness() {
    let (watch, entry) = watch();
    assert!(!is_over_after(&watch, &entry, IDLE).await);
    assert!(is_over_after(&watch, &entry, IDLE / 9).await);
    let entry = watch.enter(Arc::default());
    entry.bytes_came();
    assert!(!is_over_after(&watch, &entry, HEADER).await);
    assert!(is_over_after(&watch, &entry, HEADER / 9).await);
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_is_never_over() {
    let (watch, entry) = watch();
    entry.bytes_came();
    let active = entry.request();
    entry.bytes_came();
    assert!(!is_over_after(&watch, &entry, IDLE * 99).await);
    drop(active);
    assert!(!is_over_after(&watch, &entry, IDLE).await);
    assert!(is_over_after(&watch, &entry, IDLE).await);
}

#[tokio::test(start_paused = true)]
async fn frames_between_requests_are_not_the_beginning_of_a_head() {
    let (watch, entry) = watch();
    entry.speaks_frames();
    entry.bytes_came();
    drop(entry.request());
    entry.bytes_came();
    assert!(!is_over_after(&watch, &entry, HEADER * 2).await);
    assert!(is_over_after(&watch, &entry, IDLE).await);
    let silent = watch.enter(Arc::default());
    silent.speaks_frames();
    silent.bytes_came();
    assert!(is_over_after(&watch, &silent, HEADER * 2).await);
}

#[tokio::test(start_paused = true)]
async fn who_was_told_to_go_may_begin_requests_for_the_time_of_a_head() {
    let (_, entry) = watch();
    tokio::time::advance(IDLE).await;
    assert!(!entry.is_too_late());
    entry.told_to_go(HEADER);
    tokio::time::advance(HEADER).await;
    assert!(!entry.is_too_late());
    assert!(!entry.state.cut.is_cancelled());
    tokio::time::advance(HEADER / 9).await;
    assert!(entry.is_too_late());
    assert!(entry.state.cut.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_takes_nothing_of_an_answer_is_over_in_the_end() {
    let (watch, entry) = watch();
    let active = entry.request();
    entry.wrote(true);
    assert!(!is_over_after(&watch, &entry, IDLE * STUCK).await);
    entry.wrote(false);
    assert!(!is_over_after(&watch, &entry, IDLE * STUCK).await);
    entry.wrote(true);
    entry.wrote(true);
    assert!(is_over_after(&watch, &entry, IDLE * 5).await);
    drop(active);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_still_being_taken_is_not_idle() {
    let (watch, entry) = watch();
    let active = entry.request();
    entry.wrote(true);
    drop(active);
    assert!(!is_over_after(&watch, &entry, IDLE).await);
    entry.wrote(false);
    assert!(!is_over_after(&watch, &entry, IDLE).await);
    assert!(is_over_after(&watch, &entry, IDLE).await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_rests_once_for_each_time_that_it_is_idle() {
    let (watch, entry) = watch();
    let may_rest = || entry.state.may_rest(millis(watch.start));
    assert!(!may_rest());
    tokio::time::advance(REST * 2).await;
    assert!(may_rest());
    assert!(!may_rest());
    let active = entry.request();
    tokio::time::advance(REST * 9).await;
    assert!(!may_rest());
    drop(active);
    assert!(!may_rest());
    tokio::time::advance(REST).await;
    entry.bytes_came();
    assert!(!may_rest());
    drop(entry.request());
    entry.wrote(true);
    tokio::time::advance(REST).await;
    assert!(!may_rest());
    entry.wrote(false);
    assert!(!may_rest());
    tokio::time::advance(REST).await;
    assert!(may_rest());
}

/// A body without end, or one that waits for its upstream.
struct Pieces {
    come: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.come {
            true => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x"))))),
            false => Poll::Pending,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_which_its_caller_takes_nothing_for_long_is_given_up_and_no_other() {
    let (watch, entry) = watch();
    entry.speaks_frames();
    let begin = |come| Shared::new(Pieces { come }, Some(entry.request()), entry.clone());
    let (untaken, slow, waiting) = (begin(true), begin(true), begin(false));
    let take = |answer: &Shared<Pieces>| {
        let mut cx = Context::from_waker(Waker::noop());
        answer.poll_frame(&mut cx)
    };
    assert!(take(&untaken).is_ready() && take(&waiting).is_pending());
    let limit = IDLE * STUCK;
    for _ in 0..4 {
        let sweep = || entry.state.look_after_answers(limit, millis(watch.start));
        sweep();
        tokio::time::advance(limit / 3 + Duration::from_secs(1)).await;
        assert!(matches!(take(&slow), Poll::Ready(Some(Ok(_)))), "given up");
        sweep();
    }
    assert!(matches!(take(&untaken), Poll::Ready(Some(Err(_)))), "kept");
    assert!(take(&waiting).is_pending(), "given up");
    assert_eq!(entry.state.active.load(Ordering::Relaxed), 2);
    drop((untaken, slow, waiting));
    assert_eq!(entry.state.active.load(Ordering::Relaxed), 0);
    assert!(entry.state.answers().is_empty());
}
