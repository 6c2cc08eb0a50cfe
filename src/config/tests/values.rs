//! What a sound file becomes.

use std::path::Path;
use std::time::Duration;

use super::{CRM, client, parse, with_crm};
use crate::config::carrier::Header;
use crate::config::server::ListenTls;
use crate::config::{Config, Leg, Provider, Upstream};
use crate::secret::Source;

fn config(text: &str) -> Config {
    parse(&with_crm(text)).unwrap().config
}

fn crm(more: &str) -> Upstream {
    config(&format!("{CRM}{more}")).upstreams.remove(0)
}

#[test]
fn the_shortest_file_has_all_defaults() {
    let config = config("{CRM}");
    let addrs: Vec<_> = config
        .server
        .listen
        .iter()
        .flat_map(|listen| &listen.addrs)
        .collect();
    assert_eq!(
        format!("{addrs:?}"),
        "[Tcp(127.0.0.1:7717), Tcp([::1]:7717)]"
    );
    assert_eq!(
        config.server.state.as_deref(),
        Some(Path::new("/home/me/.local/state/upauth"))
    );
    assert!((1..=4).contains(&config.server.workers));
    assert_eq!(config.server.tls, ListenTls::Off);
    assert_eq!(config.server.drain_timeout, Duration::from_secs(25));
    assert_eq!(config.server.limits.buffer_bytes, 256 << 20);
    assert_eq!(config.admin.listen.unwrap().tcp().unwrap().port(), 7718);
    assert!(config.admin.health_listen.is_none());
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.token_wait, Duration::from_secs(20));
    assert_eq!(upstream.connections, 256);
    let Provider::Salesforce(salesforce) = &upstream.provider else {
        panic!("{:?}", upstream.provider)
    };
    assert!(salesforce.instance_hosts.is_none());
    assert_eq!(salesforce.session_timeout, Duration::from_secs(7200));
}

#[test]
fn a_legacy_package_of_marketing_cloud_needs_no_address() {
    let text = "[upstream.mail]\nprovider = \"marketing-cloud-legacy\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n";
    let upstream = config(text).upstreams.remove(0);
    let Provider::MarketingCloudLegacy(keys) = &upstream.provider else {
        panic!("{:?}", upstream.provider)
    };
    let urls = (keys.login_url.to_string(), keys.api_url.to_string());
    let (login, api) = (
        "https://auth.exacttargetapis.com",
        "https://www.exacttargetapis.com",
    );
    assert_eq!(urls, (login.to_owned(), api.to_owned()));
    assert!(keys.soap_url.is_none() && !keys.offline && !keys.legacy_token);
}

#[test]
fn debug_of_a_configuration_shows_no_secret() {
    let shown = format!("{:?}", parse(CRM).unwrap());
    assert!(!shown.contains("from-env"), "{shown}");
}

#[test]
fn debug_of_a_configuration_shows_no_value_of_a_header() {
    let upstream = crm("set_headers = { X-Api-Key = { env = \"SECRET\" } }\n");
    let value = upstream.set_headers[0].1.to_str().unwrap();
    let shown = format!("{upstream:?}");
    assert!(!shown.contains(value), "{shown}");
}

#[test]
fn variables_are_replaced_and_can_be_escaped() {
    let rows = [
        ("${SECRET}", "from-env"),
        ("a-${SECRET}-${NOWHERE:-b}", "a-from-env-b"),
        ("${EMPTY:-b}", "b"),
        ("a${NOWHERE:-}b", "ab"),
        ("$${SECRET}", "${SECRET}"),
        ("$5 $", "$5 $"),
    ];
    for (text, expected) in rows {
        let upstream = crm(&format!("set_headers = {{ X-A = \"{text}\" }}\n"));
        assert_eq!(upstream.set_headers[0].1, expected, "{text}");
    }
}

#[test]
fn any_string_of_an_upstream_may_come_from_the_environment_a_file_or_a_program() {
    let folder = std::env::temp_dir().join(format!("upauth-references-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("url"), "https://acme.my.salesforce.com\n").unwrap();
    let rows = [
        "{ env = \"URL\" }",
        "{ file = \"url\" }",
        "{ command = [\"echo\", \"https://acme.my.salesforce.com\"] }",
    ];
    for reference in rows {
        let text = CRM.replace("\"https://acme.my.salesforce.com\"", reference)
            + "header = { command = [\"echo\", \"oauth\"] }\nlisten = \"localhost:1\"\ntls = { command = [\"echo\", \"auto\"] }\n\
               proxy = { command = [\"echo\", \"off\"] }\ntoken_wait = { command = [\"echo\", \"3s\"] }\n";
        let checked = Config::parse(&text, "proxy.toml", &folder, &super::env).unwrap();
        let upstream = &checked.config.upstreams[0];
        let Provider::Salesforce(salesforce) = &upstream.provider else {
            panic!()
        };
        let url = client(upstream).0.to_string();
        assert_eq!(url, "https://acme.my.salesforce.com", "{reference}");
        assert_eq!(salesforce.header, [Header::OAuth]);
        assert_eq!(upstream.tls, ListenTls::Auto);
        assert_eq!(upstream.token_wait, Duration::from_secs(3));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_program_in_the_defaults_runs_once_for_all_upstreams() {
    let folder = std::env::temp_dir().join(format!("upauth-once-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let runs = folder.join("runs");
    let text = format!(
        "{CRM}{}[defaults.upstream]\nplain_http = [{{ command = [\"sh\", \"-c\", \"echo >> {}; echo a.example\"] }}]\n",
        CRM.replace("crm", "b"),
        runs.display()
    );
    let upstreams = config(&text).upstreams;
    assert!(upstreams.iter().all(|u| u.plain_http == ["a.example"]));
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "\n");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = CRM.replace("{ env = \"SECRET\" }", "{ file = \"secret\" }");
    let upstream = config(&text).upstreams.remove(0);
    let Source::File(path) = client(&upstream).1 else {
        panic!()
    };
    assert_eq!(path, Path::new("/etc/upauth/secret"));
}

#[test]
fn what_a_leg_says_beats_the_upstream_and_that_beats_outbound() {
    let text = "[outbound]\nca = { file = \"o\" }\nconnect_timeout = \"1s\"\n{CRM}connect_timeout = \"2s\"\n[upstream.crm.token]\nca = [{ file = \"t\" }]\nconnect_timeout = \"3s\"\n";
    let upstream = config(text).upstreams.remove(0);
    let leg = |leg: &Leg| format!("{:?} {:?}", leg.ca, leg.connect_timeout);
    assert_eq!(leg(&upstream.token), "[\"/etc/upauth/t\"] 3s");
    assert_eq!(leg(&upstream.api), "[\"/etc/upauth/o\"] 2s");
}

#[test]
fn the_urls_of_zuora_default_to_each_other() {
    for key in ["login_url", "api_url"] {
        let text = format!(
            "[upstream.z]\nprovider = \"zuora\"\n{key} = \"https://z.example\"\nclient_id = \"i\"\nclient_secret = \"${{SECRET}}\"\n"
        );
        let Provider::Zuora(zuora) = config(&text).upstreams.remove(0).provider else {
            panic!()
        };
        assert_eq!(zuora.login_url, zuora.api_url);
    }
}

#[test]
fn a_secret_in_the_file_is_a_warning_unless_the_login_is_local() {
    let text = CRM.replace("{ env = \"SECRET\" }", "\"hunter2\"");
    let warnings = parse(&text).unwrap().warnings;
    assert_eq!(
        format!("{warnings:?}"),
        "[5:17 UA-0131 `client_secret` is written in the file]"
    );
    assert!(!warnings[0].render(false).contains("hunter2"));
    let local = text.replace("https://acme.my.salesforce.com", "http://127.0.0.1:7720");
    assert!(parse(&local).unwrap().warnings.is_empty());
    assert!(parse(CRM).unwrap().warnings.is_empty());
}

#[test]
fn upstreams_keep_the_order_of_the_file() {
    let text = format!("{}{}", CRM.replace("crm", "b"), CRM.replace("crm", "a"));
    let names: Vec<_> = config(&text)
        .upstreams
        .into_iter()
        .map(|upstream| upstream.name)
        .collect();
    assert_eq!(names, ["b", "a"]);
}

#[test]
fn plain_http_is_possible_where_it_is_named() {
    let text = CRM.replace("https:", "http:") + "plain_http = [\"ACME.my.salesforce.com\"]\n";
    assert_eq!(
        config(&text).upstreams[0].plain_http,
        ["acme.my.salesforce.com"]
    );
}

#[tokio::test]
async fn references_that_cannot_be_read_are_found_by_check_only() {
    let text = CRM.replace("{ env = \"SECRET\" }", "{ file = \"nowhere\" }")
        + "ca = [{ file = \"a\" }]\n[server]\ntls = { cert = { file = \"c\" }, key = { file = \"k\" }, client_ca = { file = \"a\" } }\n\
           [store]\nkind = \"file\"\nkey = { command = [\"echo\", \"x\"] }\n";
    let text = text.replace("\"id\"", "{ command = [\"false\"] }");
    let checked = parse(&text).unwrap();
    let problems = checked.check_references(|path, what| {
        let name = path.file_name().unwrap().display();
        Err(format!("{name} is no {what:?}"))
    });
    let told: Vec<_> = problems
        .await
        .iter()
        .map(|p| format!("{} {} {}", p.line(), p.code().id, p.message()))
        .collect();
    let expected = [
        "4 UA-0115 the command `false` failed",
        "5 UA-0115 cannot read /etc/upauth/nowhere: ",
        "6 UA-0115 a is no Authorities",
        "8 UA-0115 c is no Chain",
        "8 UA-0115 k is no Key",
        "8 UA-0115 a is no Authorities",
        "11 UA-0108 `key` cannot be used",
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn the_proxy_of_a_leg_is_the_innermost_that_is_written() {
    // Of the token leg, of the API leg, and how many warnings.
    let shown = |text: &str, (variable, value): (&str, &str)| {
        let env = |name: &str| match name == variable {
            true => Some(value.to_owned()),
            false => super::env(name),
        };
        let checked = Config::parse(text, "proxy.toml", Path::new(""), &env).unwrap();
        let upstream = &checked.config.upstreams[0];
        let of = |leg: &Leg| match &leg.proxy {
            Some(proxy) => proxy.url.to_string(),
            None => "-".to_owned(),
        };
        let warnings = checked.warnings.len();
        format!("{} {} {warnings}", of(&upstream.token), of(&upstream.api))
    };
    let set = ("https_proxy", "http://e:1/");
    let table = "[outbound]\nproxy = { url = \"http://o:2\" }\n{CRM}";
    let rows = [
        ("{CRM}", ("", ""), "- - 0"),
        ("{CRM}", set, "http://e:1 http://e:1 0"),
        ("{CRM}", ("ALL_PROXY", "e"), "http://e http://e 0"),
        ("{CRM}", ("HTTP_PROXY", "http://e"), "- - 0"),
        ("{CRM}", ("ALL_PROXY", "socks5://e:1"), "- - 1"),
        (table, set, "http://o:2 http://o:2 0"),
        (
            &format!("{table}proxy = \"env\"\n"),
            set,
            "http://e:1 http://e:1 0",
        ),
        (&format!("{table}proxy = \"off\"\n"), set, "- - 0"),
        (
            "{CRM}[upstream.crm.token]\nproxy = \"off\"\n",
            set,
            "- http://e:1 0",
        ),
    ];
    for (text, variable, expected) in rows {
        assert_eq!(
            shown(&with_crm(text), variable),
            expected,
            "{text} {variable:?}"
        );
    }
}
