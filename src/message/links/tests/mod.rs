//! Tables for links.

use super::*;

mod inside;
mod others;

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
            Some("http://localhost:7717/crm//"),
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
        ("services/data", Some("/crm/v1/services/data")),
        ("?page=2", Some("/crm/v1/x?page=2")),
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
        ("location", "a", "/crm/v1/a"),
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
fn what_is_no_link_goes_where_somebody_else_is_and_so_does_a_second_location() {
    for (prefix, left) in [("/crm", 0), ("", 1)] {
        let mut headers = HeaderMap::new();
        headers.append(LINK, HeaderValue::from_static("</../b; rel=next"));
        headers.append(LOCATION, HeaderValue::from_static("/x"));
        headers.append(LOCATION, HeaderValue::from_static("y/../../../b"));
        links("http://p", prefix).turn_headers(&mut headers, "/v1/x", None);
        assert_eq!(headers.get_all(LINK).iter().count(), left, "{prefix}");
        let locations: Vec<_> = headers.get_all(LOCATION).iter().collect();
        assert_eq!(locations, [&format!("{prefix}/x")]);
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
    assert_eq!(values, [b"</crm/a>".as_slice(), b"</crm/%FF>", b"</crm/b>"]);
}

#[test]
fn links_that_come_to_too_much_go() {
    let of = |count: usize, asked: &str| {
        let mut headers = HeaderMap::new();
        let link = vec!["<?>"; count].join(",");
        headers.append(LINK, link.parse().unwrap());
        links("http://p/crm", "/crm").turn_headers(&mut headers, asked, None);
        headers.get(LINK).map_or(0, HeaderValue::len)
    };
    let asked = format!("/{}", "x".repeat(8000));
    assert_eq!(
        of(20, &asked),
        20 * "</crm?>, ".len() - 2 + 20 * asked.len()
    );
    assert_eq!(of(20_000, &asked), 0);
    assert!(of(1000, "/v1/x") > 0);
}

#[test]
fn a_reference_that_is_no_text_is_written_as_clients_send_it() {
    for (given, expected) in [
        (b"y\xff".as_slice(), "/crm/%D1%B8%5Cz/y%FF"),
        (b"\xad/b/wipe", "/crm/%D1%B8%5Cz/%AD/b/wipe"),
        (b".\xff./.\xff./b", "/crm/%D1%B8%5Cz/.%FF./.%FF./b"),
        (b"/crm/.\xff./b", "/crm/crm/.%FF./b"),
        (b"http://p/crm/.\xff./b", "http://p/crm/.%FF./b"),
    ] {
        let mut headers = HeaderMap::new();
        headers.append(LOCATION, HeaderValue::from_bytes(given).unwrap());
        links("http://p/crm", "/crm").turn_headers(&mut headers, "/\u{478}\\z/x", None);
        assert_eq!(headers[LOCATION], expected);
    }
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
