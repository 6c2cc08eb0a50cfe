//! URLs in bodies: those of the upstream at known places lead back, everything else is left alone.

mod elsewhere;

use std::io::Write;

use serde_json::json;
use tokio::sync::mpsc;

use crate::support::caller::Caller;
use crate::support::emulated::{BILLING, CRM};
use crate::support::{Emulated, Scripted, TestProxy};

/// The next page of a list at `api`, and what must never be touched.
fn list(api: &str) -> serde_json::Value {
    json!({
        "success": true,
        "nextPage": format!("{api}/v1/accounts?page=2&pageSize=20"),
        "dataFile": "https://s3.example.com/file?X-Amz-Signature=abc",
        "accounts": [{"nextPage": format!("{api}/v1/record/data")}],
    })
}

/// Answers every request with `list`, written by `write`.
async fn listing(write: impl Fn(&str) -> Vec<u8> + Send + Sync + Copy + 'static) -> Scripted {
    Scripted::start(move |mut connection| async move {
        while let Some(seen) = connection.request().await {
            let host = seen.header("host").unwrap();
            connection
                .write(write(&list(&format!("http://{host}")).to_string()))
                .await;
        }
    })
    .await
}

/// The path of a URL of the proxy.
fn path(url: &str) -> &str {
    url.strip_prefix("http://localhost").unwrap()
}

fn plain(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nContent-MD5: x\r\nAccept-Ranges: bytes\r\nETag: \"v1\"\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_page_leads_back_and_record_data_and_signed_urls_do_not_change() {
    let api = listing(plain).await;
    let proxy = TestProxy::start(&api.upstream());
    for encoding in [
        "",
        "Accept-Encoding: gzip, br\r\n",
        "Accept-Encoding: *\r\n",
    ] {
        let answer = proxy.get_with("/api/v1/accounts", encoding).await;
        let mut expected = list(&format!("http://{}", api.addr));
        expected["nextPage"] = "http://localhost/api/v1/accounts?page=2&pageSize=20".into();
        assert_eq!(answer.json(), expected, "{encoding}");
        for name in ["content-md5", "accept-ranges"] {
            assert_eq!(answer.header(name), None, "{name} spoke of other bytes");
        }
        assert_eq!(answer.header("etag"), Some("\"v1\""));
    }
    // Nothing is added where the caller asked for nothing.
    let asked: Vec<_> = api
        .seen()
        .iter()
        .map(|seen| seen.header("accept-encoding").map(str::to_owned))
        .collect();
    let identity = Some("identity".to_owned());
    assert_eq!(asked, [None, identity.clone(), identity]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_is_asked_for_of_what_arrives_in_other_bytes() {
    let api = listing(plain).await;
    let proxy = TestProxy::start(&api.upstream());
    for (path, asked) in [
        ("/api/v1/accounts", [None, None]),
        ("/api/apps/api/file", [Some("bytes=9-"), Some("\"v1\"")]),
    ] {
        let part = "Range: bytes=9-\r\nIf-Range: \"v1\"\r\n";
        assert_eq!(proxy.get_with(path, part).await.status, 200);
        let seen = api.seen().pop().unwrap();
        assert_eq!([seen.header("range"), seen.header("if-range")], asked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_keep_the_encoding_that_the_caller_asked_for() {
    let api = listing(plain).await;
    let proxy = TestProxy::start(&api.upstream());
    let gzip = "Accept-Encoding: gzip\r\n";
    let answer = proxy.get_with("/api/apps/api/file", gzip).await;
    assert_eq!(answer.json(), list(&format!("http://{}", api.addr)));
    assert_eq!(answer.header("content-md5"), Some("x"));
    assert_eq!(api.seen()[0].header("accept-encoding"), Some("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_says_that_it_is_not_compressed_is_turned_as_well() {
    let api = listing(|body| {
        let head =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: identity\r\n";
        let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        [head.as_slice(), length.as_bytes()].concat()
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let list = proxy.get("/api/v1/accounts").await.json();
    let next = "http://localhost/api/v1/accounts?page=2&pageSize=20";
    assert_eq!(list["nextPage"], next);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_ends_within_a_url_passes_to_its_last_byte() {
    let api = Scripted::start(|mut connection| async move {
        while connection.request().await.is_some() {
            let body = "{\"nextPage\":\"http://127";
            let kind = "Content-Type: application/json\r\n";
            connection.reply("200 OK", kind, body).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    for _ in 0..2 {
        let answer = caller.get("/api/v1/accounts").await;
        assert_eq!(answer.text(), "{\"nextPage\":\"http://127");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_compressed_all_the_same_passes_and_is_counted() {
    let api = listing(|body| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(body.as_bytes()).unwrap();
        let body = gzip.finish().unwrap();
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n";
        let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
        [head.into_bytes(), body].concat()
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let answer = proxy.get("/api/v1/accounts").await;
    let mut opened = String::new();
    let mut gzip = flate2::read::GzDecoder::new(&*answer.body);
    std::io::Read::read_to_string(&mut gzip, &mut opened).unwrap();
    assert_eq!(opened, list(&format!("http://{}", api.addr)).to_string());
    let metrics = Caller::connect(proxy.admin())
        .await
        .get("/metrics")
        .await
        .text();
    assert!(
        metrics.contains("upauth_links_passed_total{upstream=\"api\"} 1"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_document_streams_and_its_links_are_turned_as_they_pass() {
    let (tell, told) = mpsc::channel::<()>(1);
    let told = std::sync::Arc::new(tokio::sync::Mutex::new(told));
    let api = Scripted::start_with(&told, |mut connection, told| async move {
        while connection.begin("application/json").await.is_some() {
            connection.piece("{\"accounts\":[").await;
            // 2 MiB of records before the link.
            let records = "{\"id\":\"0123456789abcdef\"},".repeat(1024);
            for _ in 0..80 {
                connection.piece(&records).await;
            }
            told.lock().await.recv().await.unwrap();
            connection.piece("{}],\"nextPage\":\"http://127.").await;
            let rest = format!(
                "0.0.1:{}/v1/x\"}}",
                connection.caller.stream.local_addr().unwrap().port()
            );
            connection.piece(&rest).await;
            connection.end().await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller.begin("/api/v1/accounts").await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    // The upstream sends the link only after the beginning has arrived here.
    let mut body = caller.chunk().await.unwrap().unwrap();
    assert!(body.starts_with(b"{\"accounts\":["));
    tell.send(()).await.unwrap();
    while let Some(chunk) = caller.chunk().await.unwrap() {
        body.extend(chunk);
    }
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(document["nextPage"], "http://localhost/api/v1/x");
    assert!(body.len() > 2 * 1024 * 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_url_and_those_of_the_identity_document_lead_back() {
    let at = Emulated::start(CRM).await;
    let root = at.proxy.get("/crm/services/data/v64.0/").await.json();
    let identity = root["identity"].as_str().unwrap();
    assert!(
        identity.starts_with("http://localhost/crm/id/"),
        "{identity}"
    );
    assert_eq!(
        root["query"], "/services/data/v64.0/query",
        "relative ones stay"
    );
    let document = at.proxy.get(path(identity)).await;
    assert_eq!(document.status, 200, "{}", document.text());
    let document = document.json();
    assert_eq!(document["id"], identity);
    for (name, url) in document["urls"].as_object().unwrap() {
        let url = url.as_str().unwrap();
        assert!(url.starts_with("http://localhost/crm"), "{name}: {url}");
    }
    let photos = &document["photos"];
    assert_eq!(photos["picture"], "http://localhost/crm/profilephoto/005/F");
    let foreign = "https://acme.file.force-user-content.com/profilephoto/005/T";
    assert_eq!(photos["thumbnail"], foreign);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_documents_lead_back_in_xml() {
    let at = Emulated::start(CRM).await;
    let accept = "Accept: application/xml\r\nAccept-Encoding: gzip\r\n";
    let json = at.proxy.get("/crm/services/data/v64.0").await.json();
    let identity = json["identity"].as_str().unwrap();
    let by_parameter = format!("{}?format=xml&oauth_token=x", path(identity));
    for (target, lines, urls) in [
        ("/crm/services/data/v64.0", accept, 1),
        (path(identity), accept, 17),
        (&by_parameter, "", 17),
    ] {
        let answer = at.proxy.get_with(target, lines).await;
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/xml;charset=UTF-8"), "{target}");
        let text = answer.text();
        let upstream = at.emulator.variables();
        for (name, url) in upstream.iter().filter(|(name, _)| name.ends_with("_URL")) {
            assert!(!text.contains(url), "{target}: {name} in {text}");
        }
        let here = text.matches(">http://localhost/crm").count();
        assert_eq!(here, urls, "{target}: {text}");
        assert!(text.contains(&format!(">{identity}</")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_followed_to_the_end_by_the_links_alone() {
    let at = Emulated::start(BILLING).await;
    let mut page = "/billing/v1/accounts?pageSize=1".to_owned();
    let mut pages = 0;
    loop {
        let answer = at.proxy.get(&page).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        pages += 1;
        let Some(next) = answer.json()["nextPage"].as_str().map(str::to_owned) else {
            break;
        };
        page = path(&next).to_owned();
    }
    assert!(pages > 1, "the emulator has several pages");
}
