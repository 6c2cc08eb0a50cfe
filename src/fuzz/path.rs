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
    let readings = Readings::of(raw);
    let read = steps.bytes().try_fold(raw.as_bytes().to_vec(), step);
    let Some(read) = read else { return };
    let covered = covers(&parsed.to_string(), &read);
    if covered {
        let denied = parsed.matches_any(&Method::GET, &readings);
        assert!(denied, "{rule} lets {raw} pass, read by {steps}");
    }
    if parsed.matches_all(&Method::GET, &readings) {
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
            part => segment == Some(part),
        };
        if !fits {
            return false;
        }
    }
    path.next().is_none()
}

const FOLDER: &[u8] = b"/v1/api";
