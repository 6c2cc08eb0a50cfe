//! Answers that cannot be written are not taken for ones that were.

use std::fs::File;
use std::process::{Command, Stdio};

use super::support::ports::free_port;
use super::{BINARY, Stage, said};

/// What a command writes goes to a disk that is full.
fn on_a_full_disk(command: &mut Command) -> (i32, String) {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut told).unwrap();
    (child.wait().unwrap().code().unwrap(), told)
}

#[test]
fn an_answer_that_cannot_be_written_is_told_and_ends_with_74() {
    let stage = Stage::new("lost");
    let own = format!("listen = \"127.0.0.1:{}\"\n", free_port());
    let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", &own);
    let (_running, _) = stage.run(&config);
    let alone = [
        "key etl",
        "explain",
        "explain UA-0103",
        "man",
        "completions bash",
        "version",
        "version --json",
        "emulate",
        "--help",
        "--version",
        "key --help",
    ];
    let alone = alone.map(|line| {
        let mut command = Command::new(BINARY);
        command.args(line.split(' '));
        (line, command)
    });
    let of_a_configuration = [
        "check",
        "check --live",
        "env crm",
        "env crm --json",
        "status",
        "status --json",
        "health",
        "reload",
        "token show crm --yes",
        "token renew crm",
    ];
    let of_a_configuration = of_a_configuration.map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        (line, stage.command(&words, &config))
    });
    for (line, mut command) in alone.into_iter().chain(of_a_configuration) {
        let (code, told) = on_a_full_disk(&mut command);
        assert_eq!(code, 74, "{line}: {told}");
        let times = told.matches("standard output cannot be written").count();
        assert_eq!(times, 1, "{line}: {told}");
    }
}

#[test]
fn a_reader_who_has_gone_is_nobodys_problem() {
    for line in ["explain", "man", "completions bash", "--help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(BINARY);
        command.args(line.split(' ')).stdin(Stdio::null());
        let output = command.stdout(writer).output().unwrap();
        let (code, _, err) = said(&output);
        assert_eq!((code, err.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn a_proxy_whose_banner_cannot_be_written_serves_and_says_so() {
    let stage = Stage::new("banner");
    let config = stage.right();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let log = stage.folder.join("log");
    let mut command = stage.command(&["run"], &config);
    let child = command.stdout(full).stderr(File::create(&log).unwrap());
    let mut running = super::Running(child.spawn().unwrap());
    super::until("nothing is said", || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.contains("standard output cannot be written")
    });
    assert_eq!(stage.say(&["health"], &config).0, 0);
    super::signal("-TERM", &running.0);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}
