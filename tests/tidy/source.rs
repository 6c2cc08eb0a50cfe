//! Rust sources as far as the rules need them: without comments and strings, and who is named in them.

/// The first names after each `start`: one, or those of a group `{a::B, c}`.
pub(super) fn heads(code: &str, start: &str) -> Vec<String> {
    let mut heads = Vec::new();
    for (at, _) in code.match_indices(start) {
        if code[..at].ends_with(is_name) {
            continue;
        }
        let rest = &code[at + start.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            heads.extend(first_name(rest));
            continue;
        };
        let mut depth = 1;
        let mut from = 0;
        for (at, c) in group.char_indices() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if depth == 0 || (depth == 1 && c == ',') {
                heads.extend(first_name(&group[from..at]));
                from = at + 1;
            }
            if depth == 0 {
                break;
            }
        }
    }
    heads
}

fn first_name(text: &str) -> Option<String> {
    let text = text.trim_start();
    let name = text.split(|c| !is_name(c)).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `code` begins a path with the crate `name`.
pub(super) fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let used = before.ends_with("use ") && after.starts_with([';', ' ']);
        !before.ends_with(|c| is_name(c) || c == ':') && (after.starts_with("::") || used)
    })
}

/// `text` without comments and with empty strings.
pub(super) fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let raw = rest.trim_start_matches('r').trim_start_matches('#');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if c == 'r' && raw.starts_with('"') && !code.ends_with(is_name) {
            let hashes = rest.len() - raw.len() - 1;
            let end = format!("\"{}", "#".repeat(hashes));
            hashes + 2 + raw[1..].find(&end).unwrap_or(raw.len()) + end.len()
        } else if c == '"' {
            quoted(rest, '"')
        } else if rest.starts_with("'\\") {
            quoted(rest, '\'')
        } else if c == '\'' && rest.chars().nth(2) == Some('\'') {
            rest.char_indices().nth(3).map_or(rest.len(), |(at, _)| at)
        } else {
            code.push(c);
            c.len_utf8()
        };
        rest = rest.get(skipped..).unwrap_or_default();
    }
    code
}

fn quoted(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == mark && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    for (at, _) in text.char_indices() {
        depth += i32::from(text[at..].starts_with("/*"));
        if text[at..].starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    text.len()
}

#[test]
fn a_planted_dependency_is_found() {
    let rows = [
        ("use http::Uri;", true),
        ("let x = http::Uri::new();", true),
        ("use http;", true),
        ("use http as h;", true),
        ("use hyper::http::Uri;", false),
        ("use my_http::Uri;", false),
        ("let http = 1;", false),
    ];
    for (code, expected) in rows {
        assert_eq!(names_crate(code, "http"), expected, "{code}");
    }
}
