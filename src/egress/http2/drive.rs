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

use super::health::{Health, Seen, Step};
use super::pulse::Pulse;
use super::watched::Watched;
use crate::egress::connect::Stream;
use crate::egress::connection::Open;

/// The task of a connection.
pub(super) struct Driver {
    connection: Connection<Watched<Stream>, Bytes>,
    pings: Option<PingPong>,
    pulse: Arc<Pulse>,
    ticks: Interval,
    health: Health,
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
            pulse,
            ticks,
            health: Health::default(),
            _open: open,
        }
    }

    /// Looks whether the connection lives. `false`: it is to end at once.
    fn tick(&mut self, cx: &mut Context<'_>) -> bool {
        let step = self.health.tick(Seen::of(&self.pulse));
        match step {
            Step::Wait => {}
            Step::Ping => {
                if let Some(pings) = &mut self.pings {
                    // Another can be sent only when the answer to the last was seen.
                    let _ = pings.poll_pong(cx);
                    let _ = pings.send_ping(Ping::opaque());
                }
            }
            Step::Doubt => self.pulse.doubt(),
            // Without requests it ends once the pool has forgotten it.
            Step::Retire => self.pulse.retire(),
            Step::End => return false,
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
        let mut ended = Pin::new(&mut this.connection).poll(cx);
        if this.pulse.are_out() && ended.is_pending() {
            ended = Pin::new(&mut this.connection).poll(cx);
        }
        this.pulse.end_turn();
        if this.pulse.is_full() {
            this.pulse.gather();
        }
        if ended.is_ready() {
            this.pulse.retire();
        }
        // What ended it is told to those whose requests were on it.
        ended.map(drop)
    }
}

const TICK: Duration = Duration::from_secs(5);
