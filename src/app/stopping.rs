//! The end of the running proxy: its drain, its deadline, and what is worth more than an exit in time.

use std::time::Duration;

use tokio::time;

use super::App;
use crate::server::{CUT, drain};

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every request ended by itself, and what logins brought is stored.
    Drained,
    /// Some were cut at the deadline, or something is not stored.
    Cut,
}

impl App {
    /// Runs until `stop` ends, then drains as [`App::stop`] does. Not to be called on a runtime's thread.
    pub fn run_until(
        self,
        stop: impl Future<Output = ()>,
        now: impl Future<Output = ()> + Send,
    ) -> Stopped {
        if let Some(control) = &self.control {
            control.block_on(stop);
        }
        tracing::info!("stopping: requests in flight are finished first");
        self.stop(now)
    }

    /// Drains and stops; blocks until the last thread has ended or was cut. `now` is a second wish to stop: it
    /// cuts at once. Not to be called on a runtime's thread.
    pub fn stop(mut self, now: impl Future<Output = ()> + Send) -> Stopped {
        let Some(control) = self.control.take() else {
            return Stopped::Cut;
        };
        let mut threads = Vec::new();
        let mut ends = Vec::new();
        for worker in self.workers.drain(..) {
            threads.push(worker.thread);
            ends.push(worker.ended);
        }
        let all_ended = async {
            for end in ends {
                let _ = end.await;
            }
        };
        let server = self.running.served().config.server.clone();
        let (delay, timeout) = (server.drain_delay, server.drain_timeout);
        let (mut now, mut all_ended) = (std::pin::pin!(now), std::pin::pin!(all_ended));
        let (drained, cut) = control.block_on(async {
            let floor = &self.running.floor;
            tokio::select! {
                drained = drain(floor, delay, timeout, &mut all_ended) => (drained, false),
                () = &mut now => (false, true),
            }
        });
        match (drained, cut) {
            (true, _) => tracing::info!("drained: every request in flight was finished"),
            (_, true) => tracing::warn!("asked to stop again: what is still in flight is cut"),
            _ => tracing::warn!("drain_timeout is over: what is still in flight is cut"),
        }
        self.end();
        if cut {
            // What was cut is logged as well.
            let _ = control.block_on(async { time::timeout(CUT, all_ended).await });
        }
        // What a login brought, and most of all a refresh token, is worth more than an exit in time.
        let settled = control.block_on(async {
            if !cut {
                tokio::select! {
                    settled = self.unfinished.settle(SETTLE) => return settled,
                    () = &mut now => {}
                }
            }
            self.unfinished.settle(LAST_SETTLE).await
        });
        if !settled {
            tracing::error!("stopping although the store was not done");
        }
        if drained {
            for thread in threads {
                let _ = thread.join();
            }
        }
        control.shutdown_timeout(Duration::from_secs(1));
        match drained && settled {
            true => Stopped::Drained,
            false => Stopped::Cut,
        }
    }

    pub(super) fn end(&self) {
        self.running.floor.drain.cancel();
        self.running.floor.cut.cancel();
        // A file that is left over gives way to the next process.
        if let Some(mut turn) = self.running.turn_now() {
            turn.listeners.remove_files();
        }
        self.admin_end.cancel();
    }
}

/// How long a stop waits for logins whose outcome is to be stored, and for the store.
const SETTLE: Duration = Duration::from_secs(20);
/// The same after a second wish to stop: most logins take less, and a refresh token whose successor is lost is lost for ever.
const LAST_SETTLE: Duration = Duration::from_secs(5);
