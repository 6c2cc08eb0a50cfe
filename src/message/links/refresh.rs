//! `Refresh` of an answer: no standard has it, and browsers follow it (HTML, "shared declarative refresh steps").

/// Turns the URL in `0; url="..."`. Where others `share` the host the field is written anew, for clients find the URL in ways of their own;
/// without one it is taken off if it does not begin with a time, either.
pub(super) fn turn(
    text: &str,
    share: bool,
    turn: impl Fn(&str) -> Option<String>,
) -> Option<Option<String>> {
    let time = text.trim_ascii_start();
    let rest = time.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let time = time.strip_suffix(rest)?;
    let rest = rest.trim_ascii_start();
    let rest = rest
        .strip_prefix([';', ','])
        .unwrap_or(rest)
        .trim_ascii_start();
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
    let turned = Some(url).filter(|url| !url.is_empty()).and_then(&turn);
    if share {
        let url = turned.as_deref().unwrap_or(url);
        let field = match url {
            "" => time.to_owned(),
            url => format!("{time}; url={url}"),
        };
        return Some(Some(field).filter(|_| !time.is_empty()));
    }
    let before = text.strip_suffix(rest)?;
    turned.map(|url| Some(format!("{before}{url}{behind}")))
}

/// What stands behind `url=`.
fn named(text: &str) -> Option<&str> {
    let (name, rest) = text.split_at_checked(3)?;
    let named = name.eq_ignore_ascii_case("url");
    named.then_some(
        rest.trim_ascii_start()
            .strip_prefix('=')?
            .trim_ascii_start(),
    )
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
            let got = super::turn(text, false, |url| Some(format!("[{url}]")));
            assert_eq!(got.flatten().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn where_others_are_it_is_written_anew() {
        let rows = [
            ("0; url=/x", Some("0; url=[/x]")),
            (" 5.5 ,\tURL = '/x'; y", Some("5.5; url=[/x]")),
            ("0;url=\"\"/../b", Some("0")),
            ("0;url=\"/x\"/../b", Some("0; url=[/x]")),
            ("0;\u{a0}url=/x", Some("0; url=[\u{a0}url=/x]")),
            ("0;/x?url=/b", Some("0; url=[/x?url=/b]")),
            ("5", Some("5")),
            ("/x", None),
            ("url=/x", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let got = super::turn(text, true, |url| Some(format!("[{url}]")));
            assert_eq!(got.unwrap().as_deref(), expected, "{text}");
        }
    }
}
