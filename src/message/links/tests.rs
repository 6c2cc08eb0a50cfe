//! Tables for links.

use super::*;

fn links(base: &str, prefix: &str) -> Links {
    let upstream = [
        "https://acme.my.salesforce.com",
        "https://rest.zuora.com",
        "http://127.0.0.1:7720",
    ];
    let upstream = upstream
        .iter()
        .map(|origin| origin.parse().unwrap())
        .collect();
    Links::new(upstream, String::new(), base.to_owned(), prefix.to_owned())
}

#[test]
fn urls_of_the_upstream_lead_back_and_others_do_not() {
    let rows = [
        (
            "https://acme.my.salesforce.com/id/00D/005?x#y",
            Some("http://localhost:7717/crm/id/00D/005?x#y"),
        ),
        (
            "HTTPS://ACME.my.salesforce.com:443/a",
            Some("http://localhost:7717/crm/a"),
        ),
        (
            "https://acme.my.salesforce.com",
            Some("http://localhost:7717/crm"),
        ),
        (
            "https://acme.my.salesforce.com?x",
            Some("http://localhost:7717/crm?x"),
        ),
        (
            "https://acme.my.salesforce.com/services/Soap/u/{version}/00D",
            Some("http://localhost:7717/crm/services/Soap/u/{version}/00D"),
        ),
        (
            "https://rest.zuora.com/v1/x?page=2&pageSize=20",
            Some("http://localhost:7717/crm/v1/x?page=2&pageSize=20"),
        ),
        (
            "http://127.0.0.1:7720//a/..",
            Some("http://localhost:7717/crm//a/.."),
        ),
        (
            "//acme.my.salesforce.com/a",
            Some("http://localhost:7717/crm/a"),
        ),
        ("//127.0.0.1:7720/a", Some("http://localhost:7717/crm/a")),
        ("/services/data", Some("/crm/services/data")),
        ("/", Some("/crm/")),
        ("//evil.example/a", None),
        // Whoever finds no host there asks the one that it asked before.
        ("///a", Some("/crm/a")),
        ("http://acme.my.salesforce.com/a", None),
        ("https://acme.my.salesforce.com:8443/a", None),
        ("https://acme.my.salesforce.com.evil.example/a", None),
        ("https://acme.my.salesforce.com@evil.example/a", None),
        (
            "https://u:p@acme.my.salesforce.com/a",
            Some("http://localhost:7717/crm/a"),
        ),
        (
            "https://s3.amazonaws.com/b?X-Amz-Signature=s&u=https://rest.zuora.com/",
            None,
        ),
        ("services/data", None),
        ("?page=2", None),
        ("#x", None),
        ("", None),
        ("mailto:a@rest.zuora.com", None),
    ];
    for (url, expected) in rows {
        let got = links("http://localhost:7717/crm", "/crm").turn(url, "/v1/x");
        assert_eq!(got.as_deref(), expected, "{url}");
    }
}

#[test]
fn without_a_prefix_paths_are_left_alone() {
    let links = links("https://localhost:7719", "");
    assert_eq!(links.turn("/a", "/v1/x"), None);
    assert_eq!(
        links.turn("https://rest.zuora.com/a", "/v1/x").as_deref(),
        Some("https://localhost:7719/a")
    );
}

#[test]
fn header_links_are_turned_in_place() {
    let rows = [
        ("location", "https://rest.zuora.com/a", "http://p/crm/a"),
        (
            "location",
            "https://evil.example/a",
            "https://evil.example/a",
        ),
        ("location", "/a", "/crm/a"),
        ("location", "a", "a"),
        (
            "content-location",
            "https://rest.zuora.com/a",
            "http://p/crm/a",
        ),
        (
            "link",
            "<https://rest.zuora.com/a?p=2>; rel=\"next\"",
            "<http://p/crm/a?p=2>; rel=\"next\"",
        ),
        (
            "link",
            "<https://rest.zuora.com/a>; title=\"<https://rest.zuora.com/no> \\\"<\", <https://evil.example/>; rel=x,</b>",
            "<http://p/crm/a>; title=\"<http://p/crm/no> \\\"<\", <https://evil.example/>; rel=x,</crm/b>",
        ),
        ("link", "<https://rest.zuora.com/a", "<http://p/crm/a"),
        ("link", "</a>, <b, </c>", "</crm/a>, <b, </crm/c>"),
        ("link", "</a>, <b", "</crm/a>, <b"),
        ("link", "garbage", "garbage"),
        // As Python's requests and others read them.
        (
            "link",
            "<a>; t=\"x, </../b>; rel=next",
            "<a>; t=\"x, </crm/b>; rel=next",
        ),
        ("link", "</../b; rel=next", "</crm/b; rel=next"),
        ("link", "/../b; rel=next", "/crm/b; rel=next"),
        ("link", "<'/../b'>; rel=next", "</crm/b>; rel=next"),
        ("link", "x\" </../b>; rel=next", "x\" </crm/b>; rel=next"),
        ("refresh", "5; url=/a", "5; url=/crm/a"),
        (
            "etag",
            "https://rest.zuora.com/a",
            "https://rest.zuora.com/a",
        ),
    ];
    for (name, value, expected) in rows {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        links("http://p/crm", "/crm").turn_headers(&mut headers, "/v1/x", None);
        assert_eq!(headers[name], expected, "{value}");
    }
}

#[test]
fn every_line_is_turned_and_bytes_that_are_no_text_with_it() {
    let mut headers = HeaderMap::new();
    headers.append(LINK, HeaderValue::from_static("</a>"));
    headers.append(LINK, HeaderValue::from_bytes(b"</\xff>").unwrap());
    headers.append(LINK, HeaderValue::from_static("</b>"));
    links("http://p/crm", "/crm").turn_headers(&mut headers, "/v1/x", None);
    let values: Vec<_> = headers
        .get_all(LINK)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    assert_eq!(
        values,
        [b"</crm/a>".as_slice(), b"</crm/\xff>", b"</crm/b>"]
    );
}

#[test]
fn what_stands_in_front_of_every_path_of_the_upstream_is_taken_off() {
    let of = |prefix: &str| {
        let upstream = vec!["https://api.example.com".parse().unwrap()];
        let base = format!("http://localhost:7717{prefix}");
        Links::new(upstream, "/v2".to_owned(), base, prefix.to_owned())
    };
    let rows = [
        (
            "https://api.example.com/v2/x?y",
            Some("http://localhost:7717/api/x?y"),
        ),
        (
            "https://api.example.com/v2",
            Some("http://localhost:7717/api"),
        ),
        ("https://api.example.com/v22/x", None),
        ("https://api.example.com/x", None),
        ("/v2/x", Some("/api/x")),
        ("/x", Some("https://api.example.com/x")),
    ];
    for (url, expected) in rows {
        assert_eq!(of("/api").turn(url, "/v1/x").as_deref(), expected, "{url}");
    }
    assert_eq!(of("").turn("/x", "/v1/x"), None);
    assert_eq!(of("").turn("/v2/x", "/v1/x").as_deref(), Some("/x"));
}

#[test]
fn what_is_turned_never_leads_to_another_host() {
    let upstream: Vec<Origin> = vec!["https://api.example.com".parse().unwrap()];
    // As the caller knows us; an HTTP/1.0 caller without a Host knows no URL.
    let of = |path: &str, base: &str| {
        Links::new(
            upstream.clone(),
            path.to_owned(),
            base.to_owned(),
            String::new(),
        )
    };
    let here = "http://localhost:7717";
    let rows = [
        (
            "/v2",
            "/v2//evil.example/x",
            "//evil.example/x",
            "/.//evil.example/x",
        ),
        (
            "/v2",
            "/v2/\\evil.example/x",
            "/\\evil.example/x",
            "/./\\evil.example/x",
        ),
        (
            "/v2",
            "https://api.example.com/v2//evil.example",
            "//evil.example",
            "/.//evil.example",
        ),
        (
            "",
            "https://api.example.com//evil.example",
            "//evil.example",
            "/.//evil.example",
        ),
        (
            "",
            "//api.example.com//evil.example",
            "//evil.example",
            "/.//evil.example",
        ),
    ];
    for (path, url, rest, unnamed) in rows {
        let named = format!("{here}{rest}");
        assert_eq!(of(path, here).turn(url, "/v1/x"), Some(named), "{url}");
        assert_eq!(
            of(path, "").turn(url, "/v1/x").as_deref(),
            Some(unnamed),
            "{url}"
        );
    }
    for (url, expected) in [("/v2", "/"), ("/v2?x", "/?x"), ("/v2#x", "/#x")] {
        assert_eq!(
            of("/v2", here).turn(url, "/v1/x").as_deref(),
            Some(expected),
            "{url}"
        );
    }
}

#[test]
fn what_leads_to_the_proxy_by_any_of_its_names_and_ports_leads_to_the_upstreams_own_place() {
    let hosts = ["proxy.example", "b.proxy.example", "public.example"].map(str::to_owned);
    let public = "https://public.example".parse().ok();
    let own = Arc::new(Own::new(hosts, vec![7717, 7720], public));
    let of =
        |base: &str, prefix: &str, asked: &str| links(base, prefix).among(&own, asked.parse().ok());
    let by_path = of("http://localhost:7717/a", "/a", "http://localhost:7717");
    let by_host = of("http://a.localhost:7717", "", "http://a.localhost:7717");
    let in_public = of("https://public.example/a", "/a", "http://localhost:7717");
    let by_socket = of("http://localhost/a", "/a", "");
    let unknown = of("/a", "/a", "");
    let path = "http://localhost:7717/a/x";
    let host = "http://a.localhost:7717/x";
    let public = "https://public.example/a/x";
    let rows = [
        ("http://b.localhost:7717/x", path, host, public),
        ("http://localhost:7720/x", path, host, public),
        ("http://proxy.example:7720/x", path, host, public),
        ("http://b.proxy.example:7717/x", path, host, public),
        ("//PROXY.example.:7717/x", path, host, public),
    ];
    for (url, path, host, public) in rows {
        assert_eq!(by_path.turn(url, "/y").as_deref(), Some(path), "{url}");
        assert_eq!(by_host.turn(url, "/y").as_deref(), Some(host), "{url}");
        assert_eq!(in_public.turn(url, "/y").as_deref(), Some(public), "{url}");
        let socket = "http://localhost/a/x";
        assert_eq!(by_socket.turn(url, "/y").as_deref(), Some(socket), "{url}");
        assert_eq!(unknown.turn(url, "/y").as_deref(), Some("/a/x"), "{url}");
    }
    // Through a socket every port is the proxy's.
    for url in ["http://localhost:81/x", "//127.0.0.1:9/x"] {
        let socket = "http://localhost/a/x";
        assert_eq!(by_socket.turn(url, "/y").as_deref(), Some(socket), "{url}");
        assert_eq!(unknown.turn(url, "/y").as_deref(), Some("/a/x"), "{url}");
        assert_eq!(by_path.turn(url, "/y"), None, "{url}");
        assert_eq!(by_host.turn(url, "/y"), None, "{url}");
    }
    let ports = [
        "http://public.example/x",
        "http://localhost/x",
        "https://public.example:443/x",
    ];
    for url in ports {
        assert_eq!(in_public.turn(url, "/y").as_deref(), Some(public), "{url}");
    }
    for (links, url) in [
        (&by_path, "http://localhost:7717/a/x"),
        (&by_host, "http://a.localhost:7717/x"),
        (&by_host, "http://a.localhost:7717/../x"),
        (&in_public, "https://public.example/a/x"),
        (&by_socket, "http://localhost/a/x"),
        (&by_path, "http://proxy.example:8080/x"),
        (&by_path, "http://evil.example:7717/x"),
    ] {
        assert_eq!(links.turn(url, "/y"), None, "{url}");
    }
}

#[test]
fn what_leads_to_a_path_of_another_upstream_is_written_with_its_own_host() {
    let of = |prefix: &str, asked: &str, url: &str| {
        let base = format!("http://localhost:7717{prefix}");
        let mut headers = HeaderMap::from_iter([(LOCATION, url.parse().unwrap())]);
        let is_anothers = |path: &str| {
            let below = |of| path.strip_prefix(of).is_some_and(begins_anew);
            below("/b") || below("/a/b")
        };
        links(&base, prefix).turn_headers(&mut headers, asked, Some(&is_anothers));
        String::from_utf8_lossy(headers[LOCATION].as_bytes()).into_owned()
    };
    let away = "https://acme.my.salesforce.com";
    let rows = [
        // A fallback's links.
        ("", "/x", "/b/wipe?c#d", format!("{away}/b/wipe?c#d")),
        ("", "/x", "b", format!("{away}/b")),
        ("", "/x/y", "../b/wipe", format!("{away}/x/../b/wipe")),
        ("", "/x", "/%62/wipe", format!("{away}/%62/wipe")),
        ("", "/x", "/x/..//b/wipe", format!("{away}/x/..//b/wipe")),
        ("", "/x", "/x\\..\\b", format!("{away}/x/../b")),
        ("", "/x", "//localhost:7717/b", format!("{away}/b")),
        ("", "/x", "http://localhost:7717/b", format!("{away}/b")),
        ("", "/x", &format!("{away}/b"), format!("{away}/b")),
        ("", "/x", "/../b", format!("{away}/../b")),
        ("", "/x", "/bc", "/bc".to_owned()),
        ("", "/x", "?b", "?b".to_owned()),
        ("", "/x", "/x/b?/../b", "/x/b?/../b".to_owned()),
        (
            "",
            "/x",
            "https://evil.example/b",
            "https://evil.example/b".to_owned(),
        ),
        ("", "/x", "mailto:/b", "mailto:/b".to_owned()),
        // One in whose place another's is.
        ("/a", "/x", "/b/wipe", format!("{away}/b/wipe")),
        ("/a", "/x", "b", format!("{away}/b")),
        ("/a", "/x", "/../a/b", "/a/a/b".to_owned()),
        ("/a", "/x", "/x/b", "/a/x/b".to_owned()),
    ];
    for (prefix, asked, url, expected) in rows {
        assert_eq!(of(prefix, asked, url), expected, "{prefix} {asked} {url}");
    }
    let long = format!("/{}/../b", "%20".repeat(2000));
    assert_eq!(of("", "/x", &long), format!("{away}{long}"));
}
