//! The house as a test: floors, dependencies and their rooms, names, sizes.
//!
//! It reads the sources as text and knows no more of Rust than comments, strings and `use`; what `Debug` shows is found by a
//! parser (`tidy/fields.rs`). What it
//! refuses is a change of the house: argue for it, then change the tables of `tidy/house.rs`.

#[path = "tidy/debug.rs"]
mod debug;
#[path = "tidy/fields.rs"]
mod fields;
#[path = "tidy/house.rs"]
mod house;
#[path = "tidy/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::house::{ANNEX, BANNED, FLOORS, PROVIDERS, ROOMS, SINGLE};
use self::source::{code_of, heads, names_crate};

const LONGEST_FILE: usize = 350;
const DRAWERS: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];

#[test]
fn rooms_import_only_rooms_on_lower_floors() {
    let mut wrong = Vec::new();
    for (path, text) in sources(&["src"]) {
        wrong.extend(forbidden_imports(&path, &text));
    }
    none(&wrong);
}

#[test]
fn each_dependency_is_named_only_in_its_rooms() {
    let mut wrong = Vec::new();
    for (path, text) in sources(&["src"]) {
        let code = code_of(&text);
        for (name, places) in ROOMS {
            let allowed = places.iter().any(|place| is_under(&path, place));
            if !allowed && names_crate(&code, name) {
                wrong.push(format!("{path} names {name}, which belongs to {places:?}"));
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_table_of_rooms_lists_the_dependencies_of_the_manifest() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]\n").nth(1).unwrap();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let mut listed: Vec<String> = lines
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split(' ').next().unwrap().replace('-', "_"))
        .collect();
    listed.sort();
    let table: Vec<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, table);
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent = |(_, text): &(String, String)| !text.starts_with("//! ");
    none(&names(
        sources(&["src", "tests"]).into_iter().filter(silent),
    ));
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let long = |(_, text): &(String, String)| text.lines().count() > LONGEST_FILE;
    none(&names(sources(&["src", "tests"]).into_iter().filter(long)));
}

#[test]
fn no_file_or_folder_is_a_drawer() {
    let drawer =
        |(path, _): &(String, String)| path.split(['/', '.']).any(|part| DRAWERS.contains(&part));
    none(&names(
        sources(&["src", "tests"]).into_iter().filter(drawer),
    ));
}

#[test]
fn no_path_climbs_two_floors_of_modules() {
    let climbs = |(_, text): &(String, String)| code_of(text).contains("super::super");
    none(&names(sources(&["src"]).into_iter().filter(climbs)));
}

#[test]
fn a_provider_has_a_file_in_each_of_its_four_places() {
    let mut wrong = Vec::new();
    for provider in PROVIDERS {
        let name = provider.replace('-', "_");
        for place in ["src/config", "src/provider", "src/emulator", "tests/e2e"] {
            let file = root().join(place).join(format!("{name}.rs"));
            let folder = root().join(place).join(&name).join("mod.rs");
            if !file.exists() && !folder.exists() {
                wrong.push(format!("{place}/{name}.rs is missing"));
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_program_has_no_second_tls_stack_and_no_second_http_engine() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "-e", "normal", "--prefix", "none"])
        .args(["--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "cargo tree failed: {errors}");
    let text = String::from_utf8(tree.stdout).unwrap();
    let packages = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?))
    });
    let mut packages: Vec<_> = packages.collect();
    packages.sort_unstable();
    packages.dedup();
    let count = |name: &str| packages.iter().filter(|(known, _)| *known == name).count();
    let banned = BANNED.iter().filter(|name| count(name) > 0);
    let twice = SINGLE.iter().filter(|name| count(name) != 1);
    none(&banned.chain(twice).collect::<Vec<_>>());
}

#[test]
fn a_planted_import_is_found() {
    let rows: [(&str, &str, &[&str]); 14] = [
        ("src/config/mod.rs", "use crate::token::Handle;", &["token"]),
        ("src/config/mod.rs", "use crate::message::Origin;", &[]),
        ("src/config/log.rs", "use crate::config::Problems;", &[]),
        ("src/egress/pool.rs", "use crate::server;", &["server"]),
        (
            "src/tls/mod.rs",
            "use crate::{clock, provider::{Login, Data}, proxy};",
            &["provider", "proxy"],
        ),
        (
            "src/token/life.rs",
            "let x: crate::proxy::Proxy;",
            &["proxy"],
        ),
        ("src/clock.rs", "use super::secret;", &["secret"]),
        (
            "src/clock.rs",
            "// crate::app\n/// [`crate::app`]\n/* crate::app /* */ */ let s = \"crate::app\";",
            &[],
        ),
        (
            "src/clock.rs",
            "let c = '\"'; use crate::app; let d = '\"';",
            &["app"],
        ),
        (
            "src/clock.rs",
            "let s = r#\"\" crate::app \"#; fn f<'a>(x: &'a u8) {}",
            &[],
        ),
        ("src/clock.rs", "use crate as house;", &["the whole house"]),
        (
            "src/emulator/zuora.rs",
            "use crate::secret; use crate::emulator::Clock;",
            &["secret"],
        ),
        ("src/proxy/mod.rs", "use crate::emulator;", &["emulator"]),
        (
            "src/app/mod.rs",
            "use crate::emulator; use crate::proxy; pub(crate) fn f() {}",
            &[],
        ),
    ];
    for (path, text, expected) in rows {
        let found = forbidden_imports(path, text);
        let expected: Vec<String> = expected
            .iter()
            .map(|to| format!("{path} imports {to}"))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[track_caller]
fn none<T: std::fmt::Debug>(wrong: &[T]) {
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn names(files: impl Iterator<Item = (String, String)>) -> Vec<String> {
    files.map(|(path, _)| path).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under `folders`: its path from the root, and its text.
#[expect(
    clippy::unwrap_used,
    reason = "a source that cannot be read is a failed test"
)]
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            open.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let short = path.strip_prefix(root()).unwrap();
            let short = short.to_string_lossy().replace('\\', "/");
            files.push((short, fs::read_to_string(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// Whether `path` is the room or file `place` of `src/` or lies in it.
fn is_under(path: &str, place: &str) -> bool {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    inside
        .strip_prefix(place)
        .is_some_and(|rest| place.is_empty() || rest.is_empty() || rest.starts_with(['/', '.']))
}

/// What a file may not import, as sentences.
fn forbidden_imports(path: &str, text: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let room = inside.split(['/', '.']).next().unwrap_or(inside);
    let is_door = inside == format!("{room}.rs") || inside == format!("{room}/mod.rs");
    let code = code_of(text);
    let mut imported = heads(&code, "crate::");
    if is_door {
        // From a room's door `super` is the house; from its inner modules it is the room.
        let rooms = heads(&code, "super::").into_iter();
        imported.extend(rooms.filter(|to| floor(to).is_some()));
    }
    let mut wrong: Vec<String> = imported
        .into_iter()
        .filter(|to| !may_import(room, to))
        .collect();
    if code.contains("crate as ") {
        wrong.push("the whole house".to_owned());
    }
    wrong
        .iter()
        .map(|to| format!("{path} imports {to}"))
        .collect()
}

fn may_import(room: &str, to: &str) -> bool {
    match (floor(room), floor(to)) {
        _ if room == to => true,
        (Some(_), None) if to == ANNEX => ["app", "cli", "main"].contains(&room),
        (Some(from), Some(to)) => to < from,
        _ => false,
    }
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}
