//! How long callers may keep a connection waiting, on a clock that is moved by hand.

use super::*;

const HEADER: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(75);

fn watch() -> (Watch, Entry) {
    let watch = Watch::with(HEADER, IDLE);
    let entry = watch.enter();
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
    let entry = watch.enter();
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
    let silent = watch.enter();
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
