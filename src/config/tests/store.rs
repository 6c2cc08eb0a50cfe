//! `[store]`: where it is, and what it cannot be.

use std::path::Path;

use super::mistakes::check_all;
use super::{CRM, parse, with_crm};
use crate::config::store::StoreKey;
use crate::config::{Config, Store};
use crate::secret::Source;

#[test]
fn a_file_store_lies_in_the_state_directory_unless_it_is_said_where() {
    let file = |more: &str| {
        let text = format!("{{CRM}}[store]\nkind = \"file\"\n{more}");
        let config = parse(&with_crm(&text)).unwrap().config;
        match config.store {
            Store::File(file) => (file.path, file.key),
            Store::Memory => panic!("{more}"),
        }
    };
    let state = Path::new("/home/me/.local/state/upauth");
    let (path, key) = file("");
    assert_eq!(path, state.join("store"));
    assert!(matches!(key, StoreKey::Own(at) if at == state.join("store.key")));
    let (path, key) = file("path = \"tokens\"\nkey = { file = \"key\" }\n");
    assert_eq!(path, Path::new("/etc/upauth/tokens"));
    let given = Path::new("/etc/upauth/key");
    assert!(matches!(key, StoreKey::Given(Source::File(at)) if at == given));
    let (path, _) = file("[server]\nstate = \"/var/lib/upauth\"\n");
    assert_eq!(path, Path::new("/var/lib/upauth/store"));
    let without_home = Config::parse(
        &with_crm("{CRM}[store]\nkind = \"file\"\n"),
        "proxy.toml",
        Path::new(""),
        &|name| (name == "SECRET").then(|| "s".to_owned()),
    );
    let problems = without_home.unwrap_err();
    assert!(
        problems
            .iter()
            .any(|problem| problem.remedy().contains("state = "))
    );
}

#[test]
fn a_key_of_the_store_that_is_written_in_the_file_is_warned_of() {
    let key = "ab".repeat(32);
    let text = format!("{{CRM}}[store]\nkind = \"file\"\nkey = \"{key}\"\n");
    let checked = parse(&with_crm(&text)).unwrap();
    let [warning] = &checked.warnings[..] else {
        panic!("{:?}", checked.warnings)
    };
    assert_eq!(warning.code().id, "UA-0131");
    assert!(!format!("{checked:?}").contains(&key));
}

#[test]
fn what_a_store_cannot_use() {
    check_all(&[
        (
            "{CRM}[store]\nkind = \"disk\"\n",
            "UA-0108 7:8 one of: memory, file",
        ),
        (
            "{CRM}[store]\nkind = \"fiel\"\n",
            "UA-0108 7:8 did you mean `file`?",
        ),
        (
            "{CRM}[store]\npath = \"/var/lib/upauth\"\n",
            "UA-0128 7:8 kind = \"file\"",
        ),
        (
            "{CRM}[store]\nkey = { file = \"key\" }\n",
            "UA-0128 7:7 kind = \"file\"",
        ),
        (
            "{CRM}[store]\nkind = \"file\"\nkey = { env = \"SECRET\" }\n",
            "UA-0108 8:7 64 hexadecimal digits",
        ),
        (
            "{CRM}[store]\nkind = \"file\"\nfolder = \"x\"\n",
            "UA-0103 8:1 keys here: kind, path, key",
        ),
        (
            "{CRM}[store]\nkind = \"file\"\npaht = \"x\"\n",
            "UA-0103 8:1 did you mean `path`?",
        ),
    ]);
}

#[test]
fn with_a_file_store_refresh_tokens_may_have_successors() {
    let store = "[store]\nkind = \"file\"\n";
    let crm = CRM.replace(
        "client_secret",
        "grant = \"refresh_token\"\nrefresh_token = { file = \"r\" }\nclient_secret",
    );
    let mail = "[upstream.mail]\nprovider = \"marketing-cloud-legacy\"\noffline = true\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n";
    for text in [format!("{crm}{store}"), format!("{store}{mail}")] {
        let config = parse(&text).unwrap().config;
        assert!(config.upstreams[0].needs_durable_store(), "{text}");
    }
    let never = format!("{crm}rotates = \"never\"\n");
    assert!(!parse(&never).unwrap().config.upstreams[0].needs_durable_store());
}
