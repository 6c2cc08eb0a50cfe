//! Pieces of configurations as problems quote them.

use super::Mask;

mod keys;

/// Rows of `text` and `shown`, below `header`.
fn check_in(header: &str, rows: &[(&str, &str)]) {
    for (text, shown) in rows {
        let mask = Mask::of(&format!("{header}\n{text}"));
        assert_eq!(mask.text(), format!("{header}\n{shown}"), "{text}");
    }
}

fn check(rows: &[(&str, &str)]) {
    check_in("[upstream.a]", rows);
}

#[test]
fn secrets_are_hidden() {
    check(&[
        (
            "client_secret = \"hunter2\"",
            "client_secret = \"********\"",
        ),
        ("client_secret='hunter2'", "client_secret='********'"),
        (
            "\"client_secret\" = \"hunter2\"",
            "\"client_secret\" = \"********\"",
        ),
        ("password = \"hun\\\"ter2\"", "password = \"********\""),
        ("password = \"hunter2", "password = \"********"),
        ("password = hunter2", "password = ********"),
        ("password = hun ter,2#x", "password = ******** ********"),
        ("password \"hunter2\"", "password ********"),
        ("password: hunter2", "password: ********"),
        ("password hunter2", "password ********"),
        (
            "password = \"\"\"a\n  b\"\"\"\nhost = \"h\"",
            "password = \"\"\"********\n  ********\"\"\"\nhost = \"h\"",
        ),
        (
            "password = \"\"\"a\\\"\"\"\nhost = \"b\"\"\"",
            "password = \"\"\"********\n********\"\"\"",
        ),
        (
            "client_secret.value = \"x\"",
            "client_secret.value = \"********\"",
        ),
    ]);
}

#[test]
fn references_stay_unless_they_name_no_variable() {
    check(&[
        (
            "client_secret.env = \"NAME\"",
            "client_secret.env = \"NAME\"",
        ),
        (
            "client_secret = { env = \"NAME\" }",
            "client_secret = { env = \"NAME\" }",
        ),
        (
            "client_secret = { env = \"a-b\" }",
            "client_secret = { env = \"********\" }",
        ),
        ("client_secret = \"${NAME}\"", "client_secret = \"${NAME}\""),
        (
            "client_secret = { file = 'a', value = 'x' }",
            "client_secret = { file = 'a', value = '********' }",
        ),
        (
            "password = { command = [\"op\", \"x\"] }",
            "password = { command = [\"********\", \"********\"] }",
        ),
        (
            "client_id = \"${CLIENT_ID:-abc}\"",
            "client_id = \"********\"",
        ),
        ("username = \"me@h.example\"", "username = \"********\""),
        (
            "client_secret = \"a\" b\" # c",
            "client_secret = \"********\" ********",
        ),
        (
            "command = [\"curl\", \"-u\", \"me:hunter2\"]",
            "command = [\"********\", \"********\", \"********\"]",
        ),
    ]);
}

#[test]
fn what_is_known_to_be_harmless_is_shown() {
    check(&[
        ("provider = \"salesforse\"", "provider = \"salesforse\""),
        ("provider = salesforce", "provider = salesforce"),
        (
            "deny = [ # why\n  \"/a?b\", '/password/**',\n]",
            "deny = [\n  \"/a?b\", '/password/**',\n]",
        ),
        (
            "grant = \"password\"\nkey_id = \"k1\"",
            "grant = \"password\"\nkey_id = \"k1\"",
        ),
        (
            "token_wait = \"3x\"\nconnections = -1",
            "token_wait = \"3x\"\nconnections = -1",
        ),
        ("read_only = yes", "read_only = yes"),
        (
            "tls = { cert = { file = \"c\" }, key = \"x\" }",
            "tls = { cert = { file = \"c\" }, key = \"********\" }",
        ),
        ("tls.key.file = \"k\"", "tls.key.file = \"k\""),
        ("header = \"baerer\"", "header = \"baerer\""),
        (
            "remove_headers = [\"X-A\", \"X-B: x\"]",
            "remove_headers = [\"X-A\", \"********\"]",
        ),
        (
            "header = { name = \"X-Key: x\" }",
            "header = { name = \"********\" }",
        ),
        ("ca = \"-----BEGIN x\"", "ca = \"********\""),
        (
            "private_key = { file = \"a\\nb\" }",
            "private_key = { file = \"********\" }",
        ),
        ("header = \"X-Key: x\"", "header = \"********\""),
        (
            "header = [{ name = \"X\", value = \"x\" }]",
            "header = [{ name = \"X\", value = \"********\" }]",
        ),
        (
            "success = { path = \"/ok\", equals = true }",
            "success = { path = \"/ok\", equals = true }",
        ),
        (
            "fields = { error = \"/x\", access_token = \"/x\" }",
            "fields = { error = \"/x\", access_token = \"********\" }",
        ),
        ("api.ca = [{ file = \"a\" }]", "api.ca = [{ file = \"a\" }]"),
        (
            "[upstream.a.token]\nca = \"a\"",
            "[upstream.a.token]\nca = \"a\"",
        ),
        (
            "[defaults.upstream]\nhost = \"a\"",
            "[defaults.upstream]\nhost = \"a\"",
        ),
        (
            "[server.limits]\nconnections = 1.5",
            "[server.limits]\nconnections = 1.5",
        ),
        (
            "[[route.\"r\"]]\npath = \"a\"",
            "[[route.\"r\"]]\npath = \"a\"",
        ),
        (
            "login_url = \"https://u:p, 'q\" ",
            "login_url = \"https://u:********\" ",
        ),
        (
            "api_url = \"https://u:p, 'q@h/x?k=y\"",
            "api_url = \"https://********@h/x?********\"",
        ),
    ]);
    check_in(
        "[access]",
        &[
            ("keys = \"upauth-1\"", "keys = \"********\""),
            (
                "keys = [\"upauth-1\", { name = \"a\", key = \"upauth-2\" }]",
                "keys = [\"********\", { name = \"a\", key = \"********\" }]",
            ),
            (
                "keys = [{ name = \"a\", sha256 = \"x\", upstreams = [\"crm\"] }]",
                "keys = [{ name = \"a\", sha256 = \"********\", upstreams = [\"crm\"] }]",
            ),
        ],
    );
    check_in(
        "",
        &[(
            "upstream = { a = { host = \"h\", password = \"x\" } }\nroute.r.path = \"a\"",
            "upstream = { a = { host = \"h\", password = \"********\" } }\nroute.r.path = \"a\"",
        )],
    );
}

#[test]
fn what_stands_at_or_below_a_key_that_nobody_knows_is_hidden_whatever_it_is() {
    check(&[
        ("pass = \"x\"", "pass = \"********\""),
        ("pass = 12", "pass = ********"),
        ("pass.env = \"X\"", "pass.env = \"********\""),
        (
            "pass = { file = \"x\", host = 'y' }",
            "pass = { file = \"********\", host = '********' }",
        ),
        (
            "comand = [\"x\",\n [1, 'y']]",
            "comand = [\"********\",\n [********, '********']]",
        ),
        ("\"pass word\" = \"x\"", "\"********\" = \"********\""),
        (
            "proxy = \"me:hunter2\"\nproxy = \"http://p:1\"\nproxy = \"off\"",
            "proxy = \"********\"\nproxy = \"http://p:1\"\nproxy = \"off\"",
        ),
        (
            "proxy = { url = \"http://p\", pass = \"x\" }",
            "proxy = { url = \"http://p\", pass = \"********\" }",
        ),
        ("host.pass = \"x\"", "host.pass = \"********\""),
        ("token = \"x\"", "token = \"********\""),
        ("level = \"x\"", "level = \"********\""),
        (
            "request = { a = \"x\", host = { env = \"B\" }, c = { d = 1 } }",
            "request = { a = \"********\", host = { env = \"B\" }, c = { d = ******** } }",
        ),
        (
            "token_headers = { env = \"X\", file = \"x\" }",
            "token_headers = { env = \"********\", file = \"********\" }",
        ),
        (
            "set_headers.Authorization = \"x\"",
            "set_headers.Authorization = \"********\"",
        ),
        (
            "set_header = { host = \"x\" }",
            "set_header = { host = \"********\" }",
        ),
        (
            "[upstream.a.set_header]\nhost = \"x\"\n[admin]\nlisten = \"l\"",
            "[upstream.a.set_header]\nhost = \"********\"\n[admin]\nlisten = \"l\"",
        ),
        (
            "[upstrem.a]\nhost = \"x\"",
            "[upstrem.a]\nhost = \"********\"",
        ),
        ("[a]\nhost = \"x\"", "[a]\nhost = \"********\""),
        (
            "host = \"h\" # password = \"x\"\n# x\nhost = 'h'",
            "host = \"h\"\n\nhost = 'h'",
        ),
    ]);
}

#[test]
fn of_what_is_no_toml_nothing_is_shown_but_keys_of_the_schema() {
    check(&[
        ("{\"client_secret\": \"x\", \"b\": 1}", "********"),
        ("\"client_secret\": \"x\",", "\"client_secret\": ********"),
        ("export CLIENT_SECRET=x", "********"),
        ("x", "********"),
        ("\u{a0}password = \"x\"", "\u{a0}********"),
        ("aHVudGVyMg==", "********"),
        ("hun = ter2", "********"),
        ("host = \"a\\u0040b\"", "host = \"********\""),
        ("host = \"\"\"a\"\"\"", "host = \"\"\"a\"\"\""),
        (
            "host = \"\"\"a\npassword = 'x'\n\"\"\"",
            "host = \"\"\"********\n********\n\"\"\"",
        ),
        (
            "host = \"\"\"a\npassword = 'x'",
            "host = \"\"\"********\n********",
        ),
        (
            "host = \"a\" \"x\"\nhost = \"b\"",
            "host = \"********\" ********\nhost = \"********\"",
        ),
        (
            "host = \"a\nhost = \"b\"\n[route.r]\nhost = \"c\"",
            "host = \"********\nhost = \"********\"\n[route.r]\nhost = \"c\"",
        ),
        (
            "set_headers = {\n host = \"a\"b\",\n host = \"c\"\n}\nhost = \"d\"",
            "set_headers = {\n host = \"********\"********\n host = \"********\"\n********\nhost = \"********\"",
        ),
        (
            "tls = { cert = \"c, key = \"x\" }",
            "tls = { cert = \"******** \"********",
        ),
        (
            "keys = [\n[server]\nlisten = \"a\"",
            "keys = [\n[********]\nlisten = \"********\"",
        ),
        (
            "tls = {\n[server]\nlisten = \"a\"",
            "tls = {\n[server]\nlisten = \"a\"",
        ),
        ("[route.r\nhost = \"a\"", "[route.r\nhost = \"********\""),
        (
            "[route.r] x\nhost = \"a\"",
            "[route.r] ********\nhost = \"********\"",
        ),
        (
            "[route r]\nhost = \"a\"",
            "[route ********\nhost = \"********\"",
        ),
    ]);
    let deep = "[".repeat(100_000);
    assert!(!Mask::of(&format!("include = {deep}x")).text().contains('x'));
}

#[test]
fn a_secret_below_its_key_is_hidden_and_what_follows_is_not() {
    check(&[
        ("password =\n\"hunter2\"", "password =\n********"),
        (
            "password = # why\n\n  'hunter2' x",
            "password =\n\n  ********",
        ),
        ("password =\naHVudGVyMg==\n", "password =\n********\n"),
        ("password =\na=hunter2\n[b]", "password =\n********\n[b]"),
        ("password\n= \"hunter2\"", "password\n= \"********\""),
        ("password:\n  hunter2\n", "password:\n  ********\n"),
        (
            "password = \"a\"\nb\nsecret \"hunter2\" # c\n",
            "password = \"********\"\n********\n********\n",
        ),
        ("password =\n[\"hunter2\"]\n", "password =\n********\n"),
        (
            "password = \"a\"\n[upstream.b]\n",
            "password = \"********\"\n[upstream.b]\n",
        ),
        (
            "password = \"a\"\n\nhost = \"b\"\n",
            "password = \"********\"\n\nhost = \"b\"\n",
        ),
    ]);
}

#[test]
fn places_move_with_the_text() {
    let text = "outbound.proxy = { password = \"xy\", # z\nexcept = 1 }";
    let mask = Mask::of(text);
    let shown = |from: &str, length: usize| {
        let at = text.find(from).unwrap();
        mask.text().get(mask.span(&(at..at + length))).unwrap()
    };
    assert_eq!(shown("except", 6), "except");
    assert_eq!(shown("\"xy", 4), "\"********\"");
    assert_eq!(shown("y\"", 1), "********");
    assert_eq!(shown("z", 1), "");
    assert!(mask.hides(&(30..32)) && !mask.hides(&(0..29)));
}
