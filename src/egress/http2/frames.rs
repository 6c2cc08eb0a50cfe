//! [`Frames`]: where frames begin among the bytes that come. h2 ends a connection for small frames, with all requests
//! that are on it; so they are counted.

/// What has come so far.
#[derive(Default)]
pub(super) struct Frames {
    /// The head of the next frame, and how much of it is there.
    head: [u8; HEAD],
    have: usize,
    /// What is still to come of the last one behind its head.
    rest: usize,
}

impl Frames {
    /// Bytes on their way to h2. How many small pieces of answers begin with them.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> usize {
        let mut small = 0;
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = bytes.split_at(skipped).1;
                continue;
            }
            let (part, behind) = bytes.split_at(bytes.len().min(HEAD - self.have));
            let head = self.head.iter_mut().skip(self.have);
            head.zip(part).for_each(|(head, byte)| *head = *byte);
            self.have += part.len();
            if self.have == HEAD {
                self.have = 0;
                small += usize::from(self.begin());
            }
            bytes = behind;
        }
        small
    }

    /// The head of a frame is whole. Whether it is a small piece.
    fn begin(&mut self) -> bool {
        let [a, b, c, kind, flags, ..] = self.head;
        self.rest = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let padding = if flags & PADDED == 0 { 0 } else { MOST_PADDING };
        kind == DATA && self.rest < SMALL + padding
    }
}

/// Length, kind, flags, stream (RFC 9113 section 4.1).
const HEAD: usize = 9;
const DATA: u8 = 0;
const PADDED: u8 = 8;
/// With the byte of its length.
const MOST_PADDING: usize = 256;
/// Below this, what it takes to keep a piece, and the buffer it came in, may be many times the piece.
const SMALL: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_are_counted_however_the_bytes_are_cut() {
        let frame = |kind, flags, length: usize| {
            let [.., a, b, c] = length.to_be_bytes();
            // What is in it looks like small pieces.
            [vec![a, b, c, kind, flags, 0, 0, 0, 1], vec![0; length]].concat()
        };
        let frames = [
            frame(4, 0, 0),
            frame(1, 4, 100),
            frame(DATA, 0, 1),
            frame(DATA, 0, SMALL - 1),
            frame(DATA, 0, SMALL),
            frame(DATA, PADDED, SMALL + MOST_PADDING - 1),
            frame(DATA, PADDED, SMALL + MOST_PADDING),
            frame(DATA, 1, 9),
        ];
        let bytes = frames.concat();
        for size in (1..20).chain([SMALL, bytes.len()]) {
            let mut frames = Frames::default();
            let small = bytes.chunks(size).map(|part| frames.pass(part));
            assert_eq!(small.sum::<usize>(), 4, "{size}");
        }
    }
}
