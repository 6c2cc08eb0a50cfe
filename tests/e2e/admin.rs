//! Looking inside a running proxy: health, metrics, status, renewal.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};
use upauth::emulator::{Canned, Emulator, Settings};
use upauth::telemetry::AccessLog;

use crate::support::caller::PATIENCE;
use crate::support::{Answer, Caller, TestProxy};

/// The proxy with Zuora and Salesforce behind it, and a health listener.
pub(crate) async fn pair() -> (Emulator, TestProxy) {
    let emulator = Emulator::start(Settings::default()).await.unwrap();
    let text = "[admin]\nlisten = \"127.0.0.1:0\"\nhealth_listen = \"127.0.0.1:0\"\n\
        [upstream.billing]\nprovider = \"zuora\"\nlogin_url = \"${DEMO_BILLING_URL}\"\n\
        client_id = \"${DEMO_BILLING_CLIENT_ID}\"\nclient_secret = \"${DEMO_BILLING_CLIENT_SECRET}\"\n\
        [upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"${DEMO_LOGIN_URL}\"\n\
        client_id = \"${DEMO_CRM_CLIENT_ID}\"\nclient_secret = \"${DEMO_CRM_CLIENT_SECRET}\"\n\
        instance_hosts = [\"${DEMO_INSTANCE_HOST}\"]\n";
    let proxy = TestProxy::start_with(text, &emulator.variables(), AccessLog::off());
    (emulator, proxy)
}

async fn ask(proxy: &TestProxy, request: &str) -> Answer {
    Caller::connect(proxy.admin()).await.ask(request).await
}

async fn get(proxy: &TestProxy, path: &str) -> Answer {
    Caller::connect(proxy.admin()).await.get(path).await
}

/// What the status says of an upstream.
async fn status(proxy: &TestProxy, upstream: &str) -> Value {
    let answer = get(proxy, "/api/v1/status").await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let upstreams = body["upstreams"].as_array().unwrap();
    let found = upstreams.iter().find(|entry| entry["name"] == upstream);
    found.unwrap().clone()
}

pub(crate) async fn renew(proxy: &TestProxy, upstream: &str) -> Answer {
    let request = format!(
        "POST /api/v1/upstreams/{upstream}/renew HTTP/1.1\r\nHost: localhost\r\nX-Upauth-Admin: 1\r\nContent-Length: 0\r\n\r\n"
    );
    ask(proxy, &request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_follows_a_login() {
    let (emulator, proxy) = pair().await;
    assert_eq!(status(&proxy, "billing").await["state"], "not_yet");
    assert_eq!(
        get(&proxy, "/readyz").await.status,
        200,
        "readiness needs no token"
    );
    let delay = |ms| emulator.knobs().turn(|dials| dials.billing.delay_ms = ms);
    delay(600_000);
    let mut caller = proxy.caller().await;
    caller.begin("/billing/v1/accounts/A1").await;
    timeout(PATIENCE, async {
        while status(&proxy, "billing").await["state"] != "logging_in" {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("a login under way is not shown");
    delay(0);
    assert_eq!(caller.answer(false).await.unwrap().status, 200);
    let valid = status(&proxy, "billing").await;
    assert_eq!(
        (&valid["state"], &valid["provider"]),
        (&"valid".into(), &"zuora".into())
    );
    let left = valid["expires_in_seconds"].as_u64().unwrap();
    assert!((3500..=3598).contains(&left), "{valid}");
    assert_eq!(
        status(&proxy, "crm").await["state"],
        "not_yet",
        "one is not the other"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_why_there_is_no_token() {
    let (emulator, proxy) = pair().await;
    let logins_answer = |canned| emulator.knobs().turn(|dials| dials.login.always = canned);
    logins_answer(Some(Canned::refusal(
        "invalid_client",
        "invalid client credentials",
    )));
    let answer = proxy.get("/crm/services/data").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0301"));
    let refused = status(&proxy, "crm").await;
    assert_eq!(refused["state"], "refused");
    assert!(
        refused["why"].as_str().unwrap().contains("invalid_client"),
        "{refused}"
    );
    assert_eq!(
        get(&proxy, "/readyz").await.status,
        200,
        "one upstream's trouble is its own"
    );

    logins_answer(Some(Canned::empty()));
    assert_eq!(renew(&proxy, "crm").await.status, 503);
    let unavailable = status(&proxy, "crm").await;
    assert_eq!(unavailable["state"], "unavailable");
    assert!(unavailable["next_try"].is_string(), "{unavailable}");

    logins_answer(None);
    let renewed = renew(&proxy, "crm").await;
    assert_eq!(
        (renewed.status, &renewed.json()["state"]),
        (200, &"valid".into())
    );
    assert_eq!(
        proxy.get("/crm/services/data/v61.0/limits").await.status,
        200
    );
    assert_eq!(status(&proxy, "crm").await.get("why"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_shown_holds_a_token() {
    let (_emulator, proxy) = pair().await;
    let mut tokens = Vec::new();
    for (upstream, path) in [
        ("crm", "/crm/services/data/v61.0/limits"),
        ("billing", "/billing/v1/accounts/A1"),
    ] {
        assert_eq!(proxy.get(path).await.status, 200);
        let handle = proxy.app.as_ref().unwrap().tokens(upstream).unwrap();
        let issued = handle.current(tokio::time::Instant::now()).unwrap();
        let value = issued
            .credential
            .value(upauth::provider::CarrierForm::Token);
        tokens.push(value.to_str().unwrap().to_owned());
    }
    for path in ["/", "/api/v1/status", "/metrics", "/readyz?verbose"] {
        let shown = get(&proxy, path).await;
        let shown = format!("{:?}{}", shown.headers, shown.text());
        assert!(
            !tokens.iter().any(|token| shown.contains(token)),
            "{path} shows a token"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_is_a_deliberate_post_and_brings_a_new_token() {
    let (emulator, proxy) = pair().await;
    assert_eq!(
        proxy.get("/crm/services/data/v61.0/limits").await.status,
        200
    );
    let logins = || emulator.counters().logins.values().sum::<u64>();
    assert_eq!(logins(), 1);
    let path = "/api/v1/upstreams/crm/renew HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n";
    for (request, status, code) in [
        (format!("POST {path}\r\n"), 403, "UA-0212"),
        (
            format!("POST {path}X-Upauth-Admin: 0\r\n\r\n"),
            403,
            "UA-0212",
        ),
        (
            format!("GET {path}X-Upauth-Admin: 1\r\n\r\n"),
            405,
            "UA-0205",
        ),
        (
            format!("POST {path}X-Upauth-Admin: 1\r\nOrigin: https://evil.example\r\n\r\n"),
            403,
            "UA-0203",
        ),
        (
            format!("POST {path}X-Upauth-Admin: 1\r\nSec-Fetch-Site: cross-site\r\n\r\n"),
            403,
            "UA-0203",
        ),
    ] {
        let answer = ask(&proxy, &request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{request}"
        );
    }
    assert_eq!(renew(&proxy, "nobody").await.status, 404);
    assert_eq!(logins(), 1, "a refused renewal logged in");
    assert_eq!(renew(&proxy, "crm").await.status, 200);
    assert_eq!(logins(), 2);
    assert_eq!(
        proxy.get("/crm/services/data/v61.0/limits").await.status,
        200
    );
    assert_eq!(logins(), 2, "the renewed token serves");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_is_guarded_and_the_health_listener_tells_anybody_a_little() {
    let (_emulator, proxy) = pair().await;
    let foreign = "GET PATH HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    for path in [
        "/",
        "/livez",
        "/readyz",
        "/metrics",
        "/api/v1/status",
        "/nowhere",
    ] {
        let request = foreign.replace("PATH", path);
        let answer = ask(&proxy, &request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (421, "UA-0202"),
            "{path}"
        );
        let page = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n");
        assert_eq!(ask(&proxy, &page).await.status, 403, "{path}");
        let health = proxy.addrs.health.unwrap();
        let answer = Caller::connect(health).await.ask(&request).await;
        let told = matches!(path, "/livez" | "/readyz" | "/metrics");
        assert_eq!(answer.status, if told { 200 } else { 404 }, "health {path}");
    }
    let health = proxy.addrs.health.unwrap();
    let renewal = "POST /api/v1/upstreams/crm/renew HTTP/1.1\r\nHost: localhost\r\nX-Upauth-Admin: 1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(Caller::connect(health).await.ask(renewal).await.status, 404);
    // And the other way round: callers' port serves none of it.
    for path in ["/livez", "/metrics", "/api/v1/status"] {
        assert_eq!(proxy.get(path).await.status, 404, "{path}");
    }
    for path in ["/livez", "/healthz"] {
        assert_eq!(get(&proxy, path).await.text(), "ok\n");
    }
    assert!(
        get(&proxy, "/readyz?verbose")
            .await
            .text()
            .contains("[+]not-draining ok")
    );
}

/// The value of a sample, by its name and labels as written.
fn sample(page: &str, name: &str) -> Option<f64> {
    let mut lines = page.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_requests_logins_and_replays_by_upstream() {
    let (emulator, proxy) = pair().await;
    for _ in 0..3 {
        assert_eq!(
            proxy.get("/crm/services/data/v61.0/limits").await.status,
            200
        );
    }
    assert_eq!(
        proxy.get("/crm/services/data/v61.0/nothing").await.status,
        404
    );
    emulator.end_sessions("salesforce");
    let replayed = proxy.get("/crm/services/data/v61.0/limits").await;
    assert_eq!(
        (replayed.status, replayed.header("x-upauth-replayed")),
        (200, Some("1"))
    );
    emulator
        .knobs()
        .turn(|dials| dials.billing.next_login.extend(vec![Canned::empty(); 4]));
    assert_eq!(renew(&proxy, "billing").await.status, 503);
    // A request is counted when its answer's body has ended, which its caller may see a moment earlier.
    let as_expected = |page: &str| {
        let mut samples = SAMPLES.iter();
        samples.all(|(name, expected)| sample(page, name) == *expected)
    };
    let _ = timeout(PATIENCE, async {
        while !as_expected(&get(&proxy, "/metrics").await.text()) {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let page = get(&proxy, "/metrics").await;
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let page = page.text();
    for (name, expected) in SAMPLES {
        assert_eq!(sample(&page, name), *expected, "{name}\n{page}");
    }
    assert!(
        sample(
            &page,
            r#"upauth_token_refresh_total{upstream="billing",result="unavailable"}"#
        )
        .is_some_and(|count| count >= 1.0),
        "{page}"
    );
    assert!(page.ends_with("# EOF\n"));
}

/// What the page says after three good calls, one bad one and one that was replayed.
const SAMPLES: &[(&str, Option<f64>)] = &[
    (
        r#"upauth_requests_total{upstream="crm",code_class="2xx"}"#,
        Some(4.0),
    ),
    (
        r#"upauth_requests_total{upstream="crm",code_class="4xx"}"#,
        Some(1.0),
    ),
    (
        r#"upauth_requests_total{upstream="billing",code_class="2xx"}"#,
        None,
    ),
    (
        r#"upauth_proxy_overhead_seconds_count{upstream="crm"}"#,
        Some(5.0),
    ),
    (
        r#"upauth_unauthorized_replays_total{upstream="crm"}"#,
        Some(1.0),
    ),
    (
        r#"upauth_unauthorized_replays_total{upstream="billing"}"#,
        Some(0.0),
    ),
    (
        r#"upauth_token_refresh_total{upstream="crm",result="done"}"#,
        Some(2.0),
    ),
    (
        r#"upauth_token_refresh_total{upstream="crm",result="refused"}"#,
        Some(0.0),
    ),
    (r#"upauth_requests_in_flight{upstream="crm"}"#, Some(0.0)),
    ("upauth_token_waiters", Some(0.0)),
];
