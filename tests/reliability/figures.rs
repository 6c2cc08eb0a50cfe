//! The figures of the page: what the tree says is read from it, and what only a run can say is of a command that is there.

use std::fs;

use crate::{page, root, tests};

#[test]
fn what_the_tree_says_of_a_figure_the_page_says_too() {
    let page = page();
    let wrong: Vec<String> = said()
        .into_iter()
        .filter(|said| !page.contains(said))
        .collect();
    assert!(wrong.is_empty(), "these are right: {wrong:#?}");
}

#[test]
fn every_target_that_there_is_was_fuzzed() {
    let page = page();
    let (_, fuzzing) = page.split_once("## Fuzzing").unwrap();
    let targets = targets();
    let (mut executions, mut findings) = (0, 0);
    for target in &targets {
        let row = cells(fuzzing).find(|row| row[0] == format!("`{target}`"));
        let row = row.unwrap_or_else(|| panic!("{target} is not in the table"));
        executions += number(row[1]);
        findings += number(row[5]);
    }
    let sum = format!(
        "| {findings} of {} | `fuzz/run 600` |",
        thousands(executions)
    );
    assert!(page.contains(&sum), "this is right: {sum}");
}

#[test]
fn the_largest_memory_under_a_flood_is_that_of_the_table_of_floods() {
    let page = page();
    let (_, floods) = page.split_once("### Floods").unwrap();
    let [mut usual, mut raised] = [0_f64; 2];
    for row in cells(floods).filter(|row| row[0].starts_with('B')) {
        let most = match row[0].contains("10,000 at once") {
            true => &mut raised,
            false => &mut usual,
        };
        *most = most.max(row[7].parse().unwrap());
    }
    let figure = format!("| {usual:.0} MiB; {:.2} GiB |", raised / 1024.0);
    assert!(page.contains(&figure), "this is right: {figure}");
}

#[test]
fn whatever_counts_a_figure_is_there() {
    let page = page();
    let (_, counted) = page.split_once("## Fuzzing").unwrap();
    let figures = counted.split_once("| figure |").unwrap().1;
    let rows = figures
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let silent: Vec<&str> = rows.filter(|row| commands(row).next().is_none()).collect();
    assert!(silent.is_empty(), "nothing counts these: {silent:#?}");
    let wrong: Vec<&str> = commands(counted)
        .filter(|command| !is_there(command))
        .collect();
    assert!(wrong.is_empty(), "these are not there: {wrong:#?}");
}

#[test]
fn what_is_not_there_is_found() {
    let rows = [
        ("cargo test --test kills -- --nocapture", true),
        ("cargo test --test e2e reload::tenants -- --nocapture", true),
        ("cargo test --lib token::life::schedules", true),
        ("tests/differential/run", true),
        ("cargo test --test skills", false),
        ("cargo test --test e2e reload::tenets", false),
        ("cargo test --lib token::lives", false),
        ("tests/differential/walk", false),
    ];
    for (command, expected) in rows {
        assert_eq!(is_there(command), expected, "{command}");
        let text = format!("as `{command}` counts");
        assert_eq!(commands(&text).next(), Some(command));
    }
    assert_eq!(thousands(75_000_999), "75,000,999");
    assert_eq!(number("13,293,078 | 602"), 13_293_078);
}

/// What the page must say, word for word.
fn said() -> Vec<String> {
    let check = "tests/differential/check.py";
    let cases = constant(check, "\"--cases\", type=int, default=");
    let over_http2 = cases / constant(check, "\nPART = ");
    let kills = constant("tests/kills.rs", "const LANES: usize = ")
        * constant("tests/kills.rs", "const KILLS: usize = ");
    let tenants = "tests/e2e/reload/tenants.rs";
    let requests = constant(tenants, "const CALLERS: usize = ")
        * constant(tenants, "const REQUESTS: usize = ");
    let counted = |none: usize, of: &str, by: &str| format!("| {none} of {of} | `{by}");
    let of = |count: usize, by: &str| counted(0, &thousands(count), by);
    vec![
        format!(
            "{} over HTTP/1 and {} over HTTP/2",
            thousands(cases - over_http2),
            thousands(over_http2)
        ),
        of(cases, "tests/differential/run"),
        of(
            constant(
                "src/egress/exchange/reference/mod.rs",
                "const CASES: usize = ",
            ),
            "cargo test --lib egress::exchange::reference",
        ),
        of(
            constant("src/token/life/schedules/mod.rs", "for seed in 0.."),
            "cargo test --lib token::life::schedules",
        ),
        of(
            constant("src/token/handle/schedules.rs", "for seed in 0.."),
            "cargo test --lib token::handle::schedules",
        ),
        counted(
            0,
            &format!("{} kills", thousands(kills)),
            "cargo test --test kills",
        ),
        of(requests, "cargo test --test e2e reload::tenants"),
        format!(
            "| 0 of {};",
            constant("tests/e2e/connections.rs", "const POSTS: u64 = ")
        ),
        format!(
            "beside {} slow connections",
            thousands(constant(
                "benches/slow.py",
                "\"--slow\", type=int, default="
            ))
        ),
        format!("| {}, in half a minute |", thousands(hostile_rows())),
        format!("by libFuzzer: {} targets,", WORDS[targets().len()]),
    ]
}

/// How many rows the tests of the hostile tables say that they have.
fn hostile_rows() -> usize {
    let mut open = vec![root().join("tests/e2e/hostile")];
    let mut rows = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        for call in ["fire(", "counted("] {
            let said = text.split(call).skip(1).map(str::trim_start);
            rows += said
                .filter(|said| said.starts_with(|c: char| c.is_ascii_digit()))
                .map(number)
                .sum::<usize>();
        }
    }
    rows
}

/// The cells of each row of a table.
fn cells(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| row.split('|').map(str::trim).collect())
}

/// The fuzz targets, by name.
fn targets() -> Vec<String> {
    let files = fs::read_dir(root().join("fuzz/targets")).unwrap();
    let names = files.map(|file| {
        file.unwrap()
            .path()
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    });
    names.collect()
}

/// The number that stands in a file right behind a text, which is there once.
fn constant(file: &str, before: &str) -> usize {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let mut found = text.split(before).skip(1);
    let rest = found
        .next()
        .unwrap_or_else(|| panic!("{file} has no {before:?}"));
    assert!(
        found.next().is_none(),
        "{file} has {before:?} more than once"
    );
    number(rest)
}

/// The number at the beginning of a text.
fn number(text: &str) -> usize {
    let is_part = |c: &char| c.is_ascii_digit() || ",_".contains(*c);
    let digits = text
        .chars()
        .take_while(is_part)
        .filter(char::is_ascii_digit);
    digits
        .collect::<String>()
        .parse()
        .unwrap_or_else(|_| panic!("no number at {text:.40}"))
}

/// `1,234,567`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What stands between backticks and can be run.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|one| {
        one.starts_with("cargo test ") || one.split(' ').next().unwrap().contains('/')
    })
}

/// Whether there is such a script, or such tests.
fn is_there(command: &str) -> bool {
    let Some(arguments) = command.strip_prefix("cargo test ") else {
        return root().join(command.split(' ').next().unwrap()).exists();
    };
    let mut words = arguments.split(' ').take_while(|word| *word != "--");
    let is_crate = match words.next() {
        Some("--test") => {
            let name = root().join("tests").join(words.next().unwrap());
            name.with_extension("rs").exists() || name.join("main.rs").exists()
        }
        kind => kind == Some("--lib"),
    };
    let part = words.next().unwrap_or_default();
    is_crate && tests().keys().any(|test| test.contains(part))
}

const WORDS: [&str; 13] = [
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
];
