//! Mistakes in references, listeners and values.

use super::{check, check_all};

#[test]
fn references() {
    let with_secret = |value: &str| {
        format!(
            "[upstream.z]\nprovider = \"zuora\"\nlogin_url = \"https://z.example\"\nclient_id = \"i\"\nclient_secret = {value}\n"
        )
    };
    let rows = [
        (
            "{ env = \"A\", file = \"b\" }",
            "UA-0112 5:17 keep one of env",
        ),
        ("{ env = \"NOWHERE\" }", "UA-0113 5:25 `NOWHERE` is not set"),
        ("{ env = \"EMPTY\" }", "UA-0113 5:25 `EMPTY` is empty"),
        ("{ env = \"NOWHERE\" }", "UA-0113 5:25 export NOWHERE=..."),
        ("{ env = \"\" }", "UA-0114 5:25 write { env = \"NAME\" }"),
        (
            "{ env = \"$NAME\" }",
            "UA-0114 5:25 the name of an environment",
        ),
        ("\"x ${NOWHERE}\"", "UA-0113 5:20 `NOWHERE` is not set"),
        ("\"${DEMO_X}\"", "UA-0113 5:18 `upauth emulate` prints"),
        ("\"${SECRET\"", "UA-0114 5:18 not closed"),
        ("\"${a b}\"", "UA-0114 5:18 name of an environment variable"),
        ("{}", "UA-0114 5:17 refers to nothing"),
        ("{ command = [] }", "UA-0114 5:29 names no program"),
        ("{ command = \"op read\" }", "UA-0105 5:29 command = ["),
        ("{ file = \"\" }", "UA-0114 5:26 `file` is empty"),
        ("{ enf = \"SECRET\" }", "UA-0103 5:19 did you mean `env`?"),
        ("5", "UA-0105 5:17 text in quotation marks"),
    ];
    for (value, expected) in rows {
        check(&with_secret(value), &[expected]);
    }
}

#[test]
fn references_of_what_is_read_with_the_file() {
    check_all(&[
        (
            "{CRM}host = { file = \"x\" }\n",
            "UA-0115 6:8 cannot read /etc/upauth/x: No such file",
        ),
        (
            "{CRM}set_headers = { X-A = { command = [\"false\", \"x\"] } }\n",
            "UA-0115 6:23 the command `false` failed",
        ),
        (
            "{CRM}methods = [{ command = [\"true\"] }]\n",
            "UA-0115 6:12 `true` is empty / run the program by hand",
        ),
        (
            "{CRM}token_wait = { command = [\"printf\", \"hunter2\"] }\n",
            "UA-0122 6:14 `token_wait` is not a duration",
        ),
        (
            "{CRM}[outbound]\nproxy = { url = { env = \"URL\" } }\n",
            "UA-0141 7:17 not the address of a proxy",
        ),
        (
            "{CRM}[server]\ntls = { cert = \"a.pem\", key = { file = \"b\" } }\n",
            "UA-0114 7:16 cert = { file = \"a.pem\" }",
        ),
        (
            "{CRM}[server]\nclient_ca = { file = \"a.pem\" }\n",
            "UA-0103 7:1 stands in tls = { cert",
        ),
        (
            "{CRM}[server]\ntls = { cert = { file = \"a.pem\" } }\n",
            "UA-0106 7:7 both `cert` and `key`",
        ),
        (
            "{CRM}[outbound]\nca = [\"a.pem\"]\n",
            "UA-0114 7:7 paths are references",
        ),
    ]);
}

#[test]
fn what_a_file_or_program_holds_is_in_no_problem() {
    let rows = [
        "host = VALUE",
        "listen = VALUE",
        "deny = [VALUE]",
        "header = VALUE",
        "tls = VALUE",
        "proxy = VALUE",
        "grant = VALUE",
        "[log]\nlevel = VALUE",
        "[server]\ndefault = VALUE",
        "[route.r]\npath = \"/r\"\nupstream = VALUE",
        "[upstream.z]\nprovider = VALUE",
        "[upstream.z]\nprovider = \"zuora\"\nclient_id = \"i\"\nclient_secret = \"${SECRET}\"\nlogin_url = VALUE",
    ];
    let printed = "{ command = [\"printf\", \"%s\", \"hunter 2\"] }";
    for row in rows {
        let text = super::with_crm(&format!("{{CRM}}{row}\n")).replace("VALUE", printed);
        let problems = super::parse(&text).unwrap_err();
        assert_eq!(problems.iter().count(), 1, "{row}\n{problems:?}");
        let problem = problems.iter().next().unwrap();
        let words = format!("{} {}", problem.message(), problem.remedy());
        assert!(!words.contains("hunter"), "{row}\n{words}");
    }
}

#[test]
fn a_list_of_all_that_may_pass_is_not_empty() {
    let help = "write deny = [\"/**\"]; to limit nothing, leave `allow` out";
    check_all(&[
        (
            "{CRM}allow = []\n",
            &format!("UA-0108 6:9 `allow` is empty / to allow nothing, {help}"),
        ),
        (
            "{CRM}[defaults.upstream]\nallow = []\n",
            "UA-0108 7:9 in [defaults.upstream] too",
        ),
        // Which says enough.
        ("{CRM}allow = [\"x\"]\n", "UA-0125 6:10 "),
    ]);
    let sound = "{CRM}deny = []\nmethods = []\n";
    assert!(super::parse(&super::with_crm(sound)).is_ok());
}

#[test]
fn somebody_listens_for_callers() {
    check_all(&[
        (
            "{CRM}[server]\nlisten = \"\"\n",
            "UA-0137 7:10 give an upstream or a route",
        ),
        (
            "{CRM}[admin]\nhealth_listen = \"0.0.0.0:1\"\n[server]\nlisten = []\n",
            "UA-0137 9:10 nothing listens for callers",
        ),
        // Which would listen if it could be read.
        (
            "{CRM}listen = \"7717\"\n[server]\nlisten = \"\"\n",
            "UA-0119 6:10 has no port",
        ),
    ]);
}

#[test]
fn listeners() {
    check_all(&[
        (
            "{CRM}[server]\nlisten = \"unix:\"\n",
            "UA-0119 7:10 is not the path of a unix socket",
        ),
        (
            "{CRM}listen = \"unix:/run/upauth\"\n[server]\nlisten = \"unix:/run/upauth\"\n",
            "UA-0121 8:10 another listener has this address",
        ),
        (
            "{CRM}[server]\ntls = { cert = { file = \"a\" }, key = { file = \"b\" }, client_ca = \"c\" }\n",
            "UA-0114 7:66 `client_ca`",
        ),
        (
            "{CRM}[server]\nlisten = \"proxy.local:7717\"\n",
            "UA-0119 7:10 IP address or localhost",
        ),
        (
            "{CRM}[server]\nlisten = \":7717\"\n",
            "UA-0119 7:10 IP address or localhost",
        ),
        (
            "{CRM}[server]\nlisten = \"localhost\"\n",
            "UA-0119 7:10 has no port",
        ),
        (
            "{CRM}[server]\nlisten = \"::1:7717\"\n",
            "UA-0119 7:10 [::1]:7717",
        ),
        (
            "{CRM}[server]\nlisten = 7717\n",
            "UA-0105 7:10 listen = \"localhost:7717\"",
        ),
        (
            "{CRM}[server]\nlisten = \"/run/upauth.sock\"\n",
            "UA-0119 7:10 \"unix:/run/upauth.sock\"",
        ),
        (
            "{CRM}[server]\nlisten = \"0.0.0.0:7717\"\n",
            "UA-0120 7:10 [access] open = true",
        ),
        ("{CRM}listen = \"[::]:9000\"\n", "UA-0120 6:10 localhost"),
        (
            "{CRM}[admin]\nlisten = \"10.0.0.1:7718\"\n",
            "UA-0120 7:10 health_listen",
        ),
        (
            "{CRM}[admin]\nlisten = \"localhost:7717\"\n",
            "UA-0121 7:10 address of its own",
        ),
        ("{CRM}listen = \"127.0.0.1:7718\"\n", "UA-0121 6:10 already"),
        (
            "{CRM}[access]\nopen = true\n[server]\nlisten = [\"0.0.0.0:80\", \"127.0.0.1:80\"]\n",
            "UA-0121 9:25 already",
        ),
        (
            "{CRM}[admin]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n",
            "UA-0105 7:10 one address",
        ),
    ]);
}

#[test]
fn values_out_of_range() {
    check_all(&[
        (
            "{CRM}token_wait = \"20\"\n",
            "UA-0122 6:14 a number and a unit",
        ),
        ("{CRM}token_wait = 20\n", "UA-0105 6:14 \"30s\""),
        (
            "{CRM}token_timeout = \"0s\"\n",
            "UA-0122 6:17 longer than zero",
        ),
        (
            "{CRM}token_wait = \"2days\"\n",
            "UA-0122 6:14 longer than 24h",
        ),
        ("{CRM}connections = 0\n", "UA-0123 6:15 from 1 to 65535"),
        (
            "{CRM}connections = \"many\"\n",
            "UA-0123 6:15 a whole number from 1 to 65535",
        ),
        ("{CRM}rotates = false\n", "UA-0128 6:1 does not apply"),
        ("{CRM}grant = 1\n", "UA-0105 6:9 \"jwt_bearer\""),
        ("{CRM}connections = -1\n", "UA-0123 6:15 from 1 to 65535"),
        (
            "{CRM}[server.limits]\nheader_bytes = \"1KiB\"\n",
            "UA-0123 7:16 from 8192",
        ),
        (
            "{CRM}[server.limits]\nheader_bytes = \"64KB\"\n",
            "UA-0123 7:16 KiB",
        ),
        (
            "{CRM}[server.limits]\nbuffer_bytes = 10\n",
            "UA-0123 6:1 smaller than",
        ),
        ("{CRM}[log]\nlevel = \"loud\"\n", "UA-0108 7:9 `loud`"),
        ("{CRM}[server]\ntls = \"on\"\n", "UA-0108 7:7 \"auto\""),
    ]);
}

#[test]
fn methods_rules_and_headers() {
    check_all(&[
        ("{CRM}methods = [\"get\"]\n", "UA-0126 6:12 capitals"),
        ("{CRM}methods = [\"DELTE\"]\n", "UA-0126 6:12 GET, HEAD"),
        (
            "{CRM}deny = [\"DELTE /a\"]\n",
            "UA-0125 6:9 methods are GET",
        ),
        (
            "{CRM}methods = [\"TRACE\"]\n",
            "UA-0126 6:12 is not a method that is forwarded",
        ),
        ("{CRM}deny = [\"services\"]\n", "UA-0125 6:9 [METHOD ]"),
        (
            "{CRM}deny = [\"/v1/[0-9]+\"]\n",
            "UA-0125 6:9 no regular expressions",
        ),
        (
            "{CRM}set_headers = { Host = \"x\" }\n",
            "UA-0127 6:17 belongs to the proxy",
        ),
        (
            "{CRM}set_headers = { Authorization = \"x\" }\n",
            "UA-0127 6:17 carries a credential",
        ),
        (
            "{CRM}set_headers = { X_SFDC_Session = \"x\" }\n",
            "UA-0127 6:17 carries a credential",
        ),
        (
            "{CRM}set_headers = { X-A = \"a\", x-a = \"b\" }\n",
            "UA-0127 6:28 sets x-a twice",
        ),
        (
            "{CRM}set_headers = { X-A = \"a\\nb\" }\n",
            "UA-0127 6:23 visible ASCII",
        ),
        (
            "{CRM}remove_headers = [\"Connection\"]\n",
            "UA-0127 6:19 belongs to the proxy",
        ),
        (
            "{CRM}remove_headers = [\"a b\"]\n",
            "UA-0127 6:19 not a header name",
        ),
    ]);
}

#[test]
fn outbound_proxies() {
    check_all(&[
        ("{CRM}proxy = \"on\"\n", "UA-0108 6:9 unknown proxy `on`"),
        ("{CRM}proxy = 1\n", "UA-0105 6:9 "),
        (
            "{CRM}proxy = \"http://p:3128\"\n",
            "UA-0108 6:9 write proxy = { url = \"http://p:3128\" }",
        ),
        (
            "{CRM}proxy = \"http://me:pw@p:3128\"\n",
            "UA-0108 6:9 { url = \"http://HOST:PORT\" }",
        ),
        ("{CRM}proxy = {}\n", "UA-0106 6:9 lacks `url`"),
        (
            "{CRM}proxy = { url = \"http://p:1\", password = \"x\" }\n",
            "UA-0106 6:9 lacks `username`",
        ),
        (
            "{CRM}proxy = { url = \"https://p:1\" }\n",
            "UA-0141 6:17 plain http",
        ),
        (
            "{CRM}proxy = { url = \"http://me:pw@p:1\" }\n",
            "UA-0141 6:17 keys of their own",
        ),
        (
            "{CRM}proxy = { url = \"http://p:1\", user = \"me\" }\n",
            "UA-0103 6:31 did you mean `username`?",
        ),
    ]);
}
