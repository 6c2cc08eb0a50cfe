//! [`Health`]: whether a connection lives, by what is seen of it each [tick](super::drive).

use super::pulse::Pulse;

/// What a tick sees.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    /// How many bytes have come in all.
    heard: u64,
    /// The socket has had no room for all that there is to write, for a second at least.
    blocked: bool,
    /// How often it had some again.
    freed: u64,
    /// A slow way may hold much in front of a ping, though the socket was never full.
    holds_much: bool,
    /// The same, of bodies that are answered by now, or that nobody waits for any more.
    abandoned: bool,
    /// How many requests there were in all.
    requests: u64,
    /// Some are on it now.
    busy: bool,
}

impl Seen {
    pub(super) fn of(pulse: &Pulse) -> Self {
        Self {
            heard: pulse.read(),
            blocked: pulse.is_blocked(),
            freed: pulse.freed(),
            holds_much: pulse.holds_much(),
            abandoned: pulse.was_abandoned(),
            requests: pulse.requests(),
            busy: pulse.is_busy(),
        }
    }
}

/// How a connection is, tick by tick. All times are ticks.
pub(super) struct Health {
    last: Seen,
    age: u32,
    /// Since a request was on it.
    idle: u32,
    since_ping: u32,
    /// How long after the last ping the next may be.
    between_pings: u32,
    /// A ping was sent, and nothing has come since.
    asked: bool,
    /// Since nothing moves although it should.
    waits: u32,
    /// Since its socket was seen blocked, or a body was left on its way.
    since_blocked: u32,
}

/// What follows a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    /// Ask whether it lives.
    Ping,
    /// Others where there is another way.
    Doubt,
    /// No more requests.
    Retire,
    /// It is of no use.
    End,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            last: Seen::default(),
            age: 0,
            idle: 0,
            since_ping: BETWEEN_PINGS,
            between_pings: BETWEEN_PINGS,
            asked: false,
            waits: 0,
            since_blocked: LONG_PATIENCE,
        }
    }
}

impl Health {
    pub(super) fn tick(&mut self, now: Seen) -> Step {
        let last = std::mem::replace(&mut self.last, now);
        // Who came and left between two ticks was on it as well.
        let used = now.busy || now.requests != last.requests;
        let silent = now.heard == last.heard;
        // What a socket that was full has room for again, the other side has taken. What it buffers before says nothing.
        let freed = now.freed != last.freed;
        let still = silent && !freed;
        self.age += 1;
        self.since_ping = self.since_ping.saturating_add(1);
        self.idle = if used { 0 } else { self.idle + 1 };
        if now.requests != last.requests {
            self.between_pings = BETWEEN_PINGS;
        }
        // Only what comes answers a ping, whoever is on the connection meanwhile.
        self.asked &= silent;
        let waits = still && (self.asked || now.blocked);
        self.waits = if waits { self.waits + 1 } else { 0 };
        // The answer to a ping stands behind all that a slow way holds, and that may be much.
        let since_blocked = self.since_blocked.saturating_add(1);
        let is_slow = now.blocked || now.abandoned;
        self.since_blocked = if is_slow { 0 } else { since_blocked };
        let patience = match now.holds_much || self.since_blocked < LONG_PATIENCE {
            true => LONG_PATIENCE,
            false => PATIENCE,
        };
        let dead = self.waits >= patience;
        let asks = used && still && !now.blocked && !self.asked;
        if dead || self.idle >= LONGEST_IDLE + LINGER {
            Step::End
        } else if self.idle >= LONGEST_IDLE || self.age == LONGEST_LIFE {
            Step::Retire
        } else if self.waits >= PATIENCE {
            // Each time: it may have been used on because there was no other at that moment.
            Step::Doubt
        } else if asks && self.since_ping >= self.between_pings {
            self.asked = true;
            self.since_ping = 0;
            self.between_pings = self.between_pings.saturating_mul(2);
            Step::Ping
        } else {
            Step::Wait
        }
    }
}

/// As long as a connection of HTTP/1.1.
const LONGEST_IDLE: u32 = 6;
/// How long an idle one may take to say good-bye.
const LINGER: u32 = 2;
/// An hour: so that requests come to new addresses of a name, and to all machines behind it.
const LONGEST_LIFE: u32 = 720;
/// Pings are sent only while requests wait and nothing comes; more often than this, some servers take them for an attack. Others add
/// them up until a request comes (Tomcat ends a connection for a dozen): while none does, each comes twice as long after the last.
const BETWEEN_PINGS: u32 = 3;
/// How long the answer to a ping may take.
const PATIENCE: u32 = 2;
/// The same behind what a slow way holds, for as long as it may hold that, and how long it may take nothing at all. Others have
/// another connection by then; what waits on it and only reads is sent again, unless it was the first on it.
const LONG_PATIENCE: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows each of these ticks.
    fn steps(ticks: impl IntoIterator<Item = Seen>) -> Vec<Step> {
        let mut health = Health::default();
        ticks.into_iter().map(|seen| health.tick(seen)).collect()
    }

    fn seen(heard: u64, requests: u64, busy: bool) -> Seen {
        Seen {
            heard,
            requests,
            busy,
            ..Seen::default()
        }
    }

    #[test]
    fn a_connection_on_which_nothing_comes_is_asked_and_then_given_up() {
        use Step::{End, Ping, Wait};
        let busy = |heard: &[u64]| steps(heard.iter().map(|heard| seen(*heard, 1, true)));
        // It has said something at first.
        assert_eq!(busy(&[9, 9, 9, 9]), [Wait, Ping, Wait, End]);
        // What comes late is an answer as well, and so is what nobody asked for.
        assert_eq!(busy(&[9, 9, 9, 10, 11]), [Wait, Ping, Wait, Wait, Wait]);
        // One that only ever answers is asked more and more seldom, until another request is on it.
        let quiet = |requests: u64| {
            let mut health = Health::default();
            let mut pongs = 0;
            let step = |tick: u64| {
                let requests = if tick > 60 { requests } else { 1 };
                let step = health.tick(seen(9 + pongs, requests, true));
                pongs += u64::from(step == Ping);
                (step == Ping).then_some(tick)
            };
            (1..100).filter_map(step).collect::<Vec<_>>()
        };
        assert_eq!(quiet(1), [2, 8, 20, 44, 92]);
        assert_eq!(quiet(2), [2, 8, 20, 44, 61, 67, 79]);
    }

    #[test]
    fn callers_who_come_now_and_then_and_leave_soon_keep_no_dead_connection() {
        use Step::{End, Ping, Wait};
        // One is on it at a tick, or none is and a second has been.
        for busy in [true, false] {
            let ticks = [(1, false), (2, busy), (2, false), (2, false)];
            let ticks = ticks.map(|(requests, busy)| seen(9, requests, busy));
            assert_eq!(steps(ticks), [Wait, Ping, Wait, End], "{busy}");
        }
    }

    #[test]
    fn a_connection_that_takes_what_is_sent_is_not_given_up_though_nothing_comes() {
        use Step::{Doubt, End, Ping, Wait};
        // The socket is full at each of these ticks or not, and has had room again so often.
        let upload = |ticks: &[(bool, u64)]| {
            let ticks = ticks.iter().map(|(blocked, freed)| Seen {
                blocked: *blocked,
                freed: *freed,
                ..seen(9, 1, true)
            });
            steps(ticks)
        };
        // It takes some, in steps far apart, and is asked only when all is in the sockets, where a ping stands behind it.
        let taken = |tick: u64| (true, tick / 2);
        let rest = [(false, 9); 26];
        let slow: Vec<_> = (0..20).map(taken).chain(rest).collect();
        let steps = upload(&slow);
        let (uploading, rest) = steps.split_at(20);
        assert_eq!(uploading, [Wait; 20]);
        assert_eq!(rest[..3], [Ping, Wait, Doubt]);
        assert_eq!(rest[3..8], [Doubt; 5]);
        assert_eq!(rest[8], End);
        // What takes nothing any more is dead, but may have been slow.
        let full = upload(&[(true, 1); 26]);
        assert_eq!(full[..4], [Wait, Wait, Doubt, Doubt]);
        assert_eq!((full[8], full[9]), (Doubt, End));
        // The sockets may hold all of it.
        let held = Seen {
            holds_much: true,
            ..seen(9, 1, true)
        };
        let held = self::steps([held; 26]);
        assert_eq!(held[..4], [Wait, Ping, Wait, Doubt]);
        assert_eq!((held[9], held[10]), (Doubt, End));
        // Whoever sent that may have left.
        let left = Seen {
            abandoned: true,
            ..seen(9, 1, true)
        };
        let left = self::steps([left].into_iter().chain([seen(9, 1, true); 8]));
        assert_eq!(left[..4], [Wait, Ping, Wait, Doubt]);
        assert!(!left.contains(&End));
        // Nor does it live by what the socket takes before it is full.
        let filled = upload(&[(false, 0), (false, 0), (false, 0), (false, 0)]);
        assert_eq!(filled, [Wait, Ping, Wait, End]);
    }

    #[test]
    fn a_connection_that_nobody_needs_is_let_go_and_one_that_is_old_gets_no_more_requests() {
        use Step::{End, Retire, Wait};
        let idle = steps([seen(9, 0, false); 8]);
        let expected = [Wait, Wait, Wait, Wait, Wait, Retire, Retire, End];
        assert_eq!(idle, expected);
        // Requests now and then, long ones or such as no tick sees.
        for busy in [true, false] {
            let now_and_then = (1..=LONGEST_LIFE + 1).map(|at| {
                let requests = if busy { 1 } else { at / 5 };
                seen(u64::from(at), u64::from(requests), busy && at % 5 == 0)
            });
            let mut now_and_then = steps(now_and_then);
            assert_eq!(now_and_then.split_off(719), [Retire, Wait]);
            assert!(now_and_then.iter().all(|step| *step == Wait), "{busy}");
        }
    }
}
