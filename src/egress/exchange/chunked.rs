//! Takes the chunked coding off an answer's body (RFC 9112 section 7.1), in the buffer that it was read into.
//!
//! What one read brought leaves as one piece, however many chunks it holds: each piece costs whoever sends it on as much
//! as a large one.

use bytes::{Buf, Bytes, BytesMut};

use super::fault::Fault;

/// How far a chunked body came.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    /// Bytes of chunk extensions so far.
    extensions: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the line that gives a chunk's size.
    Size,
    /// So many bytes of data are to come.
    Data(u64),
    /// At the line end behind the data.
    DataEnd,
    /// At the trailers, of which there may be none.
    Trailers,
    /// Behind the last byte.
    End,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self {
            state: State::Size,
            extensions: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == State::End
    }

    /// Takes off `input` what can be read, and gives the data in it; what is not whole yet stays there. Trailers are
    /// thrown away: the next hop might merge them (RFC 9110 section 6.5.1).
    pub(super) fn decode(&mut self, input: &mut BytesMut) -> Result<Bytes, Fault> {
        // Data is moved together at the front: `..data` is data, `..read` was looked at.
        let (mut data, mut read) = (0, 0);
        while self.state != State::End {
            if data == 0 {
                // Nothing is in front of it: the first chunk need not be moved.
                input.advance(read);
                read = 0;
            }
            let rest = input.get(read..).unwrap_or_default();
            let next = match self.step(rest) {
                Ok(Some(next)) => next,
                Ok(None) => break,
                // What came before is good: it is told the next time.
                Err(_) if data > 0 => break,
                Err(fault) => return Err(fault),
            };
            match next {
                Step::Skip(count) => read += count,
                Step::Data(count, behind) => {
                    if data < read {
                        input.copy_within(read..read + count, data);
                    }
                    data += count;
                    read += count + behind;
                }
            }
        }
        let bytes = input.split_to(data).freeze();
        input.advance(read - data);
        Ok(bytes)
    }

    /// What stands at the beginning of `rest`. `None`: more is needed to tell.
    fn step(&mut self, rest: &[u8]) -> Result<Option<Step>, Fault> {
        match self.state {
            State::Size => {
                let (size, length) = match digits(rest)? {
                    // As nearly every chunk begins: the end of its line need not be searched for.
                    (size, [b'\r', b'\n', behind @ ..]) if !rest.starts_with(b"\r") => {
                        (size, rest.len() - behind.len())
                    }
                    _ => {
                        let Some(line) = line(rest)? else {
                            return Ok(None);
                        };
                        let (size, extension) = size(line)?;
                        self.extensions += extension;
                        (size, line.len() + 2)
                    }
                };
                if self.extensions >= MOST_EXTENSIONS {
                    return Err(Fault::Framing("chunk extensions without end"));
                }
                self.state = match size {
                    0 => State::Trailers,
                    size => State::Data(size),
                };
                Ok(Some(Step::Skip(length)))
            }
            State::Data(left) => {
                let count = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                if count == 0 {
                    return Ok(None);
                }
                let ended = rest.get(count..count + 2) == Some(b"\r\n");
                let (state, behind) = match left - count as u64 {
                    0 if ended => (State::Size, 2),
                    0 => (State::DataEnd, 0),
                    left => (State::Data(left), 0),
                };
                self.state = state;
                Ok(Some(Step::Data(count, behind)))
            }
            State::DataEnd => match rest {
                [b'\r', b'\n', ..] => {
                    self.state = State::Size;
                    Ok(Some(Step::Skip(2)))
                }
                [] | [b'\r'] => Ok(None),
                _ => Err(Fault::Framing("a chunk is longer than its size")),
            },
            State::Trailers => {
                let count = trailers(rest)?;
                if count.is_some() {
                    self.state = State::End;
                }
                Ok(count.map(Step::Skip))
            }
            State::End => Ok(None),
        }
    }
}

enum Step {
    /// Framing of this length.
    Skip(usize),
    /// Data of this length, and framing behind it.
    Data(usize, usize),
}

/// The line at the beginning of `rest`, without its CRLF. A bare LF ends no line.
fn line(rest: &[u8]) -> Result<Option<&[u8]>, Fault> {
    match memchr::memchr(b'\n', rest).map(|end| rest.split_at(end).0) {
        Some([line @ .., b'\r']) => Ok(Some(line)),
        Some(_) => Err(Fault::Framing("a chunk's size ends in a bare LF")),
        None if rest.len() >= MOST_LINE => Err(Fault::Framing("a chunk's size has no end")),
        None if rest.is_empty() => Ok(None),
        // What can be no size any more is refused at once.
        None => size(rest.strip_suffix(b"\r").unwrap_or(rest)).map(|_| None),
    }
}

/// The size in a chunk's first line, and the length of its extension: `1*HEXDIG [chunk-ext]`, blanks allowed behind the
/// digits.
fn size(line: &[u8]) -> Result<(u64, usize), Fault> {
    let odd = Fault::Framing("a chunk's size is not a number");
    let (size, mut rest) = digits(line)?;
    if rest.len() == line.len() {
        return Err(odd);
    }
    while let [b' ' | b'\t', behind @ ..] = rest {
        rest = behind;
    }
    match rest {
        [] => Ok((size, 0)),
        // A bare CR is a line's end to some readers (RFC 9112 section 2.2).
        [b';', extension @ ..] if !extension.contains(&b'\r') => Ok((size, extension.len())),
        _ => Err(odd),
    }
}

/// The number that `rest` begins with, and what is behind it.
fn digits(mut rest: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let mut number: u64 = 0;
    while let [byte, behind @ ..] = rest {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => break,
        };
        if number > u64::MAX >> 4 {
            return Err(Fault::Framing("a chunk's size has no end"));
        }
        number = number << 4 | u64::from(value);
        rest = behind;
    }
    Ok((number, rest))
}

/// The length of the trailers, with the empty line that ends them.
fn trailers(rest: &[u8]) -> Result<Option<usize>, Fault> {
    match rest {
        [b'\r', b'\n', ..] => return Ok(Some(2)),
        [] | [b'\r'] => return Ok(None),
        _ => {}
    }
    let odd = Fault::Framing("the trailers are no fields");
    let mut fields = [httparse::EMPTY_HEADER; MOST_TRAILERS];
    let length = match httparse::parse_headers(rest, &mut fields) {
        Ok(httparse::Status::Complete((length, _))) => length,
        Ok(httparse::Status::Partial) if rest.len() < MOST_TRAILER_BYTES => return Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => return Err(odd),
    };
    let section = rest.get(..length).unwrap_or_default();
    let bare = memchr::memchr_iter(b'\n', section)
        .any(|at| at == 0 || section.get(at - 1) != Some(&b'\r'));
    match bare || length >= MOST_TRAILER_BYTES {
        true => Err(odd),
        false => Ok(Some(length)),
    }
}

/// A size with its extensions.
const MOST_LINE: usize = 16 * 1024;
/// All extensions of a body.
const MOST_EXTENSIONS: usize = 16 * 1024;
const MOST_TRAILERS: usize = 64;
const MOST_TRAILER_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes what comes in these pieces: the data of each, and whether it is over; `None`: the framing is wrong.
    fn decoded(pieces: &[&[u8]]) -> Option<(Vec<Vec<u8>>, bool)> {
        let mut chunked = Chunked::new();
        let mut input = BytesMut::new();
        let mut data = Vec::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            data.push(chunked.decode(&mut input).ok()?.to_vec());
            // What is wrong behind good data is told by the next call.
            chunked.decode(&mut input).ok()?;
        }
        Some((data, chunked.is_over() && input.is_empty()))
    }

    #[test]
    fn what_one_read_brought_leaves_as_one_piece() {
        type Row<'a> = (&'a [&'a [u8]], &'a [&'a [u8]], bool);
        let rows: [Row<'_>; 7] = [
            (&[b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"], &[b"abcde"], true),
            (&[b"3\r\nabc\r\n", b"0\r\n\r\n"], &[b"abc", b""], true),
            (&[b"3\r\nab", b"c\r\n0\r\n\r\n"], &[b"ab", b"c"], true),
            (&[b"3\r\nabc\r\n2", b"\r\nde\r\n"], &[b"abc", b"de"], false),
            (&[b"3\r\nabc\r", b"\n1\r\nd\r\n"], &[b"abc", b"d"], false),
            (&[b"0\r\nx-a: 1\r\n", b"x-b: 2\r\n\r\n"], &[b"", b""], true),
            (
                &[b"a;x=y\r\n0123456789\r\n0 \t\r\n\r\n"],
                &[b"0123456789"],
                true,
            ),
        ];
        for (pieces, expected, over) in rows {
            let expected = expected.iter().map(|piece| piece.to_vec()).collect();
            assert_eq!(decoded(pieces), Some((expected, over)), "{pieces:?}");
        }
    }

    #[test]
    fn a_body_is_the_same_wherever_it_is_cut() {
        let body =
            b"5\r\nhello\r\n1;ext=\"a\"\r\n,\r\n00000C\r\n wide\r\nworld\r\n0\r\nx-a: b\r\n\r\n";
        for first in 0..body.len() {
            for second in first..body.len() {
                let (a, rest) = body.split_at(first);
                let (b, c) = rest.split_at(second - first);
                let (data, over) = decoded(&[a, b, c]).unwrap();
                assert_eq!(data.concat(), b"hello, wide\r\nworld", "{first} {second}");
                assert!(over);
            }
        }
    }

    #[test]
    fn wrong_framing_is_a_fault() {
        let endless = [b"1;".as_slice(), &[b'x'; MOST_LINE]].concat();
        let trailers = [
            b"0\r\n".as_slice(),
            &b"x-a: 1\r\n".repeat(MOST_TRAILERS + 1),
        ]
        .concat();
        let long = [b"0\r\nx: ".as_slice(), &[b'x'; MOST_TRAILER_BYTES]].concat();
        let rows: [&[u8]; 16] = [
            b"x\r\n",
            b"\r\n",
            b"-1\r\n",
            b"+1\r\na",
            b"0x1\r\na",
            b" 1\r\na",
            b"1 1\r\na",
            b"1\na\r\n",
            b"1;a\rb\r\nc",
            b"10000000000000000\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n0\r\n\r\n",
            b"0\r\nx-a: 1\n\n",
            &endless,
            &trailers,
            &long,
        ];
        for body in rows {
            assert_eq!(decoded(&[body]), None, "{}", body.escape_ascii());
        }
    }
}
