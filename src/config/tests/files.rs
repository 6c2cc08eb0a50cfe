//! Configurations of several files.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CRM, client, env, with_crm};
use crate::config::{Admin, Checked, Config, Problems};
use crate::secret::Source;

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("upauth-files-{name}-{}", std::process::id()));
        for (name, text) in files {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, with_crm(text)).unwrap();
        }
        Self(path)
    }

    fn load(&self) -> Result<Checked, Problems> {
        Config::load(&self.0.join("proxy.toml"), &env)
    }

    /// `FILE:LINE:COLUMN CODE message` of each problem.
    fn problems(&self) -> Vec<String> {
        let problems = self.load().unwrap_err();
        let shown = problems.iter().map(|problem| {
            let file = problem.file().rsplit('/').next().unwrap();
            let (line, column) = (problem.line(), problem.column());
            format!(
                "{file}:{line}:{column} {} {}",
                problem.code().id,
                problem.message()
            )
        });
        shown.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn upstream(name: &str, more: &str) -> String {
    CRM.replace("upstream.crm", &format!("upstream.{name}")) + more
}

#[test]
fn included_upstreams_and_routes_follow_in_the_order_of_the_names_of_their_files() {
    let secret = upstream("b", "").replace("{ env = \"SECRET\" }", "{ file = \"s\" }");
    let files = [
        (
            "proxy.toml",
            "include = [\"conf.d/*.toml\", \"more.toml\", \"none/*.toml\"]\n{CRM}",
        ),
        (
            "conf.d/b.toml",
            "[route.r]\nupstream = \"a\"\npath = \"/r\"",
        ),
        ("conf.d/a.toml", &upstream("a", "")),
        ("conf.d/c.txt", "nonsense"),
        ("more.toml", &secret),
    ];
    let folder = Folder::new("order", &files);
    let config = folder.load().unwrap().config;
    let names: Vec<_> = config.upstreams.iter().map(|up| up.name.as_str()).collect();
    assert_eq!(names, ["crm", "a", "b"]);
    assert_eq!(config.routes.len(), 1);
    let (_, secret) = client(&config.upstreams[2]);
    assert!(matches!(secret, Source::File(path) if *path == folder.0.join("s")));
}

#[test]
fn a_pattern_that_matches_nothing_is_told_and_hides_no_mistake() {
    let include = "include = [\"nope/*.toml\", \"conf.d/*.toml\"]\n";
    let files = [
        ("proxy.toml", &*format!("{include}{{CRM}}")),
        ("conf.d/a.toml", &upstream("a", "")),
    ];
    let folder = Folder::new("nothing", &files);
    let warnings = folder.load().unwrap().warnings;
    let [warning] = &warnings[..] else {
        panic!("{warnings:?}")
    };
    let real = folder.0.canonicalize().unwrap();
    let expected = format!(
        "`include`: no file matches `nope/*.toml` in {}",
        real.display()
    );
    assert_eq!(warning.message(), expected);
    assert_eq!((warning.line(), warning.column()), (1, 12));
    // Where the file is named without a folder, its folder is named all the same.
    let text = with_crm("include = [\"nope/*.toml\"]\n{CRM}");
    let here = Config::parse(&text, "proxy.toml", Path::new(""), &env).unwrap();
    let folder = std::env::current_dir().unwrap().canonicalize().unwrap();
    let named = format!("in {}", folder.display());
    assert!(here.warnings[0].message().ends_with(&named), "{here:?}");
    let files = [(
        "proxy.toml",
        &*format!("{include}[upstream.x]\ncolour = 1\n"),
    )];
    let problems = Folder::new("nothing-else", &files).problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn a_problem_of_an_included_file_is_told_at_its_place_there() {
    let wrong = upstream("a", "colour = \"red\"\n");
    let files = [
        (
            "proxy.toml",
            "include = [\"a.toml\"]\n{CRM}[server]\nworkers = \"x\"\n",
        ),
        ("a.toml", &format!("\n{wrong}")),
    ];
    let folder = Folder::new("place", &files);
    let expected = [
        "proxy.toml:8:11 UA-0123 `workers` is not a number or size",
        "a.toml:7:1 UA-0103 unknown key `colour` in [upstream.a]",
    ];
    assert_eq!(folder.problems(), expected);
    let drawn = folder.load().unwrap_err().render(false);
    assert!(
        drawn.contains("a.toml:7:1\n") && drawn.contains("colour = \"********\""),
        "{drawn}"
    );
}

#[test]
fn what_cannot_be_included_is_a_problem() {
    let rows: &[(&str, &str, &str)] = &[
        (
            "a.toml",
            "[server]\nworkers = 1\n",
            "a.toml:1:2 UA-0140 `server` stands in an included file",
        ),
        (
            "a.toml",
            "include = [\"b.toml\"]\n",
            "a.toml:1:1 UA-0140 `include` stands in an included file",
        ),
        (
            "a.toml",
            "upstream = 1\n",
            "a.toml:1:1 UA-0140 `upstream` stands in an included file",
        ),
        (
            "a.toml",
            "[upstream.a\nprovider = 1\n",
            "a.toml:1:12 UA-0101 ",
        ),
        (
            "a.toml",
            "[upstream.crm]\nprovider = \"zuora\"\nlogin_url = \"https://z.example\"\n",
            "a.toml:1:11 UA-0101 duplicate key: the section stands at /",
        ),
        (
            "b.toml",
            "",
            "proxy.toml:1:12 UA-0140 `include`: there is no file `a.toml`",
        ),
    ];
    for (name, text, expected) in rows {
        let files = [
            ("proxy.toml", "include = [\"a.toml\"]\n{CRM}"),
            (name, text),
        ];
        let problems = Folder::new("cannot", &files).problems();
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].starts_with(expected), "{text}: {problems:?}");
    }
}

#[test]
fn an_upstream_that_two_files_have_is_told_with_both_places() {
    let files = [
        ("proxy.toml", "include = [\"*.toml\"]\n{CRM}"),
        ("a.toml", "\n[upstream.a]\nprovider = \"zuora\"\n"),
        ("b.toml", "[upstream.a]\nprovider = \"zuora\"\n"),
    ];
    let folder = Folder::new("twice", &files);
    let problems = folder.load().unwrap_err();
    let problem = problems.iter().next().unwrap();
    assert!(problem.file().ends_with("b.toml") && problem.line() == 1);
    let told = problems.to_string();
    assert!(told.contains("a.toml:2 already"), "{told}");
}

#[test]
fn a_secret_in_an_included_file_is_not_shown() {
    let files = [
        ("proxy.toml", "include = [\"a.toml\"]\n{CRM}"),
        (
            "a.toml",
            "[upstream.a]\nprovider = \"zuora\"\nclient_secret = \"hunter2\" x\n",
        ),
    ];
    let drawn = Folder::new("secret", &files)
        .load()
        .unwrap_err()
        .render(false);
    assert!(
        drawn.contains("a.toml") && !drawn.contains("hunter2"),
        "{drawn}"
    );
}

#[test]
fn whoever_asks_a_running_proxy_reads_admin_alone_and_never_takes_the_default_for_it() {
    let admin = "[admin]\nlisten = \"127.0.0.1:9\"\n";
    let found = [
        "[server]\nlisten = \"${NOWHERE}\"\n",
        "[upstream.crm]\nprovider = \"none\"\n",
        "[server\nlisten = \"x\"\n",
        "[server]\nlisten = \"x\n",
        "x = 1\nx = 2\n",
    ];
    let swallowed = ["x = \"\"\"\n", "x = {\n", "[server]\nlisten = [\"x\n"];
    let load = |text: &str| {
        let folder = Folder::new("admin", &[("proxy.toml", text)]);
        Admin::load(&folder.0.join("proxy.toml"), &env)
    };
    for line in found {
        let listen = load(&format!("{line}{admin}")).unwrap().listen.unwrap();
        assert_eq!(listen.tcp().unwrap().port(), 9, "{line}");
    }
    for line in swallowed {
        let problems = load(&format!("{line}{admin}")).unwrap_err();
        assert!(
            problems
                .iter()
                .all(|problem| problem.code().id == "UA-0101")
        );
    }
    let elsewhere = load("# [admin]\nx = \"\"\"\n").unwrap();
    assert_eq!(elsewhere.listen.unwrap().tcp().unwrap().port(), 7718);
}

#[test]
fn a_file_is_read_once_however_it_is_named_and_a_byte_order_mark_is_no_key() {
    let files = [
        ("proxy.toml", "include = [\"*.toml\", \"./a.toml\"]\n{CRM}"),
        ("a.toml", &format!("\u{feff}{}", upstream("a", ""))),
    ];
    let folder = Folder::new("once", &files);
    let odd = folder.0.join("..").join(folder.0.file_name().unwrap());
    for path in [&folder.0, &odd] {
        let checked = Config::load(&path.join("proxy.toml"), &env).unwrap();
        assert_eq!(checked.config.upstreams.len(), 2);
    }
    let alone = Config::load(&folder.0.join("a.toml"), &env).unwrap();
    assert_eq!(alone.config.upstreams.len(), 1);
}

#[test]
fn what_is_wrong_in_one_included_file_hides_nothing_of_the_others() {
    let files = [
        ("proxy.toml", "include = [\"*.inc\"]\n{CRM}warm = 1\n"),
        ("a.inc", "[upstream.a\n"),
        ("b.inc", &upstream("b", "read_only = 1\n")),
        ("c.inc", "[server]\n"),
    ];
    let told = Folder::new("all", &files).problems();
    let places: Vec<_> = told
        .iter()
        .map(|told| told.split(' ').next().unwrap())
        .collect();
    let expected = ["proxy.toml:7:8", "a.inc:1:12", "b.inc:6:13", "c.inc:1:2"];
    assert_eq!(places, expected, "{told:?}");
}

#[test]
fn a_path_to_include_may_hold_variables_as_every_text_may() {
    let files = [
        (
            "proxy.toml",
            "include = [\"${SECRET}/*.toml\", { env = \"SECRET\" }]\n{CRM}",
        ),
        ("from-env/a.toml", &upstream("a", "")),
    ];
    let folder = Folder::new("variables", &files);
    let told = folder.problems();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("1:32 UA-0140 cannot read "), "{told:?}");
    fs::write(
        folder.0.join("proxy.toml"),
        with_crm("include = [\"${SECRET}/*.toml\"]\n{CRM}"),
    )
    .unwrap();
    assert_eq!(folder.load().unwrap().config.upstreams.len(), 2);
    for (wrong, code) in [("[1]", "UA-0105"), ("[\"${NOWHERE}/a\"]", "UA-0113")] {
        let text = format!("include = {wrong}\n{CRM}");
        fs::write(folder.0.join("proxy.toml"), text).unwrap();
        let told = folder.problems();
        assert!(told.len() == 1 && told[0].contains(code), "{told:?}");
    }
}
