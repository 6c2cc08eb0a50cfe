//! Who logs in anew, and who serves until then.

use upauth::emulator::Settings;

use super::{becomes, taken_over};
use crate::support::emulated::{BILLING, CRM};
use crate::support::{Caller, Emulated, Scripted, SecretFile, TestProxy};

const LIMITS: &str = "/crm/services/data/v59.0/limits";
const UPLOAD: &str = "/crm/services/data/v59.0/sobjects/Account";
const SECRET: &str = "\"${DEMO_CRM_CLIENT_SECRET}\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_secret_logs_in_beside_the_old_one_and_replaces_it_on_success() {
    let mut at = Emulated::start(CRM).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    at.turn(|dials| {
        dials.login.client_secret = Some("rotated".to_owned());
        // All that is seen meanwhile must fit in here.
        dials.login.delay_ms = 5_000;
    });
    let changed = CRM.replace(SECRET, "\"rotated\"") + "read_only = true\n";
    let told = at.proxy.reload(&changed).unwrap();
    assert_eq!(told.logging_in, ["crm"]);
    at.until(|counters| counters.token_requests == 2).await;
    // Nobody waits for the login, and what is forbidden does not wait for it either.
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.proxy.post(UPLOAD, "{}").await.code(), "UA-0209");
    let told = at.proxy.status("crm").await;
    assert_eq!(told["state"], "valid");
    assert_eq!(told["next"]["state"], "logging_in");
    taken_over(&at, "crm").await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.proxy.post(UPLOAD, "{}").await.status, 403);
    assert_eq!(at.logins(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_new_secret_takes_nothing_away_and_can_be_mended() {
    let mut at = Emulated::start(CRM).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let wrong = CRM.replace(SECRET, "\"wrong\"");
    at.proxy.reload(&wrong).unwrap();
    becomes(&at, "crm", |told| told["next"]["state"] == "refused").await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.proxy.status("crm").await["state"], "valid");
    let logins = at.logins();
    // The same mistake again is no reason to try again.
    at.proxy
        .reload(&format!("{wrong}token_wait = \"9s\"\n"))
        .unwrap();
    at.proxy.reload(&wrong).unwrap();
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), logins);
    // Back to what it was: its token is still there.
    let told = at.proxy.reload(CRM).unwrap();
    assert!(told.logging_in.is_empty());
    assert!(at.proxy.status("crm").await["next"].is_null());
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), logins);
}

/// One step of an upstream whose login fails: what its file says besides, and what is forbidden then.
struct Step {
    lines: &'static str,
    post: bool,
    limits: bool,
    login: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_login_fails_callers_may_do_what_both_configurations_allow() {
    const LOGIN: &str = "/crm/services/oauth2/token";
    let step = |lines, post, limits, login| Step {
        lines,
        post,
        limits,
        login,
    };
    // What the one that serves says.
    let own = "deny = [\"/services/data/*/sobjects/Own/**\"]\nmethods = [\"GET\", \"POST\", \"HEAD\"]\nremove_headers = [\"X-Own\"]\n";
    let mut at = Emulated::start(&format!("{CRM}{own}")).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let logins = at.logins();
    let wrong = CRM.replace(SECRET, "\"wrong\"");
    for Step {
        lines,
        post,
        limits,
        login,
    } in [
        step("", true, true, true),
        step("read_only = true\n", false, true, true),
        step("deny = [\"/services/data/*/limits\"]\n", true, false, true),
        step(
            "allow = [\"/services/data/*/sobjects/**\"]\n",
            true,
            false,
            true,
        ),
        step("local_login = false\n", true, true, false),
        // None of the earlier steps holds any more, and nothing that it says opens what its own forbids.
        step("allow = [\"/**\"]\n", true, true, true),
    ] {
        at.proxy.reload(&format!("{wrong}{lines}")).unwrap();
        becomes(&at, "crm", |told| told["next"]["state"] == "refused").await;
        assert_eq!(at.proxy.status("crm").await["state"], "valid", "{lines}");
        let passes = |status| status != 403 && status != 405;
        let status = at.proxy.post(UPLOAD, "{}").await.status;
        assert_eq!(passes(status), post, "{lines}: {status}");
        let status = at.proxy.get(LIMITS).await.status;
        assert_eq!(passes(status), limits, "{lines}: {status}");
        let form = "grant_type=client_credentials&client_id=x&client_secret=y";
        let login_call = format!(
            "POST {LOGIN} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let status = at.proxy.caller().await.ask(login_call).await.status;
        assert_eq!(status == 200, login, "{lines}: {status}");
        let denied = at
            .proxy
            .get("/crm/services/data/v59.0/sobjects/Own/1")
            .await;
        assert_eq!(denied.code(), "UA-0206", "{lines}");
        let mut caller = at.proxy.caller().await;
        let delete = format!("DELETE {UPLOAD} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let status = caller.ask(delete).await.status;
        assert!(!passes(status), "{lines}: {status}");
    }
    assert_eq!(at.logins(), logins + 1, "the wrong secret was tried once");
    // Without the new login nothing of all that holds.
    at.proxy.reload(CRM).unwrap();
    assert!(at.proxy.status("crm").await["next"].is_null());
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let own = at
        .proxy
        .get("/crm/services/data/v59.0/sobjects/Own/1")
        .await;
    assert_ne!(own.status, 403);
    assert_eq!(at.logins(), logins + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_an_account_changes_with_its_login_and_what_is_taken_off_at_once() {
    let api = Scripted::constant("ok").await;
    let here = api.addr.to_string();
    let text = |login: &str, value: &str, lines: &str| {
        let upstream = api.upstream().replace(&here, login);
        format!("{upstream}set_headers = {{ X-Key = \"{value}\" }}\n{lines}")
    };
    let mut proxy = TestProxy::start(&text(&here, "old", ""));
    let ask = "X-Mine: 1\r\n";
    assert_eq!(proxy.get_with("/api/x", ask).await.status, 200);
    let removes = "remove_headers = [\"X-Mine\"]\n";
    // Another account elsewhere, where nobody answers.
    let told = proxy.reload(&text("127.0.0.1:9", "new", removes));
    assert_eq!(told.unwrap().logging_in, ["api"]);
    assert_eq!(proxy.get_with("/api/x", ask).await.status, 200);
    proxy.reload(&text(&here, "new", removes)).unwrap();
    assert_eq!(proxy.get_with("/api/x", ask).await.status, 200);
    let seen = api.seen();
    let fields = seen
        .iter()
        .map(|seen| (seen.header("x-key").unwrap(), seen.header("x-mine")));
    let expected = [("old", Some("1")), ("old", None), ("new", None)];
    assert_eq!(fields.collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_was_refused_serves_with_its_mended_secret_at_once() {
    let mut at = Emulated::start(&CRM.replace(SECRET, "\"wrong\"")).await;
    assert_eq!(at.proxy.get(LIMITS).await.code(), "UA-0301");
    let told = at.proxy.reload(CRM).unwrap();
    assert!(told.logging_in.is_empty(), "there is nothing to keep");
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    // Refusals are remembered over reloads: the wrong secret is not tried again.
    let logins = at.logins();
    at.proxy.reload(&CRM.replace(SECRET, "\"wrong\"")).unwrap();
    becomes(&at, "crm", |told| told["next"]["state"] == "refused").await;
    assert_eq!(at.logins(), logins);
}

/// An upstream that was refused, with a secret in a file that `reference` leads to.
async fn refused(name: &str, reference: impl Fn(&SecretFile) -> String) -> (SecretFile, Emulated) {
    let file = SecretFile::new(name, "wrong");
    let at = Emulated::start(&CRM.replace(SECRET, &reference(&file))).await;
    // The second finds the secret as it was, and the next look is ten seconds away.
    for _ in 0..3 {
        assert_eq!(at.proxy.get(LIMITS).await.code(), "UA-0301");
    }
    (file, at)
}

fn mend(file: &SecretFile, at: &Emulated) {
    let variables = at.emulator.variables();
    let mut secrets = variables.iter();
    let secret = secrets.find(|(name, _)| name == "DEMO_CRM_CLIENT_SECRET");
    file.write(&secret.unwrap().1);
}

fn printed(file: &SecretFile) -> String {
    format!("{{ command = [\"cat\", {:?}] }}", file.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_tries_at_once_what_was_mended_in_a_file_or_behind_a_program() {
    for behind in [false, true] {
        let reference = |file: &SecretFile| match behind {
            true => printed(file),
            false => file.reference(),
        };
        let (file, mut at) = refused(&format!("mended-{behind}"), reference).await;
        let config = CRM.replace(SECRET, &reference(&file));
        // Nothing is mended yet.
        assert!(at.proxy.reload(&config).unwrap().changes.is_empty());
        assert_eq!(at.proxy.get(LIMITS).await.code(), "UA-0301");
        assert_eq!(at.logins(), 1);
        mend(&file, &at);
        assert!(at.proxy.reload(&config).unwrap().changes.is_empty());
        assert_eq!(at.proxy.get(LIMITS).await.status, 200, "{behind}");
        assert_eq!(at.logins(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_asks_the_program_that_prints_a_secret_anew() {
    let (file, at) = refused("asked", printed).await;
    mend(&file, &at);
    let path = "/api/v1/upstreams/crm/retry HTTP/1.1\r\nHost: localhost\r\n";
    let retry = format!("POST {path}X-Upauth-Admin: 1\r\nContent-Length: 0\r\n\r\n");
    let answer = Caller::connect(at.proxy.admin()).await.ask(retry).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_under_way_survives_a_reload() {
    let mut at = Emulated::start_with(Settings::default(), CRM).await;
    at.turn(|dials| dials.login.delay_ms = 3_000);
    let mut caller = at.proxy.caller().await;
    caller.begin(LIMITS).await;
    at.until(|counters| counters.token_requests == 1).await;
    at.proxy
        .reload(&format!("{CRM}read_only = true\n"))
        .unwrap();
    assert_eq!(caller.answer(false).await.unwrap().status, 200);
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_upstream_that_goes_logs_in_no_more_although_a_request_is_under_way() {
    let warm = format!("{CRM}warm = true\nsession_timeout = \"1s\"\n");
    let mut at = Emulated::start(&format!("{BILLING}{warm}")).await;
    at.until(|counters| counters.token_requests >= 2).await;
    at.turn(|dials| dials.salesforce.delay_ms = 5_000);
    let mut caller = at.proxy.caller().await;
    caller.begin(LIMITS).await;
    at.until(|counters| counters.api_requests.values().sum::<u64>() == 1)
        .await;
    at.proxy.reload(BILLING).unwrap();
    let before = at.logins();
    assert_eq!(caller.answer(false).await.unwrap().status, 200);
    // One may have been under way.
    assert!(at.logins() <= before + 1, "{} {before}", at.logins());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_new_configuration_forbids_serves_no_more_although_the_login_fails() {
    let hosts = "instance_hosts = [\"${DEMO_INSTANCE_HOST}\"]";
    let other = CRM.replace(hosts, "instance_hosts = [\"other.example\"]");
    let wrong = |text: &str| text.replace(SECRET, "\"wrong\"");
    for (narrowed, code) in [
        (other.clone(), "UA-0304"),
        (wrong(&other), "UA-0301"),
        (
            format!("{CRM}expect_org = \"00Dxx0000000002\"\n"),
            "UA-0304",
        ),
        (
            format!("{}expect_org = \"00Dxx0000000002\"\n", wrong(CRM)),
            "UA-0301",
        ),
    ] {
        let mut at = Emulated::start(CRM).await;
        assert_eq!(at.proxy.get(LIMITS).await.status, 200);
        let told = at.proxy.reload(&narrowed).unwrap();
        assert!(told.logging_in.is_empty(), "{told:?}");
        assert!(told.warnings[0].starts_with("crm has no token"), "{told:?}");
        let before = at.counters().api_requests;
        for _ in 0..3 {
            let answer = at.proxy.get(LIMITS).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (502, code),
                "{narrowed}"
            );
        }
        assert_eq!(at.counters().api_requests, before, "{narrowed}");
        at.proxy.reload(CRM).unwrap();
        assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    }
    // What the new configuration allows serves on, as ever.
    let mut at = Emulated::start(CRM).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let ours = format!("{}expect_org = \"00Dxx0000000001\"\n", wrong(CRM));
    let told = at.proxy.reload(&ours).unwrap();
    assert_eq!(
        (told.logging_in, told.warnings),
        (vec!["crm".to_owned()], vec![])
    );
    becomes(&at, "crm", |told| told["next"]["state"] == "refused").await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
}
