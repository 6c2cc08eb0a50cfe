//! Files that everybody on the machine can use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{CRM, env};
use crate::config::Config;

/// A folder that everybody can look into, wherever temporary files are kept here; it is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder() -> Folder {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = format!("/tmp/upauth-exposed-{}-{count}", std::process::id());
    fs::create_dir(&path).unwrap();
    set(Path::new(&path), 0o755);
    Folder(PathBuf::from(path))
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn write(folder: &Folder, name: &str, mode: u32, text: &str) {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    set(&path, mode);
}

/// `CODE message` of each warning about the modes of files, and how they are drawn.
fn warned(folder: &Folder) -> (Vec<String>, String) {
    let checked = Config::load(&folder.path().join("proxy.toml"), &env).unwrap();
    let about = checked.warnings.iter();
    let about = about.filter(|warning| matches!(warning.code().id, "UA-0134" | "UA-0135"));
    let here = format!("{}/", folder.path().display());
    let (lines, drawn): (Vec<_>, Vec<_>) = about
        .map(|warning| {
            let line = format!("{} {}", warning.code().id, warning.message());
            (line.replace(&here, ""), warning.render(false))
        })
        .unzip();
    (lines, drawn.join("\n"))
}

fn lines(folder: &Folder) -> Vec<String> {
    warned(folder).0
}

/// `{ env }` in [`CRM`] is this instead.
fn with(secret: &str) -> String {
    CRM.replace("{ env = \"SECRET\" }", secret)
}

#[test]
fn a_configuration_with_a_secret_in_it_that_everybody_can_read_is_told() {
    let folder = folder();
    let told =
        "UA-0134 every user of this machine can read proxy.toml, which holds a secret (mode 0644)";
    let rows = [
        (with("\"hunter2\""), 0o644, vec![told]),
        (with("\"hunter2\""), 0o640, vec![]),
        (with("\"hunter2\""), 0o600, vec![]),
        (CRM.to_owned(), 0o644, vec![]),
        (with("\"${SECRET}\""), 0o644, vec![]),
        (with("{ file = \"nowhere\" }"), 0o644, vec![]),
    ];
    for (text, mode, expected) in rows {
        write(&folder, "proxy.toml", mode, &text);
        assert_eq!(lines(&folder), expected, "{mode:o}\n{text}");
    }
    let digest = format!(
        "[access]\nkeys = [{{ name = \"etl\", sha256 = \"{:064x}\" }}]\n",
        7
    );
    write(&folder, "proxy.toml", 0o600, &(digest.clone() + CRM));
    assert!(lines(&folder).is_empty());
    write(&folder, "proxy.toml", 0o644, &(digest + CRM));
    let told = "UA-0134 every user of this machine can read proxy.toml, which holds a digest that is as good as its key (mode 0644)";
    assert_eq!(lines(&folder), [told]);
    write(&folder, "proxy.toml", 0o644, &with("\"hunter2\""));
    let (_, drawn) = warned(&folder);
    assert!(drawn.contains("proxy.toml:5:17"), "{drawn}");
    assert!(drawn.contains("help: chmod 600 /tmp/"), "{drawn}");
    assert!(!drawn.contains("hunter2"), "{drawn}");
}

#[test]
fn an_included_file_answers_for_its_own_secrets() {
    let folder = folder();
    write(&folder, "proxy.toml", 0o644, "include = [\"more.toml\"]\n");
    write(&folder, "more.toml", 0o644, &with("\"hunter2\""));
    let told =
        "UA-0134 every user of this machine can read more.toml, which holds a secret (mode 0644)";
    assert_eq!(lines(&folder), [told]);
    write(&folder, "more.toml", 0o600, &with("\"hunter2\""));
    assert!(lines(&folder).is_empty());
}

#[test]
fn a_file_of_the_configuration_that_everybody_can_change_is_told_whatever_is_in_it() {
    let folder = folder();
    write(&folder, "proxy.toml", 0o606, "include = [\"more.toml\"]\n");
    write(&folder, "more.toml", 0o777, CRM);
    let told = [
        "UA-0135 every user of this machine can change proxy.toml (mode 0606)",
        "UA-0135 every user of this machine can change more.toml (mode 0777)",
    ];
    assert_eq!(lines(&folder), told);
    let (_, drawn) = warned(&folder);
    assert!(drawn.contains("help: chmod o-w /tmp/"), "{drawn}");
}

#[test]
fn files_of_secrets_that_everybody_can_use_are_told_together() {
    let folder = folder();
    let keys = "client_id = { file = \"id\" }\ntls = { cert = { file = \"cert\" }, key = { file = \"key\" } }\n\
         listen = \"localhost:7720\"\n";
    let text = with("{ file = \"secret\" }").replace("client_id = \"id\"\n", keys);
    let again = text
        .replace("upstream.crm", "upstream.other")
        .replace("7720", "7721");
    write(&folder, "proxy.toml", 0o644, &(text + &again));
    let all = |mode| {
        for name in ["secret", "id", "cert", "key"] {
            write(&folder, name, mode, "hunter2\n");
        }
        lines(&folder)
    };
    assert!(all(0o640).is_empty());
    // What everybody may know is no secret.
    let read = "UA-0134 every user of this machine can read key (mode 0644), secret (mode 0644)";
    assert_eq!(all(0o644), [read]);
    let changed = "UA-0135 every user of this machine can change cert (mode 0602), id (mode 0602), key (mode 0602), secret (mode 0602)";
    assert_eq!(all(0o602), [changed]);
}

#[test]
fn a_folder_that_lets_nobody_in_protects_what_is_below_and_a_link_leads_to_its_own() {
    let folder = folder();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    write(&folder, "proxy.toml", 0o644, &with("{ file = \"link\" }"));
    write(&folder, "inner/secret", 0o644, "hunter2\n");
    std::os::unix::fs::symlink("inner/secret", folder.path().join("link")).unwrap();
    set(&inner, 0o700);
    assert!(lines(&folder).is_empty());
    set(&inner, 0o711);
    assert_eq!(
        lines(&folder),
        ["UA-0134 every user of this machine can read link (mode 0644)"]
    );
}
