//! What passes by itself at a token endpoint, and ends no upstream.

use upauth::emulator::Canned;

use crate::support::emulated::{CRM_TOKEN, stored};
use crate::support::{Emulated, Scripted, TestProxy};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_is_out_when_a_rotated_refresh_token_is_used_costs_no_grant() {
    const LIMITS: &str = "/crm-token/services/data/v59.0/limits";
    let folder = tempfile::tempdir().unwrap();
    let config = stored(&folder, &format!("{CRM_TOKEN}token_wait = \"1s\"\n"));
    let mut at = Emulated::start(&config).await;
    at.turn(|dials| dials.login.rotation = true);
    assert_eq!(at.proxy.get(LIMITS).await.status, 200);
    at.emulator.end_sessions("all");
    let out = [Canned::empty(), Canned::html(), Canned::truncated()];
    at.turn(|dials| dials.login.next.extend(out));
    let answer = at.proxy.get(LIMITS).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0302"));
    at.until_told("crm-token", LIMITS, "may have been used up")
        .await;
    // The next process knows no more, and goes on as well.
    at.until(|counters| counters.token_requests >= 3).await;
    at.restart(&config).await;
    at.until_served(LIMITS).await;
    let counters = at.counters();
    let lost = (counters.spent_refresh_tokens, counters.token_requests);
    assert_eq!(lost, (0, 5), "{counters:?}");
}

/// An upstream without a password that logs in at `path` of `api`; further keys may follow.
fn upstream(api: &Scripted, name: &str) -> String {
    let addr = api.addr;
    format!(
        "[upstream.{name}]\nprovider = \"oauth2\"\ntoken_url = \"http://{addr}/{name}\"\napi_url = \"http://{addr}\"\n\
         client_id = \"{name}\"\nclient_secret = \"the secret of it\"\n"
    )
}

const GRANTED: &str = r#"{"access_token":"a-token","expires_in":3600}"#;
const STAYS: &str =
    "grant = \"refresh_token\"\nrefresh_token = \"one-that-stays\"\nrotates = \"never\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_frameworks_and_gateways_say_at_the_first_login_refuses_no_upstream() {
    // Its name, what follows its keys, and what its first login is answered.
    let user = "grant = \"password\"\nusername = \"u\"\npassword = \"the password\"\n";
    let not_found = r#"{"status":404,"error":"Not Found","path":"/oauth/token"}"#;
    let rows = [
        ("spring", "", "404 Not Found", "", not_found),
        ("user", user, "404 Not Found", "", not_found),
        (
            "keycloak",
            STAYS,
            "404 Not Found",
            "",
            r#"{"error":"Realm does not exist"}"#,
        ),
        (
            "gateway",
            "",
            "403 Forbidden",
            "",
            r#"{"error":"Forbidden"}"#,
        ),
        (
            "limit",
            STAYS,
            "400 Bad Request",
            "",
            r#"{"error":"too_many_requests"}"#,
        ),
        (
            "later",
            "",
            "403 Forbidden",
            "Retry-After: 1\r\n",
            r#"{"error":"access_denied"}"#,
        ),
    ];
    let api = Scripted::start(move |mut connection| async move {
        while let Some(seen) = connection.request().await {
            let row = rows
                .iter()
                .find(|(name, ..)| seen.target == format!("/{name}"));
            match row {
                Some((_, _, status, fields, body)) if connection.number_of(&seen.target) == 1 => {
                    let fields = format!("Content-Type: application/json\r\n{fields}");
                    connection.reply(status, &fields, body).await;
                }
                Some(_) => connection.reply("200 OK", "", GRANTED).await,
                None => connection.reply("200 OK", "", "{}").await,
            }
        }
    })
    .await;
    let config = rows.map(|(name, keys, ..)| upstream(&api, name) + keys);
    let proxy = TestProxy::start(&config.concat());
    for (name, ..) in rows {
        let answer = proxy.get(&format!("/{name}/me")).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_surely_said_of_a_client_that_was_never_good_is_refused_for_ever() {
    // Its first logins are good; then comes this.
    let rows = [
        ("denied", 0, "403 Forbidden", r#"{"error":"access_denied"}"#),
        ("worded", 0, "200 OK", r#"{"error":"Access Denied"}"#),
        (
            "plain",
            0,
            "401 Unauthorized",
            r#"{"error":"Unauthorized"}"#,
        ),
        (
            "looped",
            1,
            "400 Bad Request",
            r#"{"error":"invalid_grant"}"#,
        ),
        (
            "wrong",
            0,
            "401 Unauthorized",
            r#"{"error":"invalid_client"}"#,
        ),
    ];
    let api = Scripted::start(move |mut connection| async move {
        while let Some(seen) = connection.request().await {
            let row = rows
                .iter()
                .find(|(name, ..)| seen.target == format!("/{name}"));
            match row {
                Some((_, good, ..)) if connection.number_of(&seen.target) <= *good => {
                    connection.reply("200 OK", "", GRANTED).await;
                }
                Some((_, _, status, body)) => connection.reply(status, "", body).await,
                None => connection.reply("401 Unauthorized", "", "").await,
            }
        }
    })
    .await;
    let config = rows.map(|(name, ..)| upstream(&api, name) + STAYS);
    let proxy = TestProxy::start(&config.concat());
    for (name, ..) in rows {
        let answer = proxy.get(&format!("/{name}/me")).await;
        assert_eq!(answer.code(), "UA-0301", "{name}: {}", answer.text());
        let status = proxy.status(name).await;
        assert_eq!(status["state"], "refused", "{status}");
        assert_eq!(status["next_try"].is_string(), name != "wrong", "{status}");
    }
}

/// As Zoho: ten tokens in ten minutes, and then a refusal in words of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_reads_what_it_may_not_beside_what_it_may_keeps_below_ten_logins_in_ten_minutes()
 {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let (status, body) = match seen.target.as_str() {
                "/books" if connection.number_of("/books") <= 10 => ("200 OK", GRANTED),
                "/books" => ("200 OK", r#"{"error":"Access Denied"}"#),
                "/closed" => ("401 Unauthorized", r#"{"code":"OAUTH_SCOPE_MISMATCH"}"#),
                _ => ("200 OK", "{}"),
            };
            connection.reply(status, "", body).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&(upstream(&api, "books") + STAYS));
    for _ in 0..30 {
        assert_eq!(proxy.get("/books/closed").await.status, 401);
        assert_eq!(proxy.get("/books/open").await.status, 200);
    }
    let logins = api
        .seen()
        .iter()
        .filter(|seen| seen.target == "/books")
        .count();
    // The first, six at once, and on a slow machine the next.
    assert!(matches!(logins, 7 | 8), "{logins}");
}
