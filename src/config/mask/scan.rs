//! [`Scan`]: what of the bare text of a configuration must not be shown.

use std::ops::Range;

use super::private::private;
use super::schema::Place;
use super::{Hidden, STARS};

/// Reads a text as TOML, with more patience than TOML has: what is not understood is hidden with the rest of its line, and
/// until the next header nothing is taken for what it seems to be.
///
/// Every byte it stops at is ASCII, so every range is on character boundaries.
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
    hidden: Vec<Hidden>,
}

impl<'a> Scan<'a> {
    /// What must not be shown, in the order of the text.
    pub(super) fn hidden(text: &'a str) -> Vec<Hidden> {
        let hidden = Vec::new();
        let at = 0;
        let mut scan = Self { text, at, hidden };
        let mut place = Place::TOP;
        loop {
            scan.skip();
            place = match scan.byte() {
                None => return scan.hidden,
                Some(b'[') => scan.header(),
                Some(_) => scan.entry(place),
            };
        }
    }

    /// `[section]`; gives the place of what stands below.
    fn header(&mut self) -> Place {
        let start = self.at;
        while self.eat(b'[') {}
        // Most likely a list below the key that it belongs to.
        let is_list = matches!(self.byte(), Some(b'"' | b'\''));
        let keys = self.keys(Place::TOP).filter(|_| !is_list);
        let closed = self.eat(b']');
        while self.eat(b']') {}
        let place = keys.map(|(place, odd)| {
            odd.into_iter().for_each(|key| self.hide(key));
            place
        });
        if place.is_none() {
            self.at = start;
        }
        let whole = self.rest() && closed;
        place.filter(|_| whole).unwrap_or(Place::Unknown)
    }

    /// A line of a section, and those that its value goes on over; gives the place of what stands below.
    fn entry(&mut self, place: Place) -> Place {
        let start = self.at;
        let sound = self.pair(place, 0);
        if !sound && self.at > start && self.is_at_line() {
            // A value that is not closed: here may be a header.
            return Place::Unknown;
        }
        while !sound && (self.eat(b'=') || self.eat(b':')) {}
        match self.rest() && sound {
            true => place,
            false => Place::Unknown,
        }
    }

    /// `key = value`. Whether it is one: if not, it ends with what may be shown of it.
    fn pair(&mut self, place: Place, depth: usize) -> bool {
        let start = self.at;
        let keys = self.keys(place);
        let (place, odd) = keys.unwrap_or((Place::Unknown, Vec::new()));
        let sign = self.eat(b'=');
        // What no value follows, and is no key of the schema, is perhaps a part of a secret.
        let is_key = place.is_known() || (sign && self.is_at_value());
        match is_key {
            true => odd.into_iter().for_each(|key| self.hide(key)),
            false => self.at = start,
        }
        is_key && sign && self.value(place, depth)
    }

    /// `a."b".c`, as the place it leads to, and what of it may be a secret.
    fn keys(&mut self, mut place: Place) -> Option<(Place, Vec<Range<usize>>)> {
        let mut odd = Vec::new();
        loop {
            let (key, end) = match self.byte()? {
                b'"' | b'\'' => {
                    let text = self.string();
                    (Some(text.content).filter(|_| text.whole)?, text.end)
                }
                _ => {
                    let end = self.end_of(is_word);
                    (Some(self.at..end).filter(|key| !key.is_empty())?, end)
                }
            };
            let name = self.slice(key.clone());
            place = place.below(name);
            odd.extend(Some(key).filter(|_| !place.shows_key(name)));
            self.at = end;
            self.blanks();
            if !self.eat(b'.') {
                return Some((place, odd));
            }
        }
    }

    /// Whether it is a value: if not, it ends where that is seen.
    fn value(&mut self, place: Place, depth: usize) -> bool {
        match self.byte() {
            Some(b'"' | b'\'') => {
                let text = self.string();
                let content = self.slice(text.content.clone());
                // What escapes stand for is not seen here.
                let escapes = ["\\u", "\\U", "\\x"];
                let escapes = escapes.iter().any(|escape| content.contains(escape));
                self.at = text.end;
                self.blanks();
                // A string of several lines, or one that something follows, may have swallowed other keys.
                let plain = text.whole && !escapes && self.is_at_end();
                self.show(text.content, plain, place);
                text.closed
            }
            Some(b'[') if depth < DEEPEST => {
                let value = |scan: &mut Self| scan.value(place, depth + 1);
                self.list(b']', value)
            }
            Some(b'{') if depth < DEEPEST => {
                let pair = |scan: &mut Self| scan.pair(place, depth + 1);
                self.list(b'}', pair)
            }
            _ => {
                let bare = self.at..self.end_of(is_bare);
                let plain = self.slice(bare.clone()).bytes().all(is_plain);
                self.show(bare.clone(), plain, place);
                self.at = bare.end;
                !bare.is_empty()
            }
        }
    }

    /// What stands in brackets, with a comma after each but the last; TOML has the lines of tables in one.
    fn list(&mut self, close: u8, mut element: impl FnMut(&mut Self) -> bool) -> bool {
        self.at += 1;
        loop {
            self.skip();
            if self.eat(close) {
                return true;
            }
            if !element(self) {
                return false;
            }
            self.skip();
            if self.eat(close) {
                return true;
            }
            if !self.eat(b',') {
                return false;
            }
        }
    }

    /// Hides what must be of a value.
    fn show(&mut self, content: Range<usize>, plain: bool, place: Place) {
        let text = self.slice(content.clone());
        if !(plain && place.shows(text)) {
            self.hide(content);
            return;
        }
        for part in private(text) {
            self.hide(content.start + part.start..content.start + part.end);
        }
    }

    /// Hides each line of `range`, so that those after it keep their numbers.
    fn hide(&mut self, range: Range<usize>) {
        let mut start = range.start;
        for line in self.slice(range).split('\n') {
            let blank = line.len() - line.trim_start().len();
            let shown = start + blank..start + blank + line.trim().len();
            start += line.len() + 1;
            match self.hidden.last_mut() {
                Some(last) if last.range.end == shown.start && last.shown == STARS => {
                    last.range.end = shown.end;
                }
                _ if shown.is_empty() => {}
                _ => self.hidden.push(Hidden {
                    range: shown,
                    shown: STARS,
                }),
            }
        }
    }

    /// Hides what is left of the line; whether there is nothing left.
    fn rest(&mut self) -> bool {
        self.blanks();
        let end = self.end_of(|byte| byte != b'\n');
        match self.byte() {
            None | Some(b'\n') => true,
            Some(b'#') => {
                self.skip();
                true
            }
            Some(_) => {
                self.hide(self.at..end);
                self.at = end;
                false
            }
        }
    }

    /// Goes on to what is neither blank nor comment. Comments say nothing of a problem, and may hold a former value.
    fn skip(&mut self) {
        loop {
            self.at = self.end_of(|byte| byte.is_ascii_whitespace());
            if self.byte() != Some(b'#') {
                return;
            }
            let before = self.slice(0..self.at).trim_end_matches([' ', '\t']);
            let range = before.len()..self.end_of(|byte| byte != b'\n');
            self.at = range.end;
            self.hidden.push(Hidden { range, shown: "" });
        }
    }

    /// The string that begins here. One that is not closed ends with its line, or with the text if it may have several lines.
    fn string(&self) -> Text {
        let rest = self.slice(self.at..self.text.len());
        let mut quotes = ["\"\"\"", "'''", "\""].into_iter();
        let quote = quotes.find(|quote| rest.starts_with(quote)).unwrap_or("'");
        let bytes = self.text.as_bytes();
        let start = self.at + quote.len();
        let (mut end, mut lines, mut closed) = (start, false, false);
        while let Some(byte) = bytes.get(end).filter(|_| !closed) {
            closed = self.slice(end..self.text.len()).starts_with(quote);
            lines |= *byte == b'\n';
            let escaped = bytes.get(end + 1).is_some_and(|byte| *byte != b'\n');
            match byte {
                _ if closed => {}
                b'\n' if quote.len() == 1 => break,
                b'\\' if escaped && quote.starts_with('"') => end += 2,
                _ => end += 1,
            }
        }
        Text {
            content: start..end,
            end: if closed { end + quote.len() } else { end },
            closed,
            whole: closed && !lines,
        }
    }

    /// Whether a value may end here.
    fn is_at_end(&self) -> bool {
        matches!(self.byte(), None | Some(b',' | b']' | b'}' | b'#' | b'\n'))
    }

    fn is_at_value(&self) -> bool {
        match self.byte() {
            Some(b'"' | b'\'' | b'[' | b'{') => true,
            Some(b'0'..=b'9' | b'+' | b'-' | b'.') => {
                let number = |b: u8| b.is_ascii_digit() || b"+-._:TZ".contains(&b);
                self.slice(self.at..self.end_of(is_bare))
                    .bytes()
                    .all(number)
            }
            _ => ["true", "false"].contains(&self.slice(self.at..self.end_of(is_bare))),
        }
    }

    /// Whether only blanks stand before this in its line.
    fn is_at_line(&self) -> bool {
        let mut before = self.slice(0..self.at).bytes().rev();
        before
            .find(|byte| !is_blank(*byte))
            .is_none_or(|byte| byte == b'\n')
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == Some(byte);
        self.at += usize::from(is_next);
        self.blanks();
        is_next
    }

    fn blanks(&mut self) {
        self.at = self.end_of(is_blank);
    }

    fn end_of(&self, is_of: fn(u8) -> bool) -> usize {
        let rest = self.slice(self.at..self.text.len());
        let length = rest.bytes().position(|byte| !is_of(byte));
        self.at + length.unwrap_or(rest.len())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }
}

/// A string, with quotation marks around its content.
struct Text {
    content: Range<usize>,
    end: usize,
    closed: bool,
    /// Closed in its line.
    whole: bool,
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether what stands in no quotation marks may go on with it.
fn is_bare(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b',' | b']' | b'}' | b'#')
}

/// Whether it is of numbers, truths and dates, or of text that lacks its quotation marks.
fn is_plain(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b':' | b'/' | b'+')
}

/// Brackets within brackets.
const DEEPEST: usize = 64;
