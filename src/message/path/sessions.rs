//! Sessions that ASP.NET keeps in paths where it keeps them in no cookies: a server of it takes them off before it looks.

use std::borrow::Cow;

/// A path without the first that ASP.NET takes for a session kept without cookies (`/(S(x)F(y))`) at the beginning of a segment;
/// the next one is for the next reader. The slash before it is put back as `slash`: it goes with the session in some readings,
/// with what is behind it in others.
pub(super) fn without_session<'a>(path: &'a [u8], slash: &[u8]) -> Cow<'a, [u8]> {
    let begins = |(at, pair): (usize, &[u8])| (pair == b"/(").then_some(at);
    let mut places = path.windows(2).enumerate().filter_map(begins);
    let cut = places.find_map(|at| {
        let (before, after) = path.split_at_checked(at)?;
        let behind = behind_session(after.strip_prefix(b"/")?)?;
        Some([before, slash, behind].concat())
    });
    cut.map_or(Cow::Borrowed(path), Cow::Owned)
}

/// What stands behind letters with values in parentheses, all of them in parentheses.
fn behind_session(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"(")?;
    let mut any = false;
    loop {
        rest = match rest {
            [letter, b'(', value @ ..] if letter.is_ascii_alphabetic() => {
                let end = value.iter().position(|byte| b"()/".contains(byte))?;
                value.get(end..)?.strip_prefix(b")")?
            }
            [b')', behind @ ..] if any => return Some(behind),
            _ => return None,
        };
        any = true;
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use crate::message::{PathRule, Readings};

    fn rule(text: &str) -> PathRule {
        text.parse().unwrap()
    }

    #[test]
    fn a_denied_path_is_denied_whatever_session_stands_in_it() {
        let spellings = [
            "/(S(lit3py55t21z5v55vlm25s55))/services/oauth2/token",
            "/(A(x)S(y)F())/services/oauth2/token",
            "/services/(X(1))/oauth2/(s(x))token",
            "/services/oauth2/tok/(S(x))en",
            "/%28S%28x%29%29/services/oauth2/token",
            "/services/data/(S(x))/../oauth2/token",
            "/services/data/../(S(x))oauth2/token/(S(x))",
            "/services/(S(x)/(S(x)))/oauth2/token",
            "/(S(x))/(S(y))/services/oauth2/(S(z))token",
        ];
        let denied = |path: &&str| {
            rule("/services/oauth2/token").matches_any(&Method::GET, &Readings::of(path))
        };
        for path in spellings {
            assert!(denied(&path), "{path}");
        }
        let others = [
            "/(S(x)/services/oauth2/token",
            "/(x)/services/oauth2/token",
            "/()/services/oauth2/token",
            "/a(S(x))/services/oauth2/token",
        ];
        for path in others {
            assert!(!denied(&path), "{path}");
        }
    }

    #[test]
    fn a_session_opens_nothing_and_is_no_folder_to_climb_out_of() {
        let rows = [
            ("/v1/(S(x))/v2", true, false),
            ("/(S(x))/v1/v2", false, false),
            ("/v1/(S(x))/../../v2", false, true),
            ("/v1/(x)/../v2", true, false),
            ("/(S(x))/../v1", false, true),
            ("/(S(x))-old/v1", false, true),
            ("/(S()))/v1", false, true),
        ];
        for (path, allowed, climbs) in rows {
            let readings = Readings::of(path);
            let got = rule("/v1/**").matches_all(&Method::GET, &readings);
            assert_eq!((got, readings.climbs_out()), (allowed, climbs), "{path}");
        }
        let two = Readings::of("/(S(x))/(S(y))");
        assert!(rule("/*").matches_any(&Method::GET, &two));
        let grown = Readings::of("/(S(x))y");
        assert!(!rule("/*").matches_all(&Method::GET, &grown));
    }
}
