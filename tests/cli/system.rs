//! What the system shows of the process, and what it has only so much of.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::asking::{LIMITS, get};
use super::{Running, Stage, ended, files, signal, until};

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
    let (proxy, addr) = stage.run(&config);
    assert!(answers(&addr));
    // From now on: at the start it would see to it that callers leave some.
    let most = files::open(&proxy.0) + 20;
    let limited = Command::new("prlimit")
        .args(["--pid", &proxy.0.id().to_string()])
        .arg(format!("--nofile={most}:{most}"))
        .status();
    assert!(limited.unwrap().success());
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

/// Looks at what a program sees that upauth runs: its own environment and arguments, and those of upauth.
const LOOK: &str = r#"{ env
  tr '\0' '\n' < /proc/$$/cmdline
  tr '\0' '\n' < /proc/$PPID/cmdline
  tr '\0' '\n' < /proc/$PPID/environ
} > "$1"
cat "$2"
"#;

/// A file, a store and programs as sources; the program of `any` looks.
const SOURCES: &str = r#"[store]
kind = "file"
[upstream.held]
provider = "salesforce"
grant = "refresh_token"
login_url = "${DEMO_LOGIN_URL}"
client_id = "${DEMO_CRM_CLIENT_ID}"
client_secret = { file = "crm" }
refresh_token = { file = "refresh" }
instance_hosts = ["${DEMO_INSTANCE_HOST}"]
[upstream.mail]
provider = "marketing-cloud-legacy"
offline = true
login_url = "${DEMO_MAIL_LEGACY_LOGIN_URL}"
api_url = "${DEMO_MAIL_LEGACY_URL}"
client_id = "${DEMO_MAIL_LEGACY_CLIENT_ID}"
client_secret = { command = ["cat", "FOLDER/mail"] }
[upstream.program]
provider = "salesforce"
grant = "command"
api_url = "http://${DEMO_INSTANCE_HOST}"
command = ["cat", "FOLDER/token"]
[upstream.any]
provider = "oauth2"
token_url = "${DEMO_OAUTH_TOKEN_URL}"
api_url = "${DEMO_OAUTH_API_URL}"
client_id = "${DEMO_OAUTH_CLIENT_ID}"
client_secret = { command = ["sh", "FOLDER/look", "FOLDER/seen", "FOLDER/any"] }
"#;

#[test]
fn a_program_that_is_run_sees_no_secret_of_a_file_a_store_or_another_program() {
    let stage = Stage::new("children");
    let variables = stage.emulator.variables();
    let mut secrets = Vec::new();
    for (file, variable) in [
        ("crm", "DEMO_CRM_CLIENT_SECRET"),
        ("refresh", "DEMO_CRM_REFRESH_TOKEN"),
        ("mail", "DEMO_MAIL_LEGACY_CLIENT_SECRET"),
        ("any", "DEMO_OAUTH_CLIENT_SECRET"),
        ("token", "00D!token.of.a.program"),
    ] {
        let found = variables.iter().find(|(name, _)| name == variable);
        let secret = found
            .map_or(variable, |(_, value)| value.as_str())
            .to_owned();
        std::fs::write(stage.folder.join(file), &secret).unwrap();
        secrets.push((file, secret));
    }
    std::fs::write(stage.folder.join("look"), LOOK).unwrap();
    let folder = stage.folder.display().to_string();
    let config = stage.config("placeholder", &SOURCES.replace("FOLDER", &folder));
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("\"placeholder\"", "{ file = \"crm\" }");
    let text = text.replace("[server]\n", "[server]\nstate = \"state\"\n");
    std::fs::write(&config, text).unwrap();
    let mut command = stage.command(&["run"], &config);
    for (name, value) in &variables {
        if secrets.iter().any(|(_, secret)| secret == value) {
            command.env_remove(name);
        }
    }
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Running(silent.spawn().unwrap());
    until("it never logs in", || {
        stage.say(&["token", "renew", "crm"], &config).0 == 0
    });
    // The one that looks is the last: by then the others are all in the hands of the process.
    for name in ["held", "mail", "program", "any"] {
        let (code, _, err) = stage.say(&["token", "renew", name], &config);
        assert_eq!(code, 0, "{name}: {err}");
    }
    let key = std::fs::read_to_string(stage.folder.join("state/store.key")).unwrap();
    secrets.push(("the key of the store", key.trim().to_owned()));
    let seen = std::fs::read_to_string(stage.folder.join("seen")).unwrap();
    for known in ["/look\n", "/seen\n", "\n--config\n"] {
        assert!(seen.contains(known), "it has not looked: {known}{seen}");
    }
    assert_eq!(seen.matches("DEMO_LOGIN_URL=").count(), 2, "{seen}");
    for (what, secret) in secrets {
        assert!(!seen.contains(&secret), "{what}: {seen}");
    }
}

/// Has requests refused, each of which the log tells of.
fn refused(addr: &str, count: usize) {
    let mut caller = TcpStream::connect(addr).unwrap();
    let wait = Some(Duration::from_secs(20));
    caller.set_read_timeout(wait).unwrap();
    let one = "GET / HTTP/1.1\r\nHost: elsewhere\r\n\r\n";
    let last = one.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    caller
        .write_all((one.repeat(count - 1) + &last).as_bytes())
        .unwrap();
    let mut answers = String::new();
    caller.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 421 ").count(), count);
}

#[test]
fn a_log_that_nobody_reads_stops_no_request_and_no_end_and_says_what_is_missing() {
    let stage = Stage::new("unread");
    let config = stage.right();
    let (mut running, addr) = stage.run_telling(&config, Stdio::piped()).unwrap();
    refused(&addr, 2000);
    assert_eq!(get(&addr, LIMITS), 200);
    let log = running.0.stderr.take().unwrap();
    let (told, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(log).lines();
        lines
            .map_while(Result::ok)
            .try_for_each(|line| told.send(line))
    });
    until("it never says that lines are missing", || {
        // One more line, behind which the notice stands.
        refused(&addr, 1);
        let mut lines = lines.try_iter();
        lines.any(|line| line.contains("lines of this log are missing here"))
    });
    signal("-TERM", &running.0);
    assert_eq!(ended(&mut running), Some(0));
    let mut lines = lines.iter();
    assert!(lines.any(|line| line.contains("drained: every request")));

    let (mut running, addr) = stage.run_telling(&config, Stdio::piped()).unwrap();
    refused(&addr, 2000);
    signal("-TERM", &running.0);
    let nobody = "nobody reads at the end either";
    assert_eq!(ended(&mut running), Some(0), "{nobody}");
}
