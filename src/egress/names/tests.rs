//! Lookups that hang, fail, or cannot begin.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

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

#[tokio::test]
async fn a_name_that_hangs_holds_two_threads_and_others_are_found() {
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
}

#[tokio::test]
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

#[tokio::test]
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
        sleep(SLOW + Duration::from_millis(50)).await;
        scripted.under_way(2).await;
        let second = scripted.next().await;
        first.send(first_end).unwrap();
        scripted.under_way(1).await;
        second.send(second_end).unwrap();
        assert_eq!(answer(asking).await, expected);
        scripted.under_way(0).await;
    }
}

#[tokio::test]
async fn beside_a_lookup_that_hangs_each_who_comes_later_has_one_at_once() {
    let scripted = Scripted::new();
    let asking = scripted.ask(PATIENCE);
    let hanging = scripted.next().await;
    sleep(SLOW + Duration::from_millis(50)).await;
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

#[tokio::test]
async fn a_lookup_that_could_not_begin_leaves_the_name_to_others() {
    let scripted = Scripted::new();
    // As when no thread can be started.
    let fail = || {
        let mut all = scripted.names.asked();
        let asked = all.entry("scripted".to_owned()).or_default();
        asked.count += 1;
        asked.number += 1;
        asked.began = Some(Instant::now());
        let answer = asked.answer.subscribe();
        let lookup = Lookup {
            names: scripted.names.clone(),
            name: "scripted".to_owned(),
            number: asked.number,
            begun: false,
            found: Err("none".to_owned()),
        };
        drop(all);
        drop(lookup);
        answer
    };
    let told = fail().borrow().clone();
    assert_eq!(told, Some(Err("none".to_owned())));
    let asking = scripted.ask(PATIENCE);
    let first = scripted.next().await;
    assert_eq!(*fail().borrow(), None, "another may find it");
    first
        .send(|| Err(io::Error::other("no such name")))
        .unwrap();
    assert_eq!(answer(asking).await, "no such name");
    scripted.under_way(0).await;
}

const PATIENCE: Duration = Duration::from_secs(60);
