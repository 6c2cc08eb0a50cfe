//! What the system shows of the process, and what it has only so much of.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{BINARY, Running, Stage};

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `is_so`.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The time that a process has computed, in hundredths of a second.
fn computed(child: &Child) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    // Behind the name, which may hold anything: user and system time are the twelfth and thirteenth.
    let rest = stat.rsplit(") ").next().unwrap();
    let times = rest.split(' ').skip(11).take(2);
    times.map(|time| time.parse::<u64>().unwrap()).sum()
}

/// Whether anybody answers at `addr`.
fn answers(addr: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(addr) else {
        return false;
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let request = "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 204")
}

#[test]
fn without_a_file_left_to_open_it_waits_and_then_serves_again() {
    let stage = Stage::new("exhaustion");
    let log = stage.folder.join("log");
    // Nobody is cut for being silent: those who hold the files are let go by the test alone.
    let config = stage.config(
        "${DEMO_CRM_CLIENT_SECRET}",
        "[server.limits]\nheader_timeout = \"10m\"\n",
    );
    let mut child = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 64; exec \"$0\" \"$@\"",
            BINARY,
            "run",
            "--config",
            &config,
        ])
        .envs(stage.emulator.variables())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let proxy = Running(child);
    let addr = lines.find_map(|line| {
        let line = line.unwrap();
        let (_, rest) = line.split_once("http://localhost:")?;
        Some(format!("127.0.0.1:{}", rest.split('/').next().unwrap()))
    });
    let addr = addr.unwrap();
    assert!(answers(&addr));
    let silent: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(&addr).unwrap())
        .collect();
    let told = || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.matches("cannot accept a connection").count()
    };
    until("there were files enough", || told() > 0);
    let before = computed(&proxy.0);
    std::thread::sleep(Duration::from_secs(1));
    let (spent, told) = (computed(&proxy.0) - before, told());
    assert!(
        spent < 50,
        "it spins: {spent} hundredths of a second in one"
    );
    assert!(told < 100, "it says so {told} times");
    drop(silent);
    until("it never serves again", || answers(&addr));
}

#[test]
fn what_the_system_shows_of_the_process_holds_no_secret_that_a_file_has() {
    let stage = Stage::new("shown");
    let variables = stage.emulator.variables();
    let is_secret = |name: &str| name.ends_with("CLIENT_SECRET");
    let secret = variables
        .iter()
        .find(|(name, _)| name == "DEMO_CRM_CLIENT_SECRET");
    let (_, secret) = secret.unwrap();
    std::fs::write(stage.folder.join("secret"), secret).unwrap();
    let config = stage.config("placeholder", "warm = true\n");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("\"placeholder\"", "{ file = \"secret\" }");
    std::fs::write(&config, text).unwrap();
    let mut command = stage.command(&["run"], &config);
    for (name, _) in variables.iter().filter(|(name, _)| is_secret(name)) {
        command.env_remove(name);
    }
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let proxy = Running(child);
    until("it never logs in", || stage.emulator.counters().live > 0);
    for place in ["cmdline", "environ"] {
        let shown = std::fs::read(format!("/proc/{}/{place}", proxy.0.id())).unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert!(shown.contains("run") || shown.contains("DEMO_LOGIN_URL"));
        assert!(!shown.contains(secret.as_str()), "{place}: {shown}");
    }
}
