//! A disk that is full while the program runs: whatever it writes to a file fails, because a limit says so that is its alone. Its log is
//! on that disk as well.

use std::process::{Child, Command};

use super::asking::{LIMITS, get};
use super::{Stage, store, until};

/// More keys of `crm`: its refresh token has a successor each time.
const HELD: &str = "grant = \"refresh_token\"\nrefresh_token = \"${DEMO_CRM_REFRESH_TOKEN}\"\ntoken_wait = \"60s\"\n";

/// Sees to it that the disk has room for what the process writes, or none.
fn make_room(child: &Child, is_room: bool) {
    let most = if is_room { "unlimited" } else { "0" };
    let done = Command::new("prlimit")
        .args(["--pid", &child.id().to_string()])
        .arg(format!("--fsize={most}:unlimited"))
        .status();
    assert!(done.unwrap().success());
}

#[test]
fn on_a_full_disk_nothing_is_used_up_and_a_successor_that_came_is_stored_before_anybody_gets_its_token()
 {
    let stage = Stage::new("full");
    let turn = |hold_ms: u64| {
        stage.emulator.knobs().turn(|dials| {
            dials.login.rotation = true;
            dials.login.after.hold_ms = hold_ms;
        });
    };
    turn(0);
    let config = store::config(&stage, HELD);
    let (running, addr) = stage.run(&config);
    let redemptions = || stage.emulator.counters().token_requests;
    let why = || stage.say(&["status"], &config).1;
    assert_eq!(get(&addr, LIMITS), 200);

    // Full before the refresh token is used.
    stage.emulator.end_sessions("all");
    make_room(&running.0, false);
    let before = redemptions();
    assert_eq!(get(&addr, LIMITS), 503);
    assert!(why().contains("File too large"), "{}", why());
    assert_eq!(redemptions(), before, "it was used up");
    make_room(&running.0, true);
    until("it never logs in again", || get(&addr, LIMITS) == 200);

    // Full when it is used, and its successor on the way: the answer is held back for that long.
    turn(4000);
    stage.emulator.end_sessions("all");
    let before = redemptions();
    let caller = std::thread::spawn({
        let addr = addr.clone();
        move || get(&addr, LIMITS)
    });
    until("it does not log in", || redemptions() > before);
    make_room(&running.0, false);
    assert_eq!(caller.join().unwrap(), 503);
    let words = "the next refresh token cannot be stored";
    assert!(why().contains(words), "{}", why());
    assert_eq!(get(&addr, LIMITS), 503);
    turn(0);
    make_room(&running.0, true);
    until("the token is never handed out", || {
        get(&addr, LIMITS) == 200
    });
    assert_eq!(
        redemptions(),
        before + 1,
        "the successor was not the one that came"
    );

    // It is on the disk: who begins there goes on from it.
    drop(running);
    stage.emulator.end_sessions("all");
    let (_running, addr) = stage.run(&config);
    assert_eq!(get(&addr, LIMITS), 200);
    let counters = stage.emulator.counters();
    let wrong = (counters.spent_refresh_tokens, counters.refused_logins);
    assert_eq!((redemptions(), wrong), (before + 2, (0, 0)));
}
