//! Logins at a raw loopback listener that answers scripted bytes.

mod coded;
mod lineages;
mod proxies;
mod unread;

use std::mem::discriminant;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use super::*;
use crate::config::server::ListenTls;
use crate::config::zuora::Zuora;
use crate::provider::{Lifetime, Refused, zuora};

const OK: &str = r#"{"access_token":"tok","token_type":"bearer","expires_in":3598}"#;

fn answer_with(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// A port that refuses, and that nobody else gets as long as the socket is kept.
fn nobody() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

/// Answers each connection with one of `scripts` and gives back what was asked.
async fn serve(scripts: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "the test's own server")]
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for script in scripts {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let other: [&[u8]; 2] = [b"\x16", b"CONNECT"];
            while !request.ends_with(b"s%2Bt")
                && !other.iter().any(|begin| request.starts_with(begin))
            {
                if stream.read_buf(&mut request).await.unwrap() == 0 {
                    break;
                }
            }
            asked.push(String::from_utf8_lossy(&request).into_owned());
            let _ = stream.write_all(&script).await;
            let _ = stream.shutdown().await;
        }
        asked
    });
    (url, served)
}

fn leg() -> Leg {
    Leg {
        ca: vec![],
        connect_timeout: Duration::from_secs(5),
        proxy: None,
    }
}

fn endpoint_with(url: &str, client_secret: Source, timeout: Duration) -> Endpoint {
    let keys = Zuora {
        login_url: url.parse().unwrap(),
        api_url: url.parse().unwrap(),
        client_id: Source::Value(Secret::new("id")),
        client_secret,
        entity_ids: vec![],
        org_ids: vec![],
    };
    let trust = Trust::new(&[]);
    // As at the start; it takes a while.
    trust.make().unwrap();
    Endpoint::new(
        Arc::new(zuora::provider(&keys)),
        trust,
        &leg(),
        timeout,
        Clock::system(),
        Fingerprinter::new(),
    )
}

fn endpoint(url: &str) -> Endpoint {
    let secret = Source::Value(Secret::new("s+t"));
    endpoint_with(url, secret, Duration::from_secs(10))
}

async fn log_in(endpoint: &Endpoint) -> Result<Exchanged, LoginFailure> {
    let exchanged = endpoint.exchange(&[]).await;
    exchanged.map_err(|not| not.failure)
}

fn transient(result: Result<Exchanged, LoginFailure>) -> String {
    match result {
        Err(LoginFailure::Transient { text, .. }) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_login_is_one_post_with_a_form() {
    let (url, served) = serve(vec![answer_with("200 OK", OK)]).await;
    let exchanged = log_in(&endpoint(&url)).await.unwrap();
    let lifetime = Lifetime::For(Duration::from_secs(3598));
    assert_eq!(exchanged.credential.lifetime(), lifetime);
    assert_eq!(exchanged.answer.body, OK);
    // What was kept reads as it did when it came.
    let again = endpoint(&url).read(&exchanged.answer).unwrap();
    assert!(again.same_token(&exchanged.credential));
    assert_eq!(again.lifetime(), lifetime);
    let asked = served.await.unwrap();
    let request = asked.first().unwrap();
    assert!(request.starts_with("POST /oauth/token HTTP/1.1\r\n"));
    let head = request.to_ascii_lowercase();
    assert!(head.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"));
    assert!(head.contains("\r\naccept: application/json\r\n"));
    assert!(!head.contains("authorization") && !head.contains("accept-encoding"));
    let host = url.trim_start_matches("http://");
    assert!(head.contains(&format!("\r\nhost: {host}\r\n")), "{head}");
    assert!(
        request.ends_with("\r\n\r\ngrant_type=client_credentials&client_id=id&client_secret=s%2Bt")
    );
}

#[tokio::test]
async fn an_answer_may_come_in_pieces() {
    let (first, second) = OK.split_at(20);
    let script = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let (url, _served) = serve(vec![script.into_bytes()]).await;
    assert!(log_in(&endpoint(&url)).await.is_ok());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let script =
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let (url, served) = serve(vec![script.to_vec()]).await;
    assert_eq!(
        transient(log_in(&endpoint(&url)).await),
        "HTTP 307 to another address, which is not followed"
    );
    assert_eq!(served.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_refusal_does_not_repeat_the_secret() {
    let body = r#"{"message":"Invalid client id or secret s+t"}"#;
    let (url, _served) = serve(vec![answer_with("401 Unauthorized", body)]).await;
    let expected = LoginFailure::Refused {
        what: Refused::Client,
        text: "Invalid client id or secret [secret]".to_owned(),
    };
    assert_eq!(log_in(&endpoint(&url)).await.unwrap_err(), expected);
}

#[tokio::test]
async fn what_breaks_on_the_way_is_transient_and_said_in_short_words() {
    let large = answer_with("200 OK", &"x".repeat(post::BODY_MAX + 1));
    // The announced length is not believed: nothing is set aside for it.
    let liar = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{{",
        u64::MAX / 2
    );
    let rows = [
        (large, "its answer is larger than 1 MiB"),
        (liar.into_bytes(), "the connection broke: "),
        (b"".to_vec(), "the connection broke: "),
        (b"SSH-2.0-x\r\n".to_vec(), "the connection broke: "),
    ];
    for (script, expected) in rows {
        let (url, _served) = serve(vec![script]).await;
        let text = transient(log_in(&endpoint(&url)).await);
        let host = url.trim_start_matches("http://");
        assert!(text.starts_with(&format!("{host}: {expected}")), "{text}");
        assert!(!text.contains("oauth") && text.len() < 250, "{text}");
    }
}

#[tokio::test]
async fn a_closed_port_and_broken_tls_are_transient() {
    let (_port, url) = nobody();
    let text = transient(log_in(&endpoint(&url)).await);
    assert!(
        text.contains("cannot connect: Connection refused"),
        "{text}"
    );

    let (url, _served) = serve(vec![answer_with("200 OK", OK)]).await;
    let url = url.replace("http:", "https:");
    let text = transient(log_in(&endpoint(&url)).await);
    let why = "cannot connect: the other side does not speak TLS (http:// meant?)";
    assert!(text.contains(why), "{text}");
}

#[tokio::test]
async fn a_silent_endpoint_costs_no_more_than_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let secret = Source::Value(Secret::new("s+t"));
    let endpoint = endpoint_with(&url, secret, Duration::from_millis(50));
    let text = transient(log_in(&endpoint).await);
    assert!(text.ends_with("no answer in time"), "{text}");
}

#[tokio::test]
async fn an_unreadable_secret_sends_nothing() {
    let secret = Source::File(PathBuf::from("/nonexistent/secret"));
    let endpoint = endpoint_with("http://127.0.0.1:9", secret, Duration::from_secs(10));
    let Err(LoginFailure::Secret { text }) = log_in(&endpoint).await else {
        panic!("a login without a secret");
    };
    assert!(text.starts_with("client_secret: cannot read"), "{text}");
    let unread = endpoint.secrets().await;
    assert!(matches!(unread, Err(LoginFailure::Secret { .. })));
}

#[tokio::test]
async fn a_secrets_program_runs_at_most_once_a_minute() {
    let dir = std::env::temp_dir().join(format!("upauth-endpoint-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let count = dir.join("count");
    let script = format!("echo x >> '{}'; echo s+t", count.display());
    let secret = Source::Command(vec!["sh".to_owned(), "-c".to_owned(), script]);
    let endpoint = endpoint_with("http://127.0.0.1:9", secret, Duration::from_secs(10));
    let first = endpoint.secrets().await.unwrap();
    assert_eq!(endpoint.secrets().await.unwrap(), first);
    let runs = std::fs::read_to_string(&count).unwrap().lines().count();
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(runs, 1);
}

#[tokio::test]
async fn a_program_may_print_the_answer_instead_of_a_token_endpoint() {
    let printing = |script: &str| {
        let mut endpoint = endpoint("http://127.0.0.1:9");
        let mut provider = Provider::clone(&endpoint.provider);
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        provider.login = Login::Program(Source::Command(argv));
        endpoint.provider = Arc::new(provider);
        endpoint
    };
    let printed = printing(&format!("echo '{OK}'"));
    let credential = log_in(&printed).await.unwrap().credential;
    let bearer = credential.value(crate::provider::CarrierForm::Bearer);
    assert_eq!(bearer, "Bearer tok");
    let Err(LoginFailure::Secret { text }) = log_in(&printing("exit 3")).await else {
        panic!("a login although the program failed");
    };
    assert!(text.starts_with("the command `sh` failed"), "{text}");
}

#[tokio::test]
async fn the_fingerprint_changes_with_a_secret() {
    let url = "http://127.0.0.1:9";
    let mut endpoint = endpoint(url);
    let before = endpoint.secrets().await.unwrap();
    let other = endpoint_with(
        url,
        Source::Value(Secret::new("other")),
        Duration::from_secs(1),
    );
    endpoint.provider = other.provider;
    let after = endpoint.secrets().await.unwrap();
    assert_eq!(
        (before.secrets == after.secrets, before.user == after.user),
        (false, true)
    );
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_a_secret_that_cannot_and_is_tried_again() {
    let (url, served) = serve(vec![answer_with("200 OK", OK)]).await;
    let folder = std::env::temp_dir().join(format!("upauth-trust-{}", hex(&random::<8>())));
    std::fs::create_dir(&folder).unwrap();
    let ca = crate::tls::own_ca(&folder);
    let mut endpoint = endpoint(&url);
    endpoint.trust = Trust::new(std::slice::from_ref(&ca));
    std::fs::write(&ca, "not a certificate").unwrap();
    for file in ["no certificate", "cannot read"] {
        for failure in [
            endpoint.secrets().await.unwrap_err(),
            endpoint.exchange(&[]).await.unwrap_err().failure,
        ] {
            let LoginFailure::Secret { text } = failure else {
                panic!("{failure:?}")
            };
            assert!(text.starts_with("ca: ") && text.contains(file), "{text}");
        }
        let _ = std::fs::remove_file(&ca);
    }
    // The authority that a listener makes for itself.
    crate::tls::server(&ListenTls::Auto, &[], Some(&folder)).unwrap();
    assert!(endpoint.exchange(&[]).await.is_ok());
    assert_eq!(served.await.unwrap().len(), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn it_is_known_whether_what_was_presented_may_be_used_up() {
    let rows: [(Vec<u8>, Presented); 8] = [
        (answer_with("400 Bad Request", "{}"), Presented::InVain),
        (answer_with("429 Too Many Requests", ""), Presented::InVain),
        (answer_with("500 Oops", ""), Presented::Perhaps),
        (answer_with("502 Bad Gateway", "<html>"), Presented::Perhaps),
        (answer_with("200 OK", "{\"access_to"), Presented::Perhaps),
        (answer_with("200 OK", "{}"), Presented::Perhaps),
        (answer_with("302 Found", ""), Presented::Perhaps),
        (Vec::new(), Presented::Perhaps),
    ];
    for (script, expected) in rows {
        let said = String::from_utf8_lossy(&script).into_owned();
        let (url, _served) = serve(vec![script]).await;
        let not = endpoint(&url).exchange(&[]).await.unwrap_err();
        assert_eq!(
            discriminant(&not.presented),
            discriminant(&expected),
            "{said}"
        );
    }
    let (_port, url) = nobody();
    let not = endpoint(&url).exchange(&[]).await.unwrap_err();
    assert!(matches!(not.presented, Presented::Never), "nobody listens");
    let unread = endpoint_with(
        &url,
        Source::File("/nowhere".into()),
        Duration::from_secs(5),
    );
    let not = unread.exchange(&[]).await.unwrap_err();
    assert!(
        matches!(not.presented, Presented::Never),
        "no secret to send"
    );
}
