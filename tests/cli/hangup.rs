//! SIGHUP at the real program, while callers call.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use super::asking::{LIMITS, get};
use super::{BINARY, Running, Stage, ended, signal, until};

/// Callers who ask all the time.
struct Load {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    fn begin(addr: &str) -> Self {
        let (over, answered) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let caller = |_| {
            let (addr, over, answered) = (addr.to_owned(), over.clone(), answered.clone());
            spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(get(&addr, LIMITS), 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                    // Each call is a connection: ports are not to run out.
                    sleep(Duration::from_millis(1));
                }
            })
        };
        let callers = (0..3).map(caller).collect();
        Self {
            over,
            answered,
            callers,
        }
    }

    /// Waits for answers that were asked for from now on.
    fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        until("nobody is answered", || {
            let failed = self.callers.iter().any(JoinHandle::is_finished);
            assert!(!failed, "a request has failed");
            self.answered.load(Ordering::Relaxed) >= before + 2 * self.callers.len()
        });
    }

    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.join().unwrap();
        }
    }
}

#[test]
fn no_request_fails_while_sighup_finds_half_a_file_then_a_wrong_one_then_a_right_one() {
    let stage = Stage::new("hangups");
    let write = |round: usize, more: &str| {
        let lines = format!("deny = [\"/round-{round}/**\"]\n{more}");
        stage.config("${DEMO_CRM_CLIENT_SECRET}", &lines)
    };
    let config = write(0, "");
    let log = stage.folder.join("log");
    let file = std::fs::File::create(&log).unwrap();
    let (mut running, addr) = stage.run_telling(&config, file).unwrap();
    let refused = || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.matches("the configuration stays as it was").count()
    };
    // What the configuration denies that is in force.
    let is_denied = |round: usize| get(&addr, &format!("/crm/round-{round}/x")) == 403;
    assert!(is_denied(0) && !is_denied(1));
    let load = Load::begin(&addr);
    for round in 1..=6 {
        let text = std::fs::read_to_string(write(round, "")).unwrap();
        // Within a string, so that the half is no configuration by itself.
        let half = text.find("SECRET").unwrap() - round;
        std::fs::write(&config, &text[..half]).unwrap();
        signal("-HUP", &running.0);
        until("half a file was not refused", || refused() == 3 * round - 2);
        load.goes_on();
        assert!(is_denied(round - 1), "half a file took effect");

        let mut file = OpenOptions::new().append(true).open(&config).unwrap();
        file.write_all(&text.as_bytes()[half..]).unwrap();
        file.write_all(b"nonsense = 1\n").unwrap();
        signal("-HUP", &running.0);
        until("a wrong file was not refused", || {
            refused() == 3 * round - 1
        });
        load.goes_on();
        assert!(is_denied(round - 1), "a wrong file took effect");

        // No file at all, as between a removal and a writing.
        std::fs::remove_file(&config).unwrap();
        signal("-HUP", &running.0);
        until("no file was not refused", || refused() == 3 * round);
        load.goes_on();

        write(round, "");
        signal("-HUP", &running.0);
        until("a right file took no effect", || is_denied(round));
        load.goes_on();
        assert!(!is_denied(round - 1), "what was is in force still");
    }
    load.end();
    assert!(running.0.try_wait().unwrap().is_none());
    signal("-TERM", &running.0);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_sighup_during_the_start_does_not_end_it_and_is_a_reload_right_after() {
    let stage = Stage::new("early-hangup");
    let path = stage.config("${DEMO_CRM_CLIENT_SECRET}", "deny = [\"/**\"]\n");
    let next = stage.folder.join("next.toml");
    std::fs::rename(&path, &next).unwrap();
    let text = std::fs::read_to_string(stage.right()).unwrap();
    // Run while the configuration is read.
    let next = next.display();
    let says = format!("kill -HUP $PPID && mv {next} {path} && echo ${{DEMO_LOGIN_URL}}");
    let asked = format!("{{ command = [\"sh\", \"-c\", \"{says}\"] }}");
    let text = text.replacen("\"${DEMO_LOGIN_URL}\"", &asked, 1);
    std::fs::write(&path, text).unwrap();
    let (_running, addr) = stage.run(&path);
    until("no reload has come of it", || get(&addr, LIMITS) == 403);
}

#[test]
fn the_signals_by_which_other_servers_open_their_logs_end_nothing_and_say_what_is_meant() {
    let stage = Stage::new("user");
    let (running, addr) = stage.run(&stage.right());
    for name in ["SIGUSR1", "SIGUSR2"] {
        signal(&format!("-{}", &name[3..]), &running.0);
        let told = format!("{name} does nothing here: SIGHUP");
        let log = || std::fs::read_to_string(stage.folder.join("log")).unwrap();
        until("it is not told", || log().contains(&told));
        assert_eq!(get(&addr, LIMITS), 200);
    }
}

#[test]
fn what_serves_emulated_providers_ends_with_its_terminal() {
    let mut command = Command::new(BINARY);
    command.arg("emulate").stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = |line: &io::Result<String>| line.as_ref().is_ok_and(|line| line.starts_with('#'));
    assert!(lines.any(|line| started(&line)));
    let mut running = Running(child);
    signal("-HUP", &running.0);
    assert_eq!(ended(&mut running), Some(0));
}
