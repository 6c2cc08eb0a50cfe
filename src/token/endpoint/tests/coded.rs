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

#[tokio::test]
async fn a_coding_that_nobody_asked_for_is_opened() {
    let ok = OK.as_bytes();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(ok).unwrap();
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
        ("deflate", zlib.finish().unwrap()),
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

#[tokio::test]
async fn what_is_opened_is_bounded_and_whole_or_as_it_came() {
    let bomb = gzip(&vec![b' '; 64 * post::BODY_MAX]);
    assert!(bomb.len() < 256 * 1024);
    let cut = gzip(OK.as_bytes());
    let mut wrong = cut.clone();
    *wrong.get_mut(20).unwrap() ^= 0xff;
    let rows = [
        (gzip(&vec![b' '; post::BODY_MAX + 1]), "larger than 1 MiB"),
        (bomb.clone(), "larger than 1 MiB"),
        (cut[..cut.len() - 9].to_vec(), "a body that is not JSON"),
        (wrong, "a body that is not JSON"),
        (
            [gzip(OK.as_bytes()), cut[..cut.len() - 9].to_vec()].concat(),
            "a body that is not JSON",
        ),
        // A bomb in a bomb is opened once.
        (gzip(&bomb), "a body that is not JSON"),
    ];
    for (body, expected) in rows {
        let (url, _served) = serve(vec![coded("gzip", &body)]).await;
        let not = endpoint(&url).exchange(None).await.unwrap_err();
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
async fn the_successor_is_found_in_an_answer_that_breaks_off_behind_it() {
    let whole = r#"{"access_token":"tok","refresh_token":"r2"}"#;
    let form = "access_token=tok&refresh_token=r2";
    let rows = [
        ("200 OK", "content-length: 999", whole.to_owned(), true),
        ("200 OK", "content-length: 999", format!("{whole}\n"), true),
        (
            "200 OK",
            "transfer-encoding: chunked",
            format!("{:x}\r\n{whole}\r\n", whole.len()),
            true,
        ),
        (
            "200 OK",
            "content-length: 999",
            whole[..42].to_owned(),
            false,
        ),
        ("500 Oops", "content-length: 999", whole.to_owned(), false),
        // Who knows what it was to become.
        (
            "200 OK",
            "content-type: application/x-www-form-urlencoded\r\ncontent-length: 999",
            form.to_owned(),
            false,
        ),
    ];
    for (status, head, body, expected) in rows {
        let script = format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}");
        let (url, _served) = serve(vec![script.into_bytes()]).await;
        let not = rotating(&url).exchange(None).await.unwrap_err();
        assert!(not.failure.to_string().contains("broke"), "{}", not.failure);
        let found = match not.presented {
            Presented::Replaced(next) => next.expose() == "r2",
            _ => false,
        };
        assert_eq!(found, expected, "{status} {head} {body}");
    }
}
