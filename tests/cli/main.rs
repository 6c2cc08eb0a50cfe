//! The commands that talk to somebody, by the real binary: what they print, and the exit codes of the contract.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use upauth::emulator::{Emulator, Settings};

use self::support::ports::free_port;

mod asking;
/// What others have put where the commands look.
mod deceived;
/// Open files.
#[cfg(target_os = "linux")]
mod files;
/// A disk without room.
#[cfg(target_os = "linux")]
mod full;
/// Files that change under load.
mod hangup;
/// Answers that cannot be written.
#[cfg(target_os = "linux")]
mod lost;
/// Proxies that the environment names.
mod proxied;
/// What ends a start.
mod starting;
/// What a signal to stop does to whoever is there.
mod stopping;
/// The file store.
mod store;
#[path = "../e2e/support/mod.rs"]
mod support;
/// What the system shows and limits.
#[cfg(target_os = "linux")]
mod system;
/// What the log says of failures.
mod told;
/// Files that may not be read.
#[cfg(unix)]
mod unreadable;

const BINARY: &str = env!("CARGO_BIN_EXE_upauth");
const PATIENCE: Duration = Duration::from_secs(30);

/// The emulator, a folder for configurations, and the variables that lead from one to the other.
struct Stage {
    emulator: Emulator,
    runtime: tokio::runtime::Runtime,
    folder: PathBuf,
    admin: u16,
}

/// A process that is ended, by its own id, with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Stage {
    fn new(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let emulator = runtime
            .block_on(Emulator::start(Settings::default()))
            .unwrap();
        let folder = std::env::temp_dir().join(format!("upauth-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            emulator,
            runtime,
            folder,
            admin: free_port(),
        }
    }

    /// Writes a configuration: `crm` at the emulator, and `more`.
    fn config(&self, secret: &str, more: &str) -> String {
        let path = self.folder.join("proxy.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ndrain_timeout = \"20s\"\n[admin]\nlisten = \"127.0.0.1:{}\"\n\
             [upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"${{DEMO_LOGIN_URL}}\"\n\
             client_id = \"${{DEMO_CRM_CLIENT_ID}}\"\nclient_secret = \"{secret}\"\n\
             instance_hosts = [\"${{DEMO_INSTANCE_HOST}}\"]\n{more}",
            self.admin
        );
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn right(&self) -> String {
        self.config("${DEMO_CRM_CLIENT_SECRET}", "")
    }

    fn command(&self, arguments: &[&str], config: &str) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .args(["--config", config])
            .envs(self.emulator.variables())
            .stdin(Stdio::null());
        command
    }

    fn say(&self, arguments: &[&str], config: &str) -> (i32, String, String) {
        said(&self.command(arguments, config).output().unwrap())
    }

    /// `upauth run`, and the address it prints for `crm`.
    fn run(&self, config: &str) -> (Running, String) {
        let log = self.folder.join("log");
        let file = std::fs::File::create(&log).unwrap();
        self.run_telling(config, file)
            .unwrap_or_else(|status| panic!("{status}: {}", std::fs::read_to_string(log).unwrap()))
    }

    /// The same, with a place for what it logs. Fails with how it ended, if it did before it served.
    fn run_telling(
        &self,
        config: &str,
        log: impl Into<Stdio>,
    ) -> Result<(Running, String), ExitStatus> {
        serving(&mut self.command(&["run"], config), log)
    }
}

/// Starts a program that becomes `upauth run`: the address it prints for `crm`, or how it ended before.
fn serving(command: &mut Command, log: impl Into<Stdio>) -> Result<(Running, String), ExitStatus> {
    let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.find(|line| line.as_ref().unwrap().trim().starts_with("crm "));
    let Some(line) = line.transpose().unwrap() else {
        return Err(child.wait().unwrap());
    };
    std::thread::spawn(move || lines.count());
    let url = line.split_whitespace().last().unwrap();
    let addr = url
        .strip_prefix("http://")
        .unwrap()
        .replace("localhost", "127.0.0.1");
    Ok((Running(child), addr.split('/').next().unwrap().to_owned()))
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Waits until `is_so`; complains of `what` if that takes too long.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a process ends: its exit code, unless a signal ended it.
fn ended(running: &mut Running) -> Option<i32> {
    let mut status = None;
    until("it never ends", || {
        status = running.0.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap().code()
}

fn signal(name: &str, child: &Child) {
    let kill = format!("kill {name} {}", child.id());
    Command::new("sh").args(["-c", &kill]).status().unwrap();
}

#[test]
fn run_prints_the_listener_of_a_route_where_it_is_the_only_one() {
    let stage = Stage::new("routed");
    let route = "[route.r]\nupstream = \"crm\"\npath = \"/r\"\nlisten = \"127.0.0.1:0\"\n";
    let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", route);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replacen("listen = \"127.0.0.1:0\"", "listen = \"\"", 1);
    std::fs::write(&config, text).unwrap();
    let (_running, addr) = stage.run(&config);
    assert!(std::net::TcpStream::connect(&addr).is_ok(), "{addr}");
}

#[test]
fn check_live_tells_a_good_login_a_refused_one_and_an_unreachable_one_apart() {
    let stage = Stage::new("live");
    let (code, out, _) = stage.say(&["check", "--live"], &stage.right());
    assert_eq!(code, 0);
    assert!(
        out.contains("crm")
            && out.contains("ok: token in")
            && out.contains("calls go to http://127.0.0.1:"),
        "{out}"
    );

    let (code, _, err) = stage.say(
        &["check", "--live", "crm"],
        &stage.config("wrong-secret", ""),
    );
    assert_eq!(code, 77, "{err}");
    assert!(
        err.contains("invalid_client") && err.contains("likely") && !err.contains("wrong-secret"),
        "{err}"
    );

    let nobody = "[upstream.far]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:1\"\nclient_id = \"a\"\nclient_secret = \"b\"\n";
    let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", nobody);
    let (code, _, err) = stage.say(&["check", "--live", "far"], &config);
    assert_eq!(code, 69, "{err}");
    let (code, out, _) = stage.say(&["check", "--live", "crm"], &config);
    assert_eq!(code, 0, "{out}");
    assert_eq!(stage.say(&["check", "--live", "nobody"], &config).0, 2);
}

#[test]
fn token_show_asks_first_and_prints_the_token_alone() {
    let stage = Stage::new("show");
    let config = stage.right();
    let (code, out, err) = stage.say(&["token", "show", "crm"], &config);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("--yes"), "{err}");
    let (code, out, _) = stage.say(&["token", "show", "crm", "--yes"], &config);
    assert_eq!(code, 0);
    assert!(
        out.trim_end().starts_with("00D")
            && out.trim_end().contains('!')
            && out.lines().count() == 1,
        "{out}"
    );
    let (code, out, _) = stage.say(
        &["token", "show", "crm", "--yes"],
        &stage.config("wrong-secret", ""),
    );
    assert_eq!((code, out.as_str()), (77, ""));
}

#[test]
fn token_renew_asks_the_running_proxy() {
    let stage = Stage::new("renew");
    let config = stage.right();
    let (code, _, err) = stage.say(&["token", "renew", "crm"], &config);
    assert_eq!(code, 69, "nobody runs: {err}");
    let (_running, _) = stage.run(&config);
    let before = stage.emulator.counters().logins;
    let (code, out, err) = stage.say(&["token", "renew", "crm"], &config);
    assert_eq!(code, 0, "{out}{err}");
    assert!(stage.emulator.counters().logins > before);
    let (code, _, err) = stage.say(&["token", "renew", "nobody"], &config);
    assert_eq!(
        (code, err.as_str()),
        (2, "there is no upstream `nobody`; there are: crm\n")
    );
}

#[test]
fn token_renew_says_in_words_what_the_provider_refused() {
    let stage = Stage::new("renew-refused");
    let config = stage.config("wrong-secret", "");
    let (_running, _) = stage.run(&config);
    let (code, _, err) = stage.say(&["token", "renew", "crm"], &config);
    assert_eq!(code, 77, "{err}");
    assert!(err.ends_with("(UA-0301)\n") && !err.contains('{'), "{err}");
}

#[test]
fn env_names_files_that_are_found_from_everywhere() {
    let stage = Stage::new("env");
    stage.config("secret", "tls = \"auto\"\nlisten = \"localhost:7727\"\n");
    let path = stage.folder.join("proxy.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[server]\n", "[server]\nstate = \"state\"\n");
    std::fs::write(&path, text).unwrap();
    let mut env = Command::new(BINARY);
    env.args(["env", "crm"]).current_dir(&stage.folder);
    let output = env.envs(stage.emulator.variables()).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let folder = stage.folder.canonicalize().unwrap();
    let line = format!("export CURL_CA_BUNDLE='{}/state/ca.pem'", folder.display());
    assert!(out.contains(&line), "{line}\n{out}");
    assert!(out.contains("the first `upauth run` makes it"), "{out}");
}
