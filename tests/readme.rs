//! The README's console blocks are run: what it shows is what happens. Every piece of configuration that a page shows
//! is read, and so are the shipped examples.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use upauth::config::{Config, SHIPPED};

const BINARY: &str = env!("CARGO_BIN_EXE_upauth");

/// A process that is ended, by its own id, with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The console blocks of the README: each command with what is shown after it.
fn commands() -> Vec<(String, String)> {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let blocks = readme
        .split("```console\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap());
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            (None, Some((_, shown))) => *shown += &format!("{line}\n"),
            (None, None) => panic!("a block begins without a command: {line}"),
        }
    }
    commands
}

#[test]
fn every_console_block_of_the_readme_shows_what_happens() {
    let mut ran = 0;
    for (command, shown) in commands() {
        let mut words = command.split_whitespace();
        match words.next().unwrap() {
            // These run this test, and have tests of their own below.
            "tests/run" | "cargo" | "git" | "cd" => assert_eq!(shown, "", "{command}"),
            "upauth" => {
                let output = Command::new(BINARY)
                    .args(words)
                    .stdin(Stdio::null())
                    .output()
                    .unwrap();
                let mut said = String::from_utf8(output.stdout).unwrap();
                said += &String::from_utf8(output.stderr).unwrap();
                assert_eq!(said.trim_end(), shown.trim_end(), "{command}");
                ran += 1;
            }
            other => panic!("the README runs `{other}`, which this test does not know"),
        }
    }
    assert!(
        ran >= 2,
        "the README shows fewer commands than it should: {ran}"
    );
}

#[test]
fn the_two_commands_of_the_readme_are_there() {
    let commands: Vec<String> = commands().into_iter().map(|(command, _)| command).collect();
    for command in ["cargo run -- demo", "tests/run"] {
        assert!(
            commands.iter().any(|shown| shown == command),
            "{commands:?}"
        );
    }
    assert!(Path::new("tests/run").exists());
}

/// The calls, the table of upstreams and the call that breaks it, as the demo prints them.
fn shown(
    lines: &mut impl Iterator<Item = std::io::Result<String>>,
) -> (Vec<String>, Vec<String>, String) {
    let (mut calls, mut table) = (Vec::new(), Vec::new());
    let breaking = loop {
        let Some(Ok(line)) = lines.next() else {
            panic!("the demo ended")
        };
        if let [name, provider, address] = line.split_whitespace().collect::<Vec<_>>()[..]
            && address.ends_with(&format!("/{name}"))
        {
            table.push(format!("{name} {provider}"));
        }
        match line.trim().strip_prefix("curl ") {
            Some(call) if call.starts_with("-X POST ") => break call.replace("-X POST ", ""),
            Some(call) => calls.push(call.trim_matches('\'').to_owned()),
            None => {}
        }
    };
    (calls, table, breaking)
}

#[test]
fn the_demo_can_be_used_exactly_as_it_prints_and_breaking_it_breaks_nothing() {
    let mut demo = Running(
        Command::new(BINARY)
            .arg("demo")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines();
    let mut stderr = demo.0.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut log = String::new();
        let _ = stderr.read_to_string(&mut log);
        log
    });
    let (calls, table, breaking) = shown(&mut lines);
    assert_eq!(calls.len(), 7, "{calls:?}");
    let upstreams = [
        "crm salesforce",
        "crm-user salesforce",
        "pricing zilliant",
        "billing zuora",
        "mail marketing-cloud",
        "mail-legacy marketing-cloud-legacy",
        "any oauth2",
    ];
    assert_eq!(table, upstreams);
    for call in &calls {
        assert_eq!(ask("GET", call).0, 200, "{call}");
    }
    assert_eq!(ask("POST", &breaking).0, 200, "{breaking}");
    for call in &calls {
        let (status, head) = ask("GET", call);
        assert_eq!(status, 200, "{call}");
        assert!(
            head.contains("x-upauth-replayed: 1"),
            "{call} was not broken: {head}"
        );
    }
    let kill = format!("kill -TERM {}", demo.0.id());
    Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(
        demo.0.wait().unwrap().success(),
        "the demo drains and ends well"
    );
    drop(lines);
    assert!(
        log.join()
            .unwrap()
            .contains("the upstream ended the session"),
        "the log says why"
    );
}

/// Where there is a `timeout`.
#[cfg(target_os = "linux")]
#[test]
fn the_emulator_can_be_begun_as_its_page_says() {
    let page = std::fs::read_to_string("docs/emulator.md").unwrap();
    let block = page.split("```console\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let lines: Vec<_> = block.lines().map(|line| &line[2..]).collect();
    let [begin, wait, run] = lines[..] else {
        panic!("{block}")
    };
    assert_eq!(run, "upauth run --config proxy.toml");
    let folder = std::env::temp_dir().join(format!("upauth-emulator-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // What an emulator of yesterday left.
    std::fs::write(folder.join("emulator.env"), "exit 3\n").unwrap();
    std::fs::write(folder.join("proxy.toml"), SHIPPED).unwrap();
    // The shipped file is read with what was sourced, and every upstream of it logs in.
    let script =
        format!("{begin}\ntrap \"kill $!\" EXIT\n{wait}\nupauth check --live --config proxy.toml");
    let programs = Path::new(BINARY).parent().unwrap().display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("timeout");
    shell.args(["60", "sh", "-c", &script]).env("PATH", path);
    let output = shell.current_dir(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said.matches("ok: token in").count(), 7, "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_shipped_examples_are_sound_but_for_the_mistakes() {
    for entry in std::fs::read_dir("examples").unwrap() {
        let path = entry.unwrap().path();
        let parsed = Config::load(&path, &|_| Some("x".to_owned()));
        let mistakes = path.ends_with("mistakes.toml");
        assert_eq!(parsed.is_err(), mistakes, "{}", path.display());
    }
}

/// Every page for users, with its name.
fn pages() -> Vec<(String, String)> {
    let page = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        (path.display().to_string(), text)
    };
    let mut pages: Vec<_> = ["README.md", "SECURITY.md", "CHANGELOG.md"]
        .map(|name| page(Path::new(name)))
        .into();
    for folder in ["docs", "docs/providers"] {
        let files = std::fs::read_dir(folder).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let shown = files.filter(|path| path.extension().is_some_and(|end| end == "md"));
        pages.extend(shown.map(|path| page(&path)));
    }
    pages
}

/// The TOML blocks of a page.
fn blocks(page: &str) -> impl Iterator<Item = &str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap())
}

/// A block that shows an upstream is a whole file. Any other is what is added to the smallest file of the README: its
/// first lines stand in that file's [upstream.crm], as long as no section begins. `"..."` is a digest that a reader has.
fn completed(block: &str) -> String {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let mut text = match block.contains("[upstream.") {
        true => block.to_owned(),
        false => format!("{}{block}", blocks(&readme).next().unwrap()),
    };
    let mut digest = 0;
    while text.contains("sha256 = \"...\"") {
        digest += 1;
        text = text.replacen("\"...\"", &format!("\"{digest:064x}\""), 1);
    }
    text
}

#[test]
fn every_piece_of_configuration_that_the_pages_show_is_sound() {
    let mut shown = 0;
    for (name, page) in pages() {
        for block in blocks(&page) {
            let text = completed(block);
            let env = |_: &str| Some("x".to_owned());
            match Config::parse(&text, &name, Path::new("."), &env) {
                Ok(checked) => assert!(checked.warnings.is_empty(), "{:?}", checked.warnings),
                Err(problems) => panic!("{problems}"),
            }
            shown += 1;
        }
    }
    assert!(shown >= 18, "{shown}");
}

#[test]
fn every_key_that_the_pages_name_with_a_value_is_one() {
    let is_key = |key: &str| {
        let mut lines = SHIPPED
            .lines()
            .map(|line| line.trim_start_matches(['#', ' ']));
        lines.any(|line| line.starts_with(&format!("{key} = ")))
    };
    let mut named = 0;
    for (name, page) in pages() {
        // What stands between the blocks, and there between backticks: `kind = "file"`, `[store] kind = "file"`.
        let prose: String = page.split("```").step_by(2).collect();
        for code in prose.split('`').skip(1).step_by(2) {
            let code = code.rsplit("] ").next().unwrap();
            let Some((key, _)) = code.split_once(" = ") else {
                continue;
            };
            if key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                assert!(is_key(key), "{name}: `{code}`");
                named += 1;
            }
        }
    }
    assert!(named >= 40, "{named}");
}

/// Status and head of an answer, asked for with nothing but a socket.
fn ask(method: &str, url: &str) -> (u16, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let addr = host.replace("localhost", "127.0.0.1");
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    let head = answer.split("\r\n\r\n").next().unwrap().to_owned();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
}
