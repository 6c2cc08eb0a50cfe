//! Two versions of the program at one store: neither uses, replaces or loses what the other wrote.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::Emulated;
use crate::support::emulated::{CRM, MAIL_LEGACY, stored};

const ASSETS: &str = "/mail-legacy/asset/v1/content/assets";
const LIMITS: &str = "/crm/services/data/v59.0/limits";

/// The records whose names begin with `kind`.
fn records(folder: &TempDir, kind: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let all = fs::read_dir(folder.path().join("store")).unwrap();
    let paths = all.map(|entry| entry.unwrap().path());
    let is_record = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(kind) && path.extension().is_none()
    };
    let records = paths.filter(is_record);
    let mut records: Vec<_> = records
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    records.sort();
    records
}

/// Every record of this kind becomes one of the version after this.
fn hand_over(folder: &TempDir, kind: &str) {
    for (path, bytes) in records(folder, kind) {
        let rest = bytes.strip_prefix(b"upauth record 1\n").unwrap();
        fs::write(path, [b"upauth record 2\n", rest].concat()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_of_another_version_is_not_begun_again_and_is_found_after_the_rollback() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, &format!("{MAIL_LEGACY}offline = true\n"));
    let mut at = Emulated::start(&config).await;
    assert_eq!(at.proxy.get(ASSETS).await.status, 200);
    at.pass(Duration::from_secs(4000)).await;
    // Records are written behind the answers; a process that stops waits for that.
    at.restart(&config).await;
    let own = records(&folder, "grant-");
    assert_eq!(own.len(), 1);
    let logins = at.counters().grants;
    hand_over(&folder, "grant-");
    let theirs = records(&folder, "grant-");
    at.restart(&config).await;
    for _ in 0..3 {
        assert_eq!(at.proxy.get(ASSETS).await.status, 503);
    }
    let status = at.proxy.status("mail-legacy").await;
    assert_eq!(status["state"], "unavailable");
    let why = status["why"].as_str().unwrap();
    assert!(why.contains("another version of upauth"), "{why}");
    assert_eq!(at.counters().grants, logins, "nothing was presented");
    assert_eq!(records(&folder, "grant-"), theirs);
    for (path, bytes) in own {
        fs::write(path, bytes).unwrap();
    }
    at.restart(&config).await;
    assert_eq!(at.proxy.get(ASSETS).await.status, 200);
    let counters = at.counters();
    assert_eq!(counters.grants["marketing-cloud-legacy refresh"], 1);
    assert_eq!(
        (counters.spent_refresh_tokens, counters.refused_logins),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_of_another_version_costs_a_login_and_stays_that_versions() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, CRM);
    let mut at = Emulated::start(&config).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    // Records are written behind the answers; a process that stops waits for that.
    at.restart(&config).await;
    let own = records(&folder, "token-");
    assert_eq!(own.len(), 1);
    hand_over(&folder, "token-");
    let theirs = records(&folder, "token-");
    at.restart(&config).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), 2);
    for (path, bytes) in own {
        assert_eq!(records(&folder, "token-"), theirs);
        fs::write(path, bytes).unwrap();
    }
    at.restart(&config).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), 2, "its own token was found again");
}
