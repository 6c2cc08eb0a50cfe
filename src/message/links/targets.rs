//! `Link` of an answer (RFC 8288 section 3): `<target>; rel="next"; title="...", ...`.
//!
//! Clients read it with expressions of their own: they find a target within quotes, one that is not closed, or two as one. So it is written
//! anew from what a strict reader finds, and what that one does not understand is no link.

use std::borrow::Cow;

/// The field with what `turn` has for its targets, and without parameters that may be taken for one. `None`: it is not understood.
pub(super) fn turn(text: &str, turn: impl Fn(&str) -> Option<String>) -> Option<Cow<'_, str>> {
    let mut written: Vec<Cow<'_, str>> = Vec::new();
    let mut changed = false;
    for link in parts(text, ',')? {
        let link = link.trim_matches(BLANKS);
        if link.is_empty() {
            continue;
        }
        let (target, behind) = link.strip_prefix('<')?.split_once('>')?;
        // Some take marks around a target for quotation marks.
        if target.contains(['<', '"', ' ', '\t']) || target.starts_with('\'') {
            return None;
        }
        let mut parameters = parts(behind, ';')?.into_iter();
        if !parameters.next()?.trim_matches(BLANKS).is_empty() {
            return None;
        }
        let (kept, left): (Vec<_>, Vec<_>) = parameters.partition(|one| !one.contains(['<', '>']));
        let turned = turn(target);
        changed |= turned.is_some() || !left.is_empty();
        let target = turned.as_deref().unwrap_or(target);
        let kept: String = kept.iter().flat_map(|one| [";", one]).collect();
        written.push(format!("<{target}>{kept}").into());
    }
    Some(match changed {
        true => written.join(", ").into(),
        false => text.into(),
    })
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
            // Not understood.
            ("/a; rel=next", None),
            ("</a; rel=next", None),
            ("</a>; t=\"x, </../b>; rel=next", None),
            ("</<x/../../b>; rel=\"next\"", None),
            ("</a>/../../b; rel=next", None),
            ("</a> </b>", None),
            ("</a b>", None),
            ("<'/../b'>", None),
            ("garbage", None),
        ];
        for (text, expected) in rows {
            let got = super::turn(text, |url| Some(format!("[{url}]")));
            assert_eq!(got.as_deref(), expected, "{text}");
        }
        let same = " </a> ;rel=next,, ";
        assert_eq!(super::turn(same, |_| None).as_deref(), Some(same));
    }
}
