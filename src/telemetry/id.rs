//! Request ids: unlike in one process, unlikely alike in two, and nearly free until someone reads one.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::secret::random;

/// Gives out ids: a random beginning, then a count.
#[derive(Debug)]
// A cache line of its own, since each request writes to it.
#[repr(align(64))]
pub struct Ids {
    /// Of which the lower forty bits count.
    beginning: u64,
    /// The same, as it is written.
    letters: [u8; 8],
    next: AtomicU64,
    workers: AtomicU64,
}

/// One request's id: sixteen letters, which are made when they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    beginning: [u8; 8],
    count: u64,
}

impl Id {
    /// Its letters, all of them ASCII: eight of the beginning, eight of the count.
    pub fn letters(self) -> [u8; 16] {
        let mut letters = [0; 16];
        let (beginning, count) = letters.split_at_mut(8);
        beginning.copy_from_slice(&self.beginning);
        count.copy_from_slice(&base32(self.count));
        letters
    }
}

impl Ids {
    /// Ids with a beginning of their own.
    pub fn new() -> Self {
        Self::with_beginning(u64::from_be_bytes(random()))
    }

    /// Ids for one more worker, with the next beginning: it shares no count with the others.
    pub fn for_worker(&self) -> Self {
        let worker = self.workers.fetch_add(1, Ordering::Relaxed);
        Self::with_beginning(self.beginning.wrapping_add(worker + 1))
    }

    fn with_beginning(beginning: u64) -> Self {
        Self {
            beginning,
            letters: base32(beginning),
            next: AtomicU64::new(0),
            workers: AtomicU64::new(0),
        }
    }

    /// The next id.
    pub fn next(&self) -> Id {
        Id {
            beginning: self.letters,
            count: self.next.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.letters()).unwrap_or_default())
    }
}

/// The lower forty bits as eight letters (Crockford's alphabet: none is mistaken for another).
fn base32(value: u64) -> [u8; 8] {
    [35, 30, 25, 20, 15, 10, 5, 0].map(|shift| {
        let digit = (value >> shift & 31) as usize;
        *ALPHABET.get(digit).unwrap_or(&b'0')
    })
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_sixteen_letters_and_each_differs() {
        let ids = Ids::new();
        let (first, second) = (ids.next().to_string(), ids.next().to_string());
        assert_eq!(first.len(), 16);
        assert_ne!(first, second);
        assert_eq!(first[..8], second[..8]);
        assert!(first.ends_with("00000000") && second.ends_with("00000001"));
        for others in [Ids::new(), ids.for_worker(), ids.for_worker()] {
            assert_ne!(first[..8], others.next().to_string()[..8]);
        }
        assert_ne!(ids.for_worker().next(), ids.for_worker().next());
    }

    #[test]
    fn the_count_goes_through_the_whole_alphabet() {
        let id = |count| {
            Id {
                beginning: [b'0'; 8],
                count,
            }
            .to_string()
        };
        assert_eq!(id(31), "000000000000000z");
        assert_eq!(id(32), "0000000000000010");
        assert_eq!(id(u64::MAX), "00000000zzzzzzzz");
    }
}
