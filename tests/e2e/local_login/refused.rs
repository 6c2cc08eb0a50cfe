//! Logins that are refused: in the words of the provider, and within bounds.

use super::{FORM, KEY, LIMITS, TOKEN, post, text, with_keys};
use crate::support::{Emulated, H2};

/// Each row: what follows `grant_type=` in a login at `path`, status and code of its refusal. `KEY` is a key.
async fn check(it: &Emulated, path: &str, rows: &[(&str, u16, &str)]) {
    for (body, status, code) in rows {
        let body = format!("grant_type={}", body.replace("KEY", KEY));
        let refused = post(&it.proxy, path, FORM, &body).await;
        assert_eq!(refused.status, *status, "{body}");
        let said = refused.json();
        let reason = match said["error"].as_str() {
            Some("invalid_client") => text(&said, "error_description"),
            _ => text(&said, "message"),
        };
        assert!(reason.ends_with(&format!("({code})")), "{body}: {said}");
        let proxy_status = format!("upauth; error=http_request_denied; details=\"{code}\"");
        let told = |name| refused.header(name);
        assert_eq!(told("proxy-status"), Some(proxy_status.as_str()));
        assert_eq!(told("cache-control"), Some("no-store"));
        assert!(told("x-request-id").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_a_key_is_refused_as_the_provider_does() {
    let it = with_keys().await;
    check(
        &it,
        &format!("/crm{TOKEN}"),
        &[
            ("client_credentials", 400, "UA-0220"),
            ("password&password=p&client_secret=s", 400, "UA-0221"),
            ("password&username=KEY&client_id=KEY", 400, "UA-0220"),
            // A security token has 24 characters or 25.
            (
                "password&password=KEYaaaaaaaaaaaaaaaaaaaaaaa",
                400,
                "UA-0221",
            ),
            ("authorization_code&code=c", 400, "UA-0220"),
            ("hybrid_auth_code&code=c", 400, "UA-0220"),
            (
                "urn:ietf:params:oauth:grant-type:token-exchange&subject_token=e30.e30.c2ln",
                400,
                "UA-0221",
            ),
            (
                "refresh_token&refresh_token=00D000000000000!upauth.placeholder",
                400,
                "UA-0221",
            ),
        ],
    )
    .await;
    check(
        &it,
        "/billing/oauth/token",
        &[
            ("client_credentials", 401, "UA-0220"),
            ("client_credentials&client_secret=s", 401, "UA-0221"),
            // The key is for another upstream.
            (
                "client_credentials&client_secret=the+key+for+reports",
                401,
                "UA-0222",
            ),
        ],
    )
    .await;
    assert_eq!(it.counters().connections, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_another_grant_is_refused_at_once_as_the_provider_does() {
    let it = with_keys().await;
    let key = format!("&client_secret={KEY}");
    for body in [
        // The two steps of the device flow.
        "response_type=device_code&client_id=i&scope=api",
        "grant_type=device&client_id=i&code=c",
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=c",
        "grant_type=urn:salesforce:grant-type:external:cdp&subject_token=t",
        "grant_type=made_up",
        "",
    ] {
        for body in [body.to_owned(), format!("{body}{key}")] {
            let refused = post(&it.proxy, &format!("/crm{TOKEN}"), FORM, &body).await;
            let error = refused.json()["error"].clone();
            assert_eq!(
                (refused.status, error),
                (400, "unsupported_grant_type".into()),
                "{body}"
            );
        }
    }
    assert_eq!(it.counters().connections, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_reading_logs_in_and_only_who_has_one_logs_out() {
    let it = with_keys().await;
    let body = "grant_type=password&password=the+key+for+reports";
    let login = post(&it.proxy, &format!("/crm{TOKEN}"), FORM, body).await;
    assert_eq!(login.status, 200);
    let token = text(&login.json(), "access_token").replace('!', "%21");
    let revoke = "/crm/services/oauth2/revoke";
    let out = post(&it.proxy, revoke, FORM, "token=x").await;
    assert_eq!((out.status, out.code()), (403, "UA-0221".to_owned()));
    let out = it.proxy.get(&format!("{revoke}?token={token}")).await;
    assert_eq!(out.status, 200);
    let out = post(&it.proxy, revoke, FORM, &format!("token={token}")).await;
    assert_eq!((out.status, out.text().as_str()), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_logs_in_without_a_key_but_lets_nobody_in() {
    let it = with_keys().await;
    for grant in [
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "assertion&assertion_type=urn:oasis:names:tc:SAML:2.0:profiles:SSO:browser",
    ] {
        let served = it.logins();
        let body = format!("grant_type={grant}&assertion=e30.e30.c2ln");
        let login = post(&it.proxy, &format!("/crm{TOKEN}"), FORM, &body).await;
        assert_eq!(login.status, 200, "{grant}");
        let login = login.json();
        let nobody = "http://localhost/crm/id/00D000000000000EAA/005000000000000AAA";
        assert_eq!(text(&login, "id"), nobody);
        assert_eq!(it.logins(), served, "nobody has the upstream log in");
        let token = format!("Authorization: Bearer {}\r\n", text(&login, "access_token"));
        let alone = it.proxy.get_with(LIMITS, &token).await;
        assert_eq!((alone.status, alone.code()), (403, "UA-0221".to_owned()));
        let both = format!("{token}X-Upauth-Key: {KEY}\r\n");
        assert_eq!(it.proxy.get_with(LIMITS, &both).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_bounded() {
    let it = with_keys().await;
    let crm = format!("/crm{TOKEN}");
    let padded = |length: usize| {
        let body = format!("grant_type=client_credentials&client_secret={KEY}&x=");
        let rest = length - body.len();
        body + &"x".repeat(rest)
    };
    let longest = 64 * 1024;
    let most = post(&it.proxy, &crm, FORM, &padded(longest)).await;
    assert_eq!(most.status, 200);
    let declared = post(&it.proxy, &crm, FORM, &padded(longest + 1)).await;
    assert_eq!(
        (declared.status, declared.code()),
        (400, "UA-0201".to_owned())
    );
    let mut caller = it.proxy.caller().await;
    caller.begin_upload(&crm).await;
    for _ in 0..17 {
        caller.piece(&"x".repeat(4096)).await;
    }
    assert_eq!(caller.answer(false).await.unwrap().status, 400);
    let mut caller = H2::connect(it.proxy.addr()).await;
    assert_eq!(caller.get(&crm).await.status, 403, "a GET is no login");
}
