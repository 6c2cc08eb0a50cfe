//! Every key there is, spelled wrong, with a secret behind it.

use std::collections::BTreeSet;

use super::parse;
use super::shipped::keys;
use crate::config::mask::Mask;

const CANARY: &str = "hunter2";

/// Sections and keys; the tables in braces as sections.
fn places() -> Vec<(String, String)> {
    let places = keys().into_iter().map(|path| {
        let path = path.replace("NAME", "crm");
        let (section, key) = path.rsplit_once('.').unwrap_or(("", &path));
        let section = match section {
            "tls" => "server.tls",
            "proxy" => "outbound.proxy",
            "header" | "fields" | "success" | "dead_session" => &format!("upstream.crm.{section}"),
            "expires_in" => "upstream.crm.fields.expires_in",
            "access.keys" => "[access.keys]",
            section => section,
        };
        (section.to_owned(), key.to_owned())
    });
    places.collect()
}

fn under(section: &str, lines: &str) -> String {
    match section {
        "" => lines.to_owned(),
        section => format!("[{section}]\n{lines}"),
    }
}

/// One letter less, two swapped, one more, and other habits.
fn misspelled(word: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::from([
        format!("{word}s"),
        format!("my_{word}"),
        format!("{word}_x"),
        word.replace('_', "-"),
        word.replace('_', ""),
        word.to_uppercase(),
    ]);
    for at in 0..word.len() {
        words.insert(format!("{}{}", &word[..at], &word[at + 1..]));
        let mut swapped = word.as_bytes().to_owned();
        swapped.swap(at, (at + 1).min(word.len() - 1));
        words.insert(String::from_utf8(swapped).unwrap());
    }
    words.retain(|wrong| wrong != word && !wrong.is_empty());
    words
}

/// How a value may be written, `KEY` for its key.
const SHAPES: &[&str] = &[
    "KEY = \"hunter2\"",
    "KEY = 'a' # hunter2",
    "KEY = hunter2",
    "KEY = \"hunter2",
    "KEY hunter2",
    "KEY: hunter2",
    "KEY =\n  \"hunter2\"",
    "KEY = [\n  \"hunter2\",\n  [\"hunter2\"], { host = \"hunter2\" },\n]",
    "KEY = \"\"\"\nhunter2\nhost = 'hunter2'\n\"\"\"",
    "KEY = { host = \"hunter2\", name = 'hunter2', env = \"a-hunter2\" }",
    "KEY = { host = \"a\"b\", path = \"hunter2\" }",
    "KEY.host = \"hunter2\"",
    "\"KEY\".\"host\" = \"hunter2\"",
    "\"KEY\" = \"hunter2\"",
];

#[test]
fn no_key_that_is_spelled_wrong_shows_its_value() {
    let places = places();
    assert!(places.len() > 120, "{}", places.len());
    let mut shapes = SHAPES.iter().cycle();
    for (section, key) in &places {
        let known = |word: &String| places.contains(&(section.clone(), word.clone()));
        // Below them stand names of the operator's.
        for wrong in misspelled(key).into_iter().filter(|word| !known(word)) {
            let lines = shapes.next().unwrap().replace("KEY", &wrong);
            let text = under(section, &format!("{lines}\n"));
            let shown = Mask::of(&text);
            assert!(!shown.text().contains(CANARY), "{text}\n{}", shown.text());
            let told = parse(&text).unwrap_err();
            for told in [told.render(false), format!("{told:?}")] {
                assert!(!told.contains(CANARY), "{text}\n{told}");
            }
        }
    }
}

#[test]
fn no_section_that_is_spelled_wrong_shows_its_values() {
    let places = places();
    let sections: BTreeSet<_> = places.iter().map(|(section, _)| section.as_str()).collect();
    for section in sections {
        let mut lines = places.iter().filter(|place| place.0 == section);
        let lines = lines
            .by_ref()
            .map(|(_, key)| format!("{key} = \"hunter2\"\n"));
        let lines: String = lines.collect();
        let words: Vec<_> = section.split('.').filter(|word| !word.is_empty()).collect();
        for at in (0..words.len()).filter(|at| words[*at] != "crm") {
            for wrong in misspelled(words[at].trim_matches(['[', ']'])) {
                let mut words = words.clone();
                words[at] = &wrong;
                let text = under(&words.join("."), &lines);
                let shown = Mask::of(&text);
                assert!(!shown.text().contains(CANARY), "{text}\n{}", shown.text());
            }
        }
    }
}

#[test]
fn every_key_shows_its_value_but_secrets_and_what_may_hold_some() {
    let tables =
        "access admin api defaults log outbound route server store token upstream keys limits";
    let hidden = "access_token client_id client_secret command key password private_key refresh_token request security_token \
        set_headers sha256 token_headers username value dead_session fields success";
    for (section, key) in places() {
        let text = under(&section, &format!("{key} = \"hunter2\"\n"));
        let shown = Mask::of(&text).text().contains(CANARY);
        let is = |words: &str| words.split_whitespace().any(|word| word == key);
        let is_table = is(tables) && !["log", "route.crm"].contains(&&*section);
        assert_eq!(shown, !is(hidden) && !is_table, "{text}");
    }
}
