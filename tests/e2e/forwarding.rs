//! What is sent upstream, and what comes back: bytes, headers, framing, versions.

use crate::support::{Caller, Scripted, TestProxy};

async fn pair(body: &'static str) -> (Scripted, TestProxy) {
    let api = Scripted::constant(body).await;
    let proxy = TestProxy::start(&api.upstream());
    (api, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_arrives_with_the_token_and_its_answer_comes_back() {
    let (api, proxy) = pair("hello").await;
    let answer = proxy.get("/api/v1/accounts").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(answer.header("x-upauth-upstream"), Some("api"));
    assert_eq!(answer.header("cache-control"), Some("private"));
    let seen = &api.seen()[0];
    assert_eq!(seen.header("authorization"), Some("Bearer token-1"));
    assert_eq!(seen.header("host"), Some(api.addr.to_string().as_str()));
    assert_eq!(seen.count("host"), 1);
    assert!(
        seen.header("via").unwrap().starts_with("1.1 upauth"),
        "{seen:?}"
    );
    assert_eq!(api.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn path_and_query_bytes_pass_as_they_came() {
    let (api, proxy) = pair("ok").await;
    let targets = [
        "/v1/query/?q=SELECT+Name%20FROM'x'",
        "/v1//double/./dot/../up",
        "/v1/%2e%2E/%2f;a=b?x=%25&&y&=z",
        "/v2/records?delete",
        "/v1/x?$filter=Id%20eq%20'1'&$top=*",
        "//evil.example/x",
        "/?",
    ];
    for target in targets {
        let answer = proxy.get(&format!("/api{target}")).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    }
    let seen: Vec<String> = api.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(seen, targets);
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_credential_parameters_are_cut_out_of_the_query_and_nothing_else() {
    let (api, proxy) = pair("ok").await;
    proxy
        .get("/api/v1/x?a=1&access_token=junk&b=%20&oauth_token=x&access_tokens=y")
        .await;
    let target = &api.seen()[0].target;
    // Zuora knows no such parameters: only surfaces that list them lose them.
    assert_eq!(
        target,
        "/v1/x?a=1&access_token=junk&b=%20&oauth_token=x&access_tokens=y"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_credentials_and_hop_by_hop_fields_are_taken_off() {
    let (api, proxy) = pair("ok").await;
    let mut caller = proxy.caller().await;
    let answer = caller
        .ask(
            "GET /api/v1/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer junk\r\nauthorization: OAuth undefined\r\n\
             X-SFDC-Session: junk\r\napiAccessKeyId: a\r\napiSecretAccessKey: b\r\nCookie: sid=1; ZSession=2\r\n\
             Authorization_: x\r\nX_Forwarded_For: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1\r\n\
             Proxy-Authorization: Basic x\r\nConnection: x-mine, authorization\r\nConnection: x-other\r\nX-Mine: 1\r\n\
             X-Other: 2\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nReferer: http://localhost/x\r\n\
             X-Kept: yes\r\n\r\n",
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = &api.seen()[0];
    assert_eq!(seen.header("authorization"), Some("Bearer token-1"));
    assert_eq!(seen.count("authorization"), 1);
    let mut names: Vec<String> = seen
        .headers
        .iter()
        .map(|(name, _)| name.to_lowercase())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["authorization", "host", "via", "x-kept", "zuora-track-id"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hop_by_hop_fields_cookies_and_links_of_the_answer_are_turned() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let host = seen.header("host").unwrap().to_owned();
            let headers = format!(
                "Connection: x-secret-hop\r\nX-Secret-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n\
                 Location: http://{host}/v1/next?x=1\r\nStrict-Transport-Security: max-age=1\r\n\
                 Set-Cookie: BrowserId=abc; domain=.salesforce.com; Path=/; Secure\r\nSet-Cookie: ZSession=tok; Path=/\r\n\
                 Access-Control-Allow-Origin: *\r\nCache-Control: public, max-age=60\r\nX-Kept: yes\r\n\
                 Alt-Svc: h3=\":443\"\r\nClear-Site-Data: \"cookies\"\r\nNEL: {{}}\r\nX-Upauth-Replayed: 1\r\nX-Upauth-Upstream: other\r\n"
            );
            connection.reply("302 Found", &headers, "moved").await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let answer = proxy.get("/api/v1/x").await;
    assert_eq!(answer.status, 302);
    assert_eq!(
        answer.header("location"),
        Some("http://localhost/api/v1/next?x=1")
    );
    assert_eq!(answer.header("cache-control"), Some("max-age=60, private"));
    assert_eq!(answer.header("x-kept"), Some("yes"));
    assert_eq!(answer.header("x-upauth-upstream"), Some("api"));
    for gone in [
        "x-secret-hop",
        "keep-alive",
        "proxy-authenticate",
        "strict-transport-security",
        "alt-svc",
        "clear-site-data",
        "access-control-allow-origin",
        "x-upauth-replayed",
        "set-cookie",
        "nel",
    ] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_every_framing_arrive_whole() {
    let (api, proxy) = pair("ok").await;
    let mut caller = proxy.caller().await;
    caller.post("/api/v1/x", "short body").await;
    let long = vec![b'x'; 300_000];
    caller.post("/api/v1/x", &long).await;
    for method in ["POST", "GET", "DELETE", "PUT"] {
        let request = format!(
            "{method} /api/v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n\
             5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
        );
        assert_eq!(caller.ask(request).await.status, 200, "{method}");
    }
    caller
        .ask("POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        .await;
    let seen = api.seen();
    assert_eq!(seen[0].body, b"short body");
    assert_eq!(seen[0].header("content-length"), Some("10"));
    assert!(seen[1].body == long);
    for seen in &seen[2..6] {
        assert_eq!(seen.body, b"hello world", "{}", seen.method);
        assert_eq!(seen.header("trailer"), None);
    }
    assert_eq!(seen[6].header("content-length"), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn head_204_and_304_have_no_body_and_keep_the_connection() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let answer = match (seen.method.as_str(), seen.target.as_str()) {
                ("HEAD", _) => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
                (_, "/204") => "HTTP/1.1 204 No Content\r\n\r\n",
                (_, "/304") => {
                    "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n"
                }
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend",
            };
            connection.write(answer).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    let head = caller
        .ask("HEAD /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("1234"))
    );
    let no_content = caller.get("/api/204").await;
    assert_eq!(
        (no_content.status, no_content.header("content-length")),
        (204, None)
    );
    assert_eq!(caller.get("/api/304").await.status, 304);
    assert_eq!(caller.get("/api/x").await.text(), "end");
    let connections: Vec<usize> = api.seen().iter().map(|seen| seen.connection).collect();
    assert!(
        connections.iter().all(|number| *number == connections[0]),
        "{connections:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_1_0_caller_is_served_without_chunks() {
    let api = Scripted::start(|mut connection| async move {
        while connection.request().await.is_some() {
            let answer =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
            connection.write(answer).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    let answer = proxy
        .caller()
        .await
        .ask("GET /api/x HTTP/1.0\r\n\r\n")
        .await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "abc"));
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(
        api.seen()[0].header("host"),
        Some(api.addr.to_string().as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answers_framing_is_written_anew() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let answer = match seen.target.as_str() {
                "/both" => "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                "/twice" => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
                "/gzip" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx",
                "/101" => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                "/999" => "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
                _ => "garbage\r\n\r\n",
            };
            connection.write(answer).await;
            if !matches!(seen.target.as_str(), "/both" | "/twice") {
                break;
            }
        }
    })
    .await;
    let proxy = TestProxy::start(&api.upstream());
    for (path, status) in [
        ("/both", 200),
        ("/twice", 200),
        ("/gzip", 502),
        ("/101", 502),
        ("/999", 502),
        ("/junk", 502),
    ] {
        let answer = proxy.get(&format!("/api{path}")).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        if status == 200 {
            assert_eq!(answer.text(), "ok", "{path}");
        } else {
            assert_eq!(answer.code(), "UA-0403", "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_surface_of_salesforce_loses_its_own_query_credentials_and_cookies() {
    let api = Scripted::start(|mut connection| async move {
        while let Some(seen) = connection.request().await {
            let body = if seen.target.starts_with("/services/oauth2/token") {
                let host = seen.header("host").unwrap();
                format!(r#"{{"access_token":"00D!x","instance_url":"http://{host}","token_type":"Bearer"}}"#)
            } else {
                "ok".to_owned()
            };
            let head = "Content-Type: application/json\r\nSet-Cookie: BrowserId=3; domain=.salesforce.com; Path=/; Secure\r\n\
                        Set-Cookie: JSESSIONID=4; Path=/\r\n";
            connection.reply("200 OK", head, &body).await;
        }
    })
    .await;
    let proxy = TestProxy::start(&format!(
        "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"http://{}\"\nclient_id = \"id\"\nclient_secret = \"s\"\n",
        api.addr
    ));
    let answer = proxy
        .get("/crm/id/00D/005?format=json&oauth_token=00Dx!junk&access_token=x&b=1")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(api.seen()[1].target, "/id/00D/005?format=json&b=1");
    assert_eq!(api.seen()[1].header("authorization"), Some("Bearer 00D!x"));
    // A CometD client belongs to one node, which it names by cookies; nobody else needs any.
    for (path, kept) in [
        (
            "/crm/cometd/59.0/connect",
            Some("BAYEUX_BROWSER=1; BrowserId=2"),
        ),
        ("/crm/services/data", None),
    ] {
        let cookies = "Cookie: BAYEUX_BROWSER=1; sid=mine\r\nCookie: BrowserId=2\r\n";
        let answer = proxy.get_with(path, cookies).await;
        let seen = api.seen().pop().unwrap();
        assert_eq!(seen.header("cookie"), kept, "{path}");
        let named = |(name, _): &&(String, _)| name.eq_ignore_ascii_case("set-cookie");
        let set: Vec<_> = answer.headers.iter().filter(named).collect();
        let set: Vec<_> = set.iter().map(|(_, value)| value.as_str()).collect();
        let expected: &[&str] = if kept.is_some() {
            &["BrowserId=3; Path=/crm"]
        } else {
            &[]
        };
        assert_eq!(set, expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_on_one_connection_are_answered_in_order() {
    let (_api, proxy) = pair("ok").await;
    let mut caller: Caller = proxy.caller().await;
    let one = "GET /api/1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    caller.write(one.repeat(20)).await;
    for _ in 0..20 {
        assert_eq!(caller.answer(false).await.unwrap().status, 200);
    }
}
