//! Where callers and operators may connect, and under which conditions from elsewhere.

use std::path::Path;

use super::{CRM, Config, parse, with_crm};

fn config(text: &str) -> Config {
    parse(&with_crm(text)).unwrap().config
}

#[test]
fn a_listener_of_the_command_line_obeys_the_same_rules() {
    let rows = [
        ("localhost:0", "Ok(())"),
        ("0.0.0.0:80", "Err(NotLoopback)"),
        ("127.0.0.1:7718", "Err(Taken)"),
        ("proxy:80", "Err(Host)"),
    ];
    for (text, expected) in rows {
        assert_eq!(
            format!("{:?}", config("{CRM}").listen_on(text)),
            expected,
            "{text}"
        );
    }
    assert_eq!(
        config("{CRM}[access]\nopen = true\n").listen_on("0.0.0.0:80"),
        Ok(())
    );
}

#[test]
fn the_admin_listener_can_be_switched_off_and_health_may_be_anywhere() {
    let admin = config("{CRM}[admin]\nlisten = \"\"\nhealth_listen = \"0.0.0.0:7719\"\n").admin;
    assert!(admin.listen.is_none());
    assert_eq!(admin.health_listen.unwrap().tcp().unwrap().port(), 7719);
}

#[test]
fn the_listener_of_all_upstreams_can_be_switched_off_where_another_is_left() {
    let listens = |text: &str| config(text).server.listen.len();
    assert_eq!(listens("{CRM}[server]\nworkers = 1\n"), 1, "the default");
    let route = "[route.r]\nupstream = \"crm\"\nlisten = \"unix:r\"\n";
    for none in ["[]", "\"\"", "\"${EMPTY:-}\""] {
        let server = format!("[server]\nlisten = {none}\n");
        assert_eq!(
            listens(&format!("{{CRM}}listen = \"localhost:1\"\n{server}")),
            0
        );
        assert_eq!(listens(&format!("{{CRM}}{server}{route}")), 0);
    }
    let mut config = config(&format!("{{CRM}}[server]\nlisten = []\n{route}"));
    assert!(config.listen_on("localhost:0").is_ok());
    assert_eq!(config.server.listen.len(), 1);
}

#[test]
fn a_listener_that_asks_for_certificates_may_be_anywhere() {
    let tls =
        "tls = { cert = { file = \"c\" }, key = { file = \"k\" }, client_ca = { file = \"a\" } }\n";
    let everywhere = "listen = \"0.0.0.0:7717\"\n";
    let server = config(&format!("{{CRM}}[server]\n{everywhere}{tls}")).server;
    assert!(server.tls.asks_for_certificates());
    let own = config(&format!("{{CRM}}listen = \"0.0.0.0:1\"\n{tls}"));
    assert!(own.upstreams[0].tls.asks_for_certificates());
    let route = "[route.a]\nupstream = \"crm\"\nlisten = \"0.0.0.0:2\"\n";
    config(&format!("{{CRM}}[server]\n{tls}{route}"));
    let mut config = config(&format!("{{CRM}}[server]\n{tls}"));
    assert!(config.listen_on("0.0.0.0:81").is_ok());
    // Not for its sake others, and not without it.
    for text in [
        format!("{{CRM}}listen = \"0.0.0.0:1\"\n[server]\n{tls}"),
        format!("{{CRM}}{tls}listen = \"localhost:1\"\n[server]\n{everywhere}"),
        format!("{{CRM}}[server]\n{tls}[admin]\nlisten = \"0.0.0.0:3\"\n"),
        format!(
            "{{CRM}}[server]\n{everywhere}{}",
            tls.replace(", client_ca = { file = \"a\" }", "")
        ),
    ] {
        let problems = parse(&text.replace("{CRM}", CRM)).unwrap_err();
        let codes: Vec<_> = problems.iter().map(|problem| problem.code().id).collect();
        assert_eq!(codes, ["UA-0120"], "{text}");
    }
}

#[test]
fn a_unix_socket_is_a_file_beside_the_configuration_that_only_this_machine_reaches() {
    let listen = |text: &str| {
        let text = text.replace("{CRM}", CRM);
        let checked = Config::parse(&text, "proxy.toml", Path::new("/etc/upauth"), &super::env);
        let listens = checked.unwrap().config.server.listen;
        let shown = listens[0].addrs[0].to_string();
        (shown, listens[0].is_loopback())
    };
    let rows = [
        ("run/x.sock", "unix:/etc/upauth/run/x.sock"),
        ("/run/x.sock", "unix:/run/x.sock"),
    ];
    for (path, expected) in rows {
        let text = format!("{{CRM}}[server]\nlisten = \"unix:{path}\"\n");
        assert_eq!(listen(&text), (expected.to_owned(), true));
    }
}

#[test]
fn keys_are_read_in_either_spelling_and_open_listeners_to_strangers() {
    let digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    let listen = "[server]\nlisten = \"0.0.0.0:80\"\n";
    let inline = format!(
        "{{CRM}}{listen}[access]\nkeys = [{{ name = \"etl\", sha256 = \"{digest}\", upstreams = [\"crm\"] }}]\n"
    );
    let tables = format!(
        "[[access.keys]]\nname = \"etl\"\nsha256 = \"{}\"\nupstreams = [\"crm\"]\n{listen}{{CRM}}",
        digest.to_uppercase()
    );
    for text in [inline, tables] {
        let mut config = config(&text);
        assert!(config.listen_on("0.0.0.0:81").is_ok());
        let key = config.access.keys.unwrap().remove(0);
        assert_eq!(key.digest.to_hex(), digest);
        assert_eq!(
            (key.name.as_str(), key.upstreams.unwrap(), key.read_only),
            ("etl", vec!["crm".to_owned()], false)
        );
    }
    let all = format!("{{CRM}}[access]\nkeys = [{{ name = \"etl\", sha256 = \"{digest}\" }}]\n");
    assert!(config(&all).access.keys.unwrap()[0].upstreams.is_none());
}

#[test]
fn a_list_of_no_keys_is_warned_of_and_is_not_the_same_as_no_list() {
    for (keys, expected) in [
        ("keys = []\n", Some("UA-0146 7:8")),
        ("keys = [\n]\n", Some("UA-0146 7:8")),
        ("", None),
    ] {
        // Whoever takes back the last key must be able to, wherever the listeners are.
        let listen = if keys.is_empty() {
            "127.0.0.1:80"
        } else {
            "0.0.0.0:80"
        };
        let text =
            format!("{CRM}[access]\n{keys}hosts = [\"a.test\"]\n[server]\nlisten = \"{listen}\"\n");
        let checked = parse(&text).unwrap();
        let told = checked.warnings.iter().map(|warning| {
            let (line, column) = (warning.line(), warning.column());
            format!("{} {line}:{column}", warning.code().id)
        });
        let told: Vec<_> = told.collect();
        match expected {
            Some(expected) => assert_eq!(told, [expected]),
            None => assert_eq!(told, ["UA-0136 7:9"]),
        }
        assert_eq!(checked.config.access.keys.is_some(), expected.is_some());
    }
}

#[test]
fn a_way_around_an_upstreams_own_listener_is_warned_of() {
    let tls =
        "tls = { cert = { file = \"c\" }, key = { file = \"k\" }, client_ca = { file = \"a\" } }\n";
    let digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    let keys = format!("[access]\nkeys = [{{ name = \"etl\", sha256 = \"{digest}\" }}]\n");
    let certified = format!("{{CRM}}listen = \"localhost:1\"\n{tls}");
    let private = "{CRM}listen = \"unix:crm\"\n";
    let off = "[server]\nlisten = \"\"\n";
    let file = "[server]\nlisten = \"unix:all\"\n";
    let open = "[access]\nopen = true\n";
    let route = |place: &str| format!("[route.r]\nupstream = \"crm\"\n{place}\n");
    let rows = [
        (
            &*certified,
            "",
            Some("`crm` also answers at [server] listen, without a certificate"),
        ),
        (&certified, &keys, Some("without a certificate")),
        (&certified, open, Some("without a certificate")),
        (&certified, off, None),
        (&certified, file, None),
        (&certified, &format!("[server]\n{tls}"), None),
        (
            &certified,
            &route("path = \"/r\""),
            Some("without a certificate"),
        ),
        (&certified, &route("host = \"r.localhost\""), None),
        (private, "", Some("for everybody on this machine")),
        (
            private,
            "[server]\ntls = \"auto\"\n",
            Some("for everybody on this machine"),
        ),
        (private, &keys, None),
        (private, open, None),
        (private, off, None),
        (private, file, None),
        ("{CRM}listen = [\"unix:crm\", \"localhost:1\"]\n", "", None),
        ("{CRM}listen = \"localhost:1\"\ntls = \"auto\"\n", "", None),
        ("{CRM}", &route("listen = \"unix:r\""), None),
    ];
    for (own, more, expected) in rows {
        let text = with_crm(&format!("{own}{more}"));
        let warnings = parse(&text).unwrap().warnings;
        let told: Vec<_> = warnings
            .iter()
            .map(|each| (each.code().id, each.line(), each.column()))
            .collect();
        let place = expected.map(|_| ("UA-0139", 6, 10));
        assert_eq!(told, place.into_iter().collect::<Vec<_>>(), "{text}");
        let message = warnings.first().map_or("", |warning| warning.message());
        assert!(
            message.contains(expected.unwrap_or_default()),
            "{text}{message}"
        );
    }
}

#[test]
fn keys_that_can_be_read_on_their_way_are_warned_of() {
    let digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    let keys = format!("{{CRM}}[access]\nkeys = [{{ name = \"etl\", sha256 = \"{digest}\" }}]\n");
    let everywhere = "[server]\nlisten = [\"localhost:7717\", \"0.0.0.0:1\", \"unix:x\"]\n";
    let own = keys.replace("[access]", "listen = \"0.0.0.0:2\"\n[access]");
    let route = "[route.r]\nupstream = \"crm\"\nlisten = \"[::]:3\"\n";
    let auto = "tls = \"auto\"\n";
    let rows: [(String, &[(usize, usize)]); 9] = [
        (format!("{keys}{everywhere}"), &[(9, 29)]),
        (format!("{keys}{everywhere}{auto}"), &[]),
        (
            format!("{keys}{everywhere}public_url = \"https://p.test\"\n"),
            &[],
        ),
        (
            format!("{keys}{everywhere}public_url = \"http://p.test\"\n"),
            &[(9, 29)],
        ),
        (format!("{keys}[server]\nlisten = \"[::1]:7717\"\n"), &[]),
        (own.clone(), &[(6, 10)]),
        (format!("{own}[server]\n{auto}"), &[(6, 10)]),
        (format!("{keys}{route}"), &[(10, 10)]),
        (format!("{{CRM}}[access]\nopen = true\n{everywhere}"), &[]),
    ];
    for (text, expected) in rows {
        let warnings = parse(&with_crm(&text)).unwrap().warnings;
        let told: Vec<_> = warnings
            .iter()
            .map(|each| (each.line(), each.column()))
            .collect();
        assert_eq!(told, expected, "{text}");
        assert!(
            warnings.iter().all(|each| each.code().id == "UA-0144"),
            "{text}"
        );
    }
}

#[test]
fn a_page_that_can_be_changed_on_its_way_is_warned_of() {
    let origins =
        "http://localhost:5173 http://127.0.0.1 http://[::1]:80 http://a.localhost https://a.test";
    let origins = origins.replace(' ', "\", \"");
    let text = format!("{{CRM}}[access]\norigins = [\"{origins}\"]\n");
    assert!(parse(&with_crm(&text)).unwrap().warnings.is_empty());
    let text = "{CRM}[access]\norigins = [\"https://a.test\", \"http://b.test:81\"]\n";
    let checked = parse(&with_crm(text)).unwrap();
    assert_eq!(checked.config.access.origins.len(), 2);
    let [warning] = &checked.warnings[..] else {
        panic!("{:?}", checked.warnings)
    };
    let place = (warning.code().id, warning.line(), warning.column());
    assert_eq!(place, ("UA-0145", 7, 30));
    assert!(
        warning.message().contains("`http://b.test:81`"),
        "{warning:?}"
    );
    assert!(
        warning.remedy().contains("\"https://b.test\""),
        "{warning:?}"
    );
}

#[test]
fn a_name_that_pages_can_call_by_unseen_is_warned_of() {
    let warned = |text: &str| {
        let text = text.replace("{CRM}", CRM);
        let warnings = parse(&text).unwrap().warnings;
        warnings
            .iter()
            .map(|warning| warning.code().id)
            .collect::<Vec<_>>()
    };
    let digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    let keys = format!("keys = [{{ name = \"etl\", sha256 = \"{digest}\" }}]\n");
    let named = "{CRM}[access]\nhosts = [\"a.localhost\", \"proxy.test\"]\n";
    let auto = "[server]\ntls = \"auto\"\n";
    let rows: [(String, &[&str]); 7] = [
        (named.to_owned(), &["UA-0136"]),
        (format!("{named}open = true\n"), &["UA-0136"]),
        ("{CRM}host = \"crm.test\"\n".to_owned(), &["UA-0136"]),
        ("{CRM}[access]\nhosts = [\"a.localhost\"]\n".to_owned(), &[]),
        (format!("{named}{keys}"), &[]),
        (format!("{named}{auto}"), &[]),
        (
            format!("{named}[server]\npublic_url = \"https://p.test\"\n"),
            &[],
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(warned(&text), expected, "{text}");
    }
}
