//! [`Driver`]: the task of one connection. It moves the frames, notices a connection that is dead or was idle for too
//! long, and ends with it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::Connection;
use h2::{Ping, PingPong};
use tokio::time::{Interval, MissedTickBehavior};

use super::pulse::{Pulse, Watched};
use crate::egress::connect::Stream;
use crate::egress::connection::Open;

/// The task of a connection.
pub(super) struct Driver {
    connection: Connection<Watched<Stream>, Bytes>,
    pings: Option<PingPong>,
    pulse: Arc<Pulse>,
    ticks: Interval,
    /// What had come at the last tick.
    heard: u64,
    /// Ticks since the connection was made.
    age: u32,
    /// Ticks since a request was on it.
    idle: u32,
    /// Ticks since a ping was sent.
    since_ping: u32,
    /// A ping was sent, and nothing has come since.
    asked: bool,
    _open: Open,
}

impl Driver {
    pub(super) fn new(
        mut connection: Connection<Watched<Stream>, Bytes>,
        pulse: Arc<Pulse>,
        open: Open,
    ) -> Self {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            pings: connection.ping_pong(),
            connection,
            heard: pulse.read(),
            pulse,
            ticks,
            age: 0,
            idle: 0,
            since_ping: BETWEEN_PINGS,
            asked: false,
            _open: open,
        }
    }

    /// Looks whether the connection lives. `false`: it is to end at once.
    fn tick(&mut self, cx: &mut Context<'_>) -> bool {
        self.age += 1;
        self.since_ping = self.since_ping.saturating_add(1);
        self.idle = if self.pulse.is_busy() {
            0
        } else {
            self.idle + 1
        };
        if self.idle >= LONGEST_IDLE || self.age >= LONGEST_LIFE {
            // Without requests it ends once the pool has forgotten it.
            self.pulse.retire();
        }
        if self.idle >= LONGEST_IDLE + LINGER {
            return false;
        }
        let heard = self.pulse.read();
        let Some(pings) = &mut self.pings else {
            return true;
        };
        // Another can be sent only when this was seen.
        let _ = pings.poll_pong(cx);
        if heard != self.heard || self.idle > 0 {
            self.heard = heard;
            self.asked = false;
        } else if self.asked {
            return self.since_ping < PATIENCE;
        } else if self.since_ping >= BETWEEN_PINGS {
            self.asked = pings.send_ping(Ping::opaque()).is_ok();
            self.since_ping = 0;
        }
        true
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        while this.ticks.poll_tick(cx).is_ready() {
            if !this.tick(cx) {
                tracing::debug!("an HTTP/2 connection is dead or was not used: closed");
                this.pulse.retire();
                return Poll::Ready(());
            }
        }
        let ended = Pin::new(&mut this.connection).poll(cx);
        if ended.is_ready() {
            this.pulse.retire();
        }
        // What ended it is told to those whose requests were on it.
        ended.map(drop)
    }
}

const TICK: Duration = Duration::from_secs(5);
/// In ticks: as long as a connection of HTTP/1.1.
const LONGEST_IDLE: u32 = 6;
/// How long an idle one may take to say good-bye.
const LINGER: u32 = 2;
/// An hour: so that requests come to new addresses of a name, and to all machines behind it.
const LONGEST_LIFE: u32 = 720;
/// Pings are sent only while requests wait and nothing comes; more often than this, some servers take them for an attack.
const BETWEEN_PINGS: u32 = 3;
/// How long the answer to a ping may take.
const PATIENCE: u32 = 2;
