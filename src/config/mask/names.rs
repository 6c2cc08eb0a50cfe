//! What the name of an environment variable is, and what a reference to one.

/// Exactly one `${NAME}`.
pub(super) fn is_reference(content: &str) -> bool {
    let name = content
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(is_name)
}

/// Whether `text` is the name of an environment variable, and no secret that was put in its place: some are made of letters and digits
/// alone.
pub(in crate::config) fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let starts = text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    starts && text.bytes().all(letter) && !text.split('_').any(is_random)
}

/// Whether a word is more likely of a secret than of a name.
pub(super) fn is_random(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    let mixed =
        has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let hex = word.bytes().all(|b| b.is_ascii_hexdigit())
        && has(u8::is_ascii_alphabetic)
        && has(u8::is_ascii_digit);
    (mixed || hex) && word.len() >= LONGEST_WORD
}

/// Of words in names, those with capitals, small letters and digits are shorter.
const LONGEST_WORD: usize = 16;

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_name_is_told_from_a_secret_in_its_place() {
        let rows = [
            ("SECRET", true),
            ("crm_secret", true),
            ("_X9", true),
            ("Acme_CRM_Client2_Secret", true),
            ("PRODUCTION2SALESFORCE9SECRET", true),
            ("", false),
            ("9A", false),
            ("hunter2!", false),
            ("a-b", false),
            ("a b", false),
            ("Zq7vXw9KpL2mN4tR8sYb", false),
            ("D4E5F60718293A4B5C6D7E8F", false),
            ("d4e5f60718293a4b", false),
            ("DEADBEEF1", true),
            ("x_Zq7vXw9KpL2mN4tR8sYb", false),
        ];
        for (text, expected) in rows {
            assert_eq!(is_name(text), expected, "{text}");
        }
    }
}
