//! Secrets in files, read again at each login.

use std::fs;
use std::path::Path;

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

/// What is done to the file of a secret.
type Change = fn(&Path);

/// How it cannot be read, and how that is mended.
const UNREADABLE: [(&str, Change, Change); 3] = [
    ("missing", |path| fs::remove_file(path).unwrap(), |_| ()),
    (
        "a folder",
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        |path| fs::remove_dir(path).unwrap(),
    ),
    (
        "closed",
        |path| set_mode(path, 0o000),
        |path| set_mode(path, 0o600),
    ),
];

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Another system has no modes.
#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) {}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_file_that_cannot_be_read_is_503_until_it_can() {
    for (what, spoil, mend) in UNREADABLE {
        let file = SecretFile::new("spoilt-secret", "not yet the secret");
        spoil(&file.0);
        // Whoever may read everything, as root may, finds nothing wrong with a closed file.
        if fs::read(&file.0).is_ok() {
            continue;
        }
        let reference = file.reference();
        let config = CRM.replace("\"${DEMO_CRM_CLIENT_SECRET}\"", &reference);
        // Nobody is held for what is known: these callers would be gone long before.
        let at = Emulated::start(&format!("{config}token_wait = \"300s\"\n")).await;
        for answer in crowd(&at, 20, LIMITS).await {
            let code = answer.code();
            assert_eq!((answer.status, code.as_str()), (503, "UA-0303"), "{what}");
            let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&after), "{what}: {after}");
            let text = answer.text();
            assert!(!text.contains("spoilt-secret"), "its path is told: {text}");
        }
        assert_eq!(at.logins(), 0, "{what}");
        mend(&file.0);
        let secret = secret_of(&at.emulator.variables(), "DEMO_CRM_CLIENT_SECRET");
        file.write(&secret);
        at.until_served(LIMITS).await;
        assert_eq!(at.logins(), 1, "{what}");
    }
}
