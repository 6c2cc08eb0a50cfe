//! The canary test: after a run with everything that can go wrong, and every crate logging all it can, no secret and no
//! token of that run is found in anything that was told to anybody.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a test that panics has failed, which is what it is for"
)]

mod held;
mod keyed;
mod logs;
mod over_http2;
mod panics;
mod run;
mod stage;
#[path = "../e2e/support/mod.rs"]
mod support;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use upauth::emulator::AnswerDials;

use self::logs::Logs;
use self::run::{Run, UPSTREAMS};
use self::support::canary::Canaries;
use self::support::tls::Folder;

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_run_full_of_failures_is_told_to_anybody() {
    let (logs, folder) = (Logs::listen(), Folder::new());
    let access_log = folder.path().join("access.log");
    let (mut run, _tls, over_http2, held) =
        stage::begin(&folder, &access_log, Canaries::default()).await;
    run.ask_all().await;
    let keyed_log = folder.path().join("keyed.log");
    run.keyed(&keyed_log).await;
    run.dead_sessions().await;
    held.trouble(&mut run).await;
    run.bad_logins().await;
    run.echoing_logins().await;
    run.refused().await;
    run.emulator.knobs().turn(|dials| {
        dials.answer = AnswerDials {
            extra_fields: true,
            pretty: true,
            ..AnswerDials::default()
        };
    });
    run.renew(&UPSTREAMS).await;
    run.ask_all().await;
    let Run {
        proxy,
        canaries,
        told,
        emulator,
    } = run;
    tokio::time::timeout(Duration::from_secs(40), proxy.stop())
        .await
        .unwrap();
    held.assert_used();
    assert!(canaries.len() > 25, "only {} secrets", canaries.len());
    assert!(
        emulator.counters().dead_sessions > 5,
        "{:?}",
        emulator.counters()
    );

    let (logged, access) = (logs.read(), std::fs::read(&access_log).unwrap());
    logs::assert_heard(&logged);
    over_http2.assert_used(&canaries, &logged);
    let keyed = std::fs::read(&keyed_log).unwrap();
    assert!(memchr::memmem::find(&keyed, b" key=etl ").is_some());
    assert!(access.iter().filter(|byte| **byte == b'\n').count() > 100);
    let mut leaks = Vec::new();
    for (place, bytes) in [
        ("logs", logged.as_slice()),
        ("access log", access.as_slice()),
        ("access log of keys", keyed.as_slice()),
        ("answers and Debug", told.as_bytes()),
    ] {
        let found = canaries.found_in(bytes);
        leaks.extend(found.into_iter().map(|leak| format!("{place}: {leak}")));
    }
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

#[test]
fn the_scanner_finds_a_leak_in_each_form() {
    let secret = "open + 100% \"sésame\" & x=1/2?3>~\u{7f}";
    let mut canaries = Canaries::default();
    canaries.add("planted", secret);
    let json = serde_json::json!({ "said": secret }).to_string();
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let basic = |before: &str| format!("{before}{secret}:after");
    let planted = [
        ("raw", format!("GET /?p={secret} HTTP/1.1")),
        ("base64", STANDARD.encode(secret)),
        ("base64 without padding", STANDARD_NO_PAD.encode(secret)),
        ("base64url", URL_SAFE.encode(secret)),
        ("base64url without padding", URL_SAFE_NO_PAD.encode(secret)),
        ("within base64, 0", STANDARD.encode(basic("abc"))),
        ("within base64, 1", STANDARD.encode(basic("a"))),
        ("within base64, 2", URL_SAFE_NO_PAD.encode(basic("ab"))),
        ("form", form.clone()),
        (
            "form in small letters",
            form.replace("%2B", "%2b")
                .replace("%C3%A9", "%c3%a9")
                .to_lowercase(),
        ),
        ("JSON", json.clone()),
        (
            "JSON in JSON",
            serde_json::json!({ "body": json }).to_string(),
        ),
        ("Debug", format!("{:?}", Some(secret))),
        (
            "Debug of bytes",
            format!("{:?}", bytes::Bytes::from(secret)),
        ),
        ("Debug of a slice", format!("{:?}", secret.as_bytes())),
        ("hex", upauth::secret::hex(secret.as_bytes())),
        (
            "capital hex",
            upauth::secret::hex(secret.as_bytes()).to_uppercase(),
        ),
    ];
    for (form, text) in planted {
        let line = format!("INFO upauth: said {text} and more");
        assert!(
            !canaries.found_in(line.as_bytes()).is_empty(),
            "{form}: {text}"
        );
    }
    let uri = "open%20%2B%20100%25%20%22s%C3%A9same%22%20%26%20x%3D1%2F2%3F3%3E~%7F";
    assert!(!canaries.found_in(uri.as_bytes()).is_empty());
    let long = "x".repeat(100);
    let innocent = format!("open sesame {long} {}", STANDARD.encode("open sesame"));
    assert_eq!(canaries.found_in(innocent.as_bytes()), Vec::<String>::new());
    let token = format!(
        "00Dxx!{}",
        upauth::secret::hex(&upauth::secret::random::<40>())
    );
    canaries.add("token", &token);
    assert!(
        !canaries.found_in(&token.as_bytes()[..60]).is_empty(),
        "a token cut short"
    );
}
