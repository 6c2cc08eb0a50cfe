//! [`Frames`]: where frames begin among the bytes that come. Small ones cost more memory than what is in them, so they are
//! counted. For a hundred empty ones h2 would end a connection, with all requests that are on it: they are hidden from it.
//! A good-bye that names an error is told: what breaks the connection off right behind it, h2 tells in its place.

/// What has come so far.
#[derive(Default)]
pub(super) struct Frames {
    /// The head of the next frame, and how much of it is there.
    head: [u8; HEAD],
    have: usize,
    /// What is still to come of the last one behind its head.
    rest: usize,
    /// Empty ones since one that was not.
    empty: usize,
    /// The last one is a good-bye, of which so much has come behind its head.
    farewell: Option<usize>,
    blames: bool,
}

impl Frames {
    /// Bytes on their way to h2. How many small pieces of answers begin with them.
    pub(super) fn pass(&mut self, mut bytes: &mut [u8]) -> usize {
        let mut small = 0;
        while !bytes.is_empty() {
            if self.rest > 0 {
                let (skipped, behind) = bytes.split_at_mut(self.rest.min(bytes.len()));
                self.rest -= skipped.len();
                if let Some(at) = &mut self.farewell {
                    let code = skipped.iter().enumerate();
                    let mut code = code.filter(|(more, _)| CODE.contains(&(*at + more)));
                    self.blames |= code.any(|(_, byte)| *byte != NO_ERROR);
                    *at += skipped.len();
                }
                bytes = behind;
                continue;
            }
            let count = (HEAD - self.have).min(bytes.len());
            let (part, behind) = bytes.split_at_mut(count);
            let head = self.head.iter_mut().skip(self.have);
            head.zip(&*part).for_each(|(head, byte)| *head = *byte);
            let kind = KIND.checked_sub(self.have);
            self.have += count;
            if self.have == HEAD {
                self.have = 0;
                let kind = kind.and_then(|kind| part.get_mut(kind));
                small += usize::from(self.begin(kind));
            }
            bytes = behind;
        }
        small
    }

    /// Whether a good-bye has come that names an error.
    pub(super) fn blames(&self) -> bool {
        self.blames
    }

    /// The head of a frame is whole; the byte of its kind is here, unless it is gone. Whether it is a small piece.
    fn begin(&mut self, here: Option<&mut u8>) -> bool {
        let [a, b, c, kind, flags, ..] = self.head;
        self.rest = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.farewell = (kind == GOAWAY).then_some(0);
        match kind {
            DATA if self.rest == 0 && flags & (END_STREAM | PADDED) == 0 => {
                self.empty += 1;
                // h2 allows a hundred in the life of a connection: as many as come when each of its requests has one. This
                // one says nothing (RFC 9113 section 6.1), nor does one of a kind that nobody knows (section 5.5). One whose
                // head was cut behind its kind is left to h2.
                if let Some(here) = here
                    && self.empty <= MOST_EMPTY
                {
                    *here = UNKNOWN;
                }
                false
            }
            DATA => {
                self.empty = 0;
                let padding = if flags & PADDED == 0 { 0 } else { MOST_PADDING };
                self.rest < SMALL + padding
            }
            HEADERS => {
                self.empty = 0;
                false
            }
            _ => false,
        }
    }
}

/// Length, kind, flags, stream (RFC 9113 section 4.1).
const HEAD: usize = 9;
const KIND: usize = 3;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const GOAWAY: u8 = 7;
/// Where its code is, behind the last stream (RFC 9113 section 6.8), and what each byte of it is when it names none.
const CODE: std::ops::Range<usize> = 4..8;
const NO_ERROR: u8 = 0;
/// For experiments: it will never mean anything.
const UNKNOWN: u8 = 0xff;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
/// With the byte of its length.
const MOST_PADDING: usize = 256;
/// Below this, what it takes to keep a piece, and the buffer it came in, may be many times the piece.
const SMALL: usize = 4 * 1024;
/// More of them one after another are a flood, and for h2 to end.
const MOST_EMPTY: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in it looks like empty pieces.
    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let [.., a, b, c] = length.to_be_bytes();
        [vec![a, b, c, kind, flags, 0, 0, 0, 1], vec![0; length]].concat()
    }

    /// What gets to h2, and how many small pieces were told, of bytes that come in parts of this size.
    fn passed(bytes: &[u8], size: usize) -> (Vec<u8>, usize) {
        let (mut frames, mut bytes) = (Frames::default(), bytes.to_vec());
        let small = bytes.chunks_mut(size).map(|part| frames.pass(part)).sum();
        (bytes, small)
    }

    #[test]
    fn small_pieces_are_counted_however_the_bytes_are_cut() {
        let frames = [
            frame(4, 0, 0),
            frame(HEADERS, 4, 100),
            frame(DATA, 0, 1),
            frame(DATA, 0, SMALL - 1),
            frame(DATA, 0, SMALL),
            frame(DATA, PADDED, SMALL + MOST_PADDING - 1),
            frame(DATA, PADDED, SMALL + MOST_PADDING),
            frame(DATA, END_STREAM, 9),
        ];
        let bytes = frames.concat();
        for size in (1..20).chain([SMALL, bytes.len()]) {
            assert_eq!(passed(&bytes, size).1, 4, "{size}");
        }
    }

    #[test]
    fn empty_pieces_are_hidden_and_nothing_else_is_touched() {
        let others = [
            frame(4, 0, 0),
            frame(HEADERS, 4, 1),
            frame(DATA, 0, 2 * HEAD),
            frame(DATA, PADDED, 1),
            frame(DATA, END_STREAM, 0),
        ];
        let with = |kind| {
            let all = others.iter();
            let all = all.flat_map(|other| [frame(kind, 0, 0), other.clone()]);
            all.flatten().collect::<Vec<u8>>()
        };
        let (came, hidden) = (with(DATA), with(UNKNOWN));
        assert_eq!(passed(&came, came.len()).0, hidden);
        for size in 1..came.len() {
            let (got, _) = passed(&came, size);
            for (at, (got, hidden)) in got.iter().zip(&hidden).enumerate() {
                // A cut behind its kind lets an empty one pass.
                let cut = (1..HEAD - KIND).any(|behind| (at + behind) % size == 0);
                assert!(got == hidden || cut && *got == DATA, "{size} {at}");
            }
        }
    }

    #[test]
    fn a_good_bye_that_names_an_error_is_told_however_it_is_cut() {
        let bye = |last: u8, code: u8, said: u8| {
            let [mut bye, data] = [frame(GOAWAY, 0, 12), frame(DATA, 0, 12)];
            (bye[12], bye[16], bye[20]) = (last, code, said);
            [data, bye].concat()
        };
        for (last, code, said, expected) in [(9, 0, 9, false), (0, 11, 0, true), (9, 1, 9, true)] {
            for size in 1..50 {
                let (mut frames, mut bytes) = (Frames::default(), bye(last, code, said));
                for part in bytes.chunks_mut(size) {
                    frames.pass(part);
                }
                assert_eq!(frames.blames(), expected, "{last} {code} {said} {size}");
            }
        }
    }

    #[test]
    fn a_flood_of_empty_pieces_is_not_hidden() {
        let flood = frame(DATA, 0, 0).repeat(MOST_EMPTY + 7);
        let bytes = [flood, frame(DATA, 0, 1)].concat().repeat(2);
        let (got, small) = passed(&bytes, bytes.len());
        let hidden = got.iter().filter(|byte| **byte == UNKNOWN);
        assert_eq!((hidden.count(), small), (2 * MOST_EMPTY, 2));
    }
}
