//! The commands that need nothing but a configuration.

mod check;
mod live;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;

use super::{Arguments, Exit, Output, execute};

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn with(config: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("upauth-cli-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("proxy.toml"), config).unwrap();
        Self(folder)
    }

    fn run(&self, line: &str) -> (Exit, String, String) {
        let config = self.0.join("proxy.toml");
        run_line(&format!("{line} --config {}", config.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run_line(line: &str) -> (Exit, String, String) {
    let words = std::iter::once("upauth").chain(line.split_whitespace());
    let arguments = Arguments::try_parse_from(words).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = execute(arguments.command, &mut Output::into(&mut out, &mut err));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (exit, text(out), text(err))
}

#[test]
fn codes_are_explained_or_listed() {
    let (exit, out, _) = run_line("explain ua-0103");
    assert_eq!(exit, Exit::Done);
    assert!(
        out.starts_with("UA-0103: the key does not exist\n\nUnknown keys"),
        "{out}"
    );
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");

    let (exit, out, err) = run_line("explain UA-9999");
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    assert!(err.contains("UA-01xx configuration"), "{err}");

    let (exit, out, _) = run_line("explain");
    assert_eq!(exit, Exit::Done);
    assert_eq!(out.lines().count(), crate::code::all().count());
}

#[test]
fn env_prints_the_way_to_an_upstream() {
    let rows = [
        ("", "export UPAUTH_URL='http://localhost:7717/crm'"),
        (
            "listen = \"localhost:7727\"",
            "export UPAUTH_URL='http://localhost:7727'",
        ),
        (
            "listen = \"[::1]:7727\"",
            "export UPAUTH_URL='http://[::1]:7727'",
        ),
        (
            "[server]\npublic_url = \"https://proxy.example\"",
            "export UPAUTH_URL='https://proxy.example/crm'",
        ),
        (
            "[server]\nlisten = \"0.0.0.0:80\"\n[access]\nopen = true",
            "export UPAUTH_URL='http://127.0.0.1:80/crm'",
        ),
        (
            "[server]\nlisten = [\"0.0.0.0:80\", \"[::]:80\"]\n[access]\nopen = true",
            "export UPAUTH_URL='http://localhost:80/crm'",
        ),
        (
            "listen = [\"unix:s\", \"127.0.0.1:7727\"]",
            "export UPAUTH_URL='http://127.0.0.1:7727'",
        ),
        (
            "[route.r]\nupstream = \"crm\"\nhost = \"r.localhost\"",
            "export UPAUTH_URL='http://r.localhost:7717'",
        ),
        (
            "[route.r]\nupstream = \"crm\"\npath = \"/r\"",
            "export UPAUTH_URL='http://localhost:7717/r'",
        ),
        (
            "[route.r]\nupstream = \"crm\"\nhost = \"r.example\"",
            "export UPAUTH_URL='http://r.example:7717'",
        ),
    ];
    for (more, expected) in rows {
        let (exit, out, err) = Folder::with(&format!("{CRM}{more}\n")).run("env crm");
        assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{more}");
        let (first, rest) = out.split_once('\n').unwrap();
        assert_eq!(first, expected, "{more}");
        assert!(rest.lines().all(|line| line.starts_with("# ")), "{rest}");
    }
}

#[test]
fn env_promises_a_login_host_only_where_logins_are_answered() {
    let any = "[upstream.crm]\nprovider = \"oauth2\"\ntoken_url = \"https://login.example/token\"\n\
        api_url = \"https://api.example\"\nclient_auth = \"none\"\n";
    let refused = format!("{CRM}local_login = false\n");
    for (text, promised) in [(CRM, true), (&refused, false), (any, false)] {
        let (exit, out, err) = Folder::with(text).run("env crm");
        assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{text}");
        assert_eq!(out.contains("is its login host"), promised, "{text}");
    }
}

#[test]
fn env_names_the_authority_of_the_proxys_own_certificates() {
    let folder = Folder::with(&format!(
        "{CRM}listen = \"localhost:7727\"\ntls = \"auto\"\n[server]\nstate = \"it's\"\n"
    ));
    let (_, out, _) = folder.run("env crm");
    for variable in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
        let line = format!("export {variable}='{}/it'\\''s/ca.pem'", folder.0.display());
        assert!(out.contains(&line), "{line}\n{out}");
    }
    assert!(
        out.contains("Salesforce(instance='localhost:7727'"),
        "{out}"
    );

    let (_, out, _) = folder.run("env crm --json");
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["UPAUTH_URL"], "https://localhost:7727");
}

#[test]
fn env_refuses_what_it_cannot_know() {
    let (exit, _, err) = Folder::with(CRM).run("env crn");
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("there are: crm"), "{err}");

    let (exit, _, err) =
        Folder::with(&format!("{CRM}[server]\nlisten = \"localhost:0\"\n")).run("env crm");
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("port 0"), "{err}");

    // Another user may listen on [::1].
    let half = "[server]\nlisten = \"127.0.0.1:7717\"\n[route.r]\nupstream = \"crm\"\nhost = \"r.localhost\"\n";
    let (exit, out, err) = Folder::with(&format!("{CRM}{half}")).run("env crm");
    assert_eq!((exit, out.as_str()), (Exit::Failed, ""));
    assert!(err.contains("is reached as r.localhost"), "{err}");
}

/// A token endpoint that refuses every password, and how often it did.
fn refusing() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, count) = (
        listener.local_addr().unwrap(),
        Arc::<AtomicUsize>::default(),
    );
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        'calls: while let Ok((mut stream, _)) = listener.accept() {
            let (mut sent, mut part) = (Vec::new(), [0; 1024]);
            // The password comes last. Who leaves before has not asked.
            while !String::from_utf8_lossy(&sent).contains("&password=") {
                let Ok(read @ 1..) = stream.read(&mut part) else {
                    continue 'calls;
                };
                sent.extend_from_slice(&part[..read]);
            }
            counted.fetch_add(1, Ordering::SeqCst);
            stream.write_all(REFUSAL).unwrap();
        }
    });
    (addr, count)
}

fn upstream_with_password(name: &str, login: &str, user: &str) -> String {
    format!(
        "[upstream.{name}]\nprovider = \"salesforce\"\ngrant = \"password\"\nlogin_url = \"http://{login}\"\n\
         client_id = \"id\"\nclient_secret = \"secret\"\nusername = \"{user}\"\npassword = \"pw\"\n"
    )
}

#[test]
fn a_refused_password_is_not_tried_again_for_the_next_upstream_of_the_user() {
    let (login, count) = refusing();
    let login = login.to_string();
    let config: String = [("a", "u1"), ("b", "u1"), ("c", "u2"), ("d", "u1")]
        .map(|(name, user)| upstream_with_password(name, &login, user))
        .concat();
    let (exit, _, err) = Folder::with(&config).run("check --live");
    assert_eq!(exit, Exit::Refused);
    assert_eq!(count.load(Ordering::SeqCst), 2, "{err}");
    assert_eq!(err.matches("not tried").count(), 2, "{err}");
}

#[test]
fn the_version_is_printed_for_people_and_programs() {
    assert!(
        run_line("version")
            .1
            .starts_with(concat!("upauth ", env!("CARGO_PKG_VERSION")))
    );
    let value: serde_json::Value = serde_json::from_str(&run_line("version --json").1).unwrap();
    assert_eq!(value["version"], env!("CARGO_PKG_VERSION"));
}

const CRM: &str = "[upstream.crm]
provider = \"salesforce\"
login_url = \"http://127.0.0.1:1\"
client_id = \"id\"
client_secret = \"secret\"
";

const REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 70\r\n\
Connection: close\r\n\r\n{\"error\":\"invalid_grant\",\"error_description\":\"authentication failure\"}";

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let (exit, script, _) = run_line(&format!("completions {shell}"));
        assert_eq!(exit, Exit::Done);
        for word in ["emulate", "renew", "--live"] {
            // Some shells write the dashes apart.
            let word = word.trim_start_matches('-');
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let (exit, page, _) = run_line("man");
    assert_eq!(exit, Exit::Done);
    assert!(page.contains(".TH upauth 1") && page.contains("upauth\\-emulate(1)"));

    let folder = Folder::with("");
    let pages = folder.0.join("man");
    let (exit, _, err) = run_line(&format!("man --folder {}", pages.display()));
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    assert!(pages.join("upauth-token-renew.1").exists());
    let file = folder.0.join("proxy.toml");
    let (exit, _, err) = run_line(&format!("man --folder {}", file.display()));
    assert_eq!(exit, Exit::Io, "{err}");
}

#[test]
fn a_new_key_fits_the_line_that_lets_it_in() {
    let (exit, out, err) = run_line("key etl");
    assert_eq!(exit, Exit::Done);
    let (key, line) = out.trim_end().split_once('\n').unwrap();
    assert!(key.len() <= 42 && !err.contains(key) && !line.contains(key));
    let access = format!("[server]\nlisten = \"0.0.0.0:7717\"\n[access]\nkeys = [\n{line}\n]\n");
    let folder = Folder::with(&format!("{access}{CRM}"));
    let config = super::load(
        &folder.0.join("proxy.toml"),
        &mut Output::into(&mut vec![], &mut vec![]),
    );
    let entry = &config.unwrap().config.access.keys.unwrap()[0];
    assert_eq!(entry.name, "etl");
    assert!(
        entry
            .digest
            .matches(&crate::secret::Digest::of(key.as_bytes()))
    );
    let hints = folder.run("env crm").1;
    assert!(
        hints.contains("-H \"X-Upauth-Key: $UPAUTH_KEY\"")
            && hints.contains("client secret, or its password, is the key")
    );
    assert_ne!(run_line("key etl").1, out);
    assert_eq!(run_line("key E").0, Exit::Usage);
}
