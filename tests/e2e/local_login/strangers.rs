//! Logins that have shown no key so far, and whose bodies do not come: they hold nothing that others need.

use std::time::Duration;

use tokio::time::sleep;

use super::{FORM, KEY, LIMITS, TOKEN, keys, post, with_keys};
use crate::support::emulated::CRM;
use crate::support::frames::{End, Frames};
use crate::support::{Caller, Emulated};

/// Few places, and more time for a head than a test takes.
const FEW: &str = "[server.limits]\nrequests_in_flight = 4\nheader_timeout = \"90s\"\n";
/// Memory for one body.
const NARROW: &str =
    "[server.limits]\nreplay_bytes = 65536\nbuffer_bytes = 65536\nheader_timeout = \"90s\"\n";
const HASTY: &str = "[server.limits]\nrequests_in_flight = 1\nheader_timeout = \"3s\"\n";

async fn crm(limits: &str, keys: &str) -> Emulated {
    Emulated::start(&format!("{limits}{CRM}{keys}")).await
}

fn login() -> String {
    format!("grant_type=client_credentials&client_id=i&client_secret={KEY}")
}

/// A login whose body is asked for.
async fn stalled(it: &Emulated, lines: &str, length: usize) -> Caller {
    stalled_at(it, TOKEN, lines, length).await
}

async fn stalled_at(it: &Emulated, path: &str, lines: &str, length: usize) -> Caller {
    let mut caller = it.proxy.caller().await;
    caller
        .write(format!(
            "POST /crm{path} HTTP/1.1\r\nHost: localhost\r\n{FORM}{lines}Content-Length: {length}\r\n\
             Expect: 100-continue\r\n\r\n"
        ))
        .await;
    let asked = caller.exactly(b"HTTP/1.1 100 Continue\r\n\r\n".len()).await;
    assert!(asked.unwrap().starts_with(b"HTTP/1.1 100 "));
    caller
}

fn fields<'a>(method: &'a [u8], path: &'a [u8]) -> Vec<(&'a [u8], &'a [u8])> {
    vec![
        (b":method", method),
        (b":scheme", b"http"),
        (b":authority", b"localhost"),
        (b":path", path),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ]
}

/// A connection of HTTP/2 with so many logins without bodies, and the id of its next stream.
async fn stalled_streams(it: &Emulated, count: u32) -> (Frames, u32) {
    let mut caller = Frames::connect(it.proxy.addr()).await;
    let token = format!("/crm{TOKEN}");
    for at in 0..count {
        let fields = fields(b"POST", token.as_bytes());
        caller.headers(1 + 2 * at, &fields, false).await;
    }
    (caller, 1 + 2 * count)
}

/// That others are served: calls with a key, and a login that brings its own.
async fn assert_others_are_served(it: &Emulated, how: &str) {
    let key = format!("X-Upauth-Key: {KEY}\r\n");
    for _ in 0..5 {
        let answer = it.proxy.get_with(LIMITS, &key).await;
        assert_eq!(answer.status, 200, "{how}: {}", answer.text());
    }
    let whole = post(&it.proxy, &format!("/crm{TOKEN}"), FORM, &login()).await;
    assert_eq!(whole.status, 200, "{how}: {}", whole.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_without_a_key_whose_bodies_do_not_come_hold_no_place() {
    let it = crm(FEW, &keys()).await;
    let mut waiting = Vec::new();
    for _ in 0..12 {
        waiting.push(stalled(&it, "", 60_000).await);
    }
    assert_others_are_served(&it, "HTTP/1.1").await;
    let wrong = "Authorization: Bearer wrong\r\n";
    for _ in 0..12 {
        waiting.push(stalled(&it, wrong, 60_000).await);
    }
    assert_others_are_served(&it, "with a wrong key").await;
    // Who waited longest was sent away.
    let oldest = waiting[0].answer(false).await.unwrap();
    assert_eq!((oldest.status, oldest.code().as_str()), (503, "UA-0502"));
    let told = |name| oldest.header(name);
    assert_eq!(
        (told("retry-after"), told("connection")),
        (Some("1"), Some("close"))
    );
    let (mut caller, next) = stalled_streams(&it, 60).await;
    assert_others_are_served(&it, "HTTP/2").await;
    assert_eq!(caller.end(1).await, End::Status(503));
    // On the same connection, too, in pieces.
    let (path, login) = (format!("/crm{TOKEN}"), login());
    let fields = fields(b"POST", path.as_bytes());
    caller.headers(next, &fields, false).await;
    let (first, second) = login.split_at(30);
    caller.data(next, first.as_bytes(), false).await;
    sleep(Duration::from_millis(50)).await;
    caller.data(next, second.as_bytes(), true).await;
    assert_eq!(caller.end(next).await, End::Status(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_without_a_key_whose_bodies_do_not_come_hold_no_memory_that_others_need() {
    let it = crm(NARROW, &keys()).await;
    let mut waiting = Vec::new();
    for _ in 0..12 {
        waiting.push(stalled(&it, "", 60_000).await);
    }
    assert_others_are_served(&it, "HTTP/1.1").await;
    let lines = format!("{FORM}X-Upauth-Key: {KEY}\r\n");
    let long = format!("grant_type=client_credentials&x={}", "x".repeat(60_000));
    let known = post(&it.proxy, &format!("/crm{TOKEN}"), &lines, &long).await;
    assert_eq!(known.status, 200, "{}", known.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_whose_body_comes_behind_its_head_or_in_pieces_or_when_asked_for_is_answered() {
    let it = with_keys().await;
    let (path, body) = (format!("/crm{TOKEN}"), login());
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{FORM}");
    let (first, second) = body.split_at(30);
    let lengthy = format!("{head}Content-Length: {}\r\n\r\n", body.len());
    let chunked = |piece: &str| format!("{:x}\r\n{piece}\r\n", piece.len());
    let rows = [
        vec![format!("{lengthy}{body}")],
        vec![lengthy.clone(), body.clone()],
        vec![lengthy, first.to_owned(), second.to_owned()],
        vec![
            format!("{head}Transfer-Encoding: chunked\r\n\r\n"),
            chunked(first),
            chunked(second),
            "0\r\n\r\n".to_owned(),
        ],
    ];
    for pieces in rows {
        let mut caller = it.proxy.caller().await;
        for piece in &pieces {
            caller.write(piece).await;
            sleep(Duration::from_millis(50)).await;
        }
        let answer = caller.answer(false).await.unwrap();
        assert_eq!(answer.status, 200, "{pieces:?}: {}", answer.text());
        // The connection goes on.
        let key = format!("X-Upauth-Key: {KEY}\r\n");
        assert_eq!(caller.get_with(LIMITS, &key).await.status, 200);
    }
    let mut asking = stalled(&it, "", body.len()).await;
    asking.write(&body).await;
    assert_eq!(asking.answer(false).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_a_key_whose_body_stalls_is_answered_408_in_the_time_for_a_head() {
    let it = crm(HASTY, &keys()).await;
    let mut caller = stalled(&it, "", 100).await;
    caller.write("grant_type=").await;
    let answer = caller.answer(false).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (408, "UA-0504"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(caller.exactly(1).await.is_err(), "closed");
    let (mut caller, next) = stalled_streams(&it, 1).await;
    assert_eq!(caller.end(1).await, End::Status(408));
    // The connection goes on.
    let mut fields = fields(b"GET", LIMITS.as_bytes());
    fields.push((b"x-upauth-key", KEY.as_bytes()));
    caller.headers(next, &fields, true).await;
    assert_eq!(caller.end(next).await, End::Status(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_who_is_let_in_by_its_head_has_a_place_and_time_as_every_call() {
    let key = format!("X-Upauth-Key: {KEY}\r\n");
    let one = async |keys: &str, lines: &str| {
        let it = crm(HASTY, keys).await;
        let body = "grant_type=client_credentials";
        let mut caller = stalled(&it, lines, body.len()).await;
        let other = it.proxy.get_with(LIMITS, lines).await;
        assert_eq!((other.status, other.code().as_str()), (503, "UA-0502"));
        sleep(Duration::from_secs(4)).await;
        caller.write(body).await;
        let answer = caller.answer(false).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    let keys = keys();
    tokio::join!(one(&keys, &key), one("", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_a_session_is_alive_and_its_end_are_asked_for_without_a_place_until_a_key_is_shown()
{
    let it = crm(FEW, &keys()).await;
    let mut waiting = Vec::new();
    for at in 0..12 {
        let path = ["/services/oauth2/introspect", "/services/oauth2/revoke"][at % 2];
        waiting.push(stalled_at(&it, path, "", 60_000).await);
    }
    assert_others_are_served(&it, "beside those").await;
    for (path, body) in [("introspect", "\"active\":true"), ("revoke", "")] {
        let path = format!("/crm/services/oauth2/{path}");
        let answer = post(&it.proxy, &path, FORM, &format!("token={KEY}")).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains(body), "{}", answer.text());
    }
}
