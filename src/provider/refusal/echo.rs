//! [`repeats`]: whether a text tells something of a secret, whole or in part, in another spelling.
//!
//! Servers repeat what they were sent as it came: percent-encoded, as base64 of `id:secret` (RFC 7617), escaped for JSON or
//! HTML, broken or cut. Spellings cannot all be listed, so letters and digits are compared alone, in runs, in every reading of
//! the text.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

/// Whether one of `secrets`, or a good part of one, stands in some reading of `text`. A NUL parts what stands on either side.
pub(super) fn repeats<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> bool {
    let mut runs = HashSet::new();
    let mut whole = Vec::new();
    for secret in secrets {
        let signs = signs(secret);
        let length = (signs.len() / 2).clamp(SHORTEST, LONGEST);
        // `0000` stands in any number.
        let telling = |run: &&[char]| run.iter().collect::<HashSet<_>>().len() > 2;
        runs.extend(signs.windows(length).filter(telling).map(<[char]>::to_vec));
        whole.push(secret);
    }
    readings(text).iter().any(|reading| {
        let mut signs = signs(reading);
        let runs_in = |signs: &[char]| {
            (SHORTEST..=LONGEST).any(|length| signs.windows(length).any(|run| runs.contains(run)))
        };
        whole.iter().any(|secret| reading.contains(secret)) || runs_in(&signs) || {
            signs.reverse();
            runs_in(&signs)
        }
    })
}

/// Letters and digits in one case; what a server writes between and around them does not matter.
fn signs(text: &str) -> Vec<char> {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || *c == '\0');
    kept.flat_map(char::to_uppercase).collect()
}

/// What `text` says when it is decoded, again and again.
fn readings(text: &str) -> BTreeSet<String> {
    let mut readings = BTreeSet::from([text.to_owned()]);
    let mut read = text.to_owned();
    for _ in 0..ROUNDS {
        read = unescaped(&read);
        readings.insert(read.clone());
    }
    for reading in readings.clone() {
        readings.extend(numbers(&reading));
        let unbroken: String = reading.split_whitespace().collect();
        for text in [&reading, &unbroken] {
            for decoded in decoded(text) {
                readings.insert(unescaped(&decoded));
                readings.insert(decoded);
            }
        }
    }
    readings
}

/// Without one layer of percent-encoding, of character references of HTML, and of escapes of JSON.
fn unescaped(text: &str) -> String {
    let text = percent_decode_str(text).decode_utf8_lossy();
    let text = replaced(&text, "&", |rest| {
        let (name, _) = rest.split_once(';')?;
        let number = name.strip_prefix('#');
        let number = number.and_then(|number| match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => number.parse().ok(),
        });
        let named = NAMED.iter().find(|(known, _)| *known == name);
        let c = named.map(|(_, c)| *c).or_else(|| char::from_u32(number?))?;
        Some((c, name.len() + 1))
    });
    replaced(&text, "\\", |rest| match rest.chars().next()? {
        'u' => {
            let digits = rest.get(1..5)?;
            let number = u32::from_str_radix(digits, 16).ok()?;
            Some((char::from_u32(number).unwrap_or(' '), 5))
        }
        'n' | 'r' | 't' | 'b' | 'f' => Some((' ', 1)),
        c => Some((c, c.len_utf8())),
    })
    .into_owned()
}

/// `text` with what begins with `mark` replaced by what `read` makes of the text behind it: a character, and how many bytes it takes.
fn replaced<'a>(
    text: &'a str,
    mark: &str,
    read: impl Fn(&str) -> Option<(char, usize)>,
) -> Cow<'a, str> {
    if !text.contains(mark) {
        return Cow::Borrowed(text);
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(mark) {
        result.push_str(before);
        match read(behind) {
            Some((c, length)) => {
                result.push(c);
                rest = behind.get(length..).unwrap_or_default();
            }
            None => {
                result.push_str(mark);
                rest = behind;
            }
        }
    }
    result.push_str(rest);
    Cow::Owned(result)
}

/// What the words of `text` are in base64 and hex, from wherever it may begin.
fn decoded(text: &str) -> impl Iterator<Item = String> {
    let words = |belongs: fn(char) -> bool| {
        let words = text.split(move |c| !belongs(c));
        words.filter(|word| word.len() > SHORTEST)
    };
    let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let of_base64 = words(|c| c.is_ascii_alphanumeric() || "+/-_".contains(c));
    let of_base64 = of_base64.flat_map(move |word| {
        let word = word.replace('-', "+").replace('_', "/");
        let begun = (0..4).filter_map(|start| {
            let word = word.get(start..)?;
            // One sign alone holds no byte.
            let word = word.get(..word.len() - usize::from(word.len() % 4 == 1))?;
            BASE64.decode(word).ok().map(lossy)
        });
        begun.collect::<Vec<_>>()
    });
    let of_hex = words(|c| c.is_ascii_hexdigit());
    let of_hex = of_hex.flat_map(move |word| {
        let begun = (0..2).filter_map(|start| {
            let word = word.get(start..)?.as_bytes();
            let bytes = word.chunks_exact(2).map(|pair| {
                let digits = str::from_utf8(pair).ok()?;
                u8::from_str_radix(digits, 16).ok()
            });
            bytes.collect::<Option<Vec<u8>>>().map(lossy)
        });
        begun.collect::<Vec<_>>()
    });
    of_base64.chain(of_hex)
}

/// What the numbers in `text` are as characters: `72, 117`, `48:75`, `0x48 0x75`, `\x48\x75`, `\110\165`, `U+0048`. Other words part them.
fn numbers(text: &str) -> [String; 3] {
    [8, 10, 16].map(|radix| {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.map(|word| {
            word.trim_start_matches("0x")
                .trim_start_matches(['x', 'u', 'U'])
        });
        let read = |word| {
            u32::from_str_radix(word, radix)
                .ok()
                .and_then(char::from_u32)
        };
        let words = words.filter(|word| !word.is_empty());
        words.map(|word| read(word).unwrap_or('\0')).collect()
    })
}

/// How long the runs are that are compared: half of a secret, within these bounds. Shorter ones stand in any text; longer ones
/// would let the rest of a long secret be told that was cut.
const SHORTEST: usize = 4;
const LONGEST: usize = 8;
const ROUNDS: usize = 3;
const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
];
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "S3c\"r&t\\é/Wort=17+x";

    #[test]
    fn a_secret_is_known_in_every_spelling_and_in_part() {
        let standard = base64::engine::general_purpose::STANDARD;
        let url = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent = |text: &str| {
            let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
            bytes.collect::<String>()
        };
        let basic = standard.encode(format!("the client:{SECRET}"));
        let bytes = |write: fn(u8) -> String| {
            let bytes = SECRET.bytes().map(write);
            bytes.collect::<Vec<_>>()
        };
        let rows = [
            SECRET.to_owned(),
            SECRET.to_uppercase(),
            SECRET.to_lowercase(),
            SECRET.chars().rev().collect(),
            SECRET.chars().map(|c| format!("{c} ")).collect(),
            SECRET.chars().take(9).collect(),
            SECRET.chars().skip(5).collect(),
            percent(SECRET),
            percent(&percent(SECRET)),
            serde_json::to_string(SECRET).unwrap(),
            serde_json::to_string(&serde_json::to_string(SECRET).unwrap()).unwrap(),
            "S3c&quot;r&amp;t\\&#233;&#x2F;Wort".to_owned(),
            "\\u0057\\u006f\\u0072\\u0074\\u003d\\u0031\\u0037".to_owned(),
            hex.to_uppercase(),
            hex.get(1..).unwrap().to_owned(),
            hex,
            format!("{:?}", SECRET.as_bytes()),
            bytes(|byte| format!("{byte:x}")).join(":"),
            bytes(|byte| format!("0x{byte:02X}")).join(" "),
            bytes(|byte| format!("\\x{byte:02x}")).concat(),
            bytes(|byte| format!("\\{byte:o}")).concat(),
            bytes(|byte| format!("\\u{{{byte:x}}}")).concat(),
            bytes(|byte| format!("U+{byte:04X}")).join(" "),
            bytes(|byte| format!("&#{byte}")).concat(),
            standard.encode(SECRET),
            url.encode(SECRET),
            url.encode(percent(SECRET)),
            percent(&basic),
            basic.get(..basic.len() - 5).unwrap().to_owned(),
            basic.get(3..).unwrap().to_owned(),
            format!("{}\r\n {}", &basic[..14], &basic[14..]),
            basic,
        ];
        for spelled in rows {
            let text = format!("bad credentials: {spelled} (see the log)");
            assert!(repeats(&text, [SECRET]), "{text}");
        }
        assert!(repeats("with *&! in it", ["*&!"]));
    }

    #[test]
    fn other_texts_are_not_taken_for_a_secret() {
        let rows = [
            "",
            "invalid client credentials",
            "AADSTS7000215: Invalid client secret provided. Trace ID: 0f8fad5b-d9cb-469f-a165-70867728950e",
            "Bad authorization: [0], S3c\0Wort\0=17",
            "https://login.example/services/oauth2/token?x=%20 is no place for Wor",
        ];
        for text in rows {
            assert!(!repeats(text, [SECRET, "9vQ!c7_pLm2Xz0Ty"]), "{text}");
        }
    }
}
