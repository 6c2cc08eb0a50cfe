//! `judge`: no answer upsets the judge; of a whole JSON document it says what a plain reading of the same rules says, and
//! what it was not to look at changes nothing.
//!
//! An input is a line with the name of an upstream, a path, a method, a status and `WWW-Authenticate`, then the body.

use std::sync::LazyLock;

use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::Value;

use crate::message::Readings;
use crate::provider::judge::{Look, PREFIX_MAX, Sign, Test, judge, look};
use crate::provider::{Provider, Surface, Verdict};

/// Panics unless it holds of `data`.
pub fn check(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (line, body) = (&data[..end], &data[end + 1..]);
    let words: Vec<_> = line.splitn(5, |byte| *byte == b' ').collect();
    let [name, path, method, status, challenge] = words[..] else {
        return;
    };
    let known = PROVIDERS.iter().find(|(known, _)| known.as_bytes() == name);
    let (Some((_, provider)), Ok(path)) = (known, str::from_utf8(path)) else {
        return;
    };
    let (Ok(method), Ok(status)) = (Method::from_bytes(method), StatusCode::from_bytes(status))
    else {
        return;
    };
    let Ok(challenge) = HeaderValue::from_bytes(challenge) else {
        return;
    };
    let surface = provider.surface(&Readings::of(path));
    let mut headers = HeaderMap::new();
    headers.insert(WWW_AUTHENTICATE, challenge);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let of = |body: &[u8], complete| judge(surface, &method, status, &headers, body, complete);
    let (whole, cut) = (of(body, true), of(body, false));
    if look(surface, &method, status, &headers) == Look::Pass {
        assert_eq!((whole, cut), (Verdict::Alive, Verdict::Alive));
        return;
    }
    assert!(
        cut == Verdict::Alive || !status.is_success(),
        "a success that may go on"
    );
    if method == Method::HEAD {
        assert_eq!((whole, cut), (of(b"", true), of(b"", true)));
    } else if let Some(prefix) = body.get(..PREFIX_MAX) {
        let behind = [prefix, b"]}>\"INVALID_SESSION_ID"].concat();
        assert_eq!(of(&behind, false), cut, "what is not looked at");
    } else if let Ok(json) = serde_json::from_slice::<Value>(body)
        && names_nothing_twice(body, &json)
        && let Some(expected) = read(surface, status, &json, body)
    {
        assert_eq!(whole, expected, "{}", body.escape_ascii());
    }
}

/// What the rules say of a whole document; `None`: it takes more than that to know.
fn read(surface: &Surface, status: StatusCode, json: &Value, body: &[u8]) -> Option<Verdict> {
    for rule in surface.dead.iter().filter(|rule| rule.status == status) {
        if shows(&rule.sign, json, body)? {
            return Some(rule.then);
        }
    }
    Some(Verdict::Alive)
}

fn shows(sign: &Sign, json: &Value, body: &[u8]) -> Option<bool> {
    match sign {
        Sign::Any => Some(true),
        Sign::Challenge => None,
        Sign::Contains(part) => {
            let mut parts = body.windows(part.len());
            Some(parts.any(|window| window == part.as_bytes()))
        }
        Sign::Text(start) => Some(body.trim_ascii_start().starts_with(start.as_bytes())),
        Sign::Json(place, test) => {
            let steps: Vec<_> = place.split('/').skip(1).collect();
            Some(values(json, &steps).iter().any(|text| passes(test, text)))
        }
        Sign::Xml(..) => Some(false),
        Sign::All(signs) => {
            let signs: Option<Vec<_>> = signs.iter().map(|sign| shows(sign, json, body)).collect();
            Some(signs?.into_iter().all(|shown| shown))
        }
    }
}

/// The scalars at a place, as text.
fn values(json: &Value, steps: &[&str]) -> Vec<String> {
    match (json, steps) {
        (Value::Array(all), ["*", rest @ ..]) => {
            all.iter().flat_map(|one| values(one, rest)).collect()
        }
        (Value::Object(all), [name, rest @ ..]) => {
            all.get(*name).map_or(vec![], |one| values(one, rest))
        }
        (Value::String(text), []) => vec![text.clone()],
        // `0.0` is the number 0.
        (Value::Number(number), []) if number.is_f64() => {
            number.as_f64().iter().map(f64::to_string).collect()
        }
        (Value::Bool(_) | Value::Number(_), []) => vec![json.to_string()],
        _ => vec![],
    }
}

fn passes(test: &Test, text: &str) -> bool {
    match test {
        Test::Is(this) => text == this,
        Test::Contains(this) => text.contains(&**this),
        Test::EndsWith(this) => text.ends_with(&**this),
    }
}

/// Of a name that is given twice readers take the first or the last; a judge looks at both. Names that look like places
/// are nobody's.
fn names_nothing_twice(body: &[u8], json: &Value) -> bool {
    let quotes = |text: &[u8]| text.iter().filter(|byte| **byte == b'"').count();
    let escapes = body.contains(&b'\\') || body.contains(&b'/') || body.contains(&b'*');
    !escapes && quotes(body) == quotes(json.to_string().as_bytes())
}

static PROVIDERS: LazyLock<Vec<(String, Provider)>> = LazyLock::new(|| {
    let config = super::upstreams();
    let upstreams = config.upstreams.iter();
    upstreams
        .map(|upstream| (upstream.name.clone(), Provider::of(upstream)))
        .collect()
});
