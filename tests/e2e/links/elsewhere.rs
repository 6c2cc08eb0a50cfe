//! Redirects and their like: none leads from one upstream into the place of another.

use tokio::net::UnixStream;

use crate::support::tls::Folder;
use crate::support::{Caller, Scripted, TestProxy};

/// Redirects to what stands in a field of the request.
async fn redirecting() -> Scripted {
    Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let host = seen.header("host").unwrap();
            let to = seen.header("x-to").unwrap().replace("HOST", host);
            let fields = format!(
                "Location: {to}\r\nContent-Location: {to}\r\nLink: <{to}>; rel=next\r\nRefresh: 0; url={to}\r\n"
            );
            connection.reply("307 Elsewhere", &fields, "").await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_or_port_of_the_proxy_leads_from_one_upstream_to_another() {
    let (api, other) = (redirecting().await, Scripted::constant("other").await);
    let folder = Folder::new();
    let socket = folder.path().join("all.sock");
    let other = other.upstream().replace("upstream.api", "upstream.b");
    let text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\", \"unix:{}\"]\npublic_url = \"https://public.example\"\n[access]\nhosts = [\"proxy.example\"]\n\
         {}host = \"a.proxy.example\"\n{other}listen = \"127.0.0.1:0\"\n",
        socket.display(),
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    let (port, of_other) = (proxy.addr().port(), proxy.own("b").port());
    for to in [
        format!("http://localhost:{port}/b/wipe"),
        format!("//127.1:{port}/b/wipe"),
        format!("http://b.localhost:{port}/b/wipe"),
        format!("http://localhost:{of_other}/b/wipe"),
        format!("http://proxy.example:{port}/b/wipe"),
        "https://public.example/b/wipe".to_owned(),
    ] {
        for (host, asked, expected) in [
            (
                format!("localhost:{port}"),
                "/api/x",
                "https://public.example/api/b/wipe".to_owned(),
            ),
            (
                "proxy.example".to_owned(),
                "/api/x",
                "https://public.example/api/b/wipe".to_owned(),
            ),
            (
                format!("a.proxy.example:{port}"),
                "/x",
                format!("https://a.proxy.example:{port}/b/wipe"),
            ),
        ] {
            let request = format!(
                "POST {asked} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nX-To: {to}\r\n\r\n"
            );
            let answer = proxy.caller().await.ask(request).await;
            assert_eq!(answer.header("location"), Some(&*expected), "{host}: {to}");
        }
    }
    // Where any port leads to the proxy.
    let mut caller = Caller::over(UnixStream::connect(&socket).await.unwrap());
    let request =
        "GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-To: http://localhost:81/b/wipe\r\n\r\n";
    let answer = caller.ask(request).await;
    assert_eq!(
        answer.header("location"),
        Some("https://public.example/api/b/wipe")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_some_clients_take_for_a_host_is_a_path_of_the_upstreams_own_place() {
    let (api, other) = (redirecting().await, Scripted::constant("other").await);
    let other = other.upstream().replace("upstream.api", "upstream.b");
    let text = format!(
        "[access]\nhosts = [\"proxy.example\"]\n{}host = \"a.proxy.example\"\n{other}",
        api.upstream()
    );
    let proxy = TestProxy::start(&text);
    let port = proxy.addr().port();
    for (to, expected) in [
        ("http:/HERE/b/wipe", "/HERE/b/wipe"),
        ("http:///HERE/b/wipe", "/HERE/b/wipe"),
        (
            "////HERE/b/wipe",
            "http://a.proxy.example:PORT//HERE/b/wipe",
        ),
        ("<http://HERE/b/wipe>", "/%3Chttp://HERE/b/wipe%3E"),
    ] {
        let [to, expected] = [to, expected].map(|text| {
            let text = text.replace("HERE", &format!("localhost:{port}"));
            text.replace("PORT", &port.to_string())
        });
        let request =
            format!("GET /x HTTP/1.1\r\nHost: a.proxy.example:{port}\r\nX-To: {to}\r\n\r\n");
        let answer = proxy.caller().await.ask(request).await;
        assert_eq!(answer.header("location"), Some(&*expected), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reference_of_an_answer_leads_to_another_upstream() {
    let api = redirecting().await;
    let other = Scripted::constant("other").await;
    let other_config = other.upstream().replace("upstream.api", "upstream.b");
    let proxy = TestProxy::start(&format!("{}{other_config}", api.upstream()));
    for (asked, to, expected) in [
        ("/api/v1/x", "/../b/wipe", "/api/b/wipe"),
        ("/api/v1/x", "../../../b/wipe", "/api/b/wipe"),
        ("/api/v1/x", "../../b/wipe", "/api/b/wipe"),
        (
            "/api/v1/x",
            "http://HOST/../b/wipe",
            "http://localhost/api/b/wipe",
        ),
        (
            "/api/v1/x",
            "http://localhost/b/wipe",
            "http://localhost/api/b/wipe",
        ),
        ("/api/v1/x", "/%2e%2e/b/wipe", "/api/b/wipe"),
        ("/api/v1/x", "/./../b/wipe", "/api/b/wipe"),
        ("/api/v1/x", "/..\\b/wipe", "/api/b/wipe"),
        ("/api/v1/x", "../y?z", "/api/y?z"),
        ("/api?q=1", "#z", "/api/?q=1#z"),
        ("/api/v1/x?q=1", "#z", "#z"),
        ("/api/v1/x", "1:../../../b/wipe", "/api/b/wipe"),
        (
            "/api/v1/x",
            "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddd:../../../b/wipe",
            "/api/b/wipe",
        ),
        ("/api", "b/wipe", "/api/b/wipe"),
        ("/api", "?z", "/api/?z"),
    ] {
        let answer = proxy.get_with(asked, &format!("X-To: {to}\r\n")).await;
        assert_eq!(answer.header("location"), Some(expected), "{to}");
        assert_eq!(answer.header("content-location"), Some(expected), "{to}");
        let link = format!("<{expected}>; rel=next");
        assert_eq!(answer.header("link"), Some(link.as_str()), "{to}");
        let refresh = format!("0; url={expected}");
        assert_eq!(answer.header("refresh"), Some(refresh.as_str()), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_default_says_of_paths_that_are_anothers_is_written_with_its_own_host() {
    let (api, other) = (redirecting().await, Scripted::constant("other").await);
    let other = other.upstream().replace("upstream.api", "upstream.b");
    let text = format!("[server]\ndefault = \"api\"\n{}{other}", api.upstream());
    let proxy = TestProxy::start(&text);
    for (to, expected) in [
        ("/b/wipe", format!("http://{}/b/wipe", api.addr)),
        (
            "http://localhost/b/wipe",
            format!("http://{}/b/wipe", api.addr),
        ),
        ("../b/wipe", format!("http://{}/b/wipe", api.addr)),
        ("/c", "/c".to_owned()),
        ("http://HOST/c", "http://localhost/c".to_owned()),
    ] {
        let answer = proxy.get_with("/v1/x", &format!("X-To: {to}\r\n")).await;
        assert_eq!(answer.header("location"), Some(&*expected), "{to}");
    }
}
