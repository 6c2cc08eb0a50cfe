//! [`Troubles`]: failures that repeat are told now and then, and counted meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::code::{self, Code};

/// What was told last of each upstream's failures. Clones are the same: one for all workers, whatever they serve.
///
/// Invariant: it grows with the upstreams that are in trouble, never with requests.
#[derive(Clone, Default)]
pub struct Troubles(Arc<Mutex<HashMap<Trouble, Told>>>);

/// The upstream, if there was one, and the code.
type Trouble = (Option<Arc<str>>, &'static str);

#[derive(Debug)]
struct Told {
    at: Instant,
    left_out: u64,
}

impl Troubles {
    /// Whether this failure of `upstream` is worth a line: if so, how many like it were left out since the last one.
    pub(super) fn tell(
        &self,
        upstream: Option<&Arc<str>>,
        code: &'static Code,
        now: Instant,
    ) -> Option<u64> {
        // Each defect is one too many.
        if code.id == code::INTERNAL.id {
            return Some(0);
        }
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = (upstream.cloned(), code.id);
        if let Some(told) = troubles.get_mut(&trouble) {
            if now.saturating_duration_since(told.at) < APART {
                told.left_out += 1;
                return None;
            }
            told.at = now;
            return Some(std::mem::take(&mut told.left_out));
        }
        if troubles.len() >= MANY {
            troubles.retain(|_, told| now.saturating_duration_since(told.at) < APART);
        }
        let (at, left_out) = (now, 0);
        troubles.insert(trouble, Told { at, left_out });
        Some(0)
    }
}

/// How often the same trouble of an upstream is told.
const APART: Duration = Duration::from_secs(60);
/// From so many on, those that are over are forgotten.
const MANY: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_told_once_a_minute_with_what_was_left_out_and_another_at_once() {
        let (troubles, start) = (Troubles::default(), Instant::now());
        let [crm, billing] = ["crm", "billing"].map(Arc::<str>::from);
        let rows = [
            (0, &crm, &code::TOKEN_REFUSED, Some(0)),
            (0, &crm, &code::TOKEN_REFUSED, None),
            (59, &crm, &code::TOKEN_REFUSED, None),
            (59, &crm, &code::CANNOT_CONNECT, Some(0)),
            (59, &billing, &code::TOKEN_REFUSED, Some(0)),
            (60, &crm, &code::TOKEN_REFUSED, Some(2)),
            (61, &crm, &code::TOKEN_REFUSED, None),
            (500, &crm, &code::TOKEN_REFUSED, Some(1)),
            (500, &crm, &code::INTERNAL, Some(0)),
            (500, &crm, &code::INTERNAL, Some(0)),
        ];
        for (row, (second, upstream, code, expected)) in rows.into_iter().enumerate() {
            let now = start + Duration::from_secs(second);
            // Workers share it.
            assert_eq!(
                troubles.clone().tell(Some(upstream), code, now),
                expected,
                "{row}"
            );
        }
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (troubles, start) = (Troubles::default(), Instant::now());
        for number in 0..u64::try_from(MANY).unwrap() * 4 {
            let upstream: Arc<str> = number.to_string().into();
            let now = start + APART * u32::try_from(number).unwrap();
            assert_eq!(
                troubles.tell(Some(&upstream), &code::TOKEN_REFUSED, now),
                Some(0)
            );
        }
        assert!(troubles.0.lock().unwrap().len() <= MANY);
    }
}
