//! The real binary, killed at random hundreds of times while it redeems single-use refresh tokens: the grant is there.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use upauth::emulator::{Emulator, Settings};

const BINARY: &str = env!("CARGO_BIN_EXE_upauth");
/// Processes at once, each with a store and a grant of its own.
const LANES: usize = 4;
const KILLS: usize = 56;
/// How long each of them lives at most, unless a renewal takes long on this machine.
const LIFE: Duration = Duration::from_millis(160);
/// Between two tries.
const A_MOMENT: Duration = Duration::from_millis(10);
/// Sockets do not answer for longer than that only if something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running proxy; killed with the test.
struct Proxy {
    child: Child,
    admin: String,
}

impl Proxy {
    fn start(config: &Path, variables: &[(String, String)]) -> Self {
        let mut child = Command::new(BINARY)
            .args(["run", "--config"])
            .arg(config)
            .envs(variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let status = lines
            .map_while(Result::ok)
            .find(|line| line.contains("(status)"));
        let Some(status) = status else {
            panic!("it did not start: {:?}", child.wait());
        };
        let admin = status.split("http://").nth(1).unwrap();
        let admin = admin.replace("localhost", "127.0.0.1");
        Self { child, admin }
    }

    /// Has a new token fetched: the answer, or nothing if the proxy is gone before.
    fn renew(admin: &str) -> Option<String> {
        let mut stream = TcpStream::connect(admin).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /api/v1/upstreams/mail/renew HTTP/1.1\r\nHost: {admin}\r\nX-Upauth-Admin: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.contains("\r\n\r\n").then_some(answer)
    }

    /// Fetches a token, which must succeed, at the latest when the disk is done.
    fn renews(&self) {
        let began = Instant::now();
        loop {
            let answer = Self::renew(&self.admin).unwrap();
            if is_good(&answer) {
                return;
            }
            let may_come = is_put_off(&answer) && began.elapsed() < PATIENCE;
            assert!(may_come, "the grant is lost: {answer}");
            thread::sleep(A_MOMENT);
        }
    }

    /// SIGKILL: nothing is finished, nothing is said.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_good(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ")
}

/// The store did not do its part in time, for which nothing is given up.
fn is_put_off(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 503 ")
}

/// A number below `bound`, from the clock: where a kill falls need not be the same twice.
fn chance(bound: u64) -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    u64::from(now.subsec_micros()).wrapping_mul(2_654_435_761) % bound
}

/// A configuration whose only upstream begins with the refresh token `first`.
fn config(first: &str, folder: &Path) -> PathBuf {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\nstate = \"{}\"\n",
        folder.display()
    );
    text.push_str(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[store]\nkind = \"file\"\n[log]\naccess = \"off\"\n",
    );
    text.push_str("[upstream.mail]\nprovider = \"marketing-cloud-legacy\"\noffline = true\n");
    writeln!(text, "refresh_token = \"{first}\"").unwrap();
    for (key, variable) in [
        ("login_url", "LOGIN_URL"),
        ("api_url", "URL"),
        ("client_id", "CLIENT_ID"),
        ("client_secret", "CLIENT_SECRET"),
    ] {
        writeln!(text, "{key} = \"${{DEMO_MAIL_LEGACY_{variable}}}\"").unwrap();
    }
    let config = folder.join("proxy.toml");
    std::fs::write(&config, text).unwrap();
    config
}

/// What a renewal takes on this disk, with all that goes on beside it.
fn a_renewal(config: &Path, variables: &[(String, String)]) -> Duration {
    let proxy = Proxy::start(config, variables);
    let each = (0..3).map(|_| {
        let began = Instant::now();
        proxy.renews();
        began.elapsed()
    });
    each.min().unwrap()
}

/// One proxy after the other on one store, each killed while it renews without a pause.
fn lane(variables: &[(String, String)], first: &str, folder: &Path) -> (usize, usize) {
    let config = config(first, folder);
    let longest = (4 * a_renewal(&config, variables)).clamp(LIFE, 12 * LIFE);
    let mut renewed = 0;
    for _ in 0..KILLS {
        let proxy = Proxy::start(&config, variables);
        let admin = proxy.admin.clone();
        let renewing = thread::spawn(move || {
            let mut good = 0;
            while let Some(answer) = Proxy::renew(&admin) {
                if is_good(&answer) {
                    good += 1;
                } else {
                    assert!(is_put_off(&answer), "a renewal failed: {answer}");
                    thread::sleep(A_MOMENT);
                }
            }
            good
        });
        let most = u64::try_from(longest.as_micros()).unwrap();
        thread::sleep(Duration::from_micros(chance(most)));
        proxy.kill();
        renewed += renewing.join().unwrap();
    }
    // Nothing happens to the last one.
    let proxy = Proxy::start(&config, variables);
    proxy.renews();
    (KILLS, renewed)
}

fn emulator() -> (tokio::runtime::Runtime, Emulator) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let started = runtime.block_on(Emulator::start(Settings::default()));
    (runtime, started.unwrap())
}

#[test]
fn a_stop_waits_for_a_redemption_that_has_begun() {
    let (_runtime, emulator) = emulator();
    let hold = |ms| {
        let turn = |dials: &mut upauth::emulator::Dials| {
            dials.marketing_cloud_legacy.after.hold_ms = ms;
        };
        emulator.knobs().turn(turn);
    };
    let first = emulator.mint_refresh_token("marketing-cloud-legacy");
    let folder = tempfile::tempdir().unwrap();
    let config = config(&first.unwrap(), folder.path());
    let variables = emulator.variables();
    let mut proxy = Proxy::start(&config, &variables);
    hold(2000);
    let admin = proxy.admin.clone();
    let renewing = thread::spawn(move || Proxy::renew(&admin));
    let began = Instant::now();
    while emulator.counters().legacy_token_requests == 0 {
        assert!(began.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(5));
    }
    // The provider has done it, and holds the answer back.
    thread::sleep(Duration::from_millis(200));
    let kill = format!("kill -TERM {}", proxy.child.id());
    Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert_eq!(proxy.child.wait().unwrap().code(), Some(0));
    renewing.join().unwrap();
    hold(0);
    let proxy = Proxy::start(&config, &variables);
    proxy.renews();
    let counters = emulator.counters();
    assert_eq!(
        (counters.spent_refresh_tokens, counters.refused_logins),
        (0, 0)
    );
}

#[test]
fn of_hundreds_of_kills_none_loses_the_grant() {
    let (_runtime, emulator) = emulator();
    // Some kills are to fall between the provider's books and its answer.
    emulator
        .knobs()
        .turn(|dials| dials.marketing_cloud_legacy.after.hold_ms = 8);
    let variables = emulator.variables();
    let began = Instant::now();
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let (variables, folder) = (variables.clone(), tempfile::tempdir().unwrap());
            let first = emulator.mint_refresh_token("marketing-cloud-legacy");
            thread::spawn(move || lane(&variables, &first.unwrap(), folder.path()))
        })
        .collect();
    let ended = lanes.into_iter().map(|lane| lane.join().unwrap());
    let (kills, renewed) = ended.fold((0, 0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1));
    let counters = emulator.counters();
    println!(
        "{kills} kills, {renewed} renewals, {:?}, {counters:?}",
        began.elapsed()
    );
    assert!(kills >= 200 && renewed > 0, "{kills} {renewed}");
    assert_eq!(counters.refused_logins, 0);
    assert!(counters.grants["marketing-cloud-legacy refresh"] >= renewed as u64);
    assert!(
        counters.spent_refresh_tokens > 0,
        "no kill was between answer and store"
    );
}
