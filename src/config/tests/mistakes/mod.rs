//! Mistakes, each with its code, its place and the words that matter.

mod access;
mod marketing_cloud;
mod oauth2;
mod sections;
mod values;

use super::{parse, with_crm};

/// Text, then one `CODE LINE:COLUMN words` for each problem, in order.
pub(super) fn check(text: &str, expected: &[&str]) {
    let text = with_crm(text);
    let Err(problems) = parse(&text) else {
        panic!("no problem in\n{text}")
    };
    let found: Vec<_> = problems.iter().collect();
    assert_eq!(found.len(), expected.len(), "{text}\n{problems:?}");
    for (problem, expected) in found.iter().zip(expected) {
        let (code, rest) = expected.split_once(' ').unwrap();
        let (place, words) = rest.split_once(' ').unwrap();
        let got = format!("{}:{}", problem.line(), problem.column());
        assert_eq!(
            (problem.code().id, got.as_str()),
            (code, place),
            "{text}\n{problems:?}"
        );
        let all = format!("{} / {}", problem.message(), problem.remedy());
        assert!(all.contains(words), "{text}\n{all}");
        assert!(!problem.remedy().is_empty(), "{problem:?}");
    }
}

pub(super) fn check_all(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        check(text, &[expected]);
    }
}
