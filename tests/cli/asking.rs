//! What the running proxy is asked, by signal or by command.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use super::{Stage, signal, until};

const WRONG: &str = "wrong-secret";

/// The status of a `GET` on a new connection.
pub(super) fn get(addr: &str, path: &str) -> u16 {
    let mut caller = TcpStream::connect(addr).unwrap();
    let wait = Some(Duration::from_secs(20));
    caller.set_read_timeout(wait).unwrap();
    write!(
        caller,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

pub(super) const LIMITS: &str = "/crm/services/data/v59.0/limits";

#[test]
fn reload_prints_what_changed_or_what_is_wrong_as_check_does() {
    let stage = Stage::new("reload");
    let config = stage.right();
    assert_eq!(stage.say(&["reload"], &config).0, 69, "nobody runs");
    let (_running, addr) = stage.run(&config);
    assert_eq!(get(&addr, LIMITS), 200);
    let (code, out, err) = stage.say(&["reload"], &config);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("nothing changed"), "{out}");

    let erp = "[upstream.erp]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:1\"\nclient_id = \"a\"\nclient_secret = \"b\"\n";
    stage.config(WRONG, erp);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("[server]\n", "[server]\nworkers = 3\n"),
    )
    .unwrap();
    let (code, out, _) = stage.say(&["reload"], &config);
    assert_eq!(code, 0);
    assert_eq!(
        out,
        format!(
            "~ server: workers\n\
             ~ upstream.crm: client_secret\n\
             + upstream.erp\n\
             crm logs in anew, and serves as before until it has: see `upauth status --config {config}`\n\
             server.workers takes effect at the next start only\n"
        )
    );
    assert_eq!(get(&addr, LIMITS), 200, "the old secret serves on");

    stage.config(WRONG, "x = 1\n");
    let (code, out, err) = stage.say(&["reload"], &config);
    let (checked, _, problems) = stage.say(&["check"], &config);
    assert_eq!((code, checked, out.as_str()), (78, 78, ""));
    let told = problems.replace("nothing was started", "nothing was changed");
    assert_eq!(
        err,
        format!("{told}The running proxy keeps the configuration it has.\n")
    );
    assert_eq!(get(&addr, LIMITS), 200);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let line = format!("listen = \"{}\"\n", taken.local_addr().unwrap());
    stage.config("${DEMO_CRM_CLIENT_SECRET}", &line);
    let (code, _, err) = stage.say(&["reload"], &config);
    assert_eq!(code, 74, "{err}");
    assert!(err.contains("cannot listen on"), "{err}");
}

#[test]
fn a_reload_warns_when_keys_go_and_so_does_the_log() {
    let stage = Stage::new("reload-keys");
    let keys = |entries: &str| {
        stage.config(
            "${DEMO_CRM_CLIENT_SECRET}",
            &format!("[access]\nkeys = [{entries}]\n"),
        )
    };
    let digest = upauth::secret::Digest::of(b"a key").to_hex();
    let config = keys(&format!("{{ name = \"etl\", sha256 = \"{digest}\" }}"));
    let log = stage.folder.join("keys.log");
    let file = std::fs::File::create(&log).unwrap();
    let (_running, addr) = stage.run_telling(&config, file).unwrap();
    assert_eq!(get(&addr, LIMITS), 403);
    keys("");
    let (code, _, err) = stage.say(&["check"], &config);
    assert!(code == 0 && err.contains("warning[UA-0146]"), "{err}");
    for (warned, status) in [
        ("nobody is let in", 403),
        ("callers need no key any more", 200),
    ] {
        if status == 200 {
            stage.right();
        }
        let (code, out, err) = stage.say(&["reload"], &config);
        assert!(code == 0 && out.contains("~ access: keys"), "{out}");
        assert!(
            err.starts_with("warning: ") && err.contains(warned),
            "{err}"
        );
        assert_eq!(get(&addr, LIMITS), status);
        until("the log does not warn", || {
            let logged = std::fs::read_to_string(&log).unwrap();
            let mut lines = logged.lines();
            lines.any(|line| line.contains(warned) && line.contains("WARN"))
        });
    }
}

#[test]
fn the_environment_of_the_proxy_counts_and_not_that_of_who_asks() {
    let stage = Stage::new("reload-env");
    let config = stage.right();
    let (_running, addr) = stage.run(&config);
    for words in [
        &["token", "renew", "crm"][..],
        &["retry", "crm"],
        &["reload"],
    ] {
        let mut command = stage.command(words, &config);
        let (code, _, err) = super::said(&command.env_clear().output().unwrap());
        assert_eq!((code, err.as_str()), (0, ""), "{words:?}");
    }
    stage.config("${ONLY_HERE}", "");
    let mut command = stage.command(&["reload"], &config);
    let output = command.env("ONLY_HERE", "hunter2").output().unwrap();
    let (code, _, err) = super::said(&output);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("UA-0113") && !err.contains("hunter2"), "{err}");
    assert_eq!(get(&addr, LIMITS), 200);
}

#[test]
fn sighup_reloads_and_never_ends_the_proxy() {
    let stage = Stage::new("hangup");
    let config = stage.right();
    let (mut running, addr) = stage.run(&config);
    stage.config("${DEMO_CRM_CLIENT_SECRET}", "nonsense = 1\n");
    signal("-HUP", &running.0);
    stage.config("${DEMO_CRM_CLIENT_SECRET}", "deny = [\"/**\"]\n");
    while get(&addr, LIMITS) != 403 {
        signal("-HUP", &running.0);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(running.0.try_wait().unwrap().is_none());
    signal("-TERM", &running.0);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_proxy_whose_admin_listener_is_a_file_is_asked_there() {
    let stage = Stage::new("unix");
    let config = stage.right();
    let text = std::fs::read_to_string(&config).unwrap();
    let port = format!("127.0.0.1:{}", stage.admin);
    std::fs::write(&config, text.replace(&port, "unix:admin.sock")).unwrap();
    assert_eq!(stage.say(&["status"], &config).0, 69, "nobody runs");
    let (_running, _) = stage.run(&config);
    assert_eq!(stage.say(&["health"], &config).0, 0);
    assert_eq!(stage.say(&["token", "renew", "crm"], &config).0, 0);
    let (code, out, _) = stage.say(&["status"], &config);
    assert_eq!(code, 0);
    assert!(out.contains("crm       valid "), "{out}");
    let (code, _, err) = stage.say(&["run"], &config);
    assert_eq!(code, 74, "{err}");
    assert!(err.contains("unix:"), "{err}");
}

#[test]
fn status_retry_and_health_tell_how_it_is() {
    let stage = Stage::new("status");
    let config = stage.config(WRONG, "");
    assert_eq!(stage.say(&["health"], &config).0, 1, "nobody runs");
    assert_eq!(stage.say(&["status"], &config).0, 69);
    let (_running, addr) = stage.run(&config);
    assert_eq!(
        stage.say(&["health"], &config),
        (0, "ok\n".into(), String::new())
    );
    let (code, out, _) = stage.say(&["status"], &config);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.lines()
            .nth(1)
            .unwrap()
            .starts_with("crm       not yet  "),
        "{out}"
    );

    // The file is being edited: the proxy is as well as before.
    stage.config("${NOT_SET}", "nonsense = 1\n");
    assert_eq!(stage.say(&["health"], &config).0, 0);
    assert_eq!(stage.say(&["status"], &config).0, 0);
    // The same port, by a configuration that has health on every address.
    let text = std::fs::read_to_string(stage.config(WRONG, "")).unwrap();
    let own = format!("listen = \"127.0.0.1:{}\"", stage.admin);
    let everywhere = format!("listen = \"\"\nhealth_listen = \"0.0.0.0:{}\"", stage.admin);
    std::fs::write(&config, text.replace(&own, &everywhere)).unwrap();
    assert_eq!(stage.say(&["health"], &config).0, 0);
    stage.config(WRONG, "");

    assert_eq!(get(&addr, LIMITS), 502);
    let (code, out, _) = stage.say(&["status"], &config);
    assert_eq!(code, 77, "{out}");
    let row = out.lines().nth(1).unwrap();
    assert!(
        row.starts_with("crm       refused  ") && row.contains("invalid_client"),
        "{out}"
    );
    let logins = stage.emulator.counters().token_requests;
    assert_eq!(stage.say(&["retry", "crm"], &config).0, 77);
    assert_eq!(stage.emulator.counters().token_requests, logins + 1);
    for nobody in ["nobody", "no body"] {
        assert_eq!(stage.say(&["retry", nobody], &config).0, 2, "{nobody}");
    }

    stage.right();
    assert_eq!(stage.say(&["reload"], &config).0, 0);
    for _ in 0..2 {
        let (code, out, err) = stage.say(&["retry", "crm"], &config);
        assert_eq!((code, out.as_str()), (0, "crm has a token\n"), "{err}");
    }
    let logins: u64 = stage.emulator.counters().logins.values().sum();
    assert_eq!(logins, 1, "a good token costs no login");
    let (code, out, _) = stage.say(&["status", "--json"], &config);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["upstreams"][0]["state"]), (0, &"valid".into()));
}

#[test]
fn a_command_that_is_printed_can_be_pasted_whatever_the_file_is_called() {
    let stage = Stage::new("paste");
    let config = stage.config(WRONG, "");
    let odd = stage.folder.join("it's $HOME.toml");
    std::fs::copy(&config, &odd).unwrap();
    let odd = odd.to_str().unwrap();
    let paste = |said: &str, mark: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(mark));
        let line = line.unwrap_or_else(|| panic!("{mark}: {said}"));
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("\"$0\" {}", line.trim()), super::BINARY]);
        super::said(&shell.envs(stage.emulator.variables()).output().unwrap())
    };
    let first = stage.say(&["check", "--live"], odd);
    assert_eq!(first.0, 77, "{}", first.2);
    assert_eq!(paste(&first.2, "again     upauth"), first);

    let asked = stage.say(&["status"], odd).2;
    assert!(asked.contains(r"it'\''s $HOME.toml'` run?"), "{asked}");

    std::fs::remove_file(odd).unwrap();
    let wishes = "init --provider zuora --login-url http://127.0.0.1:1 --client-id a";
    let words: Vec<_> = wishes.split(' ').collect();
    let (code, out, err) = stage.say(&words, odd);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = paste(&out, "upauth");
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("`BILLING_CLIENT_SECRET` is not set"), "{err}");
}

#[test]
fn requests_that_fail_for_the_same_reason_are_told_once_and_not_each() {
    let stage = Stage::new("told");
    let path = stage.folder.join("log");
    let log = std::fs::File::create(&path).unwrap();
    let (_running, addr) = stage.run_telling(&stage.config("wrong", ""), log).unwrap();
    for _ in 0..20 {
        assert_eq!(get(&addr, "/crm/x"), 502);
    }
    let log = std::fs::read_to_string(&path).unwrap();
    let told = log.lines().filter(|line| line.contains("a request failed"));
    assert_eq!(told.count(), 1, "{log}");
}

#[test]
fn a_log_that_nobody_reads_any_more_costs_no_request() {
    let stage = Stage::new("unread");
    let config = stage.right();
    let (mut running, addr) = stage.run_telling(&config, Stdio::piped()).unwrap();
    drop(running.0.stderr.take());
    // Each has something to log.
    assert_eq!(get(&addr, LIMITS), 200);
    assert_eq!(stage.say(&["reload"], &config).0, 0);
    stage.config(WRONG, "");
    assert_eq!(stage.say(&["reload"], &config).0, 0);
    assert_eq!(get(&addr, LIMITS), 200);
    assert!(running.0.try_wait().unwrap().is_none());
}

#[test]
fn a_token_with_fewer_scopes_than_were_asked_for_is_told_once_for_each_login_and_in_the_status() {
    let stage = Stage::new("scope");
    let any = "[upstream.any]\nprovider = \"oauth2\"\ntoken_url = \"${DEMO_OAUTH_TOKEN_URL}\"\napi_url = \"${DEMO_OAUTH_API_URL}\"\n\
         client_id = \"${DEMO_OAUTH_CLIENT_ID}\"\nclient_secret = \"${DEMO_OAUTH_CLIENT_SECRET}\"\nscope = \"read write\"\n";
    let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", any);
    let path = stage.folder.join("log");
    let log = std::fs::File::create(&path).unwrap();
    let (_running, addr) = stage.run_telling(&config, log).unwrap();
    let told = || {
        let log = std::fs::read_to_string(&path).unwrap();
        log.matches("the token lacks scope that was asked for")
            .count()
    };
    assert_eq!(stage.say(&["token", "renew", "any"], &config).0, 0);
    assert_eq!(told(), 0);
    stage
        .emulator
        .knobs()
        .turn(|dials| dials.oauth2.answer.scope = Some("read".to_owned()));
    for logins in 1..=2 {
        assert_eq!(stage.say(&["token", "renew", "any"], &config).0, 0);
        assert_eq!(get(&addr, "/any/me"), 200);
        assert_eq!(told(), logins);
    }
    let (code, out, _) = stage.say(&["status"], &config);
    assert_eq!(code, 0);
    assert!(
        out.contains("the token lacks scope that was asked for: write"),
        "{out}"
    );
}
