//! `links`: a document in pieces is turned as in one, and nothing is changed in it but URLs that lead back.
//!
//! An input is `{` or `<` for JSON or XML, then the document, which the byte `1c` cuts into pieces.

use serde_json::Value;

use crate::message::Links;
use crate::proxy::{Format, turned};

/// Panics unless it holds of `data`.
pub fn check(data: &[u8]) {
    let (format, document) = match data {
        [b'{', rest @ ..] => (Format::Json, rest),
        [b'<', rest @ ..] => (Format::Xml, rest),
        _ => return,
    };
    let pieces = super::pieces(document);
    let whole = pieces.concat();
    let of = |pieces: &[Vec<u8>]| turned(format, links(), PLACES, pieces);
    let out = of(std::slice::from_ref(&whole));
    let bytes: Vec<_> = whole.iter().map(|byte| vec![*byte]).collect();
    for cut in [pieces, bytes] {
        let cut_up = of(&cut);
        assert!(
            cut_up == out,
            "{}\n{}",
            cut_up.escape_ascii(),
            out.escape_ascii()
        );
    }
    if out != whole {
        assert!(holds(&out, BASE), "{}", out.escape_ascii());
    }
    if let (Format::Json, Ok(before)) = (format, serde_json::from_slice(&whole)) {
        let after = serde_json::from_slice(&out).expect("JSON stays JSON");
        same(&before, &after);
    }
}

/// Everything is as it was, or a URL that leads back in the place of one of the upstream.
fn same(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            before.iter().zip(after).for_each(|(b, a)| same(b, a));
        }
        (Value::Object(before), Value::Object(after)) if before.len() == after.len() => {
            for (name, value) in before {
                same(value, &after[name]);
            }
        }
        (Value::String(before), Value::String(after)) if before != after => {
            let turned = links().turn_absolute(before);
            assert_eq!(turned.as_ref(), Some(after));
        }
        _ => assert_eq!(before, after),
    }
}

fn links() -> Links {
    let upstream = vec!["https://rest.zuora.com".parse().unwrap()];
    Links::new(
        upstream,
        String::new(),
        BASE.to_owned(),
        "/billing".to_owned(),
    )
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

const BASE: &str = "http://localhost:7717/billing";
const PLACES: &[&str] = &["/nextPage", "/urls/*", "/*/next"];
