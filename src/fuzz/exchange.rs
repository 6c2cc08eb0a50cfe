//! `exchange`: whatever an upstream says, in whatever pieces: what comes out is what comes out of one piece, and what
//! hyper's client makes of it.
//!
//! An input is a letter, then the answer, which the byte `1c` cuts into reads. The letter: `g` or `h` for GET or HEAD; as a
//! capital the upstream closes at the end.

use http::Method;

use crate::egress::reference::{Case, End, Outcome, agree, by_hyper, by_ours};

/// Panics unless it holds of `data`.
pub fn check(data: &[u8]) {
    let Some((letter, answer)) = data.split_first() else {
        return;
    };
    let method = match letter.to_ascii_lowercase() {
        b'g' => Method::GET,
        b'h' => Method::HEAD,
        _ => return,
    };
    let case = |pieces| Case {
        method: method.clone(),
        pieces,
        closes: letter.is_ascii_uppercase(),
    };
    let pieces = super::pieces(answer);
    let whole = pieces.concat();
    if whole.iter().filter(|byte| **byte == b'\n').count() > MOST_LINES {
        return;
    }
    let bytes = whole.iter().map(|byte| vec![*byte]).collect();
    let of_one = case(vec![whole]);
    let ours = by_ours(&of_one);
    let theirs = by_hyper(&of_one);
    assert!(
        agree(&ours, &theirs) || is_cut_at(&ours, &theirs) && has_bare_lf(&of_one.pieces),
        "{}\nours: {ours:?}\nhyper: {theirs:?}",
        of_one.show()
    );
    for cut in [case(pieces), case(bytes)] {
        let cut_up = by_ours(&cut);
        assert!(
            agree(&cut_up, &ours) || agree(&ours, &cut_up),
            "{}\ncut: {cut_up:?}\nwhole: {ours:?}",
            cut.show()
        );
    }
}

/// Whether the one breaks off at the end of the other.
fn is_cut_at(ours: &Outcome, theirs: &Outcome) -> bool {
    let mut theirs = theirs.clone();
    if let Outcome::Answer { end, .. } = &mut theirs {
        *end = End::Cut;
    }
    *ours == theirs
}

/// hyper takes an LF alone for the end of all trailers, and throws away what stands behind it.
fn has_bare_lf(pieces: &[Vec<u8>]) -> bool {
    let mut bytes = pieces.iter().flatten();
    let mut before = None;
    bytes.any(|byte| before.replace(*byte) != Some(b'\r') && *byte == b'\n')
}

/// More interim answers and trailers than this are refused here, and not by hyper.
const MOST_LINES: usize = 64;
