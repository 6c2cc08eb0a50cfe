//! Answers as they may be, and as they may not.

use http::Method;

use super::Case;

/// Numbers that look random, the same in every run (xorshift64*).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % end
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const STATUS: [&str; 14] = [
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified",
    "HTTP/1.1 401 Unauthorized",
    "HTTP/1.1 599 Odd\tone \u{e9}",
    "HTTP/1.1 600 Beyond",
    "HTTP/1.1 099 Before",
    "HTTP/1.1 101 Switching Protocols",
    "HTTP/2.0 200 OK",
    "http/1.1 200 OK",
];
const FIELDS: [&str; 28] = [
    "Content-Length: 5",
    "Content-Length: 5",
    "Content-Length: 0",
    "Content-Length: 5, 5",
    "content-length: 05",
    "Content-Length: +5",
    "Content-Length: -5",
    "Content-Length: ",
    "Content-Length: 5 5",
    "Content-Length: 18446744073709551615",
    "Content-Length: 18446744073709551613",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked",
    "transfer-encoding: CHUNKED",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: \u{b}chunked",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: Keep-Alive, x-a",
    "Connection: close, keep-alive",
    "X-A: b",
    "X-A:\t b c \t",
    "X-A : b",
    " folded",
    "X-\u{e9}: \u{e9}",
];
const BODIES: [&str; 14] = [
    "",
    "hello",
    "hello, world",
    "5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n6;x=y\r\n, you!\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX-T: v\r\n\r\n",
    "5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
    "5 \t\r\nhello\r\n00\r\n\r\n",
    "5\nhello\n0\n\n",
    "fffffffffffffffff\r\nhello",
    "5\r\nhello!\r\n0\r\n\r\n",
    "x\r\nhello",
    "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    "helloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
];
const CHUNKED: [&str; 4] = [
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n6;x=y\r\n, you!\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX-T: v\r\n\r\n",
];
const INTERIM: [&str; 3] = [
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
    "HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\n",
];

pub(super) fn generated(dice: &mut Dice) -> Case {
    let mut text = String::new();
    while dice.below(6) == 0 {
        text.push_str(dice.of(&INTERIM));
    }
    // Most of it is good, so that what is odd meets what is good.
    text.push_str(if dice.below(3) > 0 {
        STATUS[0]
    } else {
        dice.of(&STATUS)
    });
    text.push_str("\r\n");
    let framing = dice.below(3);
    text.push_str(
        [
            "",
            "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
        ][framing],
    );
    for _ in 0..dice.below(6).saturating_sub(2) {
        text.push_str(dice.of(&FIELDS));
        text.push_str(if dice.below(30) == 0 { "\n" } else { "\r\n" });
    }
    text.push_str("\r\n");
    text.push_str(match (framing, dice.below(3)) {
        (1, 1..) => "hello",
        (2, 1..) => dice.of(&CHUNKED),
        _ => dice.of(&BODIES),
    });
    let mut bytes = text.into_bytes();
    // Most of them as they are.
    for _ in 0..dice.below(6).saturating_sub(2) {
        mutate(&mut bytes, dice);
    }
    let mut pieces = vec![bytes];
    for _ in 0..dice.below(4) {
        let last = pieces.last_mut().unwrap();
        let at = dice.below(last.len() + 1);
        let rest = last.split_off(at);
        pieces.push(rest);
    }
    pieces.retain(|piece| !piece.is_empty());
    let method = if dice.below(8) == 0 {
        Method::HEAD
    } else {
        Method::GET
    };
    Case {
        method,
        pieces,
        closes: dice.below(2) == 0,
    }
}

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.below(bytes.len());
    let odd = b"\r\n\0 \t:;,0159aFx\x7f\x80\xff";
    let byte = odd[dice.below(odd.len())];
    match dice.below(5) {
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => drop(bytes.remove(at)),
        3 => bytes.truncate(at),
        _ => {
            let end = (at + dice.below(12)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
    }
}
