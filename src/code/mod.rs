//! The stable codes `UA-nnnn`: what `upauth explain CODE` prints, and what answers and problems quote.
//!
//! UA-01xx configuration · UA-02xx requests refused · UA-03xx token · UA-04xx upstream · UA-05xx the
//! proxy itself. A code never changes its meaning and is never used again.

mod config;
mod request;

pub use self::config::*;
pub use self::request::*;

/// One stable code with its explanation.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `UA-nnnn`.
    pub id: &'static str,
    /// A short sentence without a full stop, fit for a log line and a problem's title.
    pub title: &'static str,
    /// What it means and what to do: a few plain sentences.
    pub explain: &'static str,
}

/// Every code, in order.
pub fn all() -> impl Iterator<Item = &'static Code> {
    CONFIG.iter().chain(REQUEST).copied()
}

/// The code with this id, in any letter case, with or without `UA-`.
pub fn find(id: &str) -> Option<&'static Code> {
    let digits = id.trim_start_matches(|c: char| !c.is_ascii_digit());
    all().find(|code| code.id.ends_with(digits) && digits.len() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let ids: Vec<_> = all().map(|code| code.id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }

    #[test]
    fn a_code_is_found_in_any_spelling() {
        let first = all().next().unwrap();
        for spelling in [
            first.id.to_owned(),
            first.id.to_lowercase(),
            first.id[3..].to_owned(),
        ] {
            assert_eq!(find(&spelling), Some(first));
        }
        assert_eq!(find("UA-9999"), None);
        assert_eq!(find(""), None);
    }
}
