//! Signals to stop at the real program, while every kind of caller is there.

mod callers;
mod rotating;
mod scene;

use std::io::Write;
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use self::callers::{Busy, Lingering, keep_asking};
use self::scene::{LARGE, Scene};
use super::{PATIENCE, Stage, signal, until};

/// A second wish, after the first was heard: what comes within a second is the first again.
fn again(name: &str, child: &Child) {
    std::thread::sleep(Duration::from_millis(1100));
    signal(name, child);
}

async fn whoever_can_finish_does(stage: &Stage, name: &str) {
    let go = CancellationToken::new();
    // Nothing here comes near the deadline: who waited for it would fail the test.
    let mut scene = Scene::new(stage, &go, "10m").await;
    let busy = Busy::begin(&scene).await;
    let mut asking = Vec::new();
    for _ in 0..2 {
        asking.push(keep_asking(scene.caller().await));
    }
    scene.has_sent_on(&["/again"]);
    let lingering = Lingering::begin(&scene).await;
    scene.stop(name);
    let (mut answered, mut told) = (0, 0);
    for asks in asking {
        let asked = tokio::time::timeout(PATIENCE, asks).await;
        let (times, is_last) = asked.expect("it is answered for ever").unwrap();
        answered += times;
        told += usize::from(is_last);
    }
    assert!(scene.running.0.try_wait().unwrap().is_none());
    go.cancel();
    busy.finish().await;
    let (code, log) = scene.end();
    assert_eq!(code, Some(0), "{log}");
    lingering.are_gone().await;

    // Whatever the upstream has got was answered, and nothing else was asked of it.
    let seen = scene.api.seen();
    let again = seen.iter().filter(|seen| seen.target == "/again").count();
    assert_eq!(again, answered, "{told} of 2 were told");
    assert!(!seen.iter().any(|seen| seen.target == "/never"));
    let lines = |target| {
        let lines = scene.lines(target);
        let is_good = |line: &serde_json::Value| line["status"] == 200 && line["code"].is_null();
        assert!(lines.iter().all(is_good), "{lines:?}");
        lines.len()
    };
    assert_eq!(Busy::TARGETS.map(lines), [2, 2, 2, 1]);
    assert_eq!(lines("again"), answered);
    assert!(log.contains("stopping: requests in flight are finished first"));
    assert!(
        log.contains("drained: every request in flight was finished"),
        "{log}"
    );
}

#[test]
fn at_sigterm_whoever_can_finish_does_and_nobody_else_holds_the_stop() {
    let stage = Stage::new("sigterm");
    let scene = whoever_can_finish_does(&stage, "-TERM");
    stage.runtime.block_on(scene);
}

#[test]
fn at_sigint_alone_it_is_the_same() {
    let stage = Stage::new("sigint");
    let scene = whoever_can_finish_does(&stage, "-INT");
    stage.runtime.block_on(scene);
}

#[test]
fn at_sigquit_it_is_the_same_and_no_core_is_dumped() {
    let stage = Stage::new("sigquit");
    let scene = whoever_can_finish_does(&stage, "-QUIT");
    stage.runtime.block_on(scene);
}

#[test]
fn what_does_not_finish_is_cut_at_the_deadline_with_exit_code_1_and_never_looks_whole() {
    let stage = Stage::new("deadline");
    stage.runtime.block_on(async {
        let mut scene = Scene::new(&stage, &CancellationToken::new(), "2s").await;
        let busy = Busy::begin(&scene).await;
        let mut old = scene.caller().await;
        old.write("GET /api/endless HTTP/1.0\r\n\r\n").await;
        assert_eq!(old.head().await.unwrap().status, 200);
        let began = Instant::now();
        signal("-TERM", &scene.running.0);
        let (code, log) = scene.end();
        assert_eq!(code, Some(1), "{log}");
        assert!(began.elapsed() >= Duration::from_secs(2), "too early");
        busy.was_cut().await;
        let rest = old.answer(false).await;
        assert!(rest.is_err(), "{rest:?}");
        // Each has its line, and none the bytes of a whole answer.
        for (target, whole) in Busy::TARGETS.into_iter().zip([1, 6, 10, LARGE]) {
            let bytes: Vec<_> = scene
                .lines(target)
                .iter()
                .map(|line| line["bytes"].as_u64())
                .collect();
            assert_eq!(bytes.len(), if target == "large" { 1 } else { 2 });
            let whole = u64::try_from(whole).ok();
            assert!(
                bytes.iter().all(|bytes| bytes.is_some() && *bytes < whole),
                "{bytes:?}"
            );
        }
        let words = "drain_timeout is over: what is still in flight is cut";
        assert!(
            log.contains(words) && !log.contains("was finished"),
            "{log}"
        );
    });
}

#[test]
fn a_second_signal_cuts_at_once_whichever_it_is() {
    for (first, second) in [("-TERM", "-TERM"), ("-TERM", "-INT"), ("-INT", "-INT")] {
        let stage = Stage::new("second");
        stage.runtime.block_on(async {
            let mut scene = Scene::new(&stage, &CancellationToken::new(), "10m").await;
            let mut caller = scene.caller().await;
            caller.begin("/api/wait").await;
            scene.has_sent_on(&["/wait"]);
            scene.stop(first);
            assert!(scene.running.0.try_wait().unwrap().is_none());
            again(second, &scene.running.0);
            let (code, log) = scene.end();
            assert_eq!(code, Some(1), "{first} {second}: {log}");
            assert!(caller.answer(false).await.is_err());
            let words = "asked to stop again: what is still in flight is cut";
            assert!(
                log.contains(words) && !log.contains("was finished"),
                "{log}"
            );
        });
    }
}

#[cfg(unix)]
#[test]
fn a_reload_that_is_still_reading_when_the_stop_begins_opens_no_door() {
    use std::fs::OpenOptions;
    use std::process::Command;

    use super::support::ports::free_port;

    let stage = Stage::new("late-reload");
    stage.runtime.block_on(async {
        let go = CancellationToken::new();
        let mut scene = Scene::new(&stage, &go, "10m").await;
        let mut caller = scene.caller().await;
        caller.begin("/api/wait").await;
        scene.has_sent_on(&["/wait"]);
        let (text, port) = (std::fs::read_to_string(&scene.config).unwrap(), free_port());
        let own = scene.api.upstream().replace(".api]", ".late]");
        let text = format!("{text}{own}listen = \"127.0.0.1:{port}\"\n");
        // A file that has its text only when somebody writes it, and opens when somebody reads it.
        std::fs::remove_file(&scene.config).unwrap();
        let made = Command::new("mkfifo").arg(&scene.config).status().unwrap();
        assert!(made.success());
        signal("-HUP", &scene.running.0);
        let mut pipe = OpenOptions::new().write(true).open(&scene.config).unwrap();
        scene.stop("-TERM");
        pipe.write_all(text.as_bytes()).unwrap();
        drop(pipe);
        let words = "the configuration stays as it was: this proxy is stopping";
        until("it was not refused", || scene.log().contains(words));
        let late = TcpStream::connect(("127.0.0.1", port));
        assert!(late.is_err(), "{late:?}");
        go.cancel();
        assert_eq!(caller.answer(false).await.unwrap().text(), "waited");
        assert_eq!(scene.end().0, Some(0));
    });
}
