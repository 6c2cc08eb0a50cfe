//! The file store: what ends a start, and what `check` says of refresh tokens that nobody goes on from.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{BINARY, Running, Stage, said};

const MAIL: &str = "[upstream.mail]\nprovider = \"marketing-cloud-legacy\"\noffline = true\n\
    login_url = \"${DEMO_MAIL_LEGACY_LOGIN_URL}\"\napi_url = \"${DEMO_MAIL_LEGACY_URL}\"\n\
    client_id = \"${DEMO_MAIL_LEGACY_CLIENT_ID}\"\nclient_secret = \"${DEMO_MAIL_LEGACY_CLIENT_SECRET}\"\n";

/// `crm` and `more`, with a store in the stage's folder.
pub(super) fn config(stage: &Stage, more: &str) -> String {
    let store = "[store]\nkind = \"file\"\n";
    let path = stage.config("${DEMO_CRM_CLIENT_SECRET}", &format!("{more}{store}"));
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[server]\n", "[server]\nstate = \"state\"\n");
    std::fs::write(&path, text).unwrap();
    path
}

fn files(stage: &Stage) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(stage.folder.join("state/store")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn an_unusable_store_ends_the_start_with_74_and_is_left_as_it_is() {
    let stage = Stage::new("store");
    let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", "[store]\nkind = \"file\"\n");
    let state = stage.folder.join("upauth");
    let run = |full: bool| {
        let limit = if full { "ulimit -f 0" } else { "true" };
        let mut shell = Command::new("sh");
        // A write beyond the limit is then an error, as it is on a full disk.
        shell.args(["-c", &format!("trap '' XFSZ; {limit}; exec \"$0\" \"$@\"")]);
        shell.args([BINARY, "run", "--config", &config]);
        shell.envs(stage.emulator.variables());
        shell.env("XDG_STATE_HOME", &stage.folder);
        shell
    };
    let refused = |full: bool, words: &str| {
        let (code, out, err) = said(&run(full).output().unwrap());
        assert_eq!((code, out.as_str()), (74, ""), "{err}");
        assert!(err.contains(words), "{words}\n{err}");
    };
    refused(true, "cannot read or make the key");
    let mut sound = Running(run(false).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    let mut out = BufReader::new(sound.0.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(line.contains("serves"), "{line}");
    drop(sound);
    refused(true, "cannot use the store");
    let key = state.join("store.key");
    let text = std::fs::read(&key).unwrap();
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    refused(false, "does not fit the store");
    std::fs::write(&key, text).unwrap();
    std::fs::rename(&key, state.join("lost")).unwrap();
    refused(false, "restore the key");
    std::fs::rename(state.join("lost"), &key).unwrap();
    std::fs::rename(state.join("store"), state.join("away")).unwrap();
    std::fs::write(state.join("store"), "").unwrap();
    refused(false, "cannot use the store");
}

#[test]
fn check_names_the_refresh_tokens_that_no_upstream_goes_on_from_and_changes_nothing() {
    let stage = Stage::new("leftovers");
    let both = config(&stage, MAIL);
    let (code, _, err) = stage.say(&["check"], &both);
    assert_eq!((code, err.as_str()), (0, ""), "there is no store yet");
    assert!(!stage.folder.join("state").exists());
    let (running, _) = stage.run(&both);
    for name in ["crm", "mail"] {
        assert_eq!(stage.say(&["token", "renew", name], &both).0, 0);
    }
    // Another name is the same account.
    let renamed = config(&stage, &MAIL.replace("upstream.mail", "upstream.post"));
    let (code, _, err) = stage.say(&["check"], &renamed);
    assert_eq!((code, err.as_str()), (0, ""));
    drop(running);

    let alone = config(&stage, "");
    let before = files(&stage);
    let (code, out, err) = stage.say(&["check"], &alone);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("is sound: crm"), "{out}");
    let line = err.lines().find(|line| line.contains("of `mail`")).unwrap();
    assert!(line.ends_with("last used less than a day ago"), "{line}");
    let file = line.split_whitespace().next().unwrap();
    assert!(before.contains(&PathBuf::from(file)), "{file}");
    assert_eq!(err.matches("grant-").count(), 1, "{err}");
    assert_eq!(files(&stage), before);

    // As it says.
    for path in before {
        if path.to_string_lossy().starts_with(file) {
            std::fs::remove_file(path).unwrap();
        }
    }
    let (code, _, err) = stage.say(&["check"], &alone);
    assert_eq!((code, err.as_str()), (0, ""));
    let key = stage.folder.join("state/store.key");
    std::fs::write(key, "ab".repeat(32)).unwrap();
    let (code, _, err) = stage.say(&["check"], &alone);
    assert_eq!(code, 0);
    assert!(
        err.contains("not looked into") && err.contains("does not fit"),
        "{err}"
    );
}

#[test]
fn a_store_that_another_version_began_ends_the_start_with_74_and_is_found_again_by_that_version() {
    let stage = Stage::new("versions");
    let config = config(&stage, MAIL);
    let (running, _) = stage.run(&config);
    assert_eq!(stage.say(&["token", "renew", "mail"], &config).0, 0);
    drop(running);
    let contents = || -> Vec<_> {
        let files = files(&stage).into_iter();
        files
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    };
    let before = contents();
    let next = |bytes: &[u8]| match bytes.strip_prefix(b"upauth record 1\n") {
        Some(rest) => [b"upauth record 2\n", rest].concat(),
        None => bytes.to_vec(),
    };
    let hand_over = |which: &str| {
        for (path, bytes) in contents() {
            if path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(which)
            {
                std::fs::write(path, next(&bytes)).unwrap();
            }
        }
        contents()
    };
    // A refresh token alone, then all of it.
    let words = "was written by another version of upauth";
    let theirs = hand_over("grant-");
    let (code, out, err) = stage.say(&["check"], &config);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("is sound"), "{out}");
    assert!(err.contains("grant-") && err.contains(words), "{err}");
    assert_eq!(contents(), theirs);
    let theirs = hand_over("");
    let (code, out, err) = stage.say(&["run"], &config);
    assert_eq!((code, out.as_str()), (74, ""), "{err}");
    assert!(err.contains("store/check") && err.contains(words), "{err}");
    let (code, _, err) = stage.say(&["check"], &config);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains(words), "{err}");
    assert_eq!(contents(), theirs);
    // Back to the version that wrote it.
    for (path, bytes) in &before {
        std::fs::write(path, bytes).unwrap();
    }
    let (_running, _) = stage.run(&config);
    assert_eq!(stage.say(&["token", "renew", "mail"], &config).0, 0);
    let counters = stage.emulator.counters();
    assert_eq!(counters.grants["marketing-cloud-legacy refresh"], 1);
    assert_eq!(counters.spent_refresh_tokens, 0);
}
