//! Open files: how many the program asks for, and who gets them.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;

use super::support::open_files::as_many_as_there_may_be;
use super::support::{Caller, Scripted};
use super::{BINARY, Running, Stage, serving, until};

const KEY: &str = "k-of-a-caller";
const KEYS: &str = "[access]\nkeys = [{ name = \"etl\", sha256 = \"175ebfdf548229489244353ee63d72b3fcb299b805571d76a103e183ba1dfe9c\" }]\n";

/// `upauth run` with these limits of the system.
fn run(stage: &Stage, config: &str, limits: &str) -> (Running, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")]);
    shell.args([BINARY, "run", "--config", config]);
    shell.envs(stage.emulator.variables());
    let log = std::fs::File::create(stage.folder.join("log")).unwrap();
    serving(&mut shell, log).unwrap()
}

pub(super) fn open(child: &Child) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", child.id()));
    files.unwrap().count()
}

fn log(stage: &Stage) -> String {
    std::fs::read_to_string(stage.folder.join("log")).unwrap()
}

#[test]
fn callers_who_say_nothing_leave_files_for_who_is_served_and_for_operators() {
    as_many_as_there_may_be();
    let stage = Stage::new("files");
    // Each request needs a connection of its own.
    let api = stage
        .runtime
        .block_on(Scripted::start_with(&(), |mut connection, ()| async move {
            if connection.request().await.is_some() {
                let last = "Connection: close\r\n";
                connection.reply("200 OK", last, "ok").await;
            }
        }));
    // Nobody is cut for being silent.
    let limits = "[server.limits]\nheader_timeout = \"10m\"\nidle_timeout = \"10m\"\n";
    let more = format!("{}{KEYS}{limits}", api.upstream());
    let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", &more);
    let (running, addr) = run(&stage, &config, "ulimit -n 256");
    let to: SocketAddr = addr.parse().unwrap();
    let mut caller = stage.runtime.block_on(Caller::connect(to));
    let mut ask = || {
        let key = format!("X-Upauth-Key: {KEY}\r\n");
        let answer = stage.runtime.block_on(caller.get_with("/api/x", &key));
        answer.status
    };
    assert_eq!(ask(), 200);

    let silent: Vec<_> = (0..300)
        .map(|_| TcpStream::connect(&addr).unwrap())
        .collect();
    let mut before = 0;
    until("it goes on letting callers in", || {
        std::thread::sleep(Duration::from_millis(300));
        std::mem::replace(&mut before, open(&running.0)) == before && before > 64
    });
    for _ in 0..20 {
        assert_eq!(ask(), 200, "{}", log(&stage));
    }
    for command in [&["status"][..], &["health"], &["token", "renew", "crm"]] {
        let (code, _, err) = stage.say(command, &config);
        assert_eq!(code, 0, "{command:?}: {err}");
    }
    let log = log(&stage);
    assert!(!log.contains("cannot accept"), "{log}");
    let words = "at most 64 connections of callers are served at once";
    assert!(log.contains(words), "{log}");
    drop(silent);
}

#[test]
fn idle_connections_to_some_upstreams_leave_files_for_those_to_others() {
    as_many_as_there_may_be();
    let stage = Stage::new("idle");
    let callers = 30;
    let all = Arc::new(Barrier::new(callers));
    // Each request of a round needs a connection of its own.
    let api = stage.runtime.block_on(Scripted::start_with(
        &all,
        |mut connection, all| async move {
            while connection.request().await.is_some() {
                all.wait().await;
                connection.reply("200 OK", "", "ok").await;
            }
        },
    ));
    let names = ["a", "b", "c", "d", "e"];
    let more = names.map(|name| {
        api.upstream()
            .replace("upstream.api", &format!("upstream.{name}"))
    });
    let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", &more.concat());
    let (running, addr) = run(&stage, &config, "ulimit -n 128");
    let to: SocketAddr = addr.parse().unwrap();
    stage.runtime.block_on(async {
        let begun = (0..callers).map(|_| Caller::connect(to));
        let mut crowd = futures_util::future::join_all(begun).await;
        for name in names.iter().chain(&names) {
            let path = format!("/{name}/x");
            let asked = crowd.iter_mut().map(|caller| caller.get(&path));
            for answer in futures_util::future::join_all(asked).await {
                assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            }
        }
    });
    let open = open(&running.0);
    assert!(open < 128 - 32, "{open} files are open");
}

#[test]
fn as_many_files_are_asked_for_as_connections_need_and_the_system_lets_have() {
    let rows = [
        // Soft and hard, `connections`, what comes about; and how many callers if that is less.
        ((100, 600), 10_000, 600, Some(172)),
        ((100, 600), 50, 406, None),
        ((500, 600), 50, 500, None),
    ];
    for ((soft, hard), connections, expected, fewer) in rows {
        let stage = Stage::new("limits");
        let limits =
            format!("[server.limits]\nconnections = {connections}\nrequests_in_flight = 100\n");
        let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", &limits);
        let limits = format!("ulimit -S -n {soft}; ulimit -H -n {hard}");
        let (running, _) = run(&stage, &config, &limits);
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.0.id()));
        let limits = limits.unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let words: Vec<_> = line.unwrap().split_whitespace().skip(3).take(2).collect();
        assert_eq!(words, [expected.to_string(), hard.to_string()]);
        let log = log(&stage);
        match fewer {
            Some(most) => assert!(
                log.contains(&format!("at most {most} connections")),
                "{log}"
            ),
            None => assert!(!log.contains("open files"), "{log}"),
        }
    }
}

#[test]
fn no_core_dump_is_written_of_what_is_in_memory() {
    let stage = Stage::new("core");
    let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", "");
    let (running, _) = run(&stage, &config, "ulimit -c unlimited");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.0.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core"));
    let words: Vec<_> = line.unwrap().split_whitespace().skip(4).take(2).collect();
    assert_eq!(words, ["0", "0"]);
}
