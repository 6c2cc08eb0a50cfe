//! `Link` of an answer (RFC 8288 section 3): `<target>; rel="next"; title="...", ...`.
//!
//! Clients read it with expressions of their own: they find a target within quotes, one that is not closed, or two as one. So it is written
//! anew from what a strict reader finds, and what that one does not understand is no link.

use std::borrow::Cow;

/// The field with what `turn` has for its targets; where others `share` the host, without links that are none and parameters that may be
/// taken for one. `None`: it is not understood.
pub(super) fn turn(
    text: &str,
    share: bool,
    turn: impl Fn(&str) -> Option<String>,
) -> Option<Cow<'_, str>> {
    let mut written: Vec<String> = Vec::new();
    let mut changed = false;
    for link in parts(text, ',')? {
        let link = link.trim_matches(BLANKS);
        if link.is_empty() {
            continue;
        }
        let Some((target, parameters)) = split(link) else {
            changed |= share;
            written.extend((!share).then(|| link.to_owned()));
            continue;
        };
        let is_plain = |one: &&str| !share || !one.contains(['<', '>']);
        let kept: Vec<_> = parameters.iter().copied().filter(is_plain).collect();
        changed |= kept.len() < parameters.len();
        let target = target.trim_matches(BLANKS).replace(BLANKS, "%20");
        let turned = turn(&target);
        changed |= turned.is_some();
        let mut target = turned.unwrap_or(target);
        // Some cut a field at every comma.
        let leads =
            |part: &str| part.starts_with('/') || part.contains("..") || part.contains("//");
        if share && target.split(',').skip(1).any(leads) {
            target = target.replace(',', "%2C").replace(';', "%3B");
            changed = true;
        }
        let kept: String = kept.iter().flat_map(|one| [";", one]).collect();
        written.push(format!("<{target}>{kept}"));
    }
    Some(match changed {
        true => written.join(", ").into(),
        false => text.into(),
    })
}

/// The target of a link, and its parameters. Some take marks around a target for quotation marks.
fn split(link: &str) -> Option<(&str, Vec<&str>)> {
    let (target, behind) = link.strip_prefix('<')?.split_once('>')?;
    let mut parameters = parts(behind, ';')?.into_iter();
    let is_closed = parameters.next()?.trim_matches(BLANKS).is_empty();
    let is_target = !target.contains(['<', '"']) && !target.starts_with('\'');
    (is_closed && is_target).then(|| (target, parameters.collect()))
}

/// The parts between `mark`s that stand in no quotation marks (RFC 9110 section 5.6.4), nor between `<` and `>`. `None`: one of these does
/// not close.
fn parts(text: &str, mark: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped, mut open) = (false, false, false);
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !open => quoted = !quoted,
            '<' if !quoted => open = true,
            '>' if !quoted => open = false,
            _ if letter == mark && !quoted && !open => {
                parts.push(text.get(from..at)?);
                from = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(from..)?);
    (!quoted && !open).then_some(parts)
}

const BLANKS: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests {
    #[test]
    fn targets_are_turned_and_nothing_else_can_be_taken_for_one() {
        let rows = [
            ("", Some("")),
            ("</a>", Some("<[/a]>")),
            ("<>", Some("<[]>")),
            (
                "</a>; rel=\"next\"; title=\"x, y; z\" , </b?c,d;e>;rel=prev",
                Some("<[/a]>; rel=\"next\"; title=\"x, y; z\", <[/b?c,d;e]>;rel=prev"),
            ),
            (" , </a> ;rel=next,, ", Some("<[/a]>;rel=next")),
            (
                "</a>; title=\"say \\\"hi, you\\\"\"; rel=next",
                Some("<[/a]>; title=\"say \\\"hi, you\\\"\"; rel=next"),
            ),
            // Parameters that hold what looks like a target.
            ("</a>; title=\"3 < 4\"; rel=next", Some("<[/a]>; rel=next")),
            (
                "</a>; t=\"x, </../b>; rel=next\"; rel=up",
                Some("<[/a]>; rel=up"),
            ),
            ("</a b>", Some("<[/a%20b]>")),
            ("< /a >", Some("<[/a]>")),
            // No links.
            ("/a; rel=next", Some("")),
            ("</a>, /b; rel=next, </c>", Some("<[/a]>, <[/c]>")),
            ("</<x/../../b>; rel=\"next\"", Some("")),
            ("</a>/../../b; rel=next", Some("")),
            ("</a> </b>", Some("")),
            ("<'/../b'>", Some("")),
            ("garbage", Some("")),
            // Not understood.
            ("</a; rel=next", None),
            ("</a>; t=\"x, </../b>; rel=next", None),
        ];
        for (text, expected) in rows {
            let got = super::turn(text, true, |url| {
                (!url.contains(']')).then(|| format!("[{url}]"))
            });
            assert_eq!(got.as_deref(), expected, "{text}");
        }
        let same = " </a> ;rel=next,, ";
        assert_eq!(super::turn(same, true, |_| None).as_deref(), Some(same));
        // Read in parts it would be others.
        let rows = [
            ("</a?b=1,2;c>", "</a?b=1,2;c>"),
            ("</a;b,/../c>", "</a%3Bb%2C/../c>"),
        ];
        for (text, expected) in rows {
            let turn = |url: &str| url.starts_with("/..").then(|| "/c".to_owned());
            let got = super::turn(text, true, turn);
            assert_eq!(got.as_deref(), Some(expected), "{text}");
        }
        for alone in ["</a>; title=\"3 > 2\"", "garbage"] {
            assert_eq!(super::turn(alone, false, |_| None).as_deref(), Some(alone));
        }
    }
}
