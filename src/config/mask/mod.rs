//! [`Mask`]: a configuration as it may be quoted in a problem, with its secrets taken out.
//!
//! It works on the bare text, because it must also hold where the text is not TOML. Only what is known to be harmless is shown:
//! the values of the keys of the schema that hold no secrets, and references (`{ env = "NAME" }`, `"${NAME}"`). Of a key that
//! nobody knows nobody knows what its value is, and the key alone tells what is wrong.

mod names;
mod private;
mod scan;
mod schema;

use std::ops::Range;

pub(super) use self::names::is_name;
use self::private::private;
use self::scan::Scan;

/// The masked text, and which bytes of the original are hidden in it.
pub(super) struct Mask {
    text: String,
    hidden: Vec<Hidden>,
}

struct Hidden {
    range: Range<usize>,
    /// What stands for it in the masked text.
    shown: &'static str,
}

impl Mask {
    pub(super) fn of(text: &str) -> Self {
        Self::hiding(Scan::hidden(text), text)
    }

    /// A message, without the user names, passwords and queries of URLs in it. It ends with its first line.
    pub(super) fn message(text: &str) -> String {
        let words = text.split_inclusive(['`', ' ']);
        let mut start = 0;
        let mut hidden = Vec::new();
        for word in words {
            let private = private(word.trim_end_matches(['`', ' ']));
            hidden.extend(private.into_iter().map(|range| Hidden {
                range: start + range.start..start + range.end,
                shown: STARS,
            }));
            start += word.len();
        }
        let masked = Self::hiding(hidden, text).text;
        match masked.split_once(['\n', '\r']) {
            None => masked,
            Some((first, _)) if first.matches('`').count() % 2 == 0 => format!("{first}…"),
            Some((first, _)) => format!("{first}…`"),
        }
    }

    /// `hidden` is in the order of the text.
    fn hiding(hidden: Vec<Hidden>, text: &str) -> Self {
        let mut masked = String::with_capacity(text.len());
        let mut done = 0;
        for Hidden { range, shown } in &hidden {
            masked.push_str(text.get(done..range.start).unwrap_or_default());
            masked.push_str(shown);
            done = range.end;
        }
        masked.push_str(text.get(done..).unwrap_or_default());
        Self {
            text: masked,
            hidden,
        }
    }

    /// The text that may be shown.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether of what is written at `span` of the original something does not show.
    pub(super) fn hides(&self, span: &Range<usize>) -> bool {
        let before = |hidden: &Hidden| hidden.range.end <= span.start;
        let next = self.hidden.get(self.hidden.partition_point(before));
        next.is_some_and(|hidden| hidden.range.start < span.end)
    }

    /// Where `span` of the original is in the masked text.
    pub(super) fn span(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.moved(span.start, false).min(self.text.len());
        let end = self.moved(span.end, true).min(self.text.len());
        start..end.max(start)
    }

    fn moved(&self, offset: usize, to_end: bool) -> usize {
        let (mut original, mut masked) = (0, 0);
        for Hidden { range, shown } in &self.hidden {
            if offset <= range.start {
                break;
            }
            masked += range.start - original;
            if offset < range.end {
                return masked + if to_end { shown.len() } else { 0 };
            }
            masked += shown.len();
            original = range.end;
        }
        masked + (offset - original)
    }
}

/// What stands for whatever is hidden.
pub(super) const STARS: &str = "********";

#[cfg(test)]
mod tests;
