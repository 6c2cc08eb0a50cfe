//! Signals to stop while a refresh token is being replaced: whoever loses the successor has lost the login for ever.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use super::again;
use crate::asking::{LIMITS, get};
use crate::{Running, Stage, ended, signal, store, until};

/// Nothing here is to end because somebody has waited for long enough.
const HELD: &str = "grant = \"refresh_token\"\nrefresh_token = \"${DEMO_CRM_REFRESH_TOKEN}\"\ntoken_wait = \"60s\"\n";

/// The program, while the answer to a redemption is held back for so long; and whoever asked for it.
fn redeeming(stage: &Stage, config: &str, hold_ms: u64) -> (Running, String, TcpStream) {
    stage.emulator.knobs().turn(|dials| {
        dials.login.rotation = true;
        dials.login.after.hold_ms = hold_ms;
    });
    let (running, addr) = stage.run(config);
    let mut caller = TcpStream::connect(&addr).unwrap();
    let head = "Host: localhost\r\nConnection: close\r\n";
    write!(caller, "GET {LIMITS} HTTP/1.1\r\n{head}\r\n").unwrap();
    until("it does not log in", || {
        stage.emulator.counters().token_requests > 0
    });
    (running, addr, caller)
}

/// Who begins at the same store goes on from the successor.
fn goes_on(stage: &Stage, config: &str) {
    stage
        .emulator
        .knobs()
        .turn(|dials| dials.login.after.hold_ms = 0);
    stage.emulator.end_sessions("all");
    let before = stage.emulator.counters().token_requests;
    let (_running, addr) = stage.run(config);
    assert_eq!(get(&addr, LIMITS), 200);
    let counters = stage.emulator.counters();
    let wrong = (counters.spent_refresh_tokens, counters.refused_logins);
    assert_eq!((counters.token_requests - before, wrong), (1, (0, 0)));
}

fn log(stage: &Stage) -> String {
    std::fs::read_to_string(stage.folder.join("log")).unwrap()
}

#[test]
fn one_wish_that_comes_as_two_signals_cuts_nothing_and_loses_no_successor() {
    // As by a program that runs this one, and passes on what its group gets as well. Two of a kind may be one to the system.
    for (first, second) in [("TERM", "INT"), ("INT", "TERM"), ("TERM", "TERM")] {
        let stage = Stage::new("echo");
        let config = store::config(&stage, HELD);
        let (mut running, _, mut caller) = redeeming(&stage, &config, 2000);
        let pid = running.0.id();
        let both = format!("kill -{first} {pid}; kill -{second} {pid}");
        Command::new("sh").args(["-c", &both]).status().unwrap();
        let mut answer = String::new();
        caller.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let code = ended(&mut running);
        assert_eq!(code, Some(0), "{first} {second}: {}", log(&stage));
        goes_on(&stage, &config);
    }
}

#[test]
fn a_second_signal_cuts_requests_and_lets_a_redemption_end_that_is_about_to() {
    let stage = Stage::new("cut-redeeming");
    let config = store::config(&stage, HELD);
    let (mut running, addr, mut caller) = redeeming(&stage, &config, 4000);
    // Holds the stop however fast the redemption is.
    let mut half = TcpStream::connect(addr).unwrap();
    let head = "Host: localhost\r\nContent-Length: 6\r\n";
    write!(half, "POST {LIMITS} HTTP/1.1\r\n{head}\r\nabc").unwrap();
    signal("-TERM", &running.0);
    let words = "stopping: requests in flight are finished first";
    until("it does not stop", || log(&stage).contains(words));
    again("-TERM", &running.0);
    let code = ended(&mut running);
    let log = log(&stage);
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("asked to stop again") && !log.contains("store was not done"),
        "{log}"
    );
    let _ = caller.read_to_end(&mut Vec::new());
    goes_on(&stage, &config);
}

#[test]
fn a_second_signal_that_costs_a_login_its_successor_ends_with_1_although_no_request_was_cut() {
    let stage = Stage::new("unsettled");
    let config = store::config(&stage, HELD);
    let (mut running, _, caller) = redeeming(&stage, &config, 600_000);
    // Who leaves takes the request along, and not the login.
    drop(caller);
    signal("-TERM", &running.0);
    let words = "drained: every request in flight was finished";
    until("it does not drain", || log(&stage).contains(words));
    assert!(running.0.try_wait().unwrap().is_none(), "it does not wait");
    again("-TERM", &running.0);
    assert_eq!(ended(&mut running), Some(1));
    assert!(log(&stage).contains("stopping although the store was not done"));
}
