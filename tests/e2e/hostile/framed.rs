//! The upstream of [`capture`](super::capture) over HTTP/2. What RFC 9113 calls malformed, its library resets, so that no row is
//! answered as it should; what else is wrong is a fault.

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{self, SendResponse};
use http::{HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::capture::{Kept, Taken};
use crate::support::Framed;
use crate::support::frames::{DATA, END_HEADERS, END_STREAM, End, Frames, HEADERS, block};

pub async fn start(kept: &Kept) -> Framed {
    let kept = kept.clone();
    Framed::accept(&["h2"], move |stream, _| {
        let port = stream.get_ref().0.local_addr().unwrap().port();
        serve(stream, format!("localhost:{port}"), kept.clone())
    })
    .await
}

/// One connection of who is called by this authority.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    authority: String,
    kept: Kept,
) {
    let fault = |error: h2::Error| {
        // Who is done may hang up.
        if !error.is_io() {
            kept.lock().unwrap().tell(format!("over HTTP/2: {error}"));
        }
    };
    // Whatever comes is looked at: in how small pieces is not the matter here.
    let mut builder = server::Builder::new();
    builder.data_frame_budget(usize::MAX);
    let mut connection = match builder.handshake(stream).await {
        Ok(connection) => connection,
        Err(error) => return fault(error),
    };
    let mut streams = JoinSet::new();
    while let Some(next) = connection.accept().await {
        match next {
            Ok((request, respond)) => {
                streams.spawn(take(request, respond, authority.clone(), kept.clone()))
            }
            Err(error) => return fault(error),
        };
    }
}

async fn take(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    authority: String,
    kept: Kept,
) {
    let (head, mut body) = request.into_parts();
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        // One that breaks off is none.
        let Ok(piece) = piece else { return };
        let _ = body.flow_control().release_capacity(piece.len());
        whole.extend(piece);
    }
    let Ok(trailers) = body.trailers().await else {
        return;
    };
    let mut odd = Vec::new();
    if let Some(trailers) = trailers {
        odd.push(format!("trailers: {trailers:?}"));
    }
    if head.uri.scheme_str() != Some("https") {
        odd.push(format!("not https: {:?}", head.uri));
    }
    let mut taken = Taken {
        method: head.method.to_string(),
        target: head.uri.path_and_query().unwrap().as_str().into(),
        fields: Vec::new(),
        body: whole,
    };
    // Whoever reads CGI or HTTP/1.1 of it sees the authority as the Host, and one that is a field beside it.
    let named = head.uri.authority().map(|name| name.as_str().into());
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    let host = named.map(|name| ("host".to_owned(), name));
    taken.fields.extend(host.into_iter().chain(fields));
    {
        let mut kept = kept.lock().unwrap();
        odd.into_iter().for_each(|fault| kept.tell(fault));
        kept.keep(taken, &authority);
    }
    let mut answer = Response::new(());
    let length = HeaderValue::from_static("2");
    answer.headers_mut().insert("content-length", length);
    if let Ok(mut stream) = respond.send_response(answer, false) {
        let _ = stream.send_data(Bytes::from_static(b"ok"), true);
    }
}

/// What an upstream says of a stream with these frames behind its head, and whether it came and was answered.
async fn told(fields: Fields<'_>, rest: Rest<'_>) -> (Vec<String>, bool) {
    let kept = Kept::default();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let serving = serve(theirs, "localhost:1".to_owned(), kept.clone());
    let serving = tokio::task::spawn(serving);
    let mut frames = Frames::over(ours).await;
    frames.headers(1, fields, rest.is_empty()).await;
    for (kind, flags, payload) in rest {
        frames.frame(*kind, *flags, 1, payload).await;
    }
    let end = frames.end(1).await;
    drop(frames);
    serving.await.unwrap();
    let (requests, faults) = kept.lock().unwrap().take();
    (faults, end == End::Status(200) && requests.len() == 1)
}

type Fields<'a> = &'a [(&'a [u8], &'a [u8])];
type Rest<'a> = &'a [(u8, u8, &'a [u8])];

const PLAIN: [(&[u8], &[u8]); 6] = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"localhost:1"),
    (b":path", b"/x"),
    (b"authorization", b"Bearer token-1"),
    (b"via", b"1.1 us"),
];

#[tokio::test]
async fn whatever_may_not_leave_the_proxy_is_found_by_the_upstream_that_speaks_http_2() {
    let with = |name: &'static [u8], value: &'static [u8]| {
        let mut fields = PLAIN.to_vec();
        fields.push((name, value));
        fields
    };
    let but = |at: usize, value: &'static [u8]| {
        let mut fields = PLAIN.to_vec();
        fields[at].1 = value;
        fields
    };
    let whole: Rest<'_> = &[(DATA, END_STREAM, b"ok")];
    let trailers = block(&[(b"x-t", b"1")]);
    let behind: Rest<'_> = &[
        (DATA, 0, b"ok"),
        (HEADERS, END_HEADERS | END_STREAM, &trailers),
    ];
    let late: Rest<'_> = &[(DATA, END_STREAM, b"ok"), (DATA, END_STREAM, b"x")];
    for (what, fields, rest, fault) in [
        ("another scheme", but(1, b"http"), whole, "not https"),
        (
            "another name",
            but(2, b"localhost"),
            whole,
            "exactly one Host",
        ),
        (
            "a Host",
            with(b"host", b"localhost:1"),
            whole,
            "exactly one Host",
        ),
        (
            "another credential",
            but(4, b"Bearer mine"),
            whole,
            "exactly one credential",
        ),
        (
            "two credentials",
            with(b"authorization", b"Bearer token-1"),
            whole,
            "exactly one credential",
        ),
        (
            "two Via",
            with(b"via", b"1.1 other"),
            whole,
            "exactly one Via",
        ),
        ("te", with(b"te", b"trailers"), whole, "te"),
        ("a cookie", with(b"cookie", b"sid=1"), whole, "cookie"),
        ("trailers", PLAIN.to_vec(), behind, "trailers"),
        ("a byte behind", PLAIN.to_vec(), late, "over HTTP/2"),
    ] {
        let (faults, _) = told(&fields, rest).await;
        let is_found = faults.iter().any(|told| told.starts_with(fault));
        assert!(is_found, "{what}: {faults:?}");
    }
    for (what, fields, rest) in [
        ("of a connection", with(b"connection", b"close"), whole),
        ("of HTTP/1.1", with(b"transfer-encoding", b"chunked"), whole),
        ("a length too long", with(b"content-length", b"3"), whole),
        ("a length too short", with(b"content-length", b"1"), whole),
        ("a second path", with(b":path", b"/y"), whole),
        ("a line more", with(b"x-a", b"1\r\nx-b: 2"), whole),
        ("a capital", with(b"X-A", b"1"), whole),
    ] {
        assert!(!told(&fields, rest).await.1, "{what} was answered");
    }
    for (fields, rest) in [
        (PLAIN.to_vec(), whole),
        (with(b"content-length", b"2"), whole),
        (PLAIN.to_vec(), &[]),
    ] {
        assert_eq!(told(&fields, rest).await, (Vec::new(), true));
    }
}
