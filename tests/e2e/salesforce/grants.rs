//! The other grants: a signed assertion, a refresh token, a program that prints a token.

use std::time::Duration;

use serde_json::json;
use upauth::emulator::Canned;

use super::ECHO;
use crate::support::{Caller, Emulated, SecretFile};

const JWT: &str = r#"
[upstream.crm]
provider = "salesforce"
grant = "jwt_bearer"
login_url = "${DEMO_LOGIN_URL}"
client_id = "${DEMO_CRM_CLIENT_ID}"
username = "${DEMO_USERNAME}"
private_key = "${DEMO_CRM_PRIVATE_KEY}"
instance_hosts = ["${DEMO_INSTANCE_HOST}"]
"#;

const REFRESH: &str = r#"
[upstream.crm]
provider = "salesforce"
grant = "refresh_token"
login_url = "${DEMO_LOGIN_URL}"
client_id = "${DEMO_CRM_CLIENT_ID}"
client_secret = "${DEMO_CRM_CLIENT_SECRET}"
refresh_token = "${DEMO_CRM_REFRESH_TOKEN}"
rotates = "never"
instance_hosts = ["${DEMO_INSTANCE_HOST}"]
"#;

fn program(argv: &[&str], more: &str) -> String {
    format!(
        "[upstream.crm]\nprovider = \"salesforce\"\ngrant = \"command\"\ncommand = {argv:?}\n\
         instance_hosts = [\"${{DEMO_INSTANCE_HOST}}\"]\n{more}"
    )
}

/// A token that somebody else got.
pub async fn token(at: &Emulated) -> String {
    let variables = at.emulator.variables();
    let of = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        let value = &found.unwrap().1;
        form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>()
    };
    let body = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        of("DEMO_CRM_CLIENT_ID"),
        of("DEMO_CRM_CLIENT_SECRET")
    );
    let login = at.emulator.login();
    let request = format!(
        "POST /services/oauth2/token HTTP/1.1\r\nHost: {login}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    );
    let answer = Caller::connect(login).await.ask(request).await;
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn why(at: &Emulated) -> String {
    let status = at.proxy.status("crm").await;
    status["why"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_signed_anew_for_each_login() {
    let at = Emulated::start(JWT).await;
    // Whole seconds, and at most three minutes ahead.
    at.turn(|dials| dials.login.strict_exp = true);
    assert_eq!(at.proxy.get(ECHO).await.status, 200);
    at.pass(Duration::from_secs(600)).await;
    at.emulator.end_sessions("all");
    let answer = at.proxy.get(ECHO).await;
    assert_eq!(
        (answer.status, answer.header("x-upauth-replayed")),
        (200, Some("1"))
    );
    let counters = at.counters();
    assert_eq!(counters.grants["salesforce jwt_bearer"], 2);
    assert_eq!((counters.refused_logins, counters.token_requests), (0, 2));
    assert_eq!(counters.logins["pricing@acme.example"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_app_does_not_know_is_tried_once_until_it_changes() {
    let at = Emulated::start(JWT).await;
    let theirs = include_str!("../../keys/rsa.pub.pem").to_owned();
    at.turn(|dials| dials.login.public_key = Some(theirs));
    for _ in 0..5 {
        let answer = at.proxy.get(ECHO).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0301"));
    }
    assert_eq!(at.logins(), 1);
    assert!(why(&at).await.contains("invalid assertion"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_sign_is_told_and_a_mended_file_is_read_without_a_restart() {
    let key = SecretFile::new("key.pem", include_str!("../../keys/ec.pem"));
    let config = JWT.replace("\"${DEMO_CRM_PRIVATE_KEY}\"", &key.reference());
    // Less than passes between the first two tries: nobody waits for the second.
    let at = Emulated::start(&format!("{config}token_wait = \"700ms\"\n")).await;
    for (bytes, words) in [
        (&include_bytes!("../../keys/ec.pem")[..], "not an RSA key"),
        (&b"\x30\x82\xff"[..], "binary: a PKCS#12 key store"),
        (
            &include_bytes!("../../keys/rsa-encrypted.pem")[..],
            "encrypted",
        ),
    ] {
        std::fs::write(&key.0, bytes).unwrap();
        at.until_told("crm", ECHO, words).await;
        let answer = at.proxy.get(ECHO).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0303"));
    }
    assert_eq!(at.logins(), 0);
    let variables = at.emulator.variables();
    let ours = variables
        .iter()
        .find(|(name, _)| name == "DEMO_CRM_PRIVATE_KEY");
    key.write(&ours.unwrap().1);
    at.until_served(ECHO).await;
    assert_eq!(at.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_does_not_rotate_is_good_for_every_login() {
    let at = Emulated::start(REFRESH).await;
    assert_eq!(at.proxy.get(ECHO).await.status, 200);
    at.emulator.end_sessions("all");
    // Another process refreshes at the same moment.
    let busy = Canned::refusal("invalid_grant", "token request is already being processed");
    at.turn(|dials| dials.login.next.push_back(busy));
    assert_eq!(at.proxy.get(ECHO).await.status, 200);
    let counters = at.counters();
    assert_eq!(counters.grants["salesforce refresh_token"], 2);
    assert_eq!(
        (counters.token_requests, counters.spent_refresh_tokens),
        (3, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_refresh_token_is_tried_once_until_it_changes() {
    let file = SecretFile::new("refresh-token", "");
    let config = REFRESH.replace("\"${DEMO_CRM_REFRESH_TOKEN}\"", &file.reference());
    let at = Emulated::start(&config).await;
    file.write("5Aep861-dead");
    for _ in 0..5 {
        let answer = at.proxy.get(ECHO).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0301"));
    }
    assert_eq!(at.logins(), 1);
    let told = why(&at).await;
    assert!(
        told.contains("expired access/refresh token") && !told.contains("5Aep861"),
        "{told}"
    );
    file.write(&at.emulator.mint_refresh_token("salesforce").unwrap());
    at.until_served(ECHO).await;
    assert_eq!(at.logins(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_may_print_what_sf_prints_what_an_endpoint_says_or_the_token_alone() {
    let printed = SecretFile::new("printed", "");
    let path = printed.0.display().to_string();
    for (more, is_alone) in [
        ("", false),
        (
            "api_url = \"http://${DEMO_INSTANCE_HOST}\"\nheader = \"oauth\"\n",
            true,
        ),
    ] {
        let at = Emulated::start(&program(&["cat", &path], more)).await;
        let (token, instance) = (token(&at).await, at.emulator.instance());
        let instance = format!("http://{instance}");
        printed.write(&match is_alone {
            true => format!("{token}\n"),
            false => {
                json!({"status": 0, "result": {"accessToken": token, "instanceUrl": instance}})
                    .to_string()
            }
        });
        assert_eq!(at.proxy.get(ECHO).await.status, 200, "{more}");
        assert_eq!(at.counters().dummy_credentials, 0);
        // Only the one that was made for it.
        assert_eq!(at.logins(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_prints_the_dead_token_again_is_not_run_without_end() {
    let (printed, runs) = (SecretFile::new("dead", ""), SecretFile::new("runs", ""));
    let script = format!(
        "echo x >> {}; cat {}",
        runs.0.display(),
        printed.0.display()
    );
    let api = "api_url = \"http://${DEMO_INSTANCE_HOST}\"\ntoken_wait = \"100ms\"\n";
    let at = Emulated::start(&program(&["sh", "-c", &script], api)).await;
    printed.write(&token(&at).await);
    // A program takes its time to start.
    at.until_served(ECHO).await;
    at.emulator.end_sessions("all");
    for _ in 0..50 {
        let answer = at.proxy.get(ECHO).await;
        assert!([401, 503].contains(&answer.status), "{}", answer.text());
    }
    let runs = runs.read().lines().count();
    assert!((2..=5).contains(&runs), "{runs}");
    printed.write(&token(&at).await);
    at.until_served(ECHO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_fails_is_told_by_its_exit_status_and_not_by_its_words() {
    let script = "echo hunter2; echo hunter2 >&2; exit 3";
    let at = Emulated::start(&program(&["sh", "-c", script], "")).await;
    let answer = at.proxy.get(ECHO).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0303"));
    assert!(!answer.text().contains("hunter2"));
    let told = why(&at).await;
    assert!(
        told.contains("the command `sh` failed: exit status: 3"),
        "{told}"
    );
    assert!(
        !told.contains("hunter2") && !told.contains("echo"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_of_the_other_environment_is_refused_and_the_kind_is_told_to_callers() {
    let config = JWT.replace(
        "[\"${DEMO_INSTANCE_HOST}\"]",
        "[\"${DEMO_INSTANCE_HOST}\", \"*.salesforce.com\"]",
    );
    let at = Emulated::start(&format!("{config}environment = \"sandbox\"\n")).await;
    let answer = at.proxy.get(ECHO).await;
    // Its name tells nothing, and the operator wrote it.
    assert_eq!(answer.header("x-upauth-upstream"), Some("crm (sandbox)"));
    at.emulator.end_sessions("all");
    let production = "https://acme.my.salesforce.com".to_owned();
    at.turn(|dials| dials.answer.instance_url = Some(production));
    for _ in 0..3 {
        let answer = at.proxy.get(ECHO).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0304"));
    }
    assert_eq!(at.logins(), 2);
    let told = why(&at).await;
    assert!(told.contains("which is not a sandbox host"), "{told}");
}
