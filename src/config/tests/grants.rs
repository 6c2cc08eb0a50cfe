//! The grants of Salesforce: what each needs, what does not belong to it, and keys that cannot be used.

use std::path::Path;

use super::mistakes::{check, check_all};
use super::{parse, with_crm};
use crate::config::salesforce::{Environment, Grant, Login};
use crate::config::{Config, Provider};

fn by(grant: &str, more: &str) -> String {
    format!(
        "[upstream.crm]\nprovider = \"salesforce\"\ngrant = \"{grant}\"\n\
         login_url = \"https://acme--dev.sandbox.my.salesforce.com\"\nclient_id = \"id\"\n{more}"
    )
}

fn login(text: &str) -> Login {
    let config = Config::parse(text, "proxy.toml", Path::new("."), &super::env);
    let config = config.unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    match config.config.upstreams.into_iter().next().unwrap().provider {
        Provider::Salesforce(salesforce) => salesforce.login,
        other => panic!("{other:?}"),
    }
}

const KEY: &str = "username = \"u\"\nprivate_key = { file = \"tests/keys/rsa.pem\" }\n";
const TOKEN: &str = "refresh_token = { env = \"SECRET\" }\nrotates = \"never\"\n";

#[test]
fn the_audience_of_an_assertion_follows_from_the_login_host_unless_it_is_given() {
    let rows = [
        ("", "https://test.salesforce.com"),
        ("audience = \"\"\n", "https://test.salesforce.com"),
        ("audience = \"https://a.example\"\n", "https://a.example"),
    ];
    for (more, expected) in rows {
        let text = by("jwt_bearer", &format!("{KEY}{more}"));
        let Login::Call {
            grant: Grant::JwtBearer { audience, .. },
            ..
        } = login(&text)
        else {
            panic!("{text}")
        };
        assert_eq!(audience, expected);
    }
}

#[test]
fn a_refresh_token_needs_no_client_secret_and_a_program_no_login_host() {
    for more in ["", "client_secret = { env = \"SECRET\" }\n"] {
        let text = by("refresh_token", &format!("{TOKEN}{more}"));
        let Login::Call {
            grant: Grant::RefreshToken { client_secret, .. },
            ..
        } = login(&text)
        else {
            panic!("{text}")
        };
        assert_eq!(client_secret.is_some(), !more.is_empty());
    }
    let text = "[upstream.crm]\nprovider = \"salesforce\"\ngrant = \"command\"\ncommand = [\"sf\", \"org\"]\n";
    assert!(matches!(login(text), Login::Program { api_url: None, .. }));
}

#[test]
fn each_grant_has_keys_of_its_own() {
    check(
        "[upstream.crm]\nprovider = \"salesforce\"\ngrant = \"jwt_bearer\"\n",
        &[
            "UA-0106 1:1 lacks `login_url`",
            "UA-0106 1:1 lacks `client_id`",
            "UA-0106 1:1 lacks `username`",
            "UA-0106 1:1 add private_key = { file = \"KEY.pem\" }",
        ],
    );
    check(
        &by("refresh_token", ""),
        &[
            "UA-0106 1:1 lacks `refresh_token`",
            "UA-0170 1:1 kind = \"file\", or write rotates = \"never\"",
        ],
    );
    check(
        &by("command", ""),
        &[
            "UA-0106 1:1 add command = [\"PROGRAM\"",
            "UA-0128 4:1 grant = \"client_credentials\" or \"password\" or",
            "UA-0128 5:1 `client_id` does not apply to grant = \"command\"",
        ],
    );
}

#[test]
fn a_key_of_another_grant_is_told_where_it_belongs() {
    let program = "[upstream.crm]\nprovider = \"salesforce\"\ngrant = \"command\"\n";
    check_all(&[
        (
            &by(
                "jwt_bearer",
                &format!("{KEY}client_secret = {{ env = \"SECRET\" }}\n"),
            ),
            "UA-0128 8:1 `client_secret` does not apply to grant = \"jwt_bearer\"",
        ),
        (
            &by(
                "jwt_bearer",
                &format!("{KEY}password = {{ env = \"SECRET\" }}\n"),
            ),
            "UA-0128 8:1 write grant = \"password\"",
        ),
        (
            &by(
                "refresh_token",
                "refresh_token = { env = \"SECRET\" }\nrotates = \"auto\"\n",
            ),
            "UA-0170 7:11 the successor of this refresh token would be lost",
        ),
        (
            &by("refresh_token", &TOKEN.replace("never", "nver")),
            "UA-0108 7:11 did you mean `never`?",
        ),
        (
            "{CRM}rotates = \"never\"\n",
            "UA-0128 6:1 grant = \"refresh_token\"",
        ),
        (
            "{CRM}command = [\"sf\"]\n",
            "UA-0128 6:1 grant = \"command\"",
        ),
        (
            &format!("{program}command = \"sf org display\"\n"),
            "UA-0105 4:11 a list of texts",
        ),
        (
            &format!("{program}command = []\n"),
            "UA-0114 4:11 names no program",
        ),
        (
            &format!("{program}command = [\"sf\"]\napi_url = \"acme.example\"\n"),
            "UA-0116 5:11 https://acme.example",
        ),
        ("{CRM}scope = \"api\"\n", "UA-0128 6:1 `scope`"),
    ]);
}

#[test]
fn a_host_of_the_other_environment_is_refused() {
    let program =
        "[upstream.crm]\nprovider = \"salesforce\"\ngrant = \"command\"\ncommand = [\"sf\"]\n";
    let api = "api_url = \"https://acme.my.salesforce.com\"\nenvironment = \"sandbox\"\n";
    check_all(&[
        (
            "{CRM}environment = \"sandbox\"\n",
            "UA-0132 3:13 `login_url` is a production host",
        ),
        (
            &by(
                "jwt_bearer",
                &format!("{KEY}environment = \"production\"\n"),
            ),
            "UA-0132 4:13 write environment = \"sandbox\"",
        ),
        (
            &format!("{program}{api}"),
            "UA-0132 5:11 `api_url` is a production host",
        ),
        (
            "{CRM}environment = \"prod\"\n",
            "UA-0108 6:15 one of: production, sandbox",
        ),
        (
            "[upstream.z]\nprovider = \"zuora\"\nlogin_url = \"https://z.example\"\nclient_id = \"i\"\nclient_secret = \"${SECRET}\"\nenvironment = \"sandbox\"\n",
            "UA-0128 6:1 zuora upstreams",
        ),
    ]);
    for (host, environment) in [
        ("acme.my.salesforce.com", "production"),
        ("portal.acme.example", "sandbox"),
        ("localhost:1", "production"),
    ] {
        let text = with_crm(&format!("{{CRM}}environment = \"{environment}\"\n"));
        let text = text.replace("acme.my.salesforce.com", host);
        let config = parse(&text).unwrap().config;
        let Provider::Salesforce(salesforce) = &config.upstreams[0].provider else {
            panic!()
        };
        assert_eq!(
            salesforce.environment.map(Environment::as_str),
            Some(environment)
        );
    }
}

#[tokio::test]
async fn a_private_key_that_cannot_sign_is_found_by_check() {
    let binary = std::env::temp_dir().join(format!("upauth-key-{}.p12", std::process::id()));
    std::fs::write(&binary, b"\x30\x82\x0a\x5f\x02\x01\x03").unwrap();
    let binary_name = binary.display().to_string();
    let rows = [
        ("tests/keys/rsa.pem", None),
        ("tests/keys/rsa-pkcs1.pem", None),
        ("tests/keys/ec.pem", Some("is not an RSA key")),
        (
            "tests/keys/rsa-encrypted.pem",
            Some("encrypted private key (decrypt it: openssl pkey"),
        ),
        (
            "tests/keys/rsa-pkcs1-encrypted.pem",
            Some("encrypted private key"),
        ),
        ("tests/keys/cert.pem", Some("only a certificate")),
        (
            binary_name.as_str(),
            Some("binary: a PKCS#12 key store (openssl pkcs12"),
        ),
    ];
    for (file, expected) in rows {
        let text = by("jwt_bearer", &KEY.replace("tests/keys/rsa.pem", file));
        let checked = Config::parse(&text, "proxy.toml", Path::new("."), &super::env).unwrap();
        let problems = checked.check_references(|_, _| Ok(())).await;
        let told: Vec<_> = problems
            .iter()
            .map(|problem| (problem.code().id, problem.line(), problem.message()))
            .collect();
        match (told.as_slice(), expected) {
            ([], None) => {}
            ([("UA-0133", 7, message)], Some(words)) => {
                assert!(message.contains(words), "{message}");
            }
            _ => panic!("{file}: {told:?}"),
        }
    }
    std::fs::remove_file(&binary).unwrap();
    // One that is there when the configuration is read is looked at then.
    let pem = include_str!("../../../tests/keys/ec.pem");
    let text = by(
        "jwt_bearer",
        "username = \"u\"\nprivate_key = { env = \"PEM\" }\n",
    );
    let env = |name: &str| (name == "PEM").then(|| pem.to_owned());
    let problems = Config::parse(&text, "proxy.toml", Path::new("."), &env).unwrap_err();
    let told: Vec<_> = problems.iter().map(|problem| problem.code().id).collect();
    assert_eq!(told, ["UA-0133"]);
    assert!(!problems.render(false).contains(pem.lines().nth(1).unwrap()));
}
