//! Mistakes in keys, names, providers and credentials.

use super::{check, check_all};

#[test]
fn syntax_and_keys() {
    check(
        "[server]\nworkers = \nlisten = \"a\n[log]\nlevel = info\n",
        &["UA-0101 2:11 ", "UA-0101 3:12 ", "UA-0101 5:9 "],
    );
    check(
        "{CRM}[server]\nworkers = \n[log]\nformat = \"xml\"\n",
        &["UA-0101 7:11 ", "UA-0108 9:10 unknown format `xml`"],
    );
    check_all(&[
        (
            "{CRM}[upstream.crm]\nprovider = \"zuora\"\n",
            "UA-0101 6:11 the section stands at proxy.toml:1 already",
        ),
        ("{CRM}provider = \"zuora\"\n", "UA-0101 6:1 keep one"),
        (
            "{CRM}set_headers = { a = \"b\", a = \"c\" }\n",
            "UA-0101 6:26 keep one",
        ),
        ("", "UA-0129 1:1 add [upstream.NAME]"),
        ("{CRM}[sever]\n", "UA-0103 6:2 did you mean `server`?"),
        ("colour = 1\n{CRM}", "UA-0103 1:1 sections: server, access"),
        (
            "{CRM}[server]\nlisen = \"x\"\n",
            "UA-0103 7:1 did you mean `listen`?",
        ),
        ("{CRM}clientid = \"x\"\n", "UA-0103 6:1 did you mean"),
        (
            "{CRM}timeout = \"3s\"\n",
            "UA-0103 6:1 did you mean `session_timeout`, `connect_timeout`, `token_timeout` or `response_timeout`?",
        ),
        (
            "{CRM}[server]\nport = 7717\n",
            "UA-0103 7:1 did you mean `listen`?",
        ),
        (
            "[defaults]\ntoken_wait = \"1s\"\n{CRM}",
            "UA-0103 2:1 write [defaults.upstream]",
        ),
        (
            "{CRM}[upstream.crm.api]\ntimeout = \"1s\"\n",
            "UA-0103 7:1 in [upstream.crm.api]",
        ),
    ]);
}

#[test]
fn what_is_planned_is_not_ignored() {
    check_all(&[
        (
            "{CRM}[store]\nkind = \"redis\"\n",
            "UA-0104 7:8 memory, file",
        ),
        (
            "{CRM}[store]\nkind = \"file\"\nurl = \"redis://x\"\n",
            "UA-0104 8:1 `url`",
        ),
        (
            "{CRM}[server.limits]\nsoap_bytes = \"1MiB\"\n",
            "UA-0104 7:1 `soap_bytes`",
        ),
        ("{CRM}errors = \"auto\"\n", "UA-0104 6:1 `errors`"),
        (
            "{CRM}[server]\nworkers = \"many\"\n",
            "UA-0123 7:11 not a number",
        ),
        ("{CRM}read_only = \"yes\"\n", "UA-0105 6:13 true or false"),
        ("{CRM}deny = \"/x\"\n", "UA-0105 6:8 deny = ["),
        ("server = 1\n{CRM}", "UA-0105 1:10 [server]"),
    ]);
}

#[test]
fn names_and_places() {
    check_all(&[
        (
            "{CRM}[upstream.CRM]\nprovider = \"zuora\"\nlogin_url = \"https://z.example\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0109 6:11 lower-case",
        ),
        (
            "[upstream.services]\nprovider = \"zuora\"\nlogin_url = \"https://z.example\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0110 1:11 /services/",
        ),
        (
            "[upstream.v2]\nprovider = \"zuora\"\nlogin_url = \"https://z.example\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0110 1:11 /v2/",
        ),
        (
            "{CRM}[server]\ndefault = \"crn\"\n",
            "UA-0111 7:11 did you mean `crm`?",
        ),
        (
            "{CRM}[route.r]\nupstream = \"erp\"\npath = \"/r\"\n",
            "UA-0111 7:12 there are: crm",
        ),
        (
            "{CRM}[route.r]\nupstream = \"cmr\"\npath = \"/r\"\n",
            "UA-0111 7:12 did you mean `crm`?",
        ),
        (
            "{CRM}[route.r]\npath = \"/r\"\n",
            "UA-0106 6:1 lacks `upstream`",
        ),
        (
            "{CRM}[route.r]\nupstream = \"crm\"\n",
            "UA-0106 6:1 lacks a place",
        ),
        (
            "{CRM}[route.r]\nupstream = \"crm\"\npath = \"a/../b\"\n",
            "UA-0108 8:8 `path`",
        ),
        (
            "{CRM}[route.r]\nupstream = \"crm\"\npath = \"/r\"\nallow = []\n",
            "UA-0128 9:1 write it into the upstream",
        ),
        (
            "{CRM}[route.r]\nupstream = \"crm\"\nlisten = \"unix:r\"\npath = \"/r\"\nhost = \"r.example\"\n",
            "UA-0138 10:1 write two routes",
        ),
        (
            "{CRM}[route.a]\nupstream = \"crm\"\npath = \"/r\"\n[route.b]\nupstream = \"crm\"\npath = \"/r/\"\n",
            "UA-0130 9:8 `b` and `a`",
        ),
    ]);
}

#[test]
fn hosts_and_origins() {
    check_all(&[
        ("{CRM}host = \"https://x\"\n", "UA-0124 6:8 without scheme"),
        (
            "{CRM}[access]\nhosts = [\"a.example:80\"]\n",
            "UA-0124 7:10 without scheme and port",
        ),
        (
            "{CRM}[access]\norigins = [\"*\"]\n",
            "UA-0116 7:12 scheme, host and port",
        ),
        (
            "{CRM}[access]\norigins = [\"localhost:5173\"]\n",
            "UA-0116 7:12 must start with",
        ),
    ]);
}

#[test]
fn providers_and_credentials() {
    let zilliant = "[upstream.p]\nprovider = \"zilliant\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n";
    check(
        zilliant,
        &[
            "UA-0106 1:1 lacks `login_url`",
            "UA-0106 1:1 lacks `api_url`",
            "UA-0106 1:1 lacks `username`",
            "UA-0106 1:1 lacks `password`",
        ],
    );
    check(
        "[upstream.z]\nprovider = \"zuora\"\nusername = \"u\"\n",
        &[
            "UA-0106 1:1 lacks `login_url`",
            "UA-0106 1:1 lacks `client_id`",
            "UA-0106 1:1 lacks `client_secret`",
            "UA-0128 3:1 zuora upstreams",
        ],
    );
    check(
        "{CRM}token_url = \"https://acme.example/token\"\n",
        &["UA-0128 6:1 write login_url"],
    );
}

#[test]
fn origins_and_keys_of_another_grant() {
    check_all(&[
        (
            "[upstream.crm]\nprovider = \"salesforse\"\n",
            "UA-0107 2:12 did you mean `salesforce`?",
        ),
        (
            "[upstream.crm]\nlogin_url = \"https://x.example\"\n",
            "UA-0106 1:1 lacks `provider`",
        ),
        (
            "{CRM}username = \"u\"\n",
            "UA-0128 6:1 grant = \"password\"",
        ),
        (
            "{CRM}api_url = \"https://x.example\"\n",
            "UA-0128 6:1 write grant = \"command\"",
        ),
        (
            "{CRM}grant = \"passwort\"\n",
            "UA-0108 6:9 did you mean `password`?",
        ),
        (
            "{CRM}expect_org = \"005xx0000000001\"\n",
            "UA-0108 6:14 is not the id of an org",
        ),
        (
            "{CRM}instance_hosts = [\"*.com\"]\n",
            "UA-0124 6:19 *.suffix",
        ),
        (
            "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"https://login.salesforce.com\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0118 3:13 YOUR-DOMAIN",
        ),
        (
            "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"http://acme.example\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0117 3:13 plain_http = [\"acme.example\"]",
        ),
        (
            "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"https://acme.example/services/oauth2/token\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0116 3:13 write login_url = \"https://acme.example\"",
        ),
        (
            "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"acme.example\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0116 3:13 write login_url = \"https://acme.example\"",
        ),
        (
            "[upstream.z]\nprovider = \"zuora\"\napi_url = \"https://z.example/v1\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0116 3:11 the path comes with each call",
        ),
        (
            "[upstream.z]\nprovider = \"zuora\"\napi_url = \"https://z.example\"\nclient_id = \"i\"\nclient_secret = { env = \"SECRET\" }\nentity_ids = [\"a,b\"]\n",
            "UA-0108 6:15 `a,b` is not an id",
        ),
        (
            "[upstream.z]\nprovider = \"zuora\"\napi_url = \"https://z.example\"\nclient_id = \"\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0108 4:13 `client_id` is empty",
        ),
    ]);
}

#[test]
fn keys_and_sections_in_a_wrong_place_are_sent_home() {
    check_all(&[
        (
            "{CRM}default = \"crm\"\n",
            "UA-0103 6:1 `default` belongs in [server]",
        ),
        (
            "{CRM}[server]\nopen = true\n",
            "UA-0103 7:1 `open` belongs in [access]",
        ),
        (
            "{CRM}[server]\nreplay_bytes = 1\n",
            "UA-0103 7:1 `replay_bytes` belongs in [server.limits]",
        ),
        (
            "{CRM}[limits]\n",
            "UA-0103 6:2 `limits` belongs in [server]",
        ),
        (
            "{CRM}store = \"file\"\n",
            "UA-0103 6:1 [store] is a section of its own",
        ),
        (
            "{CRM}include = []\n",
            "UA-0103 6:1 stands at the top of the file",
        ),
        (
            "listen = \"localhost:1\"\n{CRM}",
            "UA-0103 1:1 belongs in [admin] or [server]",
        ),
        (
            "{CRM}[upstream.crm.outbound]\n",
            "UA-0103 6:15 unknown key `outbound`",
        ),
        (
            "[upstreams.a]\nprovider = \"zuora\"\n",
            "UA-0103 1:2 did you mean `upstream`",
        ),
        (
            "[upstream]\nprovider = \"zuora\"\nclient_secret = { env = \"SECRET\" }\n",
            "UA-0109 1:1 write [upstream.NAME]",
        ),
        (
            "[[upstream.crm]]\n",
            "UA-0105 1:1 write [upstream.crm], in single brackets",
        ),
        ("[[upstream]]\n", "UA-0105 1:1 write [upstream.NAME]"),
        ("[upstream]\n", "UA-0129 1:1 add [upstream.NAME]"),
        (
            "{CRM}set_headers = [\"A: b\"]\n",
            "UA-0105 6:15 write set_headers = {",
        ),
        (
            "{CRM}read_only = 1\n",
            "UA-0105 6:13 write read_only = true",
        ),
    ]);
}

#[test]
fn what_would_have_no_effect_or_another_is_refused() {
    let bill = "[upstream.bill]\nprovider = \"zuora\"\nlogin_url = \"https://z.example\"\nclient_id = \"i\"\nclient_secret = \"${SECRET}\"\n";
    check_all(&[
        ("{CRM}tls = \"auto\"\n", "UA-0128 6:1 add listen = "),
        (
            "{CRM}host = \"localhost\"\n",
            "UA-0130 1:11 default = \"crm\"",
        ),
        (
            "{CRM}host = \"[::1]\"\n",
            "UA-0130 1:11 host of all upstreams",
        ),
        (
            "{CRM}host = \"127.0.0.1\"\n",
            "UA-0130 1:11 host of all upstreams",
        ),
        (
            &format!("{{CRM}}host = \"bill.localhost\"\n{bill}"),
            "UA-0130 1:11 `crm` and `bill` have the same host",
        ),
        (
            "{CRM}instance_hosts = [\"https://acme.example\"]\n",
            "UA-0124 6:19 has a scheme",
        ),
        (
            &format!("{bill}grant = \"jwt_bearer\"\n"),
            "UA-0108 6:9 one of: client_credentials",
        ),
    ]);
    for (host, meant) in [
        (
            "acme--dev.sandbox.lightning.force.com",
            "acme--dev.sandbox.my.salesforce.com",
        ),
        ("acme.my.salesforce-setup.com", "acme.my.salesforce.com"),
    ] {
        let text = crate::config::tests::CRM.replace("acme.my.salesforce.com", host);
        check(&text, &[&format!("UA-0118 3:13 https://{meant}")]);
    }
    let sound = format!("{bill}host = \"bill.localhost\"\n[defaults.upstream]\ntls = \"auto\"\n");
    assert!(super::parse(&sound).is_ok());
}
