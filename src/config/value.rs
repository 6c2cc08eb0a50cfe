//! Plain values: truth, durations, sizes, counts, lists of text, words out of a few.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::nearest::did_you_mean;
use super::reading::Reading;
use super::section::{Item, Section};
use super::text::Text;
use crate::code::{self, Code};

/// Whether a duration of zero means something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zero {
    Allowed,
    Refused,
}

impl Section<'_> {
    /// Text; absent or empty is `None`, which stands for the default.
    pub(super) fn text(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Option<Text> {
        let text = self.take(key, reading)?.text(reading)?;
        Some(text).filter(|text| !text.text.is_empty())
    }

    /// `true` or `false`; default `false`.
    pub(super) fn flag(&mut self, key: &'static str, reading: &mut Reading<'_>) -> bool {
        self.choice(key, reading).unwrap_or(false)
    }

    /// `true` or `false`, if it is said.
    pub(super) fn choice(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Option<bool> {
        let item = self.take(key, reading)?;
        match item.value {
            DeValue::Boolean(flag) => Some(flag),
            _ => {
                let help = format!("write {key} = true, without quotation marks");
                item.wrong_type("true or false", &help, reading);
                None
            }
        }
    }

    /// A duration such as `"30s"`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        zero: Zero,
        reading: &mut Reading<'_>,
    ) -> Duration {
        let item = self.take(key, reading);
        let duration = item.and_then(|item| item.duration(zero, reading));
        duration.unwrap_or(default)
    }

    /// A size such as `"64KiB"`, or a whole number.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: usize,
        range: RangeInclusive<usize>,
        reading: &mut Reading<'_>,
    ) -> usize {
        let item = self.take(key, reading);
        let number = item.and_then(|item| item.number(&range, reading));
        number.unwrap_or(default)
    }

    /// A list of texts; default empty.
    pub(super) fn texts(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Vec<Text> {
        let item = self.take(key, reading);
        let texts = item.and_then(|item| item.texts(reading));
        texts.unwrap_or_default()
    }

    /// A list of texts that each become a `T`, or a problem with `code` and `help`.
    pub(super) fn parsed<T, E: ToString>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
        remedy: (&'static Code, &str),
        reading: &mut Reading<'_>,
    ) -> Vec<T> {
        let values = self.parsed_texts(key, parse, remedy, reading).into_iter();
        values.map(|(value, _)| value).collect()
    }

    /// The same with the text of each.
    pub(super) fn parsed_texts<T, E: ToString>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
        (code, help): (&'static Code, &str),
        reading: &mut Reading<'_>,
    ) -> Vec<(T, Text)> {
        let mut values = Vec::new();
        for text in self.texts(key, reading) {
            match parse(&text.text) {
                Ok(value) => values.push((value, text)),
                Err(why) => {
                    let message = format!("{} {}", text.quoted(), why.to_string());
                    reading.problem(code, text.span, message).help(help);
                }
            }
        }
        values
    }

    /// One of a few words; absent or empty is the default. A word in `later` is planned.
    pub(super) fn word<T: Copy + Default>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        later: &[&str],
        reading: &mut Reading<'_>,
    ) -> T {
        let Some(item) = self.take(key, reading) else {
            return T::default();
        };
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        if !matches!(item.value, DeValue::String(_) | DeValue::Table(_)) {
            let help = format!("one of: \"{}\"", known.join("\", \""));
            item.wrong_type("text in quotation marks", &help, reading);
            return T::default();
        }
        let Some(text) = item.text(reading).filter(|text| !text.text.is_empty()) else {
            return T::default();
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.text) {
            return *value;
        }
        if later.contains(&text.text.as_str()) {
            let what = format!("`{key} = \"{}\"`", text.text);
            let help = format!("this version has: {}", known.join(", "));
            reading.not_in_this_version(text.span, &what).help(help);
        } else {
            wrong_word(key, &text, &known, &code::BAD_VALUE, reading);
        }
        T::default()
    }
}

impl<'i> Item<'i> {
    fn duration(self, zero: Zero, reading: &mut Reading<'_>) -> Option<Duration> {
        if !matches!(self.value, DeValue::String(_) | DeValue::Table(_)) {
            self.wrong_type(
                "a duration",
                "write it with its unit: \"500ms\", \"30s\", \"5m\"",
                reading,
            );
            return None;
        }
        let key = self.key.clone();
        let text = self.text(reading)?;
        let why = match humantime::parse_duration(&text.text) {
            Ok(duration) if duration > LONGEST => "is longer than 24h",
            Ok(Duration::ZERO) if zero == Zero::Refused => "must be longer than zero",
            Ok(duration) => return Some(duration),
            Err(_) => "is not a duration",
        };
        reading
            .problem(&code::BAD_DURATION, text.span, format!("`{key}` {why}"))
            .help("a number and a unit: \"500ms\", \"30s\", \"5m\", \"2h\"");
        None
    }

    fn number(self, range: &RangeInclusive<usize>, reading: &mut Reading<'_>) -> Option<usize> {
        let (key, span) = (self.key.clone(), self.span.clone());
        let (number, unit) = match &self.value {
            DeValue::Integer(integer) => {
                let digits = integer.as_str();
                (usize::from_str_radix(digits, integer.radix()).ok(), true)
            }
            DeValue::String(_) | DeValue::Table(_) => {
                let size = size(&self.text(reading)?.text);
                (size, size.is_some())
            }
            _ => {
                self.wrong_type("a number", &help(range), reading);
                return None;
            }
        };
        match number {
            Some(number) if range.contains(&number) => Some(number),
            _ if !unit => {
                let message = format!("`{key}` is not a number or size");
                reading
                    .problem(&code::BAD_NUMBER, span, message)
                    .help(help(range));
                None
            }
            _ => {
                let (least, most) = (range.start(), range.end());
                let message = format!("`{key}` is out of range");
                let help = format!("from {least} to {most}");
                reading.problem(&code::BAD_NUMBER, span, message).help(help);
                None
            }
        }
    }

    /// The elements of a list; none of anything else.
    pub(super) fn elements(self) -> Vec<Self> {
        let DeValue::Array(elements) = self.value else {
            return Vec::new();
        };
        let elements = elements.into_iter().map(|element| Item {
            key: self.key.clone(),
            key_span: self.key_span.clone(),
            span: element.span(),
            value: element.into_inner(),
        });
        elements.collect()
    }

    /// The value as a list of texts.
    pub(super) fn texts(self, reading: &mut Reading<'_>) -> Option<Vec<Text>> {
        let DeValue::Array(_) = self.value else {
            let help = match self.key.as_str() {
                "command" => {
                    "write command = [\"PROGRAM\", \"ARGUMENT\"]; there is no shell".to_owned()
                }
                key => format!("write {key} = [\"...\", \"...\"]"),
            };
            self.wrong_type("a list of texts", &help, reading);
            return None;
        };
        let before = reading.problems.len();
        let items = self.elements().into_iter();
        let texts = items.filter_map(|item| item.text(reading)).collect();
        (reading.problems.len() == before).then_some(texts)
    }

    /// The value as one text or a list of them.
    pub(super) fn text_or_texts(self, reading: &mut Reading<'_>) -> Option<Vec<Text>> {
        match self.value {
            DeValue::Array(_) => self.texts(reading),
            DeValue::String(_) | DeValue::Table(_) => {
                let text = self.text(reading)?;
                Some(
                    Some(text)
                        .into_iter()
                        .filter(|text| !text.text.is_empty())
                        .collect(),
                )
            }
            _ => {
                let help = format!("write {} = \"...\" or [\"...\", \"...\"]", self.key);
                self.wrong_type("a text or a list of texts", &help, reading);
                None
            }
        }
    }
}

/// Notes that `text` is none of `words`.
pub(super) fn wrong_word(
    key: &str,
    text: &Text,
    words: &[&str],
    code: &'static Code,
    reading: &mut Reading<'_>,
) {
    let help = did_you_mean(&text.text, words);
    let help = help.unwrap_or_else(|| format!("one of: {}", words.join(", ")));
    let message = format!("unknown {key} {}", text.quoted());
    reading
        .problem(code, text.span.clone(), message)
        .label(format!("no {key} with this name"))
        .help(help);
}

/// Counts are small; whatever may be large is a size.
fn help(range: &RangeInclusive<usize>) -> String {
    let (least, most) = (range.start(), range.end());
    match *most <= 1_000_000 {
        true => format!("a whole number from {least} to {most}"),
        false => {
            "a whole number, or a size with one of the units B, KiB, MiB, GiB: \"64KiB\"".to_owned()
        }
    }
}

fn size(text: &str) -> Option<usize> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let unit = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
