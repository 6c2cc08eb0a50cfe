//! Mistakes in the description of an OAuth 2.0 server.

use super::{check, check_all};
use crate::config::tests::oauth2::{SECRET, any};
use crate::config::tests::parse;

#[test]
fn what_is_missing_or_said_twice_is_told() {
    check(
        "[upstream.any]\nprovider = \"oauth2\"\n",
        &[
            "UA-0106 1:1 add token_url = \"https://HOST/PATH\"",
            "UA-0106 1:1 lacks `api_url`",
            "UA-0106 1:1 lacks `client_id`",
            "UA-0106 1:1 lacks `client_secret`",
        ],
    );
    let instance = any("fields = { instance_url = \"/base\" }\n")
        .replace("api_url = \"https://api.example/v3/\"\n", "");
    check_all(&[
        (
            &format!("{instance}{SECRET}"),
            "UA-0106 1:1 lacks `instance_hosts`",
        ),
        (
            &format!(
                "{}{SECRET}",
                any("fields = { instance_url = \"/base\" }\ninstance_hosts = [\"a.example\"]\n")
            ),
            "UA-0128 6:27 keep one of them",
        ),
        (
            &any(&format!("{SECRET}instance_hosts = [\"a.example\"]\n")),
            "UA-0128 7:18 none is read from it",
        ),
    ]);
}

#[test]
fn what_another_grant_or_proof_needs_does_not_apply() {
    check_all(&[
        (
            &any("client_auth = \"none\"\nclient_secret = \"${SECRET}\"\n"),
            "UA-0128 7:1 client_auth = \"body\"",
        ),
        (
            &any(&format!("{SECRET}private_key = {{ file = \"k\" }}\n")),
            "UA-0128 7:1 grant = \"jwt_bearer\"",
        ),
        (
            &any(&format!("{SECRET}client_audience = \"a\"\n")),
            "UA-0128 7:1 private_key_jwt",
        ),
        (
            &any(&format!("{SECRET}username = \"u\"\n")),
            "UA-0128 7:1 grant = \"password\" or \"jwt_bearer\"",
        ),
        (
            &any(&format!("{SECRET}security_token = \"u\"\n")),
            "UA-0128 7:1 oauth2 upstreams",
        ),
        (
            &any(&format!("{SECRET}local_login = false\n")),
            "UA-0128 7:1 none is answered here",
        ),
        (
            &any(&format!("{SECRET}local_login = true\n")),
            "UA-0128 7:1 `local_login` does not apply to oauth2 upstreams",
        ),
    ]);
}

#[test]
fn words_and_parameters_that_another_word_stands_for_are_told() {
    check_all(&[
        (
            &any("client_auth = \"mtls\"\nclient_secret = \"${SECRET}\"\n"),
            "UA-0104 6:15 body, basic, basic-raw",
        ),
        (
            &any(&format!("{SECRET}client_auth = \"tls_client_auth\"\n")),
            "UA-0104 7:15 `client_auth = \"tls_client_auth\"` is not in this version",
        ),
        (
            &any("client_auth = \"basc\"\n"),
            "UA-0108 6:15 did you mean `basic`?",
        ),
        (
            &any("client_auth = \"client_secret_basic\"\n"),
            "UA-0108 6:15 did you mean `basic`?",
        ),
        (
            &any(&format!(
                "{SECRET}grant = \"urn:ietf:params:oauth:grant-type:jwt-bearer\"\n"
            )),
            "UA-0108 7:9 did you mean `jwt_bearer`?",
        ),
        (
            &any(&format!("{SECRET}grant = \"implicit\"\n")),
            "UA-0108 7:9 unknown grant",
        ),
        (
            &any(&format!("{SECRET}request = {{ client_id = \"x\" }}\n")),
            "UA-0128 7:13 one parameter",
        ),
        (
            &any(&format!(
                "{SECRET}scope = \"a\"\nrequest = {{ scope = \"x\" }}\n"
            )),
            "UA-0128 8:13 key of its own",
        ),
        (
            &any(&format!(
                "{SECRET}client_auth = \"basic\"\ntoken_headers = {{ Authorization = \"x\" }}\n"
            )),
            "UA-0127 8:19 client_auth",
        ),
    ]);
}

#[test]
fn a_default_that_is_of_no_use_to_it_is_no_mistake() {
    let defaults = "[defaults.upstream]\nlocal_login = false\nsession_timeout = \"1h\"\n";
    assert!(parse(&format!("{defaults}{}", any(SECRET))).is_ok());
}

#[test]
fn places_urls_and_values_that_cannot_be_are_told() {
    let with = |line: &str| any(&format!("{SECRET}{line}\n"));
    for (line, expected) in LINES {
        check(&with(line), &[expected]);
    }
    let sound = any(SECRET);
    for (sane, odd, expected) in URLS {
        check(&sound.replace(sane, odd), &[expected]);
    }
}

const TOKEN: &str = "https://login.example/oauth2/token?v=1";
const API: &str = "https://api.example/v3/";
/// A line, and what is said of it.
const LINES: &[(&str, &str)] = &[
    (
        "request = { a = { b = 1 } }",
        "UA-0108 7:13 encode = \"json\"",
    ),
    (
        "request = { a = inf }",
        "UA-0105 7:17 a text, a number, true or false",
    ),
    ("request = 1", "UA-0105 7:11 request = {"),
    (
        "token_headers = { Host = \"x\" }",
        "UA-0127 7:19 belongs to the proxy",
    ),
    (
        "token_headers = { Content-Type = \"x\" }",
        "UA-0127 7:19 follows from `encode`",
    ),
    (
        "token_headers = { A = \"a\\nb\" }",
        "UA-0127 7:23 visible ASCII",
    ),
    (
        "fields = { error = \"data.error\" }",
        "UA-0108 7:20 write \"/data/error\"",
    ),
    (
        "fields = { access_token = \"perhaps the token itself\" }",
        "UA-0108 7:27 names with / before each: \"/data/token\"",
    ),
    (
        "fields = { expires_in = 3600 }",
        "UA-0105 7:25 where the lifetime stands",
    ),
    ("fields = \"/data\"", "UA-0105 7:10 fields = { access_token"),
    ("success = true", "UA-0105 7:11 success = { path"),
    (
        "dead_session = [401]",
        "UA-0105 7:17 dead_session = [{ status",
    ),
    ("request = \"a=b\"", "UA-0105 7:11 request = { NAME"),
    ("login_url = \"https://a.example\"", "UA-0128 7:1 token_url"),
    (
        "grant = \"refresh_token\"\nrefresh_token = \"${SECRET}\"",
        "UA-0170 8:17 rotates = \"never\"",
    ),
    (
        "fields = { expires_in = { path = \"$.ttl\" } }",
        "UA-0108 7:34 write \"/ttl\"",
    ),
    (
        "fields = { expires_in = { unit = \"fortnights\" } }",
        "UA-0108 7:34 one of: s, ms, min",
    ),
    (
        "fields = { acess_token = \"/x\" }",
        "UA-0103 7:12 did you mean `access_token`?",
    ),
    (
        "success = { path = \"/ok\" }",
        "UA-0106 7:11 lacks `equals`",
    ),
    (
        "dead_session = { status = 403 }",
        "UA-0105 7:16 dead_session = [{",
    ),
    (
        "dead_session = [{ body = \"x\" }]",
        "UA-0106 7:17 lacks `status`",
    ),
    (
        "dead_session = [{ status = 99 }]",
        "UA-0123 7:28 from 200 to 599",
    ),
    ("header = { name = \"X\" }", "UA-0106 7:10 {access_token}"),
    (
        "header = { name = \"X\", value = \"Y\" }",
        "UA-0127 7:32 must hold {access_token} once",
    ),
    (
        "header = { name = \"Host\", value = \"{access_token}\" }",
        "UA-0127 7:19 belongs to the proxy",
    ),
    (
        "header = [\"bearer\", \"oauth\"]",
        "UA-0127 7:10 authorization twice",
    ),
    ("header = \"bearr\"", "UA-0108 7:10 did you mean `bearer`?"),
    (
        "algorithm = \"HS256\"",
        "UA-0128 7:1 `algorithm` does not apply",
    ),
];
/// A sound URL, what stands instead of it, and what is said of that.
const URLS: &[(&str, &str, &str)] = &[
    (
        TOKEN,
        "http://login.example/token",
        "UA-0117 3:13 https://login.example",
    ),
    (
        TOKEN,
        "login.example/token",
        "UA-0116 3:13 write token_url = \"https://login.example/token\"",
    ),
    (
        TOKEN,
        "https:///token",
        "UA-0116 3:13 a whole URL: token_url = ",
    ),
    (
        TOKEN,
        "https://login.example/a#b",
        "UA-0116 3:13 without a fragment",
    ),
    (TOKEN, "https://login.example/a b", "UA-0116 3:13 %20"),
    (API, "https://api.example/v3?x=1", "UA-0116 4:11 no query"),
    (API, "https://api.example/../v3", "UA-0116 4:11 no dots"),
    (
        API,
        "http://api.example/v3",
        "UA-0117 4:11 https://api.example",
    ),
    (API, "api.example", "UA-0116 4:11 https://api.example"),
    (
        API,
        "api.example/v3",
        "UA-0116 4:11 write api_url = \"https://api.example/v3\"",
    ),
];
