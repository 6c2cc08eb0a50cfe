//! `docs/reliability.md` cannot rot: each test, row and place in the source that it names is there, each id of the
//! catalogues stands in it once, its sums are right, and its figures are those that the tree says, or are of a command that is there
//! (`reliability/figures.rs`).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that panics has failed, which is what it is for"
)]

#[path = "reliability/figures.rs"]
mod figures;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The catalogues: their ids are the letter with the numbers from 1.
const CATALOGUES: [(char, usize); 6] = [
    ('A', 67),
    ('B', 19),
    ('C', 46),
    ('D', 31),
    ('E', 16),
    ('F', 10),
];

const INVARIANTS: [&str; 9] = [
    "INV-FRAME",
    "INV-CANARY",
    "INV-TENANT",
    "INV-LOCKOUT",
    "INV-ONCE",
    "INV-TRUNC",
    "INV-BOUND",
    "INV-DRAIN",
    "INV-CONFIG",
];

const OPEN: &str = "**not shown yet**";
const UNPROTECTED: &str = "**not protected**";
const FOREIGN: &str = "**does not apply**";

/// The columns of the sums, in their order.
const STATES: [&str; 5] = [
    "shown",
    "in part",
    "not shown yet",
    "not protected",
    "does not apply",
];

/// What a row is shown by.
#[derive(Debug, PartialEq, Eq)]
enum Reference<'a> {
    /// The path of a test.
    Test(&'a str),
    /// How a string of the test before begins.
    Row(&'a str),
    /// A file, and what is defined in it.
    Place(&'a str, Option<&'a str>),
}

use Reference::{Place, Row, Test};

/// Tests by their paths, with what is written in them.
type Tests = BTreeMap<String, String>;

#[test]
fn every_id_stands_on_the_page_once() {
    let page = page();
    let mut ids: Vec<&str> = rows(&page).map(|row| row[0]).collect();
    let numbered = |(letter, last): (char, usize)| (1..=last).map(move |n| format!("{letter}{n}"));
    let mut known: Vec<String> = CATALOGUES.into_iter().flat_map(numbered).collect();
    known.extend(INVARIANTS.map(str::to_owned));
    ids.sort_unstable();
    known.sort_unstable();
    assert_eq!(ids, known);
}

#[test]
fn whatever_the_page_names_is_there() {
    let (page, tests) = (page(), tests());
    let wrong: Vec<String> = rows(&page).flat_map(|row| faults(&row, &tests)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_sums_of_the_page_are_right() {
    let page = page();
    let mut sums: BTreeMap<char, [usize; 5]> = BTreeMap::new();
    for row in rows(&page).filter(|row| !row[0].starts_with("INV")) {
        let state = STATES.iter().position(|known| Some(*known) == state(&row));
        let letter = row[0].chars().next().unwrap();
        sums.entry(letter).or_default()[state.unwrap()] += 1;
    }
    let lines = sums.into_iter().map(|(letter, sums)| {
        let cells = sums.map(|count| count.to_string()).join(" | ");
        format!("| {letter} | {} | {cells} |", sums.iter().sum::<usize>())
    });
    let wrong: Vec<String> = lines
        .filter(|line| !page.lines().any(|known| known == line))
        .collect();
    assert!(wrong.is_empty(), "these are right: {wrong:#?}");
}

#[test]
fn what_is_planted_is_found() {
    let tests = tests();
    let good = "hostile::framing::an_ambiguous_length_is_refused_or_made_plain";
    let planted = [
        (format!("`{good}` \"A7\""), None),
        (format!("`{good}` \"A6\""), Some("has no \"A6\"")),
        (format!("`{good}s`"), Some("no test")),
        (String::from("\"A7\""), Some("no test before")),
        (String::from("`src/nowhere.rs`"), Some("no file")),
        (String::from("`src/server/connection.rs run`"), None),
        (
            String::from("`src/server/connection.rs ru`"),
            Some("defines no `ru`"),
        ),
        (String::from("trust me"), Some("nothing")),
        (String::from("**not shown yet**"), None),
    ];
    for (shown, expected) in planted {
        let told = faults(&["A0", "a fault", "an end", &shown], &tests).join("; ");
        let is_so = expected.map_or(told.is_empty(), |part| told.contains(part));
        assert!(is_so, "{shown}: {told}");
    }
}

/// What is wrong with a row.
fn faults(row: &[&str], tests: &Tests) -> Vec<String> {
    let (mut wrong, mut test) = (Vec::new(), None);
    let shown = row[row.len() - 1];
    for reference in references(shown) {
        match reference {
            Test(path) => {
                test = tests.get(path);
                if test.is_none() {
                    wrong.push(format!("no test is called `{path}`"));
                }
            }
            Row(begin) => match test {
                None => wrong.push(format!("no test before \"{begin}\"")),
                Some(text) if has_string(text, begin) => {}
                Some(_) => wrong.push(format!("the test has no \"{begin}\"")),
            },
            Place(file, item) => match (fs::read_to_string(root().join(file)), item) {
                (Err(_), _) => wrong.push(format!("no file is called `{file}`")),
                (Ok(text), Some(item)) if !defines(&text, item) => {
                    wrong.push(format!("{file} defines no `{item}`"));
                }
                (Ok(_), _) => {}
            },
        }
    }
    if state(row).is_none() {
        wrong.push("nothing shows it".to_owned());
    }
    wrong
        .iter()
        .map(|why| format!("{}: {why}", row[0]))
        .collect()
}

/// How far a row is shown; `None`: it says nothing of that.
fn state(row: &[&str]) -> Option<&'static str> {
    let says = |what: &str| row.iter().any(|cell| cell.contains(what));
    let is_shown = !references(row[row.len() - 1]).is_empty();
    let place = match (is_shown, says(OPEN), says(UNPROTECTED)) {
        _ if says(FOREIGN) => 4,
        (true, false, false) => 0,
        (true, ..) => 1,
        (false, true, _) => 2,
        (false, false, true) => 3,
        (false, false, false) => return None,
    };
    Some(STATES[place])
}

/// What stands between backticks and between quotes, in its order.
fn references(cell: &str) -> Vec<Reference<'_>> {
    let (mut found, mut rest) = (Vec::new(), cell);
    while let Some(at) = rest.find(['`', '"']) {
        let mark = char::from(rest.as_bytes()[at]);
        let Some((inside, after)) = rest[at + 1..].split_once(mark) else {
            break;
        };
        found.push(match (mark, inside.split_once(' ')) {
            ('"', _) => Row(inside),
            (_, Some((file, item))) => Place(file, Some(item)),
            (_, None) if inside.contains('/') => Place(inside, None),
            (_, None) => Test(inside),
        });
        rest = after;
    }
    found
}

/// Whether a string in `text` begins so, up to where a number in it may go on.
fn has_string(text: &str, begin: &str) -> bool {
    let quoted = format!("\"{begin}");
    let mut ends = text.match_indices(&quoted).map(|(at, _)| at + quoted.len());
    ends.any(|end| !text[end..].starts_with(|next: char| next.is_ascii_digit()))
}

fn defines(text: &str, item: &str) -> bool {
    let is_end = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    ["fn", "struct", "enum", "const", "type"]
        .iter()
        .any(|kind| {
            let definition = format!("{kind} {item}");
            let mut found = text.match_indices(&definition);
            found.any(|(at, _)| is_end(&text[at + definition.len()..]))
        })
}

fn page() -> String {
    fs::read_to_string(root().join("docs/reliability.md")).unwrap()
}

/// The cells of each row that begins with an id.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let is_id = |cell: &str| {
        let number = cell.get(1..).unwrap_or_default();
        cell.starts_with("INV-") || number.parse::<usize>().is_ok()
    };
    let lines = page.lines().filter_map(|line| line.strip_prefix('|'));
    let rows = lines.map(|line| {
        let cells = line.trim_end_matches('|').split('|');
        cells.map(str::trim).collect::<Vec<_>>()
    });
    rows.filter(move |row| is_id(row[0]))
}

/// Every test of the tree, as its sources say it.
fn tests() -> Tests {
    let mut open: Vec<PathBuf> = vec![root().join("src"), root().join("tests")];
    let mut tests = Tests::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            // The packages of real clients lie there as well.
            let entries = fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            open.extend(entries.filter(|inner| !inner.ends_with("tests/real")));
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let module = module(path.strip_prefix(root()).unwrap());
            tests.extend(tests_of(&module, &text));
        }
    }
    tests
}

/// The module that a file is, as the names of its tests begin with it.
fn module(file: &Path) -> Vec<String> {
    let file = file.with_extension("");
    let mut parts: Vec<String> = file
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let last = parts.last().unwrap().clone();
    if parts[0] == "tests" {
        // A file there is a crate; a folder is one whose root is its `main`.
        parts.remove(0);
    }
    parts.remove(0);
    if ["mod", "main"].contains(&last.as_str()) {
        parts.pop();
    }
    parts
}

/// The tests of one file: `rustfmt` puts modules and functions where this looks for them.
fn tests_of(module: &[String], text: &str) -> Vec<(String, String)> {
    let (mut found, mut inner, mut is_next) = (Vec::new(), None, false);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        if let Some(name) = line
            .strip_prefix("mod ")
            .and_then(|rest| rest.strip_suffix(" {"))
        {
            inner = Some(name.to_owned());
        } else if line == "}" {
            inner = None;
        }
        is_next |= code == "#[test]" || code.starts_with("#[tokio::test");
        let Some((_, rest)) = code.split_once("fn ").filter(|_| is_next) else {
            continue;
        };
        is_next = false;
        let name = rest.split('(').next().unwrap().to_owned();
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let body = lines.by_ref().take_while(|line| *line != end);
        let body = body.collect::<Vec<_>>().join("\n");
        let path: Vec<String> = module.iter().chain(&inner).cloned().chain([name]).collect();
        found.push((path.join("::"), body));
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
