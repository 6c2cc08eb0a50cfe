//! Request ids: unlike in one process, unlikely alike in two, and nearly free until someone reads one.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::secret::random;

/// Gives out ids: a random beginning of this process, then a count.
#[derive(Debug)]
pub struct Ids {
    process: u64,
    next: AtomicU64,
}

/// One request's id. Two numbers; the sixteen letters are made by `Display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    process: u64,
    count: u64,
}

impl Ids {
    /// Ids with a beginning of their own.
    pub fn new() -> Self {
        Self {
            process: u64::from_be_bytes(random()),
            next: AtomicU64::new(0),
        }
    }

    /// The next id.
    pub fn next(&self) -> Id {
        Id {
            process: self.process,
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
        base32(f, self.process)?;
        base32(f, self.count)
    }
}

/// The lower forty bits as eight letters (Crockford's alphabet: none is mistaken for another).
fn base32(f: &mut fmt::Formatter<'_>, value: u64) -> fmt::Result {
    use fmt::Write;
    (0..8).rev().try_for_each(|place| {
        let digit = usize::try_from(value >> (place * 5) & 31).unwrap_or_default();
        f.write_char(char::from(*ALPHABET.get(digit).unwrap_or(&b'0')))
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
        assert_ne!(first[..8], Ids::new().next().to_string()[..8]);
    }

    #[test]
    fn the_count_goes_through_the_whole_alphabet() {
        let id = |count| Id { process: 0, count }.to_string();
        assert_eq!(id(31), "000000000000000z");
        assert_eq!(id(32), "0000000000000010");
        assert_eq!(id(u64::MAX), "00000000zzzzzzzz");
    }
}
