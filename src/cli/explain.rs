//! `upauth explain CODE`: what a code means and what to do.

use super::Exit;
use super::output::Output;
use crate::code;

pub(super) fn run(code: Option<&str>, out: &mut Output<'_>) -> Exit {
    let Some(id) = code else {
        for code in code::all() {
            out.answer(&format!("{}  {}", code.id, code.title));
        }
        return Exit::Done;
    };
    let Some(code) = code::find(id) else {
        out.error(&format!(
            "there is no code `{id}`: {RANGES}; `upauth explain` lists all"
        ));
        return Exit::Usage;
    };
    out.answer(&format!(
        "{}: {}\n\n{}",
        code.id,
        code.title,
        wrapped(code.explain)
    ));
    Exit::Done
}

/// Lines of at most 80 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 80 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

const RANGES: &str = "UA-01xx configuration, UA-02xx requests refused, UA-03xx token, UA-04xx upstream, UA-05xx the proxy itself";
