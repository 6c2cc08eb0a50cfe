//! Files that the program may not read: a secret, the configuration and what it includes, certificates and keys; and keys that it may
//! read, but not believe.

use std::fs::{File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use super::asking::{LIMITS, get};
use super::support::Caller;
use super::support::ports::free_port;
use super::support::tls::{Ca, connect_as};
use super::{BINARY, Running, Stage, said, serving, signal, until};

/// A user that has nothing but the files of the test.
const NOBODY: u32 = 65534;

/// A stage whose program permissions bind: root's they do not, so that somebody else runs it there.
struct Bound {
    stage: Stage,
    is_root: bool,
    binary: File,
}

impl Bound {
    fn new(name: &str) -> Self {
        let stage = Stage::new(name);
        let is_root = stage.folder.metadata().unwrap().uid() == 0;
        let bound = Self {
            stage,
            is_root,
            binary: File::open(BINARY).unwrap(),
        };
        bound.may("", 0o755);
        bound
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stage.folder.join(name)
    }

    /// Says what the owner may do with a file, who is the one who runs the program.
    fn may(&self, name: &str, mode: u32) {
        let path = self.path(name);
        if self.is_root {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        self.may(name, 0o600);
    }

    /// The configuration, with `from` as `to`, and `more`.
    fn config(&self, (from, to): (&str, &str), more: &str) -> String {
        let path = self.stage.config("${DEMO_CRM_CLIENT_SECRET}", more);
        let text = std::fs::read_to_string(&path).unwrap();
        self.write("proxy.toml", &text.replace(from, to));
        path
    }

    fn command(&self, arguments: &[&str], config: &str) -> Command {
        use std::os::unix::process::CommandExt;

        let mut command = match self.is_root {
            // Whoever may not look into the folder of the program may run it by this name.
            true if cfg!(target_os = "linux") => {
                Command::new(format!("/proc/self/fd/{}", self.binary.as_raw_fd()))
            }
            _ => Command::new(BINARY),
        };
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.args(arguments).args(["--config", config]);
        command.envs(self.stage.emulator.variables());
        command
    }

    fn say(&self, arguments: &[&str], config: &str) -> (i32, String, String) {
        said(&self.command(arguments, config).output().unwrap())
    }

    fn run(&self, config: &str) -> (Running, String) {
        let log = File::create(self.path("log")).unwrap();
        serving(&mut self.command(&["run"], config), log).unwrap()
    }

    /// How often the log says this.
    fn told(&self, words: &str) -> usize {
        let log = std::fs::read_to_string(self.path("log")).unwrap();
        log.matches(words).count()
    }

    /// Asks for a reload that must be refused for this reason.
    fn cannot_reload(&self, running: &Running, why: &str) {
        let refused = "the configuration stays as it was";
        let before = self.told(refused);
        signal("-HUP", &running.0);
        until("it was not refused", || self.told(refused) > before);
        assert!(self.told(why) > 0, "{why}");
    }
}

const ERP: &str = "[upstream.erp]\nprovider = \"zuora\"\nlogin_url = \"${DEMO_BILLING_URL}\"\n\
    client_id = \"${DEMO_BILLING_CLIENT_ID}\"\nclient_secret = \"${DEMO_BILLING_CLIENT_SECRET}\"\n";
const DENIED: &str = "Permission denied";
const REMEDY: &str = "the user who runs upauth must be able to read";

#[test]
fn a_secret_that_cannot_be_read_is_named_harms_no_other_upstream_and_serves_as_soon_as_it_can() {
    let bound = Bound::new("secret");
    let variables = bound.stage.emulator.variables();
    let (_, secret) = { variables.iter() }
        .find(|(name, _)| *name == "DEMO_CRM_CLIENT_SECRET")
        .unwrap();
    bound.write("secret", secret);
    let here = ("\"${DEMO_CRM_CLIENT_SECRET}\"", "{ file = \"secret\" }");
    let config = bound.config(here, ERP);
    let why = format!("cannot read {}: {DENIED}", bound.path("secret").display());
    bound.may("secret", 0);

    let (code, _, err) = bound.say(&["check"], &config);
    assert_eq!(code, 78, "{err}");
    for words in [
        "UA-0115",
        &why,
        "client_secret = { file = \"secret\" }",
        REMEDY,
    ] {
        assert!(err.contains(words), "{words}: {err}");
    }
    let (mut running, addr) = bound.run(&config);
    let is_told = |state: &str| {
        assert_eq!(get(&addr, "/erp/v1/accounts"), 200);
        let (_, out, _) = bound.say(&["status"], &config);
        let row = |name| out.lines().find(|line| line.starts_with(name)).unwrap();
        let words = format!("client_secret: {why}");
        assert!(
            row("crm").contains(&words) && row("crm").contains(state),
            "{out}"
        );
        assert!(
            row("erp").contains("valid") && !row("erp").contains(DENIED),
            "{out}"
        );
        assert_eq!(
            bound.say(&["health"], &config).0,
            0,
            "the others are served"
        );
    };
    assert_eq!(get(&addr, LIMITS), 503);
    is_told("unavailable");
    assert!(bound.told(&format!("client_secret: {why}")) > 0);
    bound.may("secret", 0o600);
    until("it never logs in", || get(&addr, LIMITS) == 200);

    // While it has a token, and when that is over.
    bound.may("secret", 0);
    let (code, _, err) = bound.say(&["token", "renew", "crm"], &config);
    assert_eq!(code, 69, "{err}");
    assert!(err.contains(&format!("client_secret: {why}")), "{err}");
    assert_eq!(get(&addr, LIMITS), 200, "the token is good");
    bound.stage.emulator.end_sessions("all");
    assert_eq!(get(&addr, LIMITS), 503);
    is_told("unavailable");
    bound.may("secret", 0o600);
    let (code, out, err) = bound.say(&["retry", "crm"], &config);
    assert_eq!((code, out.as_str()), (0, "crm has a token\n"), "{err}");
    assert_eq!(get(&addr, LIMITS), 200);
    assert_eq!(bound.stage.emulator.counters().refused_logins, 0);
    assert!(running.0.try_wait().unwrap().is_none());
}

#[test]
fn a_configuration_that_cannot_be_read_starts_nothing_and_a_running_proxy_keeps_its_own() {
    let bound = Bound::new("unreadable");
    let as_it_is = ("", "");
    std::fs::create_dir(bound.path("conf.d")).unwrap();
    let config = bound.config(as_it_is, "");
    let text = std::fs::read_to_string(&config).unwrap();
    bound.write(
        "proxy.toml",
        &format!("include = [\"conf.d/*.toml\"]\n{text}"),
    );
    bound.write("conf.d/erp.toml", ERP);
    bound.may("conf.d", 0o700);
    let (running, addr) = bound.run(&config);
    let serves = || {
        assert_eq!(get(&addr, LIMITS), 200);
        assert_eq!(get(&addr, "/erp/v1/accounts"), 200);
    };
    serves();
    for (name, mode) in [
        ("proxy.toml", 0o600),
        ("conf.d/erp.toml", 0o600),
        ("conf.d", 0o700),
    ] {
        bound.may(name, 0);
        let why = format!("cannot read {}: {DENIED}", bound.path(name).display());
        for command in ["check", "run"] {
            let (code, _, err) = bound.say(&[command], &config);
            assert_eq!(code, 78, "{name}: {err}");
            assert!(
                err.contains(&why) && err.contains("the user who runs upauth"),
                "{why}: {err}"
            );
        }
        bound.cannot_reload(&running, &why);
        serves();
        bound.may(name, mode);
    }
    bound.write("conf.d/erp.toml", &format!("{ERP}deny = [\"/**\"]\n"));
    signal("-HUP", &running.0);
    until("it takes no effect", || {
        get(&addr, "/erp/v1/accounts") == 403
    });
}

#[test]
fn files_of_a_listener_that_cannot_be_read_start_nothing_and_a_running_one_keeps_what_it_has() {
    let bound = Bound::new("pem");
    let (ca, port) = (Ca::new(), free_port());
    let (cert, key) = ca.issue("localhost");
    let files = [("cert", cert), ("key", key), ("client_ca", ca.pem.clone())];
    for (name, text) in &files {
        bound.write(name, text);
    }
    let server = "[server]\ntls = { cert = { file = \"cert\" }, key = { file = \"key\" }, client_ca = { file = \"client_ca\" } }\n";
    let config = bound.config(
        ("[server]\n", server),
        "listen = \"127.0.0.1:0\"\ntls = \"off\"\n",
    );
    let text = std::fs::read_to_string(&config).unwrap();
    let own = format!("drain_timeout = \"20s\"\nlisten = \"127.0.0.1:{port}\"");
    let text = text.replace("drain_timeout = \"20s\"", &own);
    bound.write(
        "proxy.toml",
        &text.replacen("listen = \"127.0.0.1:0\"\n", "", 1),
    );
    let (running, addr) = bound.run(&config);
    let caller = ca.issue_caller(Some("etl"), &[]);
    let serves = || {
        let server = format!("127.0.0.1:{port}").parse().unwrap();
        let answered = async {
            let secured = connect_as(Some(&caller), server, "localhost", &ca.pem, &[]).await;
            let mut caller = Caller::over(secured.unwrap());
            caller.get(LIMITS).await.status
        };
        assert_eq!(bound.stage.runtime.block_on(answered), 200);
        assert_eq!(get(&addr, &LIMITS.replace("/crm", "")), 200);
    };
    serves();
    for (name, _) in &files {
        bound.may(name, 0);
        let why = format!("cannot read {}: {DENIED}", bound.path(name).display());
        let (code, _, err) = bound.say(&["check"], &config);
        assert_eq!(code, 78, "{name}: {err}");
        for words in ["UA-0115", &why, REMEDY] {
            assert!(err.contains(words), "{words}: {err}");
        }
        let why = format!("[server] tls: {why}");
        let (code, _, err) = bound.say(&["run"], &config);
        assert_eq!(code, 78, "{name}: {err}");
        assert!(err.contains(&why), "{why}: {err}");
        bound.cannot_reload(&running, &why);
        serves();
        bound.may(name, 0o600);
    }
}

#[test]
fn a_key_of_another_user_starts_nothing_and_one_of_roots_that_a_volume_links_to_does() {
    let bound = Bound::new("keys");
    let more = format!("{ERP}listen = \"127.0.0.1:0\"\ntls = \"auto\"\n[store]\nkind = \"file\"\n");
    let config = bound.config(("[server]\n", "[server]\nstate = \"state\"\n"), &more);
    drop(bound.run(&config));
    for (name, exit) in [("state/ca.key", 78), ("state/store.key", 74)] {
        let path = bound.path(name);
        let refused = |mode: u32, words: &str| {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let log = File::create(bound.path("log")).unwrap();
            let run = serving(&mut bound.command(&["run"], &config), log);
            let ended = run.err().expect("it serves");
            let err = std::fs::read_to_string(bound.path("log")).unwrap();
            assert_eq!(ended.code(), Some(exit), "{name}: {err}");
            let words = format!("{} {words}", path.display());
            let words = words.replace("store.key ", "store.key, ");
            assert!(err.contains(&words), "{words}: {err}");
        };
        refused(0o604, "can be used by every user of this machine");
        if bound.is_root {
            // He lets the group of the proxy read it, and knows it.
            chown(&path, Some(1234), Some(NOBODY)).unwrap();
            refused(0o640, "belongs to user 1234");
            // As Kubernetes mounts it, with `fsGroup`.
            chown(&path, Some(0), Some(NOBODY)).unwrap();
            let data = bound.path(&format!("{name}.data"));
            std::fs::rename(&path, &data).unwrap();
            std::os::unix::fs::symlink(&data, &path).unwrap();
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o440)).unwrap();
        drop(bound.run(&config));
    }
}
