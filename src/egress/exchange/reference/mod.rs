//! The same answers, read by hyper's client and by [`Exchange`](super::Exchange): what comes out must be the same.
//!
//! hyper is the reference for the framing. What it passes on and this proxy does not (a transfer coding that it does not
//! undo, lengths that it does not look at where there is no body) is refused there by rules that stand behind hyper.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "for tests and fuzz targets, which fail by it"
)]

#[cfg(test)]
mod cases;
mod readers;

use http::{HeaderMap, Method, StatusCode};

#[cfg(test)]
use self::cases::{Dice, generated};
pub(crate) use self::readers::{by_hyper, by_ours, written};

/// A case: what the upstream says.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) method: Method,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) closes: bool,
}

impl Case {
    pub(crate) fn show(&self) -> String {
        let pieces: Vec<_> = self
            .pieces
            .iter()
            .map(|p| p.escape_ascii().to_string())
            .collect();
        let Self { method, closes, .. } = self;
        format!("{method}, closes: {closes}\n{}", pieces.join("\n"))
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No answer.
    Refused,
    /// Part of an answer's head: more is awaited.
    Waits,
    Answer {
        status: StatusCode,
        fields: HeaderMap,
        body: Vec<u8>,
        end: End,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Whole, and the connection may serve another request.
    Kept,
    /// Whole.
    Whole,
    /// It broke off.
    Cut,
    /// More is awaited.
    Open,
}

/// Whether both say the same. hyper reads half a head, or half a trailer, again only when it may be whole. What can be none
/// any more is refused here at once.
pub(crate) fn agree(ours: &Outcome, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        _ if ours == theirs => true,
        (Outcome::Refused, Outcome::Waits) => true,
        (Outcome::Answer { end: End::Cut, .. }, Outcome::Answer { end: End::Open, .. }) => {
            let mut theirs = theirs.clone();
            if let Outcome::Answer { end, .. } = &mut theirs {
                *end = End::Cut;
            }
            *ours == theirs
        }
        _ => false,
    }
}

#[test]
fn whatever_an_upstream_says_it_is_read_as_hyper_reads_it() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut answers, mut kept, mut cut) = (0, 0, 0);
    let mut wrong = Vec::new();
    for number in 0..CASES {
        let case = generated(&mut dice);
        let (ours, theirs) = (by_ours(&case), by_hyper(&case));
        if !agree(&ours, &theirs) {
            wrong.push(format!(
                "case {number}: {}\nours: {ours:?}\nhyper: {theirs:?}",
                case.show()
            ));
        }
        if let Outcome::Answer { end, .. } = ours {
            answers += 1;
            kept += usize::from(end == End::Kept);
            cut += usize::from(end == End::Cut);
        }
    }
    let few: Vec<_> = wrong.iter().take(20).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        few.join("\n\n")
    );
    // They are of all kinds.
    for seen in [answers, kept, cut] {
        assert!(
            seen > CASES / 50,
            "{answers} answers, {kept} kept, {cut} cut"
        );
    }
}

#[cfg(test)]
const CASES: usize = 20_000;
