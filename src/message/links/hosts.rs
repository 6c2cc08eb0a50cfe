//! Whom an absolute URL names, to the clients that read it.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::message::Origin;

/// Whom an absolute URL names, and what stands behind it. Clients take numbers for the addresses that they may stand for, and wide or
/// encoded letters for those that they look like (WHATWG URL, "host parsing"). `Some(None)`: most find nobody there, or who
/// has no name that servers have, so that nothing is known of what the others find.
pub(super) fn named(url: &str) -> Option<(Option<Origin>, &str)> {
    let behind = behind_scheme(url)?.strip_prefix("//")?;
    let rest = behind.find(['/', '?', '#']).and_then(|at| behind.get(at..));
    let rest = rest.unwrap_or_default();
    let front = url.strip_suffix(rest)?;
    let read = Url::parse(front).ok();
    let read = read.and_then(|url| url.origin().ascii_serialization().parse().ok());
    Some((read, rest))
}

/// A URL with the letter in its host that some take for one of its own, and others for what it stands for.
pub(super) fn folded(url: &str) -> Option<String> {
    let (_, rest) = named(url)?;
    let front = percent_decode_str(url.strip_suffix(rest)?).decode_utf8_lossy();
    let has_it = front.contains(SHARP_S);
    has_it.then(|| format!("{}{rest}", front.replace(SHARP_S, "ss")))
}

const SHARP_S: [char; 2] = ['\u{df}', '\u{1e9e}'];

pub(super) fn behind_scheme(url: &str) -> Option<&str> {
    let (scheme, behind) = url.split_once(':')?;
    let ours = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    ours.then_some(behind)
}

/// The scheme in front (RFC 3986 section 3.1).
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let known = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.');
    let begins = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    (begins && scheme.chars().all(known)).then_some(scheme)
}

/// Whether it has a scheme that is none of ours.
pub(super) fn is_foreign(url: &str) -> bool {
    scheme(url).is_some() && behind_scheme(url).is_none()
}

/// Whether it has a scheme that some take for the beginning of a path: curl a long one, wget one with a dot.
pub(super) fn has_odd_scheme(url: &str) -> bool {
    scheme(url).is_some_and(|scheme| scheme.len() > LONGEST_SCHEME || scheme.contains('.'))
}

/// The longest that is in use (`moz-extension`, `ms-settings-...`) is shorter.
const LONGEST_SCHEME: usize = 32;

/// Whether a reference, as it was [read](super::inside::as_read), names a host or another scheme.
pub(super) fn is_whole(read: &str) -> bool {
    read.starts_with("//") || scheme(read).is_some()
}
