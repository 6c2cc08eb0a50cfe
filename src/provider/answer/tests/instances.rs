//! Which instances are allowed, and what is shown of one that is not.

use super::*;

#[test]
fn an_instance_outside_the_allow_list_is_refused() {
    let allowed = [
        "https://acme.my.salesforce.com",
        "https://acme.my.salesforce.com/",
        "https://ACME.my.salesforce.com:443",
        "https://na3.salesforce.com",
        "https://acme--dev.sandbox.my.salesforce.com",
        "https://acme.my.salesforce.mil",
        "https://acme.my.sfcrmproducts.cn",
        // The same name written absolutely (RFC 1034 section 3.1).
        "https://acme.my.salesforce.com.",
    ];
    let read = |url: &str| {
        let json = serde_json::json!({"access_token": "t", "instance_url": url});
        read_as(&salesforce(), 200, json.to_string().as_bytes())
    };
    for url in allowed {
        assert!(read(url).is_ok(), "{url}");
    }
    for url in REFUSED {
        let got = read(url).map(|credential| format!("{credential:?}"));
        assert!(
            matches!(got, Err(LoginFailure::TargetRefused { .. })),
            "{url}: {got:?}"
        );
    }
    const { assert!(REFUSED.len() > 40) };
}

#[test]
fn an_instance_of_the_other_environment_is_refused_and_an_unknown_one_unless_it_is_named() {
    use Environment::{Production, Sandbox};
    let read = |wanted, hosts: Option<&str>, url: &str| {
        let mut keys = salesforce_keys();
        keys.environment = Some(wanted);
        keys.instance_hosts = hosts.map(|host| vec![host.parse().unwrap()]);
        let json = serde_json::json!({"access_token": "t", "instance_url": url});
        read_as(
            &data::provider(&keys, &[]),
            200,
            json.to_string().as_bytes(),
        )
    };
    let (production, sandbox) = (
        "https://acme.my.salesforce.com",
        "https://acme--dev.sandbox.my.salesforce.com",
    );
    let site = "https://portal.acme.example";
    let rows = [
        (Production, None, production, true),
        (Production, None, sandbox, false),
        (Sandbox, None, sandbox, true),
        (Sandbox, None, production, false),
        (Sandbox, None, "https://cs42.salesforce.com", true),
        // Its name tells nothing, and only a pattern allowed it.
        (Sandbox, None, "https://odd.salesforce.com", false),
        (Production, None, "https://odd.salesforce.com", false),
        (
            Sandbox,
            Some("odd.salesforce.com"),
            "https://odd.salesforce.com",
            true,
        ),
        (Sandbox, Some("portal.acme.example"), site, true),
        (Sandbox, Some("*.acme.example"), site, false),
        // What the operator wrote does not make a production host a sandbox.
        (Sandbox, Some("acme.my.salesforce.com"), production, false),
    ];
    for (wanted, hosts, url, expected) in rows {
        match read(wanted, hosts, url) {
            Ok(_) => assert!(expected, "{wanted} {hosts:?} {url}"),
            Err(why) => {
                assert!(!expected, "{wanted} {hosts:?} {url}");
                let words = format!("is not a {wanted} host");
                assert!(why.to_string().contains(&words), "{why}");
            }
        }
    }
}

#[test]
fn instance_hosts_replace_the_list_and_plain_http_is_only_for_hosts_named_so() {
    let provider = |hosts: &[&str], plain_http: &[&str]| {
        let mut keys = salesforce_keys();
        if let Login::Call { login_url, .. } = &mut keys.login {
            *login_url = "http://127.0.0.1:7720".parse().unwrap();
        }
        keys.instance_hosts = Some(hosts.iter().map(|host| host.parse().unwrap()).collect());
        let plain_http: Vec<String> = plain_http.iter().map(ToString::to_string).collect();
        data::provider(&keys, &plain_http)
    };
    let rows = [
        ("http://127.0.0.1:7720", &[][..], &[][..], true),
        ("http://127.0.0.1:7721", &[], &[], false),
        ("http://127.0.0.1:7721", &["127.0.0.1:7721"], &[], true),
        ("http://sf.internal", &["sf.internal"], &[], false),
        (
            "http://sf.internal",
            &["sf.internal"],
            &["sf.internal"],
            true,
        ),
        (
            "https://acme.my.salesforce.com",
            &["sf.internal"],
            &[],
            false,
        ),
        (
            "https://acme.lightning.force.com",
            &["*.force.com"],
            &[],
            false,
        ),
    ];
    for (url, hosts, plain_http, expected) in rows {
        let json = serde_json::json!({"access_token": "t", "instance_url": url});
        let provider = provider(hosts, plain_http);
        let got = read_as(&provider, 200, json.to_string().as_bytes());
        assert_eq!(got.is_ok(), expected, "{url} {hosts:?} {plain_http:?}");
    }
}

const REFUSED: &[&str] = &[
    "",
    "acme.my.salesforce.com",
    "//acme.my.salesforce.com",
    "http://acme.my.salesforce.com",
    "ftp://acme.my.salesforce.com",
    "javascript:alert(1)",
    "https://salesforce.com",
    "https://evilsalesforce.com",
    "https://acme.my.salesforce.com.evil.example",
    "https://acme.my.salesforce.com@evil.example",
    "https://evil.example#acme.my.salesforce.com",
    "https://evil.example?x=.salesforce.com",
    "https://evil.example/.salesforce.com",
    "https://evil.example\\.salesforce.com",
    "https://user:pw@acme.my.salesforce.com",
    "https://user@acme.my.salesforce.com",
    "https://acme.my.salesforce.com:8443",
    "https://acme.my.salesforce.com:0",
    "https://acme.my.salesforce.com:",
    "https://acme.my.salesforce.com:443:443",
    "https://acme.my.salesforce.com/services",
    "https://acme.my.salesforce.com//",
    "https://acme.my.salesforce.com?x",
    "https://acme.my.salesforce.com#x",
    "https://acme.lightning.force.com",
    "https://acme.my.salesforce.co",
    "https://acme..salesforce.com",
    "https://.salesforce.com",
    "https://*.salesforce.com",
    "https://acme.my.sales\u{200b}force.com",
    "https://acme.my.salesf\u{043e}rce.com",
    "https://acme\u{3002}salesforce.com",
    "https://acme%2esalesforce.com",
    "https://acme.my.salesforce.com\r\nX: y",
    "https://acme.my.salesforce.com ",
    " https://acme.my.salesforce.com",
    "https://127.0.0.1",
    "http://127.0.0.1:7720",
    "https://2130706433",
    "https://0x7f.1",
    "https://169.254.169.254",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://localhost",
    "https://xn--salesforce-com.example",
];

#[test]
fn a_token_of_another_org_than_the_expected_is_refused_whichever_way_the_ids_are_written() {
    const OURS: &str = "00Dxx0000000aBc";
    let read = |expected: &str, id: Option<&str>| {
        let mut keys = salesforce_keys();
        keys.expect_org = Some(expected.parse().unwrap());
        let mut json = serde_json::json!({
            "access_token": "00Dxx0000000aBc!t", "instance_url": "https://acme.my.salesforce.com",
        });
        if let Some(id) = id {
            json["id"] = id.into();
        }
        let provider = data::provider(&keys, &[]);
        match read_as(&provider, 200, json.to_string().as_bytes()) {
            Ok(_) => "ok".to_owned(),
            Err(failure) => failure.to_string(),
        }
    };
    let of = |org: &str| format!("https://login.salesforce.com/id/{org}/005xx000001abcd");
    for expected in [OURS, "00Dxx0000000aBcEAY"] {
        for id in [
            &of(OURS),
            &of("00Dxx0000000aBcEAY"),
            OURS,
            "00Dxx0000000aBcEAY",
        ] {
            assert_eq!(read(expected, Some(id)), "ok", "{id}");
        }
        for (id, named) in [
            (Some(of("00Dxx0000000aBd")), "00Dxx0000000aBd"),
            // Ids of 15 characters differ by their letters' case.
            (Some(of("00Dxx0000000abc")), "00Dxx0000000abc"),
            (Some(of("00Dxx0000000aBcE")), "00Dxx0000000aBcE"),
            (Some(format!("https://evil.example/id/x/id/{OURS}/u")), "x"),
            (Some(of("")), "no org"),
            (None, "no org"),
        ] {
            let told = read(expected, id.as_deref());
            let why = format!(
                "the token answer names `{named}`, which is not the org that expect_org names"
            );
            assert_eq!(told, why);
        }
    }
}
