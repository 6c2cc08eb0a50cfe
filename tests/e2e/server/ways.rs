//! Which upstream a request reaches: listener, host, path, default, routes.

use crate::support::{Answer, Caller, Scripted, TestProxy};

/// A server that tells its name and the target it saw.
async fn named(name: &'static str) -> Scripted {
    Scripted::start(move |mut connection| async move {
        while let Some(seen) = connection.request().await {
            connection
                .reply("200 OK", "", &format!("{name} {}", seen.target))
                .await;
        }
    })
    .await
}

fn upstream(api: &Scripted, name: &str, more: &str) -> String {
    let text = api
        .upstream()
        .replace("[upstream.api]", &format!("[upstream.{name}]"));
    format!("{text}{more}")
}

async fn ask(addr: std::net::SocketAddr, host: &str, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    Caller::connect(addr).await.ask(request).await
}

async fn check(proxy: &TestProxy, rows: &[(&str, &str, &str)]) {
    for (host, path, expected) in rows {
        let answer = ask(proxy.addr(), host, path).await;
        let told = match answer.status {
            200 => answer.text(),
            _ => answer.code(),
        };
        assert_eq!(told, *expected, "{host} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_upstream_answers_everywhere_and_a_second_one_moves_nothing() {
    let (one, two) = (named("one").await, named("two").await);
    let single = upstream(&one, "one", "");
    let alone: &[(&str, &str, &str)] = &[
        ("localhost", "/one/a/b", "one /a/b"),
        ("localhost", "/one", "one /"),
        ("localhost", "/one?x=1", "one /?x=1"),
        ("one.localhost", "/a", "one /a"),
        ("ONE.localhost:80", "/one/a", "one /one/a"),
    ];
    let proxy = TestProxy::start(&single);
    check(&proxy, alone).await;
    check(
        &proxy,
        &[
            ("localhost", "/a", "one /a"),
            ("localhost", "/onerous", "one /onerous"),
            ("localhost", "//one/a", "one //one/a"),
        ],
    )
    .await;

    let proxy = TestProxy::start(&format!("{single}{}", upstream(&two, "two", "")));
    check(&proxy, alone).await;
    check(
        &proxy,
        &[
            ("localhost", "/two/a", "two /a"),
            ("two.localhost", "/a", "two /a"),
            ("localhost", "/a", "UA-0204"),
            ("localhost", "/onerous/a", "UA-0204"),
            ("three.localhost", "/a", "UA-0204"),
        ],
    )
    .await;
    let lost = proxy.get("/nowhere").await;
    assert_eq!(lost.status, 404);
    let detail = lost.json()["detail"].to_string();
    assert!(
        detail.contains("/one") && detail.contains("/two"),
        "{detail}"
    );

    let default = format!(
        "[server]\ndefault = \"two\"\n{single}{}",
        upstream(&two, "two", "")
    );
    let proxy = TestProxy::start(&default);
    check(&proxy, alone).await;
    check(
        &proxy,
        &[
            ("localhost", "/a", "two /a"),
            ("localhost", "/two/a", "two /a"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_might_read_as_the_way_to_one_upstream_is_not_sent_to_the_default() {
    let (one, two) = (named("one").await, named("two").await);
    let proxy = TestProxy::start(&format!(
        "[server]\ndefault = \"two\"\n{}{}",
        upstream(&one, "one", ""),
        upstream(&two, "two", "")
    ));
    check(
        &proxy,
        &[
            ("localhost", "//two/a", "two //two/a"),
            ("localhost", "/%41", "two /%41"),
            ("localhost", "//one/a", "UA-0204"),
            ("localhost", "/%6fne/a", "UA-0204"),
            ("localhost", "/./one", "UA-0204"),
            ("localhost", "/a/../one/a", "UA-0204"),
            ("localhost", "/one;v=1/a", "UA-0204"),
            ("localhost", "/one.json", "two /one.json"),
        ],
    )
    .await;
    let proxy = TestProxy::start(&format!(
        "[route.all]\nupstream = \"two\"\npath = \"/\"\n{}{}",
        upstream(&one, "one", ""),
        upstream(&two, "two", "")
    ));
    check(
        &proxy,
        &[
            ("localhost", "/a", "two /a"),
            ("localhost", "/one/a", "one /a"),
            ("localhost", "//one/a", "UA-0204"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstreams_own_listener_and_host_lead_to_it_alone_and_strip_nothing() {
    let (one, two) = (named("one").await, named("two").await);
    let own = "listen = \"127.0.0.1:0\"\nhost = \"One.Example\"\n";
    let proxy = TestProxy::start(&format!(
        "{}{}",
        upstream(&one, "one", own),
        upstream(&two, "two", "")
    ));
    for (host, path) in [
        ("localhost", "/a"),
        ("localhost", "/two/a"),
        ("two.localhost", "/one/a"),
    ] {
        let answer = ask(proxy.own("one"), host, path).await;
        assert_eq!(answer.text(), format!("one {path}"), "{host}");
    }
    check(
        &proxy,
        &[
            ("one.example", "/two/a", "one /two/a"),
            ("one.example.:8080", "/a", "one /a"),
            ("localhost", "/one/a", "one /a"),
            ("localhost", "/two/a", "two /a"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_listener_of_all_upstreams_those_of_upstreams_and_routes_are_left() {
    let (one, two) = (named("one").await, named("two").await);
    let own = upstream(&one, "one", "listen = \"127.0.0.1:0\"\n");
    let route = "[route.some]\nupstream = \"two\"\nlisten = \"127.0.0.1:0\"\npath = \"/some\"\n";
    let others = format!("{own}{}{route}", upstream(&two, "two", ""));
    for none in ["\"\"", "[]"] {
        let mut proxy = TestProxy::start(&format!("[server]\nlisten = {none}\n{others}"));
        assert_eq!(proxy.addrs.server, []);
        let told = ask(proxy.own("one"), "localhost", "/a").await.text();
        assert_eq!(told, "one /a");
        let routed = proxy.addrs.routes["some"][0];
        assert_eq!(ask(routed, "localhost", "/some/a").await.text(), "two /a");
        // It comes and goes with a reload.
        let reloaded = proxy.reload(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{others}"));
        assert!(reloaded.is_ok());
        assert_eq!(proxy.get("/one/a").await.text(), "one /a");
        let reloaded = proxy.reload(&format!("[server]\nlisten = {none}\n{others}"));
        assert!(reloaded.is_ok());
        assert_eq!(proxy.addrs.server, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_with_routes_is_reached_only_through_them_and_the_longest_path_wins() {
    let (one, two) = (named("one").await, named("two").await);
    let routes = "[route.short]\nupstream = \"one\"\npath = \"/apps\"\n\
                  [route.long]\nupstream = \"two\"\npath = \"/apps/two\"\nread_only = true\n\
                  [route.narrow]\nupstream = \"one\"\npath = \"/narrow\"\nmethods = [\"GET\", \"POST\"]\ndeny = [\"/secret/**\"]\n\
                  [route.named]\nupstream = \"one\"\nhost = \"named.example\"\n";
    let methods = "methods = [\"GET\", \"POST\", \"DELETE\"]\n";
    let proxy = TestProxy::start(&format!(
        "{}{}{routes}",
        upstream(&one, "one", methods),
        upstream(&two, "two", "")
    ));
    check(
        &proxy,
        &[
            ("localhost", "/apps/a", "one /a"),
            ("localhost", "/apps/two/a", "two /a"),
            ("localhost", "/apps/twofold/a", "one /twofold/a"),
            ("localhost", "/narrow/a", "one /a"),
            ("localhost", "/narrow/secret/a", "UA-0206"),
            ("localhost", "/narrow/%73ecret/a", "UA-0206"),
            ("named.example", "/secret/a", "one /secret/a"),
            ("localhost", "/one/a", "UA-0204"),
            ("localhost", "/two/a", "UA-0204"),
            ("one.localhost", "/a", "UA-0204"),
        ],
    )
    .await;
    for (method, path, expected) in [
        ("DELETE", "/apps/a", (200, String::new())),
        ("DELETE", "/apps/two/a", (403, "UA-0209".to_owned())),
        ("POST", "/narrow/a", (200, String::new())),
        ("DELETE", "/narrow/a", (405, "UA-0205".to_owned())),
        // Only what upstream and route allow both is named.
        ("PUT", "/narrow/a", (405, "UA-0205".to_owned())),
    ] {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        let answer = proxy.caller().await.ask(request).await;
        let code = if answer.status == 200 {
            String::new()
        } else {
            answer.code()
        };
        assert_eq!((answer.status, code), expected, "{method} {path}");
        if answer.status == 405 {
            assert_eq!(answer.header("allow"), Some("GET, POST"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_for_all_paths_leads_there() {
    let api = Scripted::constant("ok").await;
    let route = "[route.all]\nupstream = \"api\"\npath = \"/\"\nread_only = true\n";
    let proxy = TestProxy::start(&format!("{}{route}", api.upstream()));
    assert_eq!(proxy.get("/v1/x").await.status, 200);
    assert_eq!(proxy.get("/").await.status, 200);
    assert_eq!(proxy.post("/v1/x", "y").await.status, 403);
    assert_eq!(api.seen()[0].target, "/v1/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_and_a_host_of_an_upstream_with_routes_lead_nowhere_else() {
    let api = Scripted::constant("ok").await;
    let other = api.upstream().replace("upstream.api", "upstream.other");
    let route = "[route.some]\nupstream = \"api\"\npath = \"/some\"\n";
    let text = format!("{}listen = \"127.0.0.1:0\"\n{other}{route}", api.upstream());
    let proxy = TestProxy::start(&text);
    let rows = [("/some/x", 200), ("/x", 404), ("/other/x", 404)];
    for (path, status) in rows {
        let mut own = Caller::connect(proxy.own("api")).await;
        assert_eq!(own.get(path).await.status, status, "{path} at its listener");
        let request = format!("GET {path} HTTP/1.1\r\nHost: api.localhost\r\n\r\n");
        let answer = proxy.caller().await.ask(request).await;
        assert_eq!(answer.status, status, "{path} at its host");
    }
    assert_eq!(proxy.get("/other/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_an_upstream_whose_routes_are_elsewhere_leads_to_nobody_else() {
    let (one, two) = (named("one").await, named("two").await);
    let route = "[route.named]\nupstream = \"one\"\nhost = \"named.example\"\n";
    let proxy = TestProxy::start(&format!(
        "{}{}{route}",
        upstream(&one, "one", ""),
        upstream(&two, "two", "")
    ));
    check(
        &proxy,
        &[
            ("named.example", "/a", "one /a"),
            ("localhost", "/two/a", "two /a"),
            ("one.localhost", "/two/a", "UA-0204"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_with_a_listener_and_a_host_is_refused_and_one_with_a_listener_is_nowhere_else() {
    let api = Scripted::constant("ok").await;
    let other = api.upstream().replace("upstream.api", "upstream.other");
    let listen = "[route.private]\nupstream = \"api\"\nlisten = \"127.0.0.1:0\"\n";
    let text = format!("{}{other}{listen}", api.upstream());
    let mut proxy = TestProxy::start(&text);
    let refused = proxy.reload(&format!("{text}host = \"private.example\"\n"));
    let told = refused.err().unwrap().to_string();
    assert!(told.contains("UA-0138"), "{told}");
    let here = proxy.addrs.routes["private"][0];
    assert_eq!(ask(here, "localhost", "/x").await.status, 200);
    check(
        &proxy,
        &[
            ("localhost", "/x", "UA-0204"),
            ("localhost", "/api/x", "UA-0204"),
            ("api.localhost", "/x", "UA-0204"),
            ("private.localhost", "/x", "UA-0204"),
        ],
    )
    .await;
    // Both is two routes.
    let named = "[route.named]\nupstream = \"api\"\nhost = \"named.example\"\nread_only = true\n";
    proxy.reload(&format!("{text}{named}")).unwrap();
    check(
        &proxy,
        &[
            ("named.example", "/x", "ok"),
            ("localhost", "/x", "UA-0204"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_a_route_for_one_method_is_not_evaded_by_a_method_override() {
    let api = Scripted::constant("ok").await;
    let route = "[route.some]\nupstream = \"api\"\npath = \"/some\"\ndeny = [\"DELETE /x\"]\n";
    let proxy = TestProxy::start(&format!("{}{route}", api.upstream()));
    assert_eq!(proxy.post("/some/x", "y").await.status, 200);
    let request = "POST /some/x HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        proxy.caller().await.ask(request.to_owned()).await.code(),
        "UA-0211"
    );
    assert_eq!(api.seen().len(), 1);
}
