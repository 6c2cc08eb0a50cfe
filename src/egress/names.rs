//! [`Names`]: the addresses of names, by the system's resolver, so that a name that nobody answers for is in no other's way.
//!
//! A lookup cannot be given up: it holds a thread until the resolver has, which may take half a minute, long after whoever
//! wanted to connect has left. So all who want the same name at the same time wait for the same lookup. Nothing is kept
//! of it: who comes after its end has the name looked up anew.
//!
//! The token leg has none of this: its lookups are those of logins, of which an account has one at a time, with growing waits
//! after each that failed, on threads that no worker needs. Hundreds of accounts at once would have to be at a loss for one name.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// One worker's lookups that are under way.
#[derive(Clone)]
pub(super) struct Names(Arc<Inner>);

struct Inner {
    asked: Mutex<BTreeMap<String, Asked>>,
    look_up: Box<LookUp>,
}

type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;
/// `None` as long as there is none.
type Answer = Option<Result<Vec<SocketAddr>, String>>;

/// A name that is being looked up.
#[derive(Default)]
struct Asked {
    /// For one answer.
    answer: watch::Sender<Answer>,
    /// Lookups that are under way.
    count: usize,
    /// Lookups that were begun.
    number: usize,
    /// When the last of them was, if nothing was found since.
    began: Option<Instant>,
}

impl Default for Names {
    fn default() -> Self {
        Self::new(|name| Ok((name, 0).to_socket_addrs()?.collect()))
    }
}

impl Names {
    pub(super) fn new(
        look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            asked: Mutex::default(),
            look_up: Box::new(look_up),
        }))
    }

    /// The addresses of `name`.
    ///
    /// Cancel-safe: a lookup that has begun goes on, for those who come before its end.
    pub(super) async fn find(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let mut answer = self.ask(name);
        let told = match timeout(SLOW, answer.changed()).await {
            Ok(told) => told,
            Err(_) => {
                // A question that was lost is asked again far later than connections are waited for.
                drop(self.ask(name));
                answer.changed().await
            }
        };
        told.map_err(|_| io::Error::other("the lookup broke off"))?;
        match &*answer.borrow() {
            Some(Ok(addrs)) => Ok(addrs.clone()),
            Some(Err(text)) => Err(io::Error::other(text.clone())),
            None => Err(io::Error::other("the lookup found nothing")),
        }
    }

    /// Where the next answer will be. It begins a lookup if there is none, or the only one is slow.
    fn ask(&self, name: &str) -> watch::Receiver<Answer> {
        let mut all = self.asked();
        let now = Instant::now();
        let asked = all.entry(name.to_owned()).or_default();
        let answer = asked.answer.subscribe();
        let is_slow = |began| now.duration_since(began) >= SLOW;
        if asked.count < MOST && asked.began.is_none_or(is_slow) {
            asked.count += 1;
            asked.number += 1;
            asked.began = Some(now);
            let mut lookup = Lookup {
                names: self.clone(),
                name: name.to_owned(),
                number: asked.number,
                answer: None,
            };
            // Where nothing is run any more the lookup ends here, and looks for its name.
            drop(all);
            tokio::task::spawn_blocking(move || lookup.run());
        }
        answer
    }

    fn asked(&self) -> MutexGuard<'_, BTreeMap<String, Asked>> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lookup under way. However it ends, it is told to those who wait.
struct Lookup {
    names: Names,
    name: String,
    number: usize,
    answer: Answer,
}

impl Lookup {
    fn run(&mut self) {
        let found = (self.names.0.look_up)(&self.name);
        self.answer = Some(found.map_err(|error| error.to_string()));
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let mut all = self.names.asked();
        let Some(asked) = all.get_mut(&self.name) else {
            return;
        };
        asked.count -= 1;
        // That an earlier one failed says nothing about the later one.
        if let Some(answer) = self.answer.take()
            && (answer.is_ok() || self.number == asked.number)
        {
            // Those who come from now on wait for another.
            std::mem::take(&mut asked.answer).send_replace(Some(answer));
            asked.began = None;
        }
        if asked.count == 0 {
            all.remove(&self.name);
        }
    }
}

/// Lookups of one name at once. The second is for a question that was lost (resolvers ask again after five seconds), or went to a
/// server of a network that is gone.
const MOST: usize = 2;
/// How long a lookup may take before it is begun again beside.
const SLOW: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use tokio::task::{JoinSet, yield_now};

    use super::*;

    fn addrs(last: u8) -> Vec<SocketAddr> {
        vec![SocketAddr::from(([192, 0, 2, last], 0))]
    }

    /// The end of a lookup: its addresses or its mistake; it may panic.
    type End = fn() -> io::Result<Vec<SocketAddr>>;

    /// Lookups of `scripted` end as it is said, each for itself, in the order in which they began.
    struct Scripted {
        names: Names,
        begun: mpsc::Receiver<mpsc::Sender<End>>,
        count: Arc<AtomicUsize>,
    }

    impl Scripted {
        fn new() -> Self {
            let (begin, begun) = mpsc::channel();
            let count = Arc::new(AtomicUsize::new(0));
            let counted = count.clone();
            let names = Names::new(move |name| {
                if name != "scripted" {
                    return Ok(addrs(1));
                }
                let (end, ended) = mpsc::channel::<End>();
                begin.send(end).unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                ended.recv().unwrap()()
            });
            Self {
                names,
                begun,
                count,
            }
        }

        /// Asks for it, and gives up after a while: `None`.
        fn ask(&self, patience: Duration) -> JoinSet<Option<io::Result<Vec<SocketAddr>>>> {
            let names = self.names.clone();
            let mut asking = JoinSet::new();
            asking.spawn(async move { timeout(patience, names.find("scripted")).await.ok() });
            asking
        }

        /// The next lookup that begins, once those who ask have had their turn.
        async fn next(&self) -> mpsc::Sender<End> {
            yield_now().await;
            let begun = self.begun.recv_timeout(PATIENCE);
            begun.expect("no lookup begins")
        }

        fn count(&self) -> usize {
            self.count.load(Ordering::SeqCst)
        }

        /// Waits until so many lookups are under way.
        async fn under_way(&self, count: usize) {
            let left = || {
                self.names
                    .asked()
                    .get("scripted")
                    .map_or(0, |asked| asked.count)
            };
            while left() != count {
                yield_now().await;
            }
        }
    }

    async fn answer(mut asking: JoinSet<Option<io::Result<Vec<SocketAddr>>>>) -> String {
        match asking.join_next().await.unwrap().unwrap() {
            Some(Ok(addrs)) => addrs[0].ip().to_string(),
            Some(Err(error)) => error.to_string(),
            None => "given up".to_owned(),
        }
    }

    #[test]
    fn a_name_that_hangs_holds_two_threads_and_others_are_found() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().max_blocking_threads(MOST + 1).build();
        let runtime = runtime.unwrap();
        runtime.block_on(async {
            let scripted = Scripted::new();
            let mut ends = Vec::new();
            for round in 0..3 {
                let all: Vec<_> = (0..50)
                    .map(|_| scripted.ask(SLOW + Duration::from_millis(500)))
                    .collect();
                let other = timeout(PATIENCE, scripted.names.find("other")).await;
                assert_eq!(other.expect("starved").unwrap(), addrs(1), "{round}");
                for asking in all {
                    assert_eq!(answer(asking).await, "given up", "{round}");
                }
                if round == 0 {
                    ends = vec![scripted.next().await, scripted.next().await];
                }
                assert_eq!(scripted.count(), MOST, "{round}");
            }
            // Those who come now still have what they find.
            let late = scripted.ask(PATIENCE);
            yield_now().await;
            ends[1].send(|| Ok(addrs(2))).unwrap();
            assert_eq!(answer(late).await, "192.0.2.2");
            ends[0].send(|| Ok(addrs(3))).unwrap();
            scripted.under_way(0).await;
        });
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_at_once_gets_one_answer_and_who_asks_later_a_new_one() {
        let scripted = Scripted::new();
        let rows: [(End, &str); 5] = [
            (|| Ok(addrs(1)), "192.0.2.1"),
            (|| Ok(addrs(2)), "192.0.2.2"),
            (|| Err(io::Error::other("no such name")), "no such name"),
            (|| panic!("on purpose"), "the lookup broke off"),
            (|| Ok(addrs(3)), "192.0.2.3"),
        ];
        for (number, (end, expected)) in rows.into_iter().enumerate() {
            let all: Vec<_> = (0..20).map(|_| scripted.ask(PATIENCE)).collect();
            let lookup = scripted.next().await;
            yield_now().await;
            lookup.send(end).unwrap();
            for asking in all {
                assert_eq!(answer(asking).await, expected);
            }
            assert_eq!(scripted.count(), number + 1);
            scripted.under_way(0).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_was_lost_is_asked_again_and_its_failure_counts_no_more() {
        let scripted = Scripted::new();
        let rows: [(End, End, &str); 3] = [
            (
                || Err(io::Error::other("lost")),
                || Ok(addrs(1)),
                "192.0.2.1",
            ),
            (|| panic!("on purpose"), || Ok(addrs(2)), "192.0.2.2"),
            (
                || Ok(addrs(3)),
                || Err(io::Error::other("late")),
                "192.0.2.3",
            ),
        ];
        for (first_end, second_end, expected) in rows {
            let asking = scripted.ask(PATIENCE);
            let first = scripted.next().await;
            tokio::time::advance(SLOW).await;
            scripted.under_way(2).await;
            let second = scripted.next().await;
            first.send(first_end).unwrap();
            scripted.under_way(1).await;
            second.send(second_end).unwrap();
            assert_eq!(answer(asking).await, expected);
            scripted.under_way(0).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn beside_a_lookup_that_hangs_each_who_comes_later_has_one_at_once() {
        let scripted = Scripted::new();
        let asking = scripted.ask(PATIENCE);
        let hanging = scripted.next().await;
        tokio::time::advance(SLOW).await;
        scripted.under_way(2).await;
        scripted.next().await.send(|| Ok(addrs(1))).unwrap();
        assert_eq!(answer(asking).await, "192.0.2.1");
        let rows: [(End, &str); 3] = [
            (|| Ok(addrs(2)), "192.0.2.2"),
            (|| Err(io::Error::other("it is gone")), "it is gone"),
            (|| Ok(addrs(3)), "192.0.2.3"),
        ];
        for (end, expected) in rows {
            scripted.under_way(1).await;
            let asking = scripted.ask(PATIENCE);
            scripted.next().await.send(end).unwrap();
            assert_eq!(answer(asking).await, expected);
        }
        hanging.send(|| Ok(addrs(4))).unwrap();
        scripted.under_way(0).await;
    }

    const PATIENCE: Duration = Duration::from_secs(60);
}
