//! `path`: however a server reads a path, what it then does is what the rules looked at: a denied call stays denied, an
//! allowed one is allowed in that reading too, and nothing leads out of the folder of an API.
//!
//! An input is a rule, a path, and the steps of that server, a letter each; line by line.

use http::Method;

use crate::message::{PathRule, Readings};

/// Panics unless it holds of `data`.
pub fn check(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut line = || str::from_utf8(lines.next()?).ok();
    let (Some(rule), Some(raw), Some(steps)) = (line(), line(), line()) else {
        return;
    };
    let Ok(parsed) = rule.parse::<PathRule>() else {
        return;
    };
    // What is no path, hyper takes for none.
    let is_path = raw.starts_with('/') && raw.parse::<http::uri::PathAndQuery>().is_ok();
    if parsed.names_method() || !is_path || raw.contains(['?', '#']) || steps.len() > 8 {
        return;
    }
    // Only ASCII is the same in either case to a rule.
    if !rule.is_ascii() && steps.contains('c') {
        return;
    }
    let readings = Readings::of(raw);
    let read = steps.bytes().try_fold(raw.as_bytes().to_vec(), step);
    let Some(read) = read else { return };
    let covered = covers(&parsed.to_string(), &read);
    if covered {
        let denied = parsed.matches_any(&Method::GET, &readings);
        assert!(denied, "{rule} lets {raw} pass, read by {steps}");
    }
    // What has more names than one is allowed by the one that it is asked for by.
    let by_name = !steps.contains(['j', 'c']);
    if by_name && parsed.matches_all(&Method::GET, &readings) {
        assert!(covered, "{rule} allows {raw}, read by {steps}");
    }
    if !readings.climbs_out() {
        let behind = [FOLDER, raw.as_bytes()].concat();
        let read = steps.bytes().try_fold(behind, step).unwrap_or_default();
        let inside = read.strip_prefix(FOLDER);
        let stays = inside.is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        assert!(
            stays,
            "{raw} leads to {}, read by {steps}",
            read.escape_ascii()
        );
    }
}

/// One step of a server on its way from the bytes to what it does. `None`: there is no such step.
fn step(path: Vec<u8>, letter: u8) -> Option<Vec<u8>> {
    Some(match letter {
        b'd' => decoded(&path),
        b'u' => escaped(&path),
        b'o' => lax(&path),
        b'n' => letters(&path, |letter| match letter {
            '\u{37e}' => ";".into(),
            '\u{2024}' => ".".into(),
            '\u{2025}' => "..".into(),
            _ => narrow(letter).into(),
        }),
        b'b' => letters(&path, |letter| match letter {
            '\u{2044}' | '\u{2215}' => "/".into(),
            '\u{2216}' => "\\".into(),
            _ => narrow(letter).into(),
        }),
        b'c' => letters(&path, in_other_case),
        b'j' => {
            let name = path
                .strip_suffix(b"/")
                .unwrap_or(&path)
                .to_ascii_lowercase();
            let ends = [".json", ".xml"]
                .iter()
                .find(|end| name.ends_with(end.as_bytes()));
            path[..ends.map_or(path.len(), |end| name.len() - end.len())].to_vec()
        }
        b'.' => without_dots(&path),
        b'\\' => path
            .iter()
            .map(|b| if *b == b'\\' { b'/' } else { *b })
            .collect(),
        b'/' => {
            let mut merged = Vec::new();
            for byte in path {
                if byte != b'/' || merged.last() != Some(&b'/') {
                    merged.push(byte);
                }
            }
            merged
        }
        b';' => each(&path, |segment| {
            let end = segment.iter().position(|b| *b == b';');
            &segment[..end.unwrap_or(segment.len())]
        }),
        b'w' => each(&path, |segment| {
            let end = segment.iter().rposition(|b| !b". ".contains(b));
            end.map_or(segment, |last| &segment[..=last])
        }),
        b't' => each(&path, |segment| {
            let end = segment.iter().rposition(|b| *b > b' ');
            &segment[..end.map_or(0, |last| last + 1)]
        }),
        b'(' => without_sessions(&path),
        b'0' => {
            let end = path.iter().position(|b| b"?#".contains(b) || *b < b' ');
            path[..end.unwrap_or(path.len())].to_vec()
        }
        _ => return None,
    })
}

/// RFC 3986 section 2.1.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        match digits {
            Some(digits) => {
                out.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// `%uXXXX`, as `unescape` of JavaScript reads it.
fn escaped(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let digits = rest
            .get(2..6)
            .and_then(|digits| str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code.and_then(char::from_u32) {
            Some(letter) if rest[..2].eq_ignore_ascii_case(b"%u") => {
                out.extend(letter.to_string().bytes());
                rest = &rest[6..];
            }
            _ => {
                out.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    out
}

/// A decoder of UTF-8 that minds no length (RFC 2279 without its warnings).
fn lax(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let length = match rest[0] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            0xf8..=0xfb => 5,
            0xfc..=0xfd => 6,
            _ => 1,
        };
        let tail = rest.get(1..length).filter(|tail| !tail.is_empty());
        let tail = tail.filter(|tail| tail.iter().all(|byte| byte >> 6 == 2));
        let code = tail.map(|tail| {
            let top = u32::from(rest[0]) % (1 << (7 - length));
            tail.iter()
                .fold(top, |code, byte| code * 64 + u32::from(byte % 64))
        });
        match code.and_then(char::from_u32) {
            Some(letter) => {
                out.extend(letter.to_string().bytes());
                rest = &rest[length..];
            }
            None => {
                out.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    out
}

fn in_other_case(letter: char) -> String {
    if letter.is_ascii() {
        return letter.into();
    }
    let upper: String = letter.to_uppercase().collect();
    let lower: String = letter.to_lowercase().collect();
    match [upper, lower].into_iter().find(|other| other.is_ascii()) {
        Some(other) => other,
        None if letter == '\u{130}' => "i".to_owned(),
        None => letter.into(),
    }
}

fn narrow(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(letter as u32 - 0xfee0).unwrap(),
        _ => letter,
    }
}

fn letters(path: &[u8], map: impl Fn(char) -> String) -> Vec<u8> {
    match str::from_utf8(path) {
        Ok(text) => text.chars().map(map).collect::<String>().into_bytes(),
        Err(_) => path.to_vec(),
    }
}

/// RFC 3986 section 5.2.4, letter by letter.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut input = path.to_vec();
    let mut out: Vec<u8> = Vec::new();
    while !input.is_empty() {
        if input.starts_with(b"/./") || input == b"/." {
            let end = input.len().min(3);
            input.splice(..end, *b"/");
        } else if input.starts_with(b"/../") || input == b"/.." {
            let end = input.len().min(4);
            input.splice(..end, *b"/");
            let parent = out.iter().rposition(|byte| *byte == b'/');
            out.truncate(parent.unwrap_or(0));
        } else {
            let next = input[1..].iter().position(|byte| *byte == b'/');
            out.extend(input.drain(..next.map_or(input.len(), |at| at + 1)));
        }
    }
    out
}

/// As ASP.NET's "cookieless" sessions are cut out, with the slash before them.
fn without_sessions(path: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(path);
    let Some((at, _)) = text
        .match_indices("/(")
        .find(|(at, _)| session(&text[at + 1..]) > 0)
    else {
        return path.to_vec();
    };
    let behind = at + 1 + session(&text[at + 1..]);
    [&text[..at], &text[behind..]].concat().into_bytes()
}

/// How long `(S(x)F(y))` at the beginning is, if it is there.
fn session(text: &str) -> usize {
    let Some(end) = text.find("))") else { return 0 };
    let parts: Vec<&str> = text[1..=end].split_inclusive(')').collect();
    let sound = parts.iter().all(|part| {
        let inner = part.get(2..part.len() - 1).unwrap_or("/");
        let first = part.starts_with(|c: char| c.is_ascii_alphabetic());
        first && part[1..].starts_with('(') && !inner.contains(['(', ')', '/'])
    });
    if sound { end + 2 } else { 0 }
}

fn each(path: &[u8], map: impl Fn(&[u8]) -> &[u8]) -> Vec<u8> {
    let segments: Vec<_> = path.split(|byte| *byte == b'/').map(map).collect();
    segments.join(&b'/')
}

/// Whether a rule means this path, as a server reads it that knows nothing of letter case.
fn covers(rule: &str, path: &[u8]) -> bool {
    // `//` is `/` with a slash at its end.
    let trimmed = |path: &[u8]| match path {
        b"/" | b"//" => Vec::new(),
        path => path.strip_suffix(b"/").unwrap_or(path).to_ascii_lowercase(),
    };
    let (rule, path) = (trimmed(rule.as_bytes()), trimmed(path));
    let mut path = path.split(|byte| *byte == b'/');
    for part in rule.split(|byte| *byte == b'/') {
        let segment = path.next();
        let fits = match part {
            b"**" => return true,
            b"*" => segment.is_some_and(|segment| !segment.is_empty()),
            part => {
                segment.is_some_and(|segment| in_one_case(segment, part) == in_one_case(part, part))
            }
        };
        if !fits {
            return false;
        }
    }
    path.next().is_none()
}

/// A segment, of which letter case does not matter in any alphabet where the rule has letters of another than ASCII.
fn in_one_case(segment: &[u8], of_rule: &[u8]) -> Vec<u8> {
    match str::from_utf8(segment) {
        Ok(text) if !of_rule.is_ascii() => text.to_lowercase().into_bytes(),
        _ => segment.to_ascii_lowercase(),
    }
}

const FOLDER: &[u8] = b"/v1/api";
