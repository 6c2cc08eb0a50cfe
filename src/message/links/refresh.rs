//! `Refresh` of an answer: no standard has it, and browsers follow it (HTML, "shared declarative refresh steps").

/// Turns the URL in `0; url="..."`.
pub(super) fn turn(text: &str, turn: impl Fn(&str) -> Option<String>) -> Option<String> {
    let rest = text.trim_start();
    let rest = rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let rest = rest.trim_start();
    let rest = rest.strip_prefix([';', ',']).unwrap_or(rest).trim_start();
    let rest = named(rest).unwrap_or(rest);
    let quote = rest
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''));
    let rest = quote
        .and_then(|quote| rest.strip_prefix(quote))
        .unwrap_or(rest);
    let end = quote
        .and_then(|quote| rest.find(quote))
        .unwrap_or(rest.len());
    let (url, behind) = rest.split_at_checked(end)?;
    let before = text.strip_suffix(rest)?;
    (!url.is_empty()).then(|| turn(url).map(|url| format!("{before}{url}{behind}")))?
}

/// What stands behind `url=`.
fn named(text: &str) -> Option<&str> {
    let (name, rest) = text.split_at_checked(3)?;
    let named = name.eq_ignore_ascii_case("url");
    named.then_some(rest.trim_start().strip_prefix('=')?.trim_start())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_url_is_found_as_browsers_find_it_and_nothing_else_changes() {
        let rows = [
            ("0; url=/x", Some("0; url=[/x]")),
            (" 5.5 ,\tURL = '/x'; y", Some(" 5.5 ,\tURL = '[/x]'; y")),
            ("0;url=\"/x y\"", Some("0;url=\"[/x y]\"")),
            ("0;url=\"/x", Some("0;url=\"[/x]")),
            ("0 url=/x", Some("0 url=[/x]")),
            ("0;/x", Some("0;[/x]")),
            ("0;../x", Some("0;[../x]")),
            ("0;urls/x", Some("0;[urls/x]")),
            ("/x", Some("[/x]")),
            ("5", None),
            ("5;", None),
            ("0;url=", None),
            ("0;url=''", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let got = super::turn(text, |url| Some(format!("[{url}]")));
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }
}
