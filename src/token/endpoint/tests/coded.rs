//! Answers in a content coding that nobody asked for.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let header = match coding {
        "" => String::new(),
        coding => format!("content-encoding: {coding}\r\n"),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\n{header}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_coding_that_nobody_asked_for_is_opened() {
    let ok = OK.as_bytes();
    let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
    bare.write_all(ok).unwrap();
    let (first, second) = ok.split_at(10);
    let rows = [
        ("gzip", gzip(ok)),
        ("GZIP", gzip(ok)),
        ("x-gzip", gzip(ok)),
        ("gzip", [gzip(first), gzip(second)].concat()),
        ("gzip", [&*gzip(ok), b"\0trailing"].concat()),
        // A header that is missing, or was left behind by whoever opened it.
        ("", gzip(ok)),
        ("br", gzip(ok)),
        ("gzip", ok.to_vec()),
        ("deflate", ok.to_vec()),
        ("identity", ok.to_vec()),
        ("deflate", zlib(ok)),
        ("deflate", bare.finish().unwrap()),
    ];
    for (number, (coding, body)) in rows.into_iter().enumerate() {
        let (url, _served) = serve(vec![coded(coding, &body)]).await;
        let exchanged = log_in(&endpoint(&url)).await;
        let exchanged = exchanged.unwrap_or_else(|why| panic!("{number} {coding}: {why}"));
        assert_eq!(exchanged.answer.body, OK, "{number} {coding}");
        assert!(endpoint(&url).read(&exchanged.answer).is_ok());
    }
}

/// `body` without its last bytes, and with another byte where `at` says, counted from the end.
fn broken(body: &[u8], cut: usize, at: Option<usize>) -> Vec<u8> {
    let mut body = body.to_vec();
    let length = body.len();
    if let Some(at) = at {
        *body.get_mut(length - at).unwrap() ^= 0xff;
    }
    body.truncate(length - cut);
    body
}

#[tokio::test]
async fn what_is_opened_is_bounded_and_serves_whole_alone() {
    let bomb = gzip(&vec![b' '; 64 * post::BODY_MAX]);
    assert!(bomb.len() < 256 * 1024);
    let ok = gzip(OK.as_bytes());
    let form = gzip(b"access_token=tok&refresh_token=r2");
    let damaged = "compressed answer is damaged";
    let rows = [
        (gzip(&vec![b' '; post::BODY_MAX + 1]), "larger than 1 MiB"),
        (bomb.clone(), "larger than 1 MiB"),
        (broken(&ok, 9, None), damaged),
        (broken(&ok, 8, None), damaged),
        (broken(&ok, 0, Some(6)), damaged),
        (broken(&ok, 0, Some(20)), damaged),
        (broken(&form, 8, None), damaged),
        ([ok.clone(), broken(&ok, 9, None)].concat(), damaged),
        // A bomb in a bomb is opened once.
        (gzip(&bomb), "a body that is not JSON"),
    ];
    for (body, expected) in rows {
        let (url, _served) = serve(vec![coded("gzip", &body)]).await;
        let not = rotating(&url).exchange(&[]).await.unwrap_err();
        assert!(matches!(not.presented, Presented::Perhaps));
        let told = not.failure.to_string();
        assert!(told.contains(expected), "{told}");
    }
}

/// An endpoint whose refresh tokens have successors.
fn rotating(url: &str) -> Endpoint {
    let mut endpoint = endpoint(url);
    let mut provider = Provider::clone(&endpoint.provider);
    provider.answer.refresh_token = Some("/refresh_token".into());
    endpoint.provider = Arc::new(provider);
    endpoint
}

/// The successor that the endpoint gives when it answers so; the access token beside it does not serve.
async fn successor(script: Vec<u8>) -> (Option<String>, String) {
    let (url, _served) = serve(vec![script]).await;
    let not = rotating(&url).exchange(&[]).await.unwrap_err();
    let found = match not.presented {
        Presented::Replaced(next) => Some(next.expose().to_owned()),
        _ => None,
    };
    (found, not.failure.to_string())
}

const WHOLE: &str = r#"{"access_token":"tok","refresh_token":"r2","expires_in":3600}"#;

#[tokio::test]
async fn the_successor_of_a_refresh_token_is_found_in_an_odd_answer() {
    let body = r#"{"access_token":"tok","refresh_token":"r2","expires_in":1e400,"error":0}"#;
    for (coding, body) in [
        ("", body.as_bytes().to_vec()),
        ("gzip", gzip(body.as_bytes())),
    ] {
        let (url, _served) = serve(vec![coded(coding, &body)]).await;
        let exchanged = log_in(&rotating(&url)).await.unwrap();
        assert_eq!(exchanged.successor.unwrap().expose(), "r2");
    }
}

#[tokio::test]
async fn the_successor_is_found_in_a_coding_that_is_damaged_or_too_much() {
    let whole = WHOLE.as_bytes();
    let gz = gzip(whole);
    let zlib = zlib(whole);
    let noise: Vec<u8> = (0..2 * post::BODY_MAX)
        .map(|at| b' ' + (at % 7) as u8)
        .collect();
    let rows = [
        ("gzip", broken(&gz, 8, None)),
        ("", broken(&gz, 4, None)),
        ("gzip", broken(&gz, 0, Some(6))),
        ("gzip", broken(&gz, 0, Some(1))),
        ("gzip", broken(&gz, 12, None)),
        ("gzip", [gz.clone(), broken(&gz, 9, None)].concat()),
        ("gzip", gzip(&[whole, &noise].concat())),
        ("deflate", broken(&zlib, 0, Some(1))),
        ("deflate", broken(&zlib, 4, None)),
        ("deflate", broken(&zlib, 8, None)),
    ];
    for (number, (coding, body)) in rows.into_iter().enumerate() {
        let (found, told) = successor(coded(coding, &body)).await;
        assert_eq!(found.as_deref(), Some("r2"), "{number} {coding}: {told}");
    }
}

#[tokio::test]
async fn the_successor_is_found_in_an_answer_that_breaks_off_behind_it() {
    let string = WHOLE.find("r2").unwrap() + 3;
    let form = "access_token=tok&refresh_token=r2&x";
    let long = "content-length: 999";
    let rows = [
        ("200 OK", long, WHOLE.to_owned(), true),
        ("200 OK", long, format!("{WHOLE}\n"), true),
        (
            "200 OK",
            "transfer-encoding: chunked",
            format!("{:x}\r\n{WHOLE}\r\n", WHOLE.len()),
            true,
        ),
        ("200 OK", long, WHOLE[..string].to_owned(), true),
        ("200 OK", long, WHOLE[..string - 1].to_owned(), false),
        ("500 Oops", long, WHOLE.to_owned(), false),
        // Who knows what it was to become.
        (
            "200 OK",
            "content-type: application/x-www-form-urlencoded\r\ncontent-length: 999",
            form.to_owned(),
            false,
        ),
        (
            "200 OK",
            "content-type: text/plain\r\ncontent-length: 999",
            form.to_owned(),
            false,
        ),
    ];
    for (status, head, body, expected) in rows {
        let script = format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}");
        let (found, told) = successor(script.into_bytes()).await;
        assert!(told.contains("broke"), "{told}");
        assert_eq!(found.is_some(), expected, "{status} {head} {body}");
    }
    let gz = gzip(WHOLE.as_bytes());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", gz.len());
    let (found, told) = successor([head.as_bytes(), &broken(&gz, 6, None)].concat()).await;
    assert_eq!(found.as_deref(), Some("r2"), "{told}");
    let cut = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{WHOLE}",
        WHOLE.len() - 1
    );
    assert_eq!(successor(cut.into_bytes()).await.0.as_deref(), Some("r2"));
    let endless = format!(
        "HTTP/1.1 200 OK\r\n\r\n{WHOLE}{}",
        " ".repeat(2 * post::BODY_MAX)
    );
    let (found, told) = successor(endless.into_bytes()).await;
    assert!(told.contains("larger than 1 MiB"), "{told}");
    assert_eq!(found.as_deref(), Some("r2"));
}

#[tokio::test]
async fn the_successor_is_found_in_an_answer_whose_end_does_not_come() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "the test's own server")]
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read_buf(&mut Vec::new()).await.unwrap() > 0);
        let script = format!("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{WHOLE}");
        stream.write_all(script.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    let mut endpoint = rotating(&url);
    endpoint.timeout = Duration::from_millis(300);
    let not = endpoint.exchange(&[]).await.unwrap_err();
    let told = not.failure.to_string();
    assert!(told.contains("no answer in time"), "{told}");
    assert!(matches!(not.presented, Presented::Replaced(next) if next.expose() == "r2"));
    served.abort();
}
