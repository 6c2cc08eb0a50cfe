//! What ends a start, and with which exit code.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::{BINARY, Running, Stage, said};

#[test]
fn a_taken_port_a_wrong_file_and_wrong_arguments_have_exit_codes_of_their_own() {
    let stage = Stage::new("codes");
    let taken = TcpListener::bind(("127.0.0.1", stage.admin)).unwrap();
    let (code, _, err) = stage.say(&["run"], &stage.right());
    assert_eq!(code, 74, "{err}");
    assert!(err.contains(&stage.admin.to_string()), "{err}");
    drop(taken);
    let (code, _, err) = stage.say(&["run"], &stage.config("x", "x = 1\n"));
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("UA-0103"), "{err}");
    assert_eq!(stage.say(&["run"], "/nowhere/proxy.toml").0, 78);
    let tls = "listen = \"127.0.0.1:0\"\ntls = { cert = { file = \"no.pem\" }, key = { file = \"no.pem\" } }\n";
    let (code, _, err) = stage.say(&["run"], &stage.config("x", tls));
    assert_eq!(code, 78, "a listener without its certificate is none");
    assert!(err.contains("[upstream.crm] tls: cannot read "), "{err}");
    assert_eq!(
        said(&Command::new(BINARY).arg("runn").output().unwrap()).0,
        2
    );
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
