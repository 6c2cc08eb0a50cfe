//! What the proxy's own token is for is told to whoever is let in; without such a token nobody logs in.

use super::{FORM, KEY, TOKEN, post, text, with_keys};
use crate::support::emulated::{BILLING, CRM, CRM_USER, MAIL, PRICING};
use crate::support::{Emulated, TestProxy, together};

const CREDENTIALS: &str = "grant_type=client_credentials&client_id=i&client_secret=s";

#[tokio::test(flavor = "multi_thread")]
async fn the_ids_in_an_answer_are_those_of_the_user_whom_the_proxy_serves_as() {
    let it = Emulated::start(&format!("{CRM}{CRM_USER}{PRICING}")).await;
    for (name, user) in [
        ("crm", "005xx000000000AAAQ"),
        ("crm-user", "005xx000000000BAAQ"),
        ("pricing", "005xx000000000BAAQ"),
    ] {
        let login = post(&it.proxy, &format!("/{name}{TOKEN}"), FORM, CREDENTIALS).await;
        let login = login.json();
        let expected = format!("http://localhost/{name}/id/00Dxx0000000001EAA/{user}");
        assert_eq!(text(&login, "id"), expected);
    }
    // What clients do with it: they ask there, and for the same under its other names.
    let login = post(&it.proxy, &format!("/crm{TOKEN}"), FORM, CREDENTIALS).await;
    let login = login.json();
    let (id, token) = (text(&login, "id"), text(&login, "access_token"));
    let path = id.strip_prefix("http://localhost").unwrap();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let query = format!(
        "{path}?format=json&oauth_token={}",
        token.replace('!', "%21")
    );
    let userinfo = "/crm/services/oauth2/userinfo";
    for (path, lines) in [
        (path, bearer.as_str()),
        (&query, ""),
        (userinfo, &bearer),
        ("/crm/services/oauth2/userinfo/", &bearer),
    ] {
        let answer = it.proxy.get_with(path, lines).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let document = answer.json();
        for name in ["id", "sub"] {
            assert_eq!(text(&document, name), id, "{path}");
        }
        assert_eq!(text(&document, "user_id"), "005xx000000000AAAQ");
    }
    let posted = it.proxy.post(userinfo, "").await;
    assert_eq!(text(&posted.json(), "sub"), id);
    let counters = it.counters();
    assert_eq!((counters.dummy_credentials, it.logins()), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_in_an_answer_is_that_of_the_proxys_own_token() {
    let it = Emulated::start(&format!("{CRM}{BILLING}{MAIL}")).await;
    it.turn(|dials| dials.answer.scope = true);
    let body = r#"{"grant_type":"client_credentials","client_id":"i","client_secret":"s","scope":"other"}"#;
    let mail = post(&it.proxy, "/mail/v2/token", "", body).await.json();
    let billing = post(&it.proxy, "/billing/oauth/token", FORM, CREDENTIALS).await;
    let crm = post(&it.proxy, &format!("/crm{TOKEN}"), FORM, CREDENTIALS).await;
    assert_eq!(text(&crm.json(), "scope"), "api");
    let scope = billing.json();
    let scope = text(&scope, "scope");
    assert!(
        scope.contains("entity.") && scope.contains("tenant."),
        "{scope}"
    );
    assert!(text(&mail, "scope").contains("email_"), "{mail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_apps_that_log_in_at_once_cost_one_login() {
    let it = Emulated::start(CRM).await;
    it.turn(|dials| dials.login.delay_ms = 100);
    let addr = it.proxy.addr();
    let statuses = together(100, move |_| async move {
        let mut caller = crate::support::Caller::connect(addr).await;
        let path = format!("/crm{TOKEN}");
        caller.post_with(&path, FORM, CREDENTIALS).await.status
    })
    .await;
    assert_eq!(statuses, [200; 100]);
    assert_eq!(it.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_fails_in_the_providers_words_while_the_proxy_has_no_token() {
    let wrong = BILLING.replace("${DEMO_BILLING_CLIENT_SECRET}", "wrong");
    let it = Emulated::start(
        &format!("{CRM}client_secret = \"wrong\"\n{wrong}")
            .replace("client_secret = \"${DEMO_CRM_CLIENT_SECRET}\"\n", ""),
    )
    .await;
    let crm = format!("/crm{TOKEN}");
    for _ in 0..5 {
        let refused = post(&it.proxy, &crm, FORM, CREDENTIALS).await;
        assert_eq!((refused.status, refused.header("retry-after")), (502, None));
        let said = refused.json();
        assert_eq!(text(&said, "error"), "unknown_error");
        let why = text(&said, "error_description");
        assert_eq!(why, "no token can be had now (UA-0301)");
    }
    let refused = post(&it.proxy, "/billing/oauth/token", FORM, CREDENTIALS).await;
    let said = refused.json();
    assert_eq!(
        (refused.status, text(&said, "message")),
        (502, "No token can be had now (UA-0301)")
    );
    let introspected = post(
        &it.proxy,
        "/crm/services/oauth2/introspect",
        FORM,
        "token=t",
    )
    .await;
    assert_eq!(
        (introspected.status, text(&introspected.json(), "error")),
        (502, "unknown_error")
    );
    assert_eq!(it.logins(), 2, "a refusal is remembered");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_may_try_again_once_the_token_endpoint_is_back() {
    // Nobody listens there.
    let proxy = TestProxy::start(
        "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"http://127.0.0.1:9\"\n\
         client_id = \"i\"\nclient_secret = \"s\"\ntoken_wait = \"100ms\"\n",
    );
    let failed = post(&proxy, &format!("/crm{TOKEN}"), FORM, CREDENTIALS).await;
    assert_eq!(failed.status, 503);
    assert!(failed.header("retry-after").is_some());
    let details = "upauth; error=destination_unavailable; details=\"UA-0302\"";
    assert_eq!(failed.header("proxy-status"), Some(details));
    let said = failed.json();
    assert_eq!(
        text(&said, "error_description"),
        "no token can be had now (UA-0302)"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_lets_in_is_introspected_as_active() {
    let it = with_keys().await;
    let introspect = "/crm/services/oauth2/introspect";
    let body = format!("{CREDENTIALS}&client_secret={KEY}").replace("&client_secret=s", "");
    let login = post(&it.proxy, &format!("/crm{TOKEN}"), FORM, &body).await;
    let login = login.json();
    let token = text(&login, "access_token").replace('!', "%21");
    let nobody = "00D000000000000%21upauth.placeholder";
    let in_header = format!("{FORM}X-Upauth-Key: {KEY}\r\n");
    for (lines, token, expected) in [
        (FORM, token.as_str(), true),
        (FORM, KEY, true),
        (FORM, "the+key+for+reports", true),
        // Whoever asks is not what is asked about.
        (&in_header, nobody, false),
        (&in_header, "", false),
        (FORM, "wrong", false),
    ] {
        let body = format!("token={token}&token_type_hint=access_token&client_id=i");
        let answer = post(&it.proxy, introspect, lines, &body).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (200, Some("no-store"))
        );
        let answer = answer.json();
        assert_eq!(answer["active"], expected, "{token}");
        assert_eq!(answer.get("sub").is_some(), expected, "{token}");
    }
    let site = "/crm/partners/services/oauth2/introspect";
    let answer = post(&it.proxy, site, FORM, &format!("token={token}"))
        .await
        .json();
    assert_eq!(answer["sub"], login["id"]);
    let times = [&answer["iat"], &answer["exp"]].map(serde_json::Value::as_u64);
    assert_eq!(times, [Some(1_700_000_000), Some(1_700_007_200)]);
    assert_eq!(it.counters().api_requests.len(), 0, "nothing of it goes on");
}
