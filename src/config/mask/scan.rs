//! [`Scan`]: finds the secrets in the bare text of a configuration.

use std::ops::Range;

use super::lines;
use super::names::{is_name, is_reference, is_reference_key, is_secret_key};

/// Walks over the bytes of a text. Every byte it stops at is ASCII, so every range is on character boundaries.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    text: &'a str,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// What must not be shown, in no order.
    pub(super) fn secrets(self) -> Vec<Range<usize>> {
        let mut hidden = Vec::new();
        let mut at = 0;
        while let Some(word) = self.next_word(at) {
            at = word.end;
            match self.slice(word.clone()) {
                "env" => self.hide_no_name(word.end, &mut hidden),
                "keys" => self.hide_bare_keys(word.end, &mut hidden),
                key if is_secret_key(key) => at = self.hide_value_of(&word, &mut hidden),
                _ => {}
            }
        }
        self.hide_in_urls(&mut hidden);
        hidden
    }

    /// Hides the value that follows the key at `word`; gives the place to go on from.
    fn hide_value_of(self, word: &Range<usize>, hidden: &mut Vec<Range<usize>>) -> usize {
        let mut at = self.skip_quote(word.end);
        while self.byte(self.skip_blanks(at)) == Some(b'.') {
            let dot = self.skip_blanks(at);
            let next = self.skip_quote(self.skip_blanks(dot + 1));
            let end = self.end_of_word(next);
            if is_reference_key(self.slice(next..end)) {
                // What stands there is looked at next.
                return next;
            }
            at = self.skip_quote(end);
            if at <= dot + 1 {
                break;
            }
        }
        let value = self.skip_blanks(at);
        let line_start = self.text.get(..word.start).unwrap_or_default();
        let line_start = line_start.rsplit('\n').next().unwrap_or_default().trim();
        match self.byte(value) {
            Some(b']') if line_start.starts_with('[') => {
                self.hide_within(value..self.next_header(value), hidden)
            }
            Some(b'=' | b':') => {
                let end = self.hide_value(self.skip_blanks(value + 1), hidden);
                // Keys of other secrets may be among them, so the scan goes on before them.
                hidden.extend(lines::going_on(self.text, end));
                end
            }
            Some(b'"' | b'\'') if value > word.end => self.hide_value(value, hidden),
            Some(_) if value > at && line_start.is_empty() => self.hide_value(value, hidden),
            // The sign that belongs behind the key may stand below it.
            _ => match lines::next(self.text, at) {
                Some(below) if matches!(self.byte(below), Some(b'=' | b':')) => {
                    self.hide_value(self.skip_blanks(below + 1), hidden)
                }
                _ => at,
            },
        }
    }

    fn hide_value(self, at: usize, hidden: &mut Vec<Range<usize>>) -> usize {
        match self.byte(at) {
            Some(b'"' | b'\'') => {
                let (content, end) = self.string(at);
                if !is_reference(self.slice(content.clone())) {
                    hidden.push(content);
                }
                // A secret with a quotation mark in it goes on behind what looks like its end.
                let rest = self.skip_blanks(end)..self.end_of_line(end);
                match self.byte(rest.start) {
                    None | Some(b',' | b'}' | b']' | b'#' | b'\r' | b'\n') => end,
                    Some(_) => {
                        let end = rest.end;
                        hidden.push(rest);
                        end
                    }
                }
            }
            Some(b'{' | b'[') => self.hide_within(at..self.end_of_brackets(at), hidden),
            _ => {
                let end = self.end_of_line(at);
                hidden.push(at..end);
                end
            }
        }
    }

    /// Hides what follows `env` and is not the name of a variable.
    fn hide_no_name(self, at: usize, hidden: &mut Vec<Range<usize>>) {
        let equals = self.skip_blanks(self.skip_quote(at));
        let value = self.skip_blanks(equals + 1);
        if self.byte(equals) == Some(b'=') && matches!(self.byte(value), Some(b'"' | b'\'')) {
            let (content, _) = self.string(value);
            if !is_name(self.slice(content.clone())) {
                hidden.push(content);
            }
        }
    }

    /// Hides everything within `range` but keys, punctuation, and strings that say where a value comes from.
    fn hide_within(self, range: Range<usize>, hidden: &mut Vec<Range<usize>>) -> usize {
        let mut at = range.start;
        while at < range.end {
            match self.byte(at) {
                Some(b'"' | b'\'') => {
                    let (content, end) = self.string(at);
                    let shown = match self.reference_key(range.start..at) {
                        Some("env") => is_name(self.slice(content.clone())),
                        place => place.is_some(),
                    };
                    if !shown {
                        hidden.push(content);
                    }
                    at = end;
                }
                Some(
                    b' ' | b'\t' | b'\r' | b'\n' | b',' | b'=' | b'.' | b'{' | b'}' | b'[' | b']',
                ) => at += 1,
                _ => {
                    let rest = self.slice(at..range.end);
                    let length = rest.find([
                        ' ', '\t', '\r', '\n', ',', '=', '.', '{', '}', '[', ']', '"', '\'',
                    ]);
                    let end = length.map_or(range.end, |length| at + length);
                    let key = self.slice(at..end).bytes().all(is_word)
                        && matches!(self.byte(self.skip_blanks(end)), Some(b'=' | b'.'));
                    if !key {
                        hidden.push(at..end);
                    }
                    at = end;
                }
            }
        }
        at.max(range.end)
    }

    /// Hides callers' keys that stand where the tables of `keys = [{ name, sha256 }]` belong.
    fn hide_bare_keys(self, at: usize, hidden: &mut Vec<Range<usize>>) {
        let equals = self.skip_blanks(self.skip_quote(at));
        if self.byte(equals) != Some(b'=') {
            return;
        }
        let value = self.skip_blanks(equals + 1);
        if self.byte(value) != Some(b'[') {
            self.hide_value(value, hidden);
            return;
        }
        let end = self.end_of_brackets(value);
        let mut at = value + 1;
        while at < end {
            match self.byte(at) {
                Some(b'{') => at = self.end_of_brackets(at),
                Some(b'"' | b'\'') => at = self.hide_value(at, hidden),
                _ => at += 1,
            }
        }
    }

    /// `env` or `file`, if what ends with `before` is `env =` or `file =`.
    fn reference_key(self, before: Range<usize>) -> Option<&'a str> {
        let before = self.slice(before).trim_end();
        let key = before.strip_suffix('=').unwrap_or_default().trim_end();
        let mut words = key.rsplit(|c: char| !c.is_ascii_alphanumeric());
        words.next().filter(|word| is_reference_key(word))
    }

    /// User names, passwords, queries and fragments in URLs: `://user:password@`, and what was probably meant to be that; `?key=...`.
    /// The name of a user (`me@example.com`) stays.
    pub(super) fn hide_in_urls(self, hidden: &mut Vec<Range<usize>>) {
        for (at, slashes) in self.text.match_indices("://") {
            let url = self.slice(at + slashes.len()..self.text.len());
            let url = url
                .split(['"', '\'', '`', '\n', ' '])
                .next()
                .unwrap_or_default();
            if let Some((before, query)) = url.split_once(['?', '#']) {
                let start = at + slashes.len() + before.len() + 1;
                hidden.push(start..start + query.len());
            }
        }
        for (end, _) in self.text.match_indices('@') {
            let before = self.slice(0..end);
            let start = before
                .rfind(['"', '\'', '\n', ' ', ','])
                .map_or(0, |at| at + 1);
            let before = self.slice(start..end);
            match before.find("//") {
                Some(slashes) => hidden.push(start + slashes + 2..end),
                None if before.contains(':') => hidden.push(start..end),
                None => {}
            }
        }
    }

    /// The content of the string that begins at `at`, and where the string ends. One that is not closed ends with its
    /// line, or with the text if it may have several lines.
    fn string(self, at: usize) -> (Range<usize>, usize) {
        let rest = self.slice(at..self.text.len());
        for quotes in ["\"\"\"", "'''"] {
            if rest.starts_with(quotes) {
                let start = at + 3;
                let length = self.slice(start..self.text.len()).find(quotes);
                let end = length.map_or(self.text.len(), |length| start + length);
                return (start..end, (end + 3).min(self.text.len()));
            }
        }
        let quote = self.byte(at);
        let mut end = at + 1;
        while let Some(byte) = self.byte(end) {
            match byte {
                b'\n' => return (at + 1..end, end),
                b'\\' if quote == Some(b'"') && self.byte(end + 1) != Some(b'\n') => end += 2,
                byte if Some(byte) == quote => return (at + 1..end, end + 1),
                _ => end += 1,
            }
        }
        (at + 1..self.text.len(), self.text.len())
    }

    fn end_of_brackets(self, at: usize) -> usize {
        let limit = self.next_header(at);
        let mut depth = 0_usize;
        let mut at = at;
        while at < limit {
            match self.byte(at) {
                Some(b'"' | b'\'') => at = self.string(at).1,
                Some(byte) => {
                    at += 1;
                    match byte {
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth = depth.saturating_sub(1),
                        _ => continue,
                    }
                    if depth == 0 {
                        return at;
                    }
                }
                None => break,
            }
        }
        limit
    }

    fn next_header(self, at: usize) -> usize {
        let rest = self.slice(at..self.text.len());
        rest.find("\n[").map_or(self.text.len(), |found| at + found)
    }

    fn end_of_line(self, at: usize) -> usize {
        let rest = self.slice(at..self.text.len());
        rest.find('\n').map_or(self.text.len(), |found| at + found)
    }

    fn next_word(self, mut at: usize) -> Option<Range<usize>> {
        while !is_word(self.byte(at)?) {
            at += 1;
        }
        Some(at..self.end_of_word(at))
    }

    fn end_of_word(self, mut at: usize) -> usize {
        while self.byte(at).is_some_and(is_word) {
            at += 1;
        }
        at
    }

    fn skip_quote(self, at: usize) -> usize {
        at + usize::from(matches!(self.byte(at), Some(b'"' | b'\'')))
    }

    fn skip_blanks(self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        at
    }

    fn byte(self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    pub(super) fn slice(self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}
