//! `check --live`: how often it logs in, and what it tells.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{CRM, Folder};
use crate::cli::Exit;

/// A token endpoint that refuses every password, and how often it did.
fn refusing() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, count) = (
        listener.local_addr().unwrap(),
        Arc::<AtomicUsize>::default(),
    );
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let (mut sent, mut part) = (Vec::new(), [0; 1024]);
            // The password comes last.
            while !String::from_utf8_lossy(&sent).contains("&password=") {
                let read = stream.read(&mut part).unwrap();
                sent.extend_from_slice(&part[..read]);
            }
            counted.fetch_add(1, Ordering::SeqCst);
            stream.write_all(REFUSAL).unwrap();
        }
    });
    (addr, count)
}

fn upstream_with_password(name: &str, login: &str, user: &str) -> String {
    format!(
        "[upstream.{name}]\nprovider = \"salesforce\"\ngrant = \"password\"\nlogin_url = \"http://{login}\"\n\
         client_id = \"id\"\nclient_secret = \"secret\"\nusername = \"{user}\"\npassword = \"pw\"\n"
    )
}

#[test]
fn a_refused_password_is_not_tried_again_for_the_next_upstream_of_the_user() {
    let (login, count) = refusing();
    let login = login.to_string();
    let config: String = [("a", "u1"), ("b", "u1"), ("c", "u2"), ("d", "u1")]
        .map(|(name, user)| upstream_with_password(name, &login, user))
        .concat();
    let (exit, _, err) = Folder::with(&config).run("check --live");
    assert_eq!(exit, Exit::Refused);
    assert_eq!(count.load(Ordering::SeqCst), 2, "{err}");
    assert_eq!(err.matches("not tried").count(), 2, "{err}");
}

#[test]
fn the_exit_of_a_live_check_tells_the_worst_whatever_comes_last() {
    let login = refusing().0.to_string();
    let refused = upstream_with_password("a", &login, "u");
    let unreachable = upstream_with_password("b", "127.0.0.1:1", "u");
    let (exit, _, err) = Folder::with(&format!("{refused}{unreachable}")).run("check --live");
    assert_eq!(exit, Exit::Refused, "{err}");
    let (refused, unreachable) = (refused.replace("upstream.a", "upstream.z"), unreachable);
    let (exit, _, err) = Folder::with(&format!("{unreachable}{refused}")).run("check --live");
    assert_eq!(exit, Exit::Refused, "{err}");
}

#[test]
fn what_is_likely_is_told_in_the_words_of_the_provider() {
    let oauth2 = |at: &str| {
        format!(
            "[upstream.a]\nprovider = \"oauth2\"\ntoken_url = \"http://{at}/token\"\napi_url = \"http://{at}\"\n\
             client_id = \"id\"\nclient_secret = \"secret\"\ngrant = \"password\"\nusername = \"u\"\npassword = \"pw\"\n"
        )
    };
    let login = refusing().0.to_string();
    let rows = [
        (upstream_with_password("a", &login, "u"), "security token"),
        (oauth2(&login), "fields, success"),
        (oauth2("127.0.0.1:1"), "token_url, encode"),
        (CRM.to_owned(), "not a token endpoint"),
    ];
    for (config, words) in rows {
        let (_, _, err) = Folder::with(&config).run("check --live");
        assert!(err.contains(words), "{words}: {err}");
    }
}

const REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 70\r\n\
Connection: close\r\n\r\n{\"error\":\"invalid_grant\",\"error_description\":\"authentication failure\"}";
