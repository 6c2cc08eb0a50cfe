//! Token answers as they are in the wild.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use upauth::emulator::{Canned, ExpiresIn};

use super::{ANY, ME, SECRET, why};
use crate::support::emulated::stored;
use crate::support::{Emulated, Scripted, TestProxy, together};

#[tokio::test(flavor = "multi_thread")]
async fn odd_lifetimes_are_read_bounded_or_taken_for_none() {
    let none = None;
    let rows = [
        (ExpiresIn::Integer, Some(3600)),
        (ExpiresIn::String, Some(3600)),
        (ExpiresIn::Float, Some(3600)),
        (ExpiresIn::Date, Some(3600)),
        (ExpiresIn::Huge, Some(86_400)),
        // Far away in seconds: a day.
        (ExpiresIn::Milliseconds, Some(86_400)),
        (ExpiresIn::Zero, none),
        (ExpiresIn::Negative, none),
        (ExpiresIn::Missing, none),
    ];
    for (written, expected) in rows {
        let at = Emulated::start(&format!("{ANY}{SECRET}")).await;
        at.turn(|dials| dials.oauth2.answer.expires_in = written);
        assert_eq!(at.proxy.get(ME).await.status, 200, "{written:?}");
        let left = at.proxy.status("any").await["expires_in_seconds"].as_u64();
        let near =
            |left: u64| expected.is_some_and(|expected| left <= expected && left + 60 > expected);
        assert!(
            left.map_or(expected.is_none(), near),
            "{written:?}: {left:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_stand_anywhere_and_lifetimes_are_counted_in_other_units() {
    let more = format!(
        "{SECRET}fields = {{ access_token = \"/data/token\", expires_in = {{ path = \"/data/ttl\", unit = \"ms\" }} }}\n\
         success = {{ path = \"/ok\", equals = true }}\n"
    );
    let at = Emulated::start(&format!("{ANY}{more}")).await;
    at.turn(|dials| {
        let answer = &mut dials.oauth2.answer;
        answer.envelope = true;
        answer.expires_in = ExpiresIn::Milliseconds;
        for (name, place) in [("access_token", "/data/token"), ("expires_in", "/data/ttl")] {
            answer.names.insert(name.to_owned(), place.to_owned());
        }
    });
    assert_eq!(at.proxy.get(ME).await.status, 200, "{}", why(&at).await);
    let left = at.proxy.status("any").await["expires_in_seconds"]
        .as_u64()
        .unwrap();
    assert!((3500..=3600).contains(&left), "{left}");
    // Refusals come with 200, too.
    let wrong = more.replace("${DEMO_OAUTH_CLIENT_SECRET}", "wrong");
    let at = Emulated::start(&format!("{ANY}{wrong}")).await;
    at.turn(|dials| dials.oauth2.answer.envelope = true);
    for _ in 0..3 {
        assert_eq!(at.proxy.get(ME).await.code(), "UA-0301");
    }
    assert_eq!(at.counters().oauth2_token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_of_the_api_may_come_with_the_token_if_it_is_allowed() {
    let api = "api_url = \"${DEMO_OAUTH_API_URL}\"\n";
    let more = "fields = { instance_url = \"/instance_url\" }\ninstance_hosts = [\"HOST\"]\n";
    for (host, status) in [("${OAUTH_API_HOST}", 200), ("api.example", 502)] {
        let config = format!(
            "{}{SECRET}{}",
            ANY.replace(api, ""),
            more.replace("HOST", host)
        );
        let at = Emulated::start(&config).await;
        at.turn(|dials| dials.oauth2.answer.instance_url = true);
        let answer = at.proxy.get("/any/tenants/acme/v3/me").await;
        assert_eq!(answer.status, status, "{}", why(&at).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_tried_again() {
    let rows = [
        Canned::html(),
        Canned {
            status: 200,
            ..Canned::html()
        },
        Canned::truncated(),
        Canned::empty(),
        Canned::json(200, "{}"),
        Canned::json(200, r#"{"access_token":null}"#),
        Canned::json(
            200,
            format!(r#"{{"access_token":"t","x":"{}"}}"#, "x".repeat(1 << 20)),
        ),
        Canned::json(200, "x".repeat(2 << 20)),
        Canned::retry_after(503, "1"),
        Canned::json(400, r#"{"error":"temporarily_unavailable"}"#),
        Canned {
            cut: true,
            ..Canned::json(200, r#"{"access_token":"t"}"#)
        },
    ];
    // Each waits for its second try.
    let tries = together(rows.len(), move |number| {
        let row = rows[number].clone();
        async move {
            let at = Emulated::start(&format!("{ANY}{SECRET}")).await;
            let shown = format!("{row:.100?}");
            at.turn(|dials| dials.oauth2.next_login.push_back(row));
            assert_eq!(at.proxy.get(ME).await.status, 200, "{shown}");
            assert_eq!(at.counters().oauth2_token_requests, 2, "{shown}");
        }
    });
    tries.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_as_plain_text_and_a_form_are_answers_and_an_error_with_200_is_none() {
    let at = Emulated::start(&format!("{ANY}{SECRET}")).await;
    at.turn(|dials| dials.oauth2.answer.content_type = "text/plain".to_owned());
    assert_eq!(at.proxy.get(ME).await.status, 200);
    let form = Canned {
        status: 200,
        content_type: "application/x-www-form-urlencoded".to_owned(),
        body: "access_token=abc%21def&expires_in=90&token_type=bearer".to_owned(),
        ..Canned::default()
    };
    let at = Emulated::start(&format!("{ANY}{SECRET}")).await;
    at.turn(|dials| dials.oauth2.next_login.push_back(form));
    // A token that the emulated API does not know.
    assert_eq!(at.proxy.get(ME).await.status, 200);
    let counters = at.counters();
    assert_eq!(
        (counters.oauth2_token_requests, counters.dead_sessions),
        (2, 1)
    );
    let at = Emulated::start(&format!("{ANY}{SECRET}")).await;
    at.turn(|dials| {
        let error = r#"{"error":"access_denied","access_token":"t"}"#;
        dials.oauth2.always_login = Some(Canned::json(200, error));
    });
    for _ in 0..3 {
        assert_eq!(at.proxy.get(ME).await.code(), "UA-0301");
    }
    assert_eq!(at.counters().oauth2_token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_lifetime_is_renewed_after_half_of_the_time_it_may_lie_unused() {
    let at = Emulated::start(&format!("{ANY}{SECRET}session_timeout = \"10m\"\n")).await;
    at.turn(|dials| dials.oauth2.answer.expires_in = ExpiresIn::Missing);
    assert_eq!(at.proxy.get(ME).await.status, 200);
    at.pass(Duration::from_secs(6 * 60)).await;
    assert_eq!(at.proxy.get(ME).await.status, 200);
    assert_eq!(at.counters().oauth2_token_requests, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_wants_a_proof_is_refused_once_and_one_with_fewer_scopes_serves_and_is_told() {
    let at = Emulated::start(&format!("{ANY}{SECRET}")).await;
    at.turn(|dials| dials.oauth2.answer.token_type = "DPoP".to_owned());
    for _ in 0..3 {
        assert_eq!(at.proxy.get(ME).await.code(), "UA-0301");
    }
    assert_eq!(at.counters().oauth2_token_requests, 1);
    assert!(
        why(&at).await.contains("of the type DPoP"),
        "{}",
        why(&at).await
    );

    let at = Emulated::start(&format!("{ANY}{SECRET}scope = \"read write\"\n")).await;
    assert_eq!(at.proxy.get(ME).await.status, 200);
    assert_eq!(why(&at).await, "");
    let at = Emulated::start(&format!("{ANY}{SECRET}scope = \"read write\"\n")).await;
    at.turn(|dials| dials.oauth2.answer.scope = Some("read".to_owned()));
    for _ in 0..3 {
        assert_eq!(at.proxy.get(ME).await.status, 200);
    }
    assert_eq!(at.counters().oauth2_token_requests, 1);
    assert_eq!(
        why(&at).await,
        "the token lacks scope that was asked for: write"
    );
    assert_eq!(at.proxy.status("any").await["state"], "valid");
}

/// The refresh tokens that are presented to a server whose first answer, with `r1` in it for `r0`, goes through `spoil`, so that what
/// is sent is more, less or another thing.
async fn presented_after(spoil: fn(Vec<u8>) -> Vec<u8>) -> Vec<String> {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let presented = seen.clone();
    let server = Scripted::start(move |mut connection| {
        let seen = seen.clone();
        async move {
            while let Some(request) = connection.request().await {
                if request.target != "/token" {
                    connection.reply("200 OK", "", "ok").await;
                    continue;
                }
                let form = form_urlencoded::parse(&request.body);
                let mut sent = form.filter(|(name, _)| name == "refresh_token");
                let count = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(sent.next().unwrap().1.into_owned());
                    seen.len()
                };
                let body = format!(
                    r#"{{"access_token":"t{count}","refresh_token":"r{count}","expires_in":3600,"token_type":"Bearer"}}"#
                );
                if count > 1 {
                    connection.reply("200 OK", "", &body).await;
                    continue;
                }
                connection.write(spoil(body.into_bytes())).await;
                break;
            }
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let addr = server.addr;
    let upstream = format!(
        "[upstream.any]\nprovider = \"oauth2\"\ngrant = \"refresh_token\"\ntoken_url = \"http://{addr}/token\"\n\
         api_url = \"http://{addr}\"\nclient_id = \"id\"\nclient_auth = \"none\"\nrefresh_token = \"r0\"\n"
    );
    let proxy = TestProxy::start(&stored(&folder, &upstream));
    assert_eq!(proxy.get(ME).await.status, 200);
    proxy.stop().await;
    presented.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_can_be_read_of_a_spoilt_answer_is_the_next_one() {
    fn answer(length: usize, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    }
    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }
    type Spoil = fn(Vec<u8>) -> Vec<u8>;
    let rows: [(&str, Spoil); 5] = [
        ("something behind it", |body| {
            let body = [&body, b"<!-- served by node 3 -->".as_slice()].concat();
            answer(body.len(), &body)
        }),
        ("a length that is too small", |body| {
            answer(body.len() - 1, &body)
        }),
        ("broken off behind the token", |body| {
            answer(body.len(), &body[..body.len() - 40])
        }),
        ("gzip without its trailer", |body| {
            let body = gzip(&body);
            answer(body.len() - 8, &body[..body.len() - 8])
        }),
        ("broken off in gzip", |body| {
            let body = gzip(&body);
            answer(body.len(), &body[..body.len() - 9])
        }),
    ];
    for (spoilt, spoil) in rows {
        assert_eq!(presented_after(spoil).await, ["r0", "r1"], "{spoilt}");
    }
}
