//! Time, twice: the monotonic clock and the wall clock, read together.
//!
//! A token's age is the larger of the two (a laptop sleeps, a clock is stepped), so nothing here
//! works with one of them alone.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since the clock was made; never goes back, may stand still while the machine sleeps.
    pub mono: Duration,
    /// Time since the Unix epoch; may be stepped either way.
    pub wall: Duration,
}

impl Now {
    /// The time since `earlier`: the larger of both clocks' answers.
    pub fn since(&self, earlier: Self) -> Duration {
        let mono = self.mono.saturating_sub(earlier.mono);
        mono.max(self.wall.saturating_sub(earlier.wall))
    }
}

/// Reads both clocks. Cheap to clone.
#[derive(Clone)]
pub struct Clock {
    start: Instant,
    wall: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self::with_wall(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that reads the wall clock"
            )]
            let now = SystemTime::now();
            now.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
        })
    }

    /// The machine's (or tokio's paused) monotonic clock, and `wall` for the other.
    pub fn with_wall(wall: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            start: Instant::now(),
            wall: Arc::new(wall),
        }
    }

    /// Both clocks, now.
    pub fn now(&self) -> Now {
        self.at(Instant::now())
    }

    /// Both clocks, for a monotonic instant that was just read (the request path reads it once).
    pub fn at(&self, instant: Instant) -> Now {
        Now {
            mono: self.mono(instant),
            wall: (self.wall)(),
        }
    }

    /// The monotonic clock's reading at `instant`; costs a subtraction.
    pub fn mono(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.start)
    }

    /// The monotonic instant that lies `mono` after this clock's start.
    pub fn instant(&self, mono: Duration) -> Instant {
        self.start + mono
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
