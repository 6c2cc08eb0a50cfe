//! The admin listener over real sockets, asked as curl would ask.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Changed, Check, Controls, Reloaded, RenewError, Scope, State, UpstreamStatus, serve};
use crate::message::Rejection;
use crate::provider::{LoginFailure, Refused};
use crate::server::Acceptor;
use crate::telemetry::Metrics;

struct Admin {
    addr: SocketAddr,
    draining: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

fn controls(draining: Arc<AtomicBool>) -> Controls {
    let crm = UpstreamStatus {
        name: "crm".into(),
        provider: "salesforce",
        state: State::Valid,
        since: Some(Duration::from_secs(1_795_440_000)),
        why: None,
        next_try: None,
        expires_in: Some(Duration::from_secs(60)),
        surfaces: vec!["rest".into()],
        next: None,
    };
    let metrics = Metrics::new();
    metrics.upstream("crm").replayed();
    Controls {
        ready: Arc::new(move || {
            let ok = !draining.load(Ordering::Relaxed);
            vec![
                Check {
                    name: "config",
                    ok: true,
                },
                Check {
                    name: "serving",
                    ok,
                },
            ]
        }),
        status: Arc::new(move || vec![crm.clone()]),
        renew: Arc::new(|name| {
            Box::pin(async move {
                match name.as_str() {
                    "crm" => Ok(()),
                    "hangs" => std::future::pending().await,
                    "locked" => Err(LoginFailure::Refused {
                        what: Refused::Password,
                        text: "invalid_grant: user is locked".into(),
                    }
                    .into()),
                    _ => Err(RenewError::Unknown),
                }
            })
        }),
        retry: Arc::new(|name| {
            let known = name == "crm";
            Box::pin(async move { known.then_some(()).ok_or(RenewError::Unknown) })
        }),
        reload: Arc::new(|| Box::pin(async { Ok(reloaded()) })),
        metrics,
        guard: Arc::new(|parts| {
            let host = parts.headers.get("host");
            if host.is_some_and(|host| host == "localhost") {
                Ok(())
            } else {
                Err(Rejection::WrongHost)
            }
        }),
    }
}

fn reloaded() -> Reloaded {
    Reloaded {
        changes: vec![Changed {
            section: "upstream.crm".into(),
            what: "changed",
            keys: vec!["client_secret".into()],
        }],
        at_next_start: vec!["server.workers".into()],
        warnings: vec!["nobody is let in".into()],
        logging_in: vec!["crm".into()],
    }
}

impl Admin {
    async fn start(scope: Scope) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let draining = Arc::new(AtomicBool::new(false));
        let controls = controls(Arc::clone(&draining));
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let server = serve(Acceptor::Tcp(listener), controls, scope, shutdown);
        #[expect(clippy::disallowed_methods, reason = "the test owns the server")]
        let server = tokio::spawn(server);
        Self {
            addr,
            draining,
            stop,
            server,
        }
    }

    /// Sends a head, gives back the status and the whole answer.
    async fn send(&self, head: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let request = format!("{head}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"))
            .await
    }

    async fn renew(&self, name: &str, headers: &str) -> (u16, String) {
        self.send(&format!(
            "POST /api/v1/upstreams/{name}/renew HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{headers}"
        ))
        .await
    }
}

#[tokio::test]
async fn health_follows_readiness() {
    let admin = Admin::start(Scope::Full).await;
    for path in ["/livez", "/healthz", "/readyz"] {
        let (status, answer) = admin.get(path).await;
        assert_eq!((status, answer.ends_with("\r\n\r\nok\n")), (200, true));
    }
    let (_, answer) = admin.get("/readyz?verbose").await;
    assert!(answer.ends_with("[+]config ok\n[+]serving ok\nreadyz check passed\n"));
    admin.draining.store(true, Ordering::Relaxed);
    let (status, answer) = admin.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(answer.contains("[-]serving failed"), "{answer}");
    assert_eq!(admin.get("/livez").await.0, 200);
}

#[tokio::test]
async fn metrics_say_what_they_are() {
    let admin = Admin::start(Scope::Full).await;
    let (status, answer) = admin.get("/metrics").await;
    assert_eq!(status, 200);
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(answer.contains(kind), "{answer}");
    let line = "upauth_unauthorized_replays_total{upstream=\"crm\"} 1\n";
    assert!(answer.contains(line), "{answer}");
}

#[tokio::test]
async fn the_status_of_each_upstream_is_json() {
    let admin = Admin::start(Scope::Full).await;
    let (status, answer) = admin.get("/api/v1/status").await;
    assert_eq!(status, 200);
    assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["ready"], true);
    let expected = serde_json::json!({
        "name": "crm", "provider": "salesforce", "state": "valid",
        "since": "2026-11-23T13:20:00Z", "expires_in_seconds": 60, "surfaces": ["rest"],
    });
    assert_eq!(body["upstreams"][0], expected);
}

#[tokio::test]
async fn renewal_is_a_post_with_a_header_that_no_form_can_send() {
    let admin = Admin::start(Scope::Full).await;
    let meant = "X-Upauth-Admin: 1\r\n";
    let rows = [
        ("crm", meant, 200, "\"state\":\"valid\""),
        ("crm", "", 403, "UA-0212"),
        ("crm", "X-Upauth-Admin: yes\r\n", 403, "X-Upauth-Admin: 1"),
        ("nobody", meant, 404, "UA-0204"),
        ("locked", meant, 502, "user is locked"),
        ("locked", meant, 502, "UA-0301"),
    ];
    for (name, headers, status, part) in rows {
        let (got, answer) = admin.renew(name, headers).await;
        assert_eq!(got, status, "{name} {answer}");
        assert!(answer.contains(part), "{part}: {answer}");
        let problem = answer.contains("content-type: application/problem+json\r\n");
        assert_eq!(problem, status >= 400, "{answer}");
    }
    let retry = async |name: &str, headers: &str| {
        let head =
            format!("POST /api/v1/upstreams/{name}/retry HTTP/1.1\r\nHost: localhost\r\n{headers}");
        admin.send(&head).await.0
    };
    assert_eq!(retry("crm", "").await, 403);
    assert_eq!(retry("nobody", meant).await, 404);
    assert_eq!(retry("crm", meant).await, 200);
    let (status, answer) = admin.get("/api/v1/upstreams/crm/renew").await;
    assert_eq!(status, 405);
    assert!(answer.contains("allow: POST"), "{answer}");
}

#[tokio::test]
async fn a_reload_is_a_post_with_the_header_and_tells_what_changed() {
    let admin = Admin::start(Scope::Full).await;
    let post = |headers: &str| {
        format!("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{headers}")
    };
    assert_eq!(admin.send(&post("")).await.0, 403);
    let (status, answer) = admin.send(&post("X-Upauth-Admin: 1\r\n")).await;
    assert_eq!(status, 200, "{answer}");
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = serde_json::json!({
        "changes": [{ "section": "upstream.crm", "what": "changed", "keys": ["client_secret"] }],
        "at_next_start": ["server.workers"],
        "warnings": ["nobody is let in"],
        "logging_in": ["crm"],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_foreign_host_sees_nothing_but_the_refusal() {
    let admin = Admin::start(Scope::Full).await;
    for path in ["/", "/livez", "/metrics", "/api/v1/status", "/nothing"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n");
        let (status, answer) = admin.send(&head).await;
        assert_eq!(status, 421, "{path}");
        assert!(answer.contains("UA-0202"), "{answer}");
    }
}

#[tokio::test]
async fn the_health_listener_has_four_paths_and_any_host() {
    let admin = Admin::start(Scope::HealthOnly).await;
    for path in ["/livez", "/healthz", "/readyz", "/metrics"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: 10.0.0.7:7719\r\n");
        assert_eq!(admin.send(&head).await.0, 200, "{path}");
    }
    for path in ["/", "/api/v1/status"] {
        assert_eq!(admin.get(path).await.0, 404, "{path}");
    }
    assert_eq!(admin.renew("crm", "X-Upauth-Admin: 1\r\n").await.0, 404);
}

#[tokio::test]
async fn the_front_page_lists_what_there_is() {
    let admin = Admin::start(Scope::Full).await;
    let (status, answer) = admin.get("/").await;
    assert_eq!(status, 200);
    for path in ["/livez", "/readyz", "/metrics", "/api/v1/status", "/renew"] {
        assert!(answer.contains(path), "{path}");
    }
}

#[tokio::test]
async fn renewals_that_hang_leave_places_for_who_watches() {
    let admin = Admin::start(Scope::Full).await;
    let request = "POST /api/v1/upstreams/hangs/renew HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nX-Upauth-Admin: 1\r\n\r\n";
    let mut waiting = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(admin.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    while admin.renew("crm", "X-Upauth-Admin: 1\r\n").await.0 != 503 {}
    assert_eq!(admin.renew("hangs", "X-Upauth-Admin: 1\r\n").await.0, 503);
    assert_eq!(admin.get("/livez").await.0, 200);
    drop(waiting);
    while admin.renew("crm", "X-Upauth-Admin: 1\r\n").await.0 != 200 {}
}

#[tokio::test]
async fn a_silent_caller_does_not_hold_up_the_end() {
    let admin = Admin::start(Scope::Full).await;
    let mut half = TcpStream::connect(admin.addr).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    assert_eq!(admin.get("/livez").await.0, 200);
    admin.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), admin.server).await;
    ended.unwrap().unwrap().unwrap();
}
