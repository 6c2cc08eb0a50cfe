//! HTTP/2 to an upstream: one connection for many requests.
//!
//! What a connection does for all of them (frames, windows, pings) its own task does, on the runtime of the worker that
//! made it. What belongs to one request is done by whoever waits for its answer, as in HTTP/1.1: its body is taken only as
//! there is room, its answer as it is read, and dropping it resets its stream.
//!
//! How many requests a connection takes, and how long it lives, is the upstream's to say, and to change at any time. So the
//! pool counts connections from before they are made until their task has ended, not those that are of use.

mod answer;
mod drive;
mod frames;
mod health;
mod incoming;
mod lanes;
mod pulse;
mod request;
mod session;
mod stream;
mod watched;

pub(super) use self::lanes::Lanes;
pub(super) use self::session::Session;
pub(super) use self::stream::Exchange;
use super::exchange::Fault;

impl Fault {
    fn of_frames(error: h2::Error) -> Self {
        let who = match error.is_remote() {
            true => "the upstream",
            false => "this side",
        };
        let what = match error.is_reset() {
            true => "stream",
            false => "connection",
        };
        match error.reason() {
            Some(reason) => Self::Frames { who, what, reason },
            None => match error.into_io() {
                Some(error) => Self::Io(error),
                None => Self::Ended,
            },
        }
    }
}
