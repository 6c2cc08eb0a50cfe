//! What `check` tells without a login.

use super::{CRM, Exit, Folder, run_line};

#[test]
fn check_says_what_is_sound_and_what_is_not() {
    let (exit, out, err) = Folder::with(CRM).run("check");
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    assert!(out.ends_with("proxy.toml is sound: crm\n"), "{out}");

    let (exit, out, err) = Folder::with("[server]\nx = 1\n").run("check");
    assert_eq!((exit, out.as_str()), (Exit::Config, ""));
    assert!(
        err.contains("error[UA-0103]") && err.contains("2 errors in "),
        "{err}"
    );

    let missing = CRM.replace("\"secret\"", "{ file = \"nowhere\" }");
    let (exit, _, err) = Folder::with(&missing).run("check");
    assert_eq!(exit, Exit::Config);
    assert!(
        err.contains("error[UA-0115]") && err.contains("nowhere"),
        "{err}"
    );

    let (exit, _, err) = run_line("check --config /nowhere/proxy.toml");
    assert_eq!(exit, Exit::Config);
    assert!(
        err.contains("error[UA-0102]: cannot read /nowhere/proxy.toml"),
        "{err}"
    );
}

#[test]
fn check_looks_into_the_files_for_tls_as_the_proxy_will() {
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/");
    let rows = [
        (
            "ca = { file = \"nowhere.pem\" }",
            "nowhere.pem: No such file",
            "UA-0115",
        ),
        (
            "ca = { file = \"proxy.toml\" }",
            "proxy.toml holds no certificate",
            "UA-0115",
        ),
        (
            "[server]\ntls = { cert = { file = \"KEYS/cert.pem\" }, key = { file = \"proxy.toml\" } }",
            "proxy.toml holds no private key",
            "UA-0115",
        ),
        (
            "[server]\ntls = { cert = { file = \"KEYS/cert.pem\" }, key = { file = \"KEYS/ec.pem\" } }",
            "ec.pem is not the key of ",
            "[server] tls: ",
        ),
    ];
    for (line, words, mark) in rows {
        let line = line.replace("KEYS/", keys);
        let (exit, _, err) = Folder::with(&format!("{CRM}{line}\n")).run("check");
        assert_eq!(exit, Exit::Config, "{line}");
        assert!(err.contains(words) && err.contains(mark), "{line}\n{err}");
    }
}

#[test]
fn of_many_upstreams_check_names_twenty_unless_it_is_asked_for_all() {
    let many: String = (0..25)
        .map(|number| CRM.replace("upstream.crm", &format!("upstream.org-{number:02}")))
        .collect();
    let folder = Folder::with(&many);
    let (exit, out, err) = folder.run("check");
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.ends_with(", org-19, and 5 more\n"), "{out}");
    assert_eq!(err, "--all names every upstream\n");
    let (_, out, err) = folder.run("check --all");
    assert_eq!((out.matches("org-").count(), err.as_str()), (25, ""));
    let (_, _, err) = folder.run("env org-2");
    assert!(err.contains("there are: org-02, org-12, "), "{err}");
    assert!(err.contains(", and 5 more"), "{err}");
}

#[test]
fn a_warning_does_not_fail_a_check() {
    let plain = CRM.replace("http://127.0.0.1:1", "https://acme.example");
    let (exit, _, err) = Folder::with(&plain).run("check");
    assert_eq!(exit, Exit::Done);
    assert!(
        err.contains("warning[UA-0131]") && !err.contains("\"secret\""),
        "{err}"
    );
}

#[cfg(unix)]
#[test]
fn check_tells_of_files_that_everybody_can_use_and_is_content() {
    use std::os::unix::fs::PermissionsExt;

    let plain = CRM.replace("\"secret\"", "{ file = \"crm-secret\" }");
    let folder = Folder::with(&plain);
    let secret = folder.0.join("crm-secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    // Whether everybody gets that far depends on where temporary files are kept.
    let open = |mode| {
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
        crate::secret::private::exposure(&secret).read
    };
    if open(0o644) {
        let (exit, _, err) = folder.run("check");
        assert_eq!(exit, Exit::Done);
        assert!(
            err.contains("warning[UA-0134]") && err.contains("crm-secret (mode 0644)"),
            "{err}"
        );
        assert!(!err.contains("hunter2"), "{err}");
    }
    assert!(!open(0o600));
    assert_eq!(folder.run("check").2, "");
}
