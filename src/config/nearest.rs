//! "Did you mean": the nearest of the words that would have been right.

/// The word of `words` that `wrong` was probably meant to be.
pub(super) fn nearest<'a>(
    wrong: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let most = (wrong.chars().count() / 3).max(1);
    let near = words.into_iter().map(|word| (distance(wrong, word), word));
    let near = near.filter(|(distance, _)| *distance <= most);
    near.min().map(|(_, word)| word)
}

/// How many letters must be inserted, removed or replaced to make `a` into `b` (Levenshtein).
pub(super) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_if_it_is_near() {
        let words = ["listen", "limits", "login_url"];
        assert_eq!(nearest("lisen", words), Some("listen"));
        assert_eq!(nearest("loginurl", words), Some("login_url"));
        assert_eq!(nearest("workers", words), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
