//! Any OAuth 2.0 server: what its description becomes, and mistakes in it; the header that a token travels in.

use http::header::AUTHORIZATION;

use super::mistakes::{check, check_all};
use super::parse;
use crate::config::Provider;
use crate::config::carrier::Header;
use crate::config::oauth2::{Dead, Encode, Grant, OAuth2, Parameter, Proof, Scalar, Target, Unit};
use crate::secret::{Algorithm, Source};

/// Five lines of a sound upstream, and `more`.
fn any(more: &str) -> String {
    format!(
        "[upstream.any]\nprovider = \"oauth2\"\ntoken_url = \"https://login.example/oauth2/token?v=1\"\n\
         api_url = \"https://api.example/v3/\"\nclient_id = \"id\"\n{more}"
    )
}

const SECRET: &str = "client_secret = { env = \"SECRET\" }\n";

fn read(text: &str) -> OAuth2 {
    let checked = parse(text).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    match checked
        .config
        .upstreams
        .into_iter()
        .next()
        .unwrap()
        .provider
    {
        Provider::OAuth2(oauth2) => *oauth2,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_shortest_description_is_a_form_with_the_client_in_its_body() {
    let any = read(&any(SECRET));
    assert_eq!(any.token_url.0.to_string(), "https://login.example");
    assert_eq!(any.token_url.1, "/oauth2/token?v=1");
    let Target::Api(api) = &any.target else {
        panic!("{any:?}")
    };
    assert_eq!(
        (api.origin.to_string().as_str(), api.path.as_str()),
        ("https://api.example", "/v3")
    );
    assert!(matches!(any.grant, Grant::ClientCredentials));
    assert!(matches!(any.client.proof, Proof::Body { .. }));
    assert_eq!(
        (any.encode, any.header.as_slice()),
        (Encode::Form, &[Header::Bearer][..])
    );
    assert_eq!(any.fields.access_token, "/access_token");
    assert!(any.dead_session.is_empty() && any.success.is_none() && any.request.is_empty());
}

fn shown((name, parameter): &(String, Parameter)) -> String {
    match parameter {
        Parameter::Given(scalar) => format!("{name}={scalar}"),
        Parameter::List(list) => format!("{name}={list:?}"),
        Parameter::Secret(Source::Value(_)) => format!("{name}=value"),
        Parameter::Secret(source) => format!("{name}={source:?}"),
    }
}

#[test]
fn a_whole_description_is_read() {
    let text = any(&format!(
        "{SECRET}encode = \"json\"\nclient_auth = \"basic-raw\"\nscope = \"a b\"\n\
         request = {{ grant_type = \"odd\", auth = {{ kind = \"app\", ttl = 3600, half = 0.5, on = true, key = {{ file = \"k\" }}, scopes = [\"a\", 1] }}, env = \"${{SECRET}}\" }}\n\
         token_headers = {{ X-Api-Key = {{ file = \"k\" }}, Authorization-X = \"y\" }}\n\
         fields = {{ access_token = \"/data/token\", expires_in = {{ path = \"/data/ttl\", unit = \"ms\" }} }}\n\
         success = {{ path = \"/ok\", equals = true }}\n\
         dead_session = [{{ status = 403, body = \"expired\" }}, {{ status = 440 }}]\n\
         header = [\"oauth\", {{ name = \"X-Token\", value = \"Tok {{access_token}};\" }}]\n"
    ));
    let any = read(&text);
    let shown: Vec<_> = any.request.iter().map(shown).collect();
    let expected = [
        "grant_type=odd",
        "auth/kind=app",
        "auth/ttl=3600",
        "auth/half=0.5",
        "auth/on=true",
        "auth/key=File(\"/etc/upauth/k\")",
        "auth/scopes=[Text(\"a\"), Integer(1)]",
        "env=value",
    ];
    assert_eq!(shown, expected);
    let names: Vec<_> = any
        .token_headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["x-api-key", "authorization-x"]);
    assert!(matches!(
        any.client.proof,
        Proof::Basic { encoded: false, .. }
    ));
    assert_eq!(
        (any.fields.expires_in.as_str(), any.fields.unit),
        ("/data/ttl", Unit::Milliseconds)
    );
    assert_eq!(any.success.unwrap().equals, Scalar::Flag(true).to_string());
    let dead = |status, body: Option<&str>| Dead {
        status,
        body: body.map(str::to_owned),
    };
    assert_eq!(
        any.dead_session,
        [dead(403, Some("expired")), dead(440, None)]
    );
    let own = Header::Own {
        name: "x-token".parse().unwrap(),
        before: "Tok ".to_owned(),
        after: ";".to_owned(),
    };
    assert_eq!(any.header, [Header::OAuth, own]);
    assert_eq!(any.header[0].name(), AUTHORIZATION);
    assert!(!format!("{:?}", parse(&text).unwrap()).contains("from-env"));
}

#[test]
fn a_list_of_parameters_holds_texts_and_numbers_that_stand_in_it() {
    let with = |list: &str| any(&format!("{SECRET}request = {{ a = {list} }}\n"));
    check_all(&[
        (&with("[\"x\", [1]]"), "UA-0105 7:23 must be a text"),
        (&with("[{ b = 1 }]"), "UA-0105 7:18 neither objects nor"),
        (&with("[{ env = \"SECRET\" }]"), "UA-0105 7:18 references"),
        (&with("[\"${SECRET}\"]"), "UA-0114 7:18 no references"),
    ]);
}

#[test]
fn what_would_take_good_answers_for_a_dead_token_is_refused() {
    let with = |entry: &str| any(&format!("{SECRET}dead_session = [{entry}]\n"));
    check_all(&[
        (&with("{ status = 200 }"), "UA-0106 7:17 add body"),
        (
            &with("{ status = 204, body = \"\" }"),
            "UA-0106 7:17 every answer with status 204",
        ),
        (&with("401"), "UA-0105 7:17 must be a list of tables"),
    ]);
    let empty = read(&with("{ status = 401, body = \"\" }"));
    assert_eq!(empty.dead_session[0].body, None);
}

#[test]
fn who_signs_needs_no_client_secret() {
    let key = "private_key = { file = \"k.pem\" }\n";
    let url = "https://login.example/oauth2/token?v=1";
    let client = read(&any(&format!(
        "client_auth = \"private_key_jwt\"\nalgorithm = \"ES256\"\nkey_id = \"k1\"\n{key}"
    )));
    let signing = client.client.signing.unwrap();
    assert_eq!(
        (signing.algorithm, signing.key_id.as_deref()),
        (Algorithm::Es256, Some("k1"))
    );
    assert!(matches!(client.client.proof, Proof::PrivateKeyJwt { audience } if audience == url));
    let grant = read(&any(&format!(
        "grant = \"jwt_bearer\"\nusername = \"u\"\naudience = \"a\"\n{key}"
    )));
    assert!(matches!(grant.client.proof, Proof::None));
    assert!(matches!(grant.grant, Grant::JwtBearer { audience, .. } if audience == "a"));
    assert_eq!(grant.audience, None);
    let nobody = any("client_auth = \"none\"\n").replace("client_id = \"id\"\n", "");
    assert!(read(&nobody).client.id.is_none());
}

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
            &any("client_auth = \"mtls\"\nclient_secret = \"${SECRET}\"\n"),
            "UA-0104 6:15 body, basic, basic-raw",
        ),
        (
            &any("client_auth = \"basc\"\n"),
            "UA-0108 6:15 did you mean `basic`?",
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
        "request = { a = 1979-05-27 }",
        "UA-0105 7:17 a text, a number, true or false",
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
        "fields = { access_token = \"data.token\" }",
        "UA-0108 7:27 write \"/data/token\"",
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
    (TOKEN, "login.example/token", "UA-0116 3:13 must start with"),
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
];
