//! Secrets in files, read again at each login.

use std::time::Duration;

use tokio::time::Instant;

use super::{LIMITS, crowd};
use crate::support::emulated::CRM;
use crate::support::{Emulated, SecretFile};

fn secret_of(emulated: &[(String, String)], name: &str) -> String {
    let found = emulated.iter().find(|(known, _)| known == name);
    found.unwrap().1.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_in_a_file_is_read_at_the_next_login() {
    let file = SecretFile::new("rotated", "");
    let config = CRM.replace(
        "\"${DEMO_CRM_CLIENT_SECRET}\"",
        &format!("{{ file = \"{}\" }}", file.0.display()),
    );
    let at = Emulated::start(&config).await;
    let secret = secret_of(&at.emulator.variables(), "DEMO_CRM_CLIENT_SECRET");
    file.write(&format!("{secret}\n"));
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    at.turn(|dials| dials.login.client_secret = Some("new + secret".to_owned()));
    file.write("new + secret\n");
    // The token in hand serves on; the next login sends the new secret.
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), 1);
    at.emulator.end_sessions("all");
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let counters = at.counters();
    assert_eq!((counters.token_requests, counters.refused_logins), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_file_is_503_until_it_is_there() {
    let file = SecretFile::new("missing", "");
    std::fs::remove_file(&file.0).unwrap();
    let config = CRM.replace(
        "\"${DEMO_CRM_CLIENT_SECRET}\"",
        &format!("{{ file = \"{}\" }}", file.0.display()),
    );
    // Nobody is held for what is known: these callers would be gone long before.
    let at = Emulated::start(&format!("{config}token_wait = \"300s\"\n")).await;
    for answer in crowd(&at, 20, LIMITS).await {
        assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0303"));
        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&after), "{after}");
    }
    assert_eq!(at.logins(), 0);
    file.write(&secret_of(
        &at.emulator.variables(),
        "DEMO_CRM_CLIENT_SECRET",
    ));
    let began = Instant::now();
    while at.proxy.get(LIMITS).await.status != 200 {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "the file was not seen"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(at.logins(), 1);
}
