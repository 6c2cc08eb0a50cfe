//! An API that speaks HTTP/2, so that the proxy does so as a client: it answers, rejects the token, gives a request up before
//! its answer and within it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::{Reason, server};
use http::{Response, StatusCode};

use crate::support::canary::Canaries;
use crate::support::{Call, Framed};

pub struct OverHttp2 {
    api: Framed,
    /// The credentials that came.
    seen: Seen,
}

type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

impl OverHttp2 {
    pub async fn start() -> Self {
        let seen = Seen::default();
        let api = Framed::calls(server::Builder::new(), &seen, answer).await;
        Self { api, seen }
    }

    /// The configuration. Its tokens are the emulator's: those of a scripted login are no secrets.
    pub fn text(&self) -> String {
        let scripted = self.api.upstream("http2 = true");
        let (_, api) = scripted.split_once("api_url").unwrap();
        format!(
            "[upstream.over-http2]\nprovider = \"zuora\"\nlogin_url = \"${{DEMO_BILLING_URL}}\"\nclient_id = \"${{DEMO_BILLING_CLIENT_ID}}\"\n\
             client_secret = \"${{DEMO_BILLING_CLIENT_SECRET}}\"\napi_url{api}"
        )
    }

    /// Whether tokens came that must be found nowhere else, and the proxy's client told of the heads that they were in.
    pub fn assert_used(&self, canaries: &Canaries, logged: &[u8]) {
        let mut seen = self.seen.lock().unwrap();
        let came = seen.len();
        seen.retain(|one| canaries.found_in(one).is_empty());
        assert!(came > 15 && seen.is_empty(), "{} of {came}", seen.len());
        assert!(is_heard(logged), "nothing was heard of its heads");
    }
}

async fn answer(mut call: Call, seen: Seen) {
    let credential = call.request.headers()["authorization"].as_bytes().to_vec();
    let turn = {
        let mut seen = seen.lock().unwrap();
        seen.push(credential);
        seen.len() % 6
    };
    if call.request.uri().path() == "/v1/cut" {
        let mut stream = call.begin();
        let _ = stream.send_data(Bytes::from_static(b"cut"), false);
        return stream.send_reset(Reason::INTERNAL_ERROR);
    }
    match turn {
        0 => call.respond.send_reset(Reason::INTERNAL_ERROR),
        3 => {
            let mut rejected = Response::new(());
            *rejected.status_mut() = StatusCode::UNAUTHORIZED;
            let _ = call.respond.send_response(rejected, true);
        }
        _ => call.reply("ok"),
    }
}

/// Whether the proxy's HTTP/2 client told of the heads that it wrote.
fn is_heard(logged: &[u8]) -> bool {
    let mut lines = logged.split(|byte| *byte == b'\n');
    lines.any(|line| {
        [
            " worker-0 ",
            "Connection{peer=Client}",
            "send frame=Headers",
        ]
        .iter()
        .all(|word| memchr::memmem::find(line, word.as_bytes()).is_some())
    })
}
