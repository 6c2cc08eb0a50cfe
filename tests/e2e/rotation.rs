//! Refresh tokens that have successors, through the whole product: none is lost, none is used twice.

use std::io::ErrorKind;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::Emulated;
use crate::support::caller::PATIENCE;
use crate::support::emulated::{BILLING, CRM, CRM_TOKEN, MAIL_LEGACY, stored};

const ASSETS: &str = "/mail-legacy/asset/v1/content/assets";
const LIMITS: &str = "/crm-token/services/data/v59.0/limits";

#[tokio::test(flavor = "multi_thread")]
async fn the_example_runs_as_it_is_but_for_its_addresses_and_folder() {
    let folder = tempfile::tempdir().unwrap();
    let example = std::fs::read_to_string("examples/marketing-cloud-legacy-offline.toml").unwrap();
    let config = example
        .replace("xk3m0c6cq2sbb9u0v7xkpwl2", "${DEMO_MAIL_LEGACY_CLIENT_ID}")
        .replace("MAIL_CLIENT_SECRET", "DEMO_MAIL_LEGACY_CLIENT_SECRET");
    assert_eq!(config.matches("DEMO_").count(), 2, "{config}");
    let hosts =
        "login_url = \"${DEMO_MAIL_LEGACY_LOGIN_URL}\"\napi_url = \"${DEMO_MAIL_LEGACY_URL}\"\n";
    let state = format!("[server]\nstate = \"{}\"\n", folder.path().display());
    let config = format!("{state}{config}{hosts}");
    let mut at = Emulated::start(&config).await;
    let assets = "/mail/asset/v1/content/assets";
    assert_eq!(at.proxy.get(assets).await.status, 200);
    at.pass(Duration::from_secs(4000)).await;
    at.restart(&config).await;
    assert_eq!(at.proxy.get(assets).await.status, 200);
    let grants = at.counters().grants;
    let of = |kind: &str| grants[&format!("marketing-cloud-legacy {kind}")];
    assert_eq!((of("offline"), of("refresh")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_use_token_is_followed_over_restarts_and_never_used_twice() {
    let folder = tempfile::tempdir().unwrap();
    for (more, first) in [
        ("offline = true\n", "offline"),
        (
            "offline = true\nrefresh_token = \"${DEMO_MAIL_LEGACY_REFRESH_TOKEN}\"\n",
            "refresh",
        ),
    ] {
        let config = stored(&folder, &format!("{MAIL_LEGACY}{more}"));
        let mut at = Emulated::start(&config).await;
        for _ in 0..3 {
            assert_eq!(at.proxy.get(ASSETS).await.status, 200);
            at.restart(&config).await;
            assert_eq!(at.proxy.get(ASSETS).await.status, 200);
            at.pass(Duration::from_secs(4000)).await;
            at.restart(&config).await;
        }
        let counters = at.counters();
        let grants = |kind: &str| {
            let name = format!("marketing-cloud-legacy {kind}");
            counters.grants.get(&name).copied().unwrap_or_default()
        };
        assert_eq!(grants("offline") + grants("refresh"), 3);
        assert_eq!(grants(first), if first == "offline" { 1 } else { 3 });
        assert_eq!(
            (counters.spent_refresh_tokens, counters.refused_logins),
            (0, 0)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_salesforce_token_is_kept_until_another_comes_and_then_that_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, CRM_TOKEN);
    let mut at = Emulated::start(&config).await;
    for rotation in [false, true, true, false] {
        at.turn(|dials| dials.login.rotation = rotation);
        assert_eq!(at.proxy.get(LIMITS).await.status, 200);
        at.emulator.end_sessions("all");
        assert_eq!(at.proxy.get(LIMITS).await.status, 200);
        at.restart(&config).await;
        at.emulator.end_sessions("all");
    }
    let counters = at.counters();
    assert_eq!(
        (counters.spent_refresh_tokens, counters.refused_logins),
        (0, 0)
    );
    assert!(counters.token_requests >= 5, "{counters:?}");
}

const ANY_TOKEN: &str = r#"
[upstream.any-token]
provider = "oauth2"
grant = "refresh_token"
token_url = "${DEMO_OAUTH_TOKEN_URL}"
api_url = "${DEMO_OAUTH_API_URL}"
client_id = "${DEMO_OAUTH_CLIENT_ID}"
client_secret = "${DEMO_OAUTH_CLIENT_SECRET}"
refresh_token = "${DEMO_OAUTH_REFRESH_TOKEN}"
fields = { refresh_token = "/data/next" }
"#;

/// A proxy before a server that replaces each refresh token, and its configuration.
async fn any_token(folder: &TempDir) -> (Emulated, String) {
    let config = stored(folder, ANY_TOKEN);
    let at = Emulated::start(&config).await;
    at.turn(|dials| {
        dials.oauth2.rotation = true;
        let names = &mut dials.oauth2.answer.names;
        names.insert("refresh_token".to_owned(), "/data/next".to_owned());
    });
    (at, config)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_any_server_has_its_successor_where_the_operator_says() {
    let folder = tempfile::tempdir().unwrap();
    let (mut at, config) = any_token(&folder).await;
    for logins in 1..=3 {
        assert_eq!(at.proxy.get("/any-token/me").await.status, 200);
        at.restart(&config).await;
        assert_eq!(at.proxy.get("/any-token/me").await.status, 200);
        let counters = at.counters();
        assert_eq!(counters.grants["oauth2 refresh_token"], logins);
        assert_eq!(
            (counters.spent_refresh_tokens, counters.refused_logins),
            (0, 0)
        );
        at.emulator.end_sessions("oauth2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_is_kept_even_if_the_token_beside_it_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let (mut at, config) = any_token(&folder).await;
    for (kind, status) in [
        ("Bearer", 200),
        ("DPoP", 502),
        ("DPoP", 502),
        ("Bearer", 200),
    ] {
        at.emulator.end_sessions("oauth2");
        at.turn(|dials| dials.oauth2.answer.token_type = kind.to_owned());
        at.restart(&config).await;
        assert_eq!(at.proxy.get("/any-token/me").await.status, status, "{kind}");
    }
    let counters = at.counters();
    assert_eq!(counters.grants["oauth2 refresh_token"], 4);
    assert_eq!(
        (counters.spent_refresh_tokens, counters.refused_logins),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_client_secret_keeps_the_lineage() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, CRM_TOKEN);
    let mut at = Emulated::start(&config).await;
    at.turn(|dials| dials.login.rotation = true);
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    at.turn(|dials| dials.login.client_secret = Some("another".to_owned()));
    at.emulator.end_sessions("all");
    at.restart(&config.replace("${DEMO_CRM_CLIENT_SECRET}", "another"))
        .await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let counters = at.counters();
    assert_eq!(
        (counters.spent_refresh_tokens, counters.refused_logins),
        (0, 0)
    );
}

/// As if nothing in the store had been written for so long.
fn leave_alone(folder: &TempDir, by: Duration) {
    for entry in std::fs::read_dir(folder.path().join("store")).unwrap() {
        let path = entry.unwrap().path();
        let opened = std::fs::File::options().write(true).open(path);
        // A start sweeps by itself, and may be at it.
        if matches!(&opened, Err(error) if error.kind() == ErrorKind::NotFound) {
            continue;
        }
        let file = opened.unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - by).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_outlives_a_week_without_its_upstream_and_an_access_token_does_not() {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
    let folder = tempfile::tempdir().unwrap();
    let both = stored(&folder, &format!("{CRM_TOKEN}{BILLING}"));
    let account = "/billing/v1/accounts/A1";
    let mut at = Emulated::start(&both).await;
    at.turn(|dials| dials.login.rotation = true);
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    assert_eq!(at.proxy.get(account).await.status, 200);
    let tokens = || {
        let names = std::fs::read_dir(folder.path().join("store")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with("token-"))
            .count()
    };
    let swept = async || {
        let began = std::time::Instant::now();
        while tokens() > 0 {
            assert!(began.elapsed() < PATIENCE, "it stays");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Without them for a week; then a start, and later a reload.
    at.restart(&stored(&folder, CRM)).await;
    assert!(tokens() > 0);
    at.pass(WEEK).await;
    leave_alone(&folder, WEEK);
    at.restart(&stored(&folder, CRM)).await;
    swept().await;
    let limits = "/crm/services/data/v59.0/limits";
    assert_eq!(at.proxy.get(limits).await.status, 200);
    // What is written behind is written before the next one begins.
    at.restart(&stored(&folder, CRM)).await;
    assert!(tokens() > 0);
    leave_alone(&folder, WEEK);
    at.proxy.reload(&stored(&folder, CRM)).unwrap();
    swept().await;
    at.restart(&both).await;
    assert_eq!(at.proxy.get(account).await.status, 200);
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    let counters = at.counters();
    assert_eq!(
        (counters.spent_refresh_tokens, counters.refused_logins),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_a_single_use_token_is_asked_for_again_within_its_grace() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, &format!("{MAIL_LEGACY}offline = true\n"));
    let mut at = Emulated::start(&config).await;
    assert_eq!(at.proxy.get(ASSETS).await.status, 200);
    at.emulator.end_sessions("all");
    at.turn(|dials| dials.marketing_cloud_legacy.after.lose = 1);
    let answer = at.proxy.get(ASSETS).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    at.restart(&config).await;
    assert_eq!(at.proxy.get(ASSETS).await.status, 200);
    let counters = at.counters();
    assert_eq!(
        (counters.spent_refresh_tokens, counters.refused_logins),
        (1, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_proxies_over_one_store_redeem_in_turn_and_share_what_they_get() {
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, CRM_TOKEN);
    let at = Emulated::start(&config).await;
    at.turn(|dials| dials.login.rotation = true);
    let other = at.another(&config);
    for _ in 0..4 {
        let (one, two) = tokio::join!(at.proxy.get(LIMITS), other.get(LIMITS));
        assert_eq!((one.status, two.status), (200, 200));
        at.emulator.end_sessions("all");
    }
    let counters = at.counters();
    assert_eq!(
        (counters.spent_refresh_tokens, counters.refused_logins),
        (0, 0)
    );
    assert!(counters.token_requests <= 6, "{counters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_for_a_while_costs_no_refresh_token() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody is held for what is known: this caller would be gone long before.
    let config = stored(&folder, &format!("{CRM_TOKEN}token_wait = \"300s\"\n"));
    let at = Emulated::start(&config).await;
    at.turn(|dials| dials.login.rotation = true);
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    at.emulator.end_sessions("all");
    let (store, away) = (folder.path().join("store"), folder.path().join("away"));
    std::fs::rename(&store, &away).unwrap();
    let requests = at.counters().token_requests;
    let answer = at.proxy.get(LIMITS).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0305"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(
        at.counters().token_requests,
        requests,
        "nothing was used up"
    );
    std::fs::rename(&away, &store).unwrap();
    at.until_ok(LIMITS).await;
    assert_eq!(at.counters().spent_refresh_tokens, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_into_a_grant_that_nothing_would_keep_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut at = Emulated::start(MAIL_LEGACY).await;
    let variables = at.emulator.variables();
    let mut text = stored(&folder, &format!("{MAIL_LEGACY}offline = true\n"));
    for (name, value) in variables {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        text = text.replace(&format!("${{{name}}}"), &value);
    }
    let refused = at.proxy.reload(&text).unwrap_err().to_string();
    assert!(
        refused.contains("needs the store") && refused.contains("restart"),
        "{refused}"
    );
    assert_eq!(at.proxy.get(ASSETS).await.status, 200);
    assert_eq!(at.counters().grants["marketing-cloud-legacy online"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_said_never_to_rotate_needs_no_store_and_its_successor_is_used_and_counted()
{
    let at = Emulated::start(&format!("{CRM_TOKEN}rotates = \"never\"\n")).await;
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    at.turn(|dials| dials.login.rotation = true);
    for _ in 0..3 {
        at.emulator.end_sessions("all");
        assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    }
    assert_eq!(at.counters().spent_refresh_tokens, 0);
    let page = at.proxy.metrics.encode();
    let count = "upauth_refresh_tokens_replaced_unexpectedly_total{upstream=\"crm-token\"} 3";
    assert!(page.contains(count), "{page}");
}
