//! [`Attempts`]: connections to an upstream that is offered HTTP/2 while they are made, and the requests that wait for them.
//!
//! An attempt belongs to none of those who wait: it is a task of its own, with `connect_timeout` from its own beginning. Whoever
//! leaves takes nothing from the others, and what is made when nobody waits any more is kept for the next one. Were it
//! a request's, it would end with the request: once one had hung, the next would have as little time left as lies between two
//! requests, and if that is less than a handshake takes, no connection would ever be made again.
//!
//! A request is told of the failure of an attempt that began after it came. One that began before may have met what is over by
//! now: then the request waits for the next, which begins at once for all who have seen none fail. Where others are under way beside the
//! one that failed, it waits for these, or for what who comes next has begun, until a second one fails. So an upstream that is down says so to each after three attempts at most, and all
//! that an attempt which hung costs is the time until the next.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Outgoing;
use super::connect::Offer;
use super::failure::{Failure, Phase};
use super::http2::Session;
use super::pool::{Made, Place};
use super::ways::Way;

/// Those to one origin.
pub(super) struct Attempts<B: Outgoing>(Mutex<State<B>>);

struct State<B: Outgoing> {
    /// In the order in which they came. There are no more than may be under way at once; who has left is forgotten when the
    /// next one comes.
    waiting: VecDeque<Waiter<B>>,
    under_way: Vec<UnderWay>,
    /// How many were begun: each has its number.
    begun: u64,
}

struct Waiter<B: Outgoing> {
    /// How many had been begun when it came.
    came: u64,
    /// How many of those that were begun since have failed.
    failed: u8,
    tell: oneshot::Sender<Told<B>>,
}

/// `None`: it is to have a connection of its own.
type Told<B> = Result<Option<Way<B>>, Failure<B>>;

struct UnderWay {
    number: u64,
    /// Since when it connects: before, it waits until there may be one more connection.
    since: Option<Instant>,
}

impl<B: Outgoing> Default for Attempts<B> {
    fn default() -> Self {
        Self(Mutex::new(State {
            waiting: VecDeque::new(),
            under_way: Vec::new(),
            begun: 0,
        }))
    }
}

impl<B: Outgoing> Attempts<B> {
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Outgoing> State<B> {
    fn come(&mut self, tell: oneshot::Sender<Told<B>>) {
        self.forget();
        let came = self.begun;
        self.waiting.push_back(Waiter {
            came,
            failed: 0,
            tell,
        });
    }

    /// Forgets those who have left.
    fn forget(&mut self) {
        self.waiting.retain(|waiter| !waiter.tell.is_closed());
    }

    /// The numbers of those that are to begin now, so that there is room for all who wait on connections of this size.
    fn due(&mut self, size: usize) -> RangeInclusive<u64> {
        let wanted = self.waiting.len().div_ceil(size.max(1));
        let first = self.begun + 1;
        for _ in self.hopeful()..wanted {
            self.begun += 1;
            self.under_way.push(UnderWay {
                number: self.begun,
                since: None,
            });
        }
        first..=self.begun
    }

    /// This one has room for its connection.
    fn connects(&mut self, number: u64) {
        let mut all = self.under_way.iter_mut();
        if let Some(one) = all.find(|one| one.number == number) {
            one.since = Some(Instant::now());
        }
    }

    /// Those from which a connection may be expected.
    fn hopeful(&self) -> usize {
        let slow = |since: Instant| since.elapsed() >= SLOW;
        let all = self.under_way.iter();
        all.filter(|one| !one.since.is_some_and(slow)).count()
    }

    /// A connection for those who have waited longest; `false`: it takes none of them.
    fn share(&mut self, session: &mut Session) -> bool {
        let count = self.waiting.len();
        while let Some(waiter) = self.waiting.pop_front() {
            let Some(exchange) = session.room() else {
                self.waiting.push_front(waiter);
                break;
            };
            let _ = waiter.tell.send(Ok(Some(Way::Shared(exchange))));
        }
        count == 0 || self.waiting.len() < count
    }

    /// This one failed.
    fn fail(&mut self, number: u64, failure: &Failure<B>) {
        // Others may do better, be they slow; but there may always be others.
        let alone = self.under_way.is_empty();
        for mut waiter in std::mem::take(&mut self.waiting) {
            waiter.failed += u8::from(waiter.came < number);
            match waiter.failed >= MOST_FAILED || alone && waiter.failed > 0 {
                true => drop(waiter.tell.send(Err(failure.again()))),
                false => self.waiting.push_back(waiter),
            }
        }
    }
}

impl<B: Outgoing> Place<B> {
    /// A way for a request, as soon as an attempt has made one. `None`: it is to have a connection of its own.
    pub(super) async fn attempted(self: &Arc<Self>) -> Told<B> {
        let (tell, told) = oneshot::channel();
        self.attempts.lock().come(tell);
        self.begin();
        let broke = |_| Err(Failure::new(Phase::Connect, "the attempt broke off"));
        told.await.unwrap_or_else(broke)
    }

    /// Begins what is due.
    fn begin(self: &Arc<Self>) {
        // Not under the lock: where nothing is run any more, an attempt ends here.
        let due = self.attempts.lock().due(self.lanes.size());
        for number in due {
            let attempt = Attempt {
                place: self.clone(),
                number,
                made: None,
            };
            #[expect(
                clippy::disallowed_methods,
                reason = "belongs to the worker whose requests wait for it, and to none of them; ends within twice `connect_timeout`"
            )]
            tokio::task::spawn(attempt.run());
        }
    }
}

/// One under way. However it ends, those who wait are told.
struct Attempt<B: Outgoing> {
    place: Arc<Place<B>>,
    number: u64,
    made: Option<Result<Made<B>, Failure<B>>>,
}

impl<B: Outgoing> Attempt<B> {
    async fn run(mut self) {
        let (place, number) = (self.place.clone(), self.number);
        let made = async {
            let room = place.room().await?;
            place.attempts.lock().connects(number);
            place.connect(room, Offer::Http2).await
        };
        self.made = Some(made.await);
    }
}

impl<B: Outgoing> Drop for Attempt<B> {
    fn drop(&mut self) {
        let (place, number) = (&self.place, self.number);
        let mut all = place.attempts.lock();
        all.under_way.retain(|one| one.number != number);
        all.forget();
        match self.made.take() {
            Some(Ok(Made::Http2(mut session))) => {
                if !all.share(&mut session) {
                    all.fail(number, &useless());
                }
                place.lanes.add(session);
            }
            Some(Ok(Made::Http1(line))) => {
                place.lanes.is_for_http1();
                match all.waiting.pop_front() {
                    Some(waiter) => drop(waiter.tell.send(Ok(Some(Way::New(line))))),
                    None => place.keep(line),
                }
                for waiter in all.waiting.drain(..) {
                    let _ = waiter.tell.send(Ok(None));
                }
            }
            Some(Err(failure)) => {
                all.fail(number, &failure);
                // Who has seen one fail waits for the others, or for who comes and begins another.
                let all_have = all.waiting.iter().all(|waiter| waiter.failed > 0);
                if all_have && !all.under_way.is_empty() {
                    return;
                }
            }
            // Nothing is begun where nothing is run any more.
            None => return all.waiting.clear(),
        }
        drop(all);
        place.begin();
    }
}

pub(super) fn useless<B>() -> Failure<B> {
    Failure::new(Phase::Connect, "it takes no requests")
}

/// One that takes longer may hang, for its own reasons: who comes then has another begun beside it.
const SLOW: Duration = Duration::from_secs(1);
/// So many failures are told to a request although another attempt is under way.
const MOST_FAILED: u8 = 2;
