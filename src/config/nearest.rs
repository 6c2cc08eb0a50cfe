//! "Did you mean": those of the words that would have been right, which a wrong one was probably meant to be; and lists
//! of names that a person can read, however many there are.

/// By letters, else by words.
pub(super) fn did_you_mean(wrong: &str, words: &[&str]) -> Option<String> {
    by_letters(wrong, words).or_else(|| by_words(wrong, words))
}

/// Those with the fewest other letters.
pub(super) fn by_letters(wrong: &str, words: &[&str]) -> Option<String> {
    let most = (wrong.chars().count() / 3).max(1);
    let near = |word: &&&str| distance(wrong, word);
    let least = words.iter().map(|word| distance(wrong, word)).min()?;
    question(
        words
            .iter()
            .filter(|word| near(word) == least && least <= most),
    )
}

/// The one that has another name elsewhere, or those made of the same words and others: `timeout`, `token_timeout`.
pub(super) fn by_words(wrong: &str, words: &[&str]) -> Option<String> {
    let parts = parts(wrong);
    let elsewhere = parts.join("_");
    let known = OTHER_NAMES
        .iter()
        .find(|(other, word)| *other == elsewhere && words.contains(word));
    if let Some((_, word)) = known {
        return question([word].into_iter());
    }
    let within = |some: &[String], all: &[String]| some.iter().all(|part| all.contains(part));
    question(words.iter().filter(|word| {
        let own = self::parts(word);
        within(&own, &parts) || within(&parts, &own)
    }))
}

/// The names that there are: all of a few; of many those that are nearest to `wrong`, and how many more.
pub fn nearest(wrong: &str, names: &[&str]) -> String {
    if names.len() <= SHOWN {
        return listed(names);
    }
    let mut names = names.to_vec();
    names.sort_by_cached_key(|name| distance(wrong, name));
    listed(&names)
}

/// The names in their order: all of a few; of many the first, and how many more.
pub fn listed(names: &[&str]) -> String {
    match names.split_at_checked(SHOWN) {
        Some((shown, more)) if !more.is_empty() => {
            format!("{}, and {} more", shown.join(", "), more.len())
        }
        _ => names.join(", "),
    }
}

fn question<'a>(words: impl Iterator<Item = &'a &'a str>) -> Option<String> {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last()? {
        (last, []) => Some(format!("did you mean {last}?")),
        (last, others) if others.len() < MOST => {
            Some(format!("did you mean {} or {last}?", others.join(", ")))
        }
        _ => None,
    }
}

/// The words of a name, in small letters: `clientId`, `client-id` and `client_id` have the same.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let begins = letter.is_uppercase() && before.is_lowercase();
        if !letter.is_alphanumeric() || begins {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut().filter(|_| letter.is_alphanumeric()) {
            last.extend(letter.to_lowercase());
        }
        before = letter;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// How many letters must be inserted, removed, replaced or swapped with the next one to make `a` into `b` (Levenshtein
/// and Damerau, no letter touched twice by swaps).
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // Each row: what it costs to make the letters of `a` so far into none, one, ... of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut above: Option<(char, Vec<usize>)> = None;
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, (to, costs)) in b.iter().zip(row.windows(2)).enumerate() {
            let &[diagonal, up] = costs else { continue };
            let left = next.last().map_or(up, |left| left + 1);
            let replaced = diagonal + usize::from(from != *to);
            let swapped = above.as_ref().and_then(|(before, above)| {
                let at = j.checked_sub(1)?;
                let is_swap = b.get(at) == Some(&from) && before == to;
                above.get(at).filter(|_| is_swap).map(|cost| cost + 1)
            });
            let least = replaced.min(left).min(up + 1);
            next.push(swapped.map_or(least, |swapped| swapped.min(least)));
        }
        above = Some((from, std::mem::replace(&mut row, next)));
    }
    row.last().copied().unwrap_or_default()
}

/// What providers and other programs call it, and the word for it here.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("access_type", "offline"),
    ("address", "listen"),
    ("base_url", "api_url"),
    ("bind", "listen"),
    ("client_secret_post", "body"),
    ("consumer_key", "client_id"),
    ("consumer_secret", "client_secret"),
    ("instance_url", "login_url"),
    ("mid", "account_id"),
    ("port", "listen"),
    ("subdomain", "login_url"),
    ("user", "username"),
];
/// How many are named, and one more.
const MOST: usize = 4;
/// How many names a list shows.
pub const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_twenty_are_listed_and_the_nearest_first() {
        assert_eq!(nearest("x", &["b", "a"]), "b, a");
        assert_eq!(listed(&[]), "");
        let many: Vec<_> = (0..2000).map(|number| format!("org-{number:04}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(!listed(&many[..20]).contains("more"));
        assert!(listed(&many[..21]).ends_with(", org-0019, and 1 more"));
        let told = nearest("org-197", &many);
        assert!(told.starts_with("org-0197, org-1097, org-1197, "), "{told}");
        assert!(told.ends_with(", and 1980 more"), "{told}");
        assert_eq!(told.matches("org-").count(), 20);
    }

    #[test]
    fn the_nearest_word_is_found_if_it_is_near() {
        let words = ["listen", "limits", "login_url", "RS256", "ES256"];
        let rows = [
            ("lisen", Some("did you mean `listen`?")),
            ("loginurl", Some("did you mean `login_url`?")),
            ("HS256", Some("did you mean `RS256` or `ES256`?")),
            ("port", Some("did you mean `listen`?")),
            ("instanceUrl", Some("did you mean `login_url`?")),
            ("url", Some("did you mean `login_url`?")),
            ("the-login.url:of", Some("did you mean `login_url`?")),
            ("lsiten", Some("did you mean `listen`?")),
            ("limist", Some("did you mean `limits`?")),
            ("workers", None),
            ("", None),
        ];
        for (wrong, expected) in rows {
            assert_eq!(did_you_mean(wrong, &words).as_deref(), expected, "{wrong}");
        }
        let many = ["a_x", "b_x", "c_x", "d_x", "e_x", "f_x"];
        assert_eq!(did_you_mean("some_other", &many), None);
        assert_eq!(by_words("x", &many), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("zoura", "zuora"), 1);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("abcd", "badc"), 2);
        assert_eq!(distance("ca", "abc"), 3);
    }
}
