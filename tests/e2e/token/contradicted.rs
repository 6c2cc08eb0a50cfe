//! One path that answers 401 whatever the token: what it takes from those who call others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::support::{Caller, Scripted, TestProxy};

/// An API and a token endpoint, and how they are turned.
#[derive(Clone, Default)]
struct Dials {
    /// What the token endpoint answers instead of a token.
    failing: Arc<Mutex<Option<&'static str>>>,
    logins: Arc<AtomicUsize>,
    /// All tokens so far are dead.
    dead: Arc<AtomicUsize>,
}

impl Dials {
    fn fails(&self, status: Option<&'static str>) {
        *self.failing.lock().unwrap() = status;
    }

    async fn start(&self) -> (Scripted, TestProxy) {
        let dials = self.clone();
        let api = Scripted::start(move |mut connection| {
            let dials = dials.clone();
            async move {
                while let Some(seen) = connection.request().await {
                    let (status, body) = dials.answer(&seen.target, seen.header("authorization"));
                    connection
                        .reply(status, "Content-Type: application/json\r\n", &body)
                        .await;
                }
            }
        })
        .await;
        let addr = api.addr;
        let proxy = TestProxy::start(&format!(
            "[upstream.api]\nprovider = \"oauth2\"\ntoken_url = \"http://{addr}/token\"\napi_url = \"http://{addr}\"\n\
             client_id = \"id\"\nclient_secret = \"secret\"\ntoken_wait = \"1s\"\n"
        ));
        (api, proxy)
    }

    fn answer(&self, target: &str, token: Option<&str>) -> (&'static str, String) {
        if target == "/token" {
            let login = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
            return match *self.failing.lock().unwrap() {
                Some(status) => (status, r#"{"error":"invalid_client"}"#.to_owned()),
                None => (
                    "200 OK",
                    format!(r#"{{"access_token":"{login}","expires_in":7200}}"#),
                ),
            };
        }
        if target == "/public" {
            return ("404 Not Found", "whatever the token".to_owned());
        }
        let number = token.and_then(|token| token.strip_prefix("Bearer ")?.parse().ok());
        let dead = number.is_none_or(|number: usize| number <= self.dead.load(Ordering::SeqCst));
        match dead || target == "/forbidden" {
            true => ("401 Unauthorized", "no".to_owned()),
            false => ("200 OK", "yes".to_owned()),
        }
    }
}

const FAILURES: [(&str, u16, &str); 2] = [
    ("401 Unauthorized", 502, "UA-0301"),
    ("503 Service Unavailable", 503, "UA-0302"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_401_of_one_path_takes_a_good_token_from_nobody_while_no_login_succeeds() {
    for (failure, status, code) in FAILURES {
        let dials = Dials::default();
        let (_api, proxy) = dials.start().await;
        assert_eq!(proxy.get("/api/x").await.status, 200);
        dials.fails(Some(failure));
        // Nobody else says yet whether the token is alive.
        let own = proxy.get("/api/forbidden").await;
        assert_eq!((own.status, own.code().as_str()), (status, code));
        let told = proxy.status("api").await;
        let state = if status == 502 {
            "refused"
        } else {
            "unavailable"
        };
        assert_eq!(told["state"], state);
        for _ in 0..3 {
            assert_eq!(proxy.get("/api/x").await.status, 200, "{failure}");
            let own = proxy.get("/api/forbidden").await;
            assert_eq!((own.status, own.text().as_str()), (401, "no"), "{failure}");
        }
        dials.fails(None);
        let renewed = Caller::connect(proxy.admin())
            .await
            .post_with("/api/v1/upstreams/api/renew", "X-Upauth-Admin: 1\r\n", "")
            .await;
        assert_eq!(renewed.status, 200);
        assert_eq!(proxy.get("/api/x").await.status, 200);
        assert_eq!(proxy.status("api").await["state"], "valid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_dead_for_all_is_answered_for_by_the_login_that_fails() {
    for (failure, status, code) in FAILURES {
        let dials = Dials::default();
        let (_api, proxy) = dials.start().await;
        assert_eq!(proxy.get("/api/x").await.status, 200);
        dials.fails(Some(failure));
        dials.dead.store(1, Ordering::SeqCst);
        for _ in 0..3 {
            let answer = proxy.get("/api/x").await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code));
        }
        // What is refused is not tried again for ten minutes at least.
        dials.fails(None);
        if status == 502 {
            continue;
        }
        let asked = Instant::now();
        while proxy.get("/api/x").await.status != 200 {
            assert!(asked.elapsed() < Duration::from_secs(60));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_really_ends_is_replaced_although_a_path_that_rejects_used_up_the_budget() {
    let dials = Dials::default();
    let (_api, proxy) = dials.start().await;
    for _ in 0..30 {
        assert_eq!(proxy.get("/api/x").await.status, 200);
        assert_eq!(proxy.get("/api/forbidden").await.status, 401);
    }
    assert_eq!(proxy.get("/api/x").await.status, 200);
    // A machine that stands still for five seconds may look like a session's end.
    let logins = dials.logins.load(Ordering::SeqCst);
    assert!((7..=9).contains(&logins), "{logins}");
    dials.dead.store(logins, Ordering::SeqCst);
    assert_eq!(proxy.get("/api/x").await.status, 401);
    let why = proxy.status("api").await["why"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(why.contains("not taken it since"), "{why}");
    let asked = Instant::now();
    loop {
        let answer = proxy.get("/api/x").await;
        if answer.status == 200 {
            assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
            break;
        }
        assert!(asked.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(dials.logins.load(Ordering::SeqCst), logins + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_takes_any_token_keeps_no_session_that_ended() {
    let dials = Dials::default();
    let (_api, proxy) = dials.start().await;
    assert_eq!(proxy.get("/api/x").await.status, 200);
    dials.fails(Some("503 Service Unavailable"));
    dials.dead.store(1, Ordering::SeqCst);
    assert_eq!(proxy.get("/api/x").await.status, 503);
    dials.fails(None);
    let asked = Instant::now();
    loop {
        assert_eq!(proxy.get("/api/public").await.status, 404);
        if proxy.get("/api/x").await.status == 200 {
            break;
        }
        assert!(asked.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(200)).await;
    }
}
