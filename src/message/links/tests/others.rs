//! Links that lead to the proxy itself, or to what another upstream has there.

use super::*;

#[test]
fn what_leads_to_the_proxy_by_any_of_its_names_and_ports_leads_to_the_upstreams_own_place() {
    let hosts = ["proxy.example", "b.proxy.example", "public.example"].map(str::to_owned);
    let public = "https://public.example".parse().ok();
    let own = Arc::new(Own::new(hosts, vec![7717, 7720], public).with_several(true));
    let of = |base: &str, prefix: &str, asked: &str| {
        links(base, prefix).among(&own, asked.parse().ok(), asked.is_empty() && base != prefix)
    };
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
        ("app://b.localhost:7717/x", path, host, public),
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
        assert_eq!(unknown.turn(url, "/y"), None, "{url}");
        assert_eq!(by_path.turn(url, "/y"), None, "{url}");
        assert_eq!(by_host.turn(url, "/y"), None, "{url}");
    }
    let ports = ["http://public.example/x", "https://public.example:443/x"];
    for url in ports {
        assert_eq!(in_public.turn(url, "/y").as_deref(), Some(public), "{url}");
    }
    for (links, url) in [
        (&in_public, "http://localhost/x"),
        (&by_path, "http://localhost:7717/a/x"),
        (&by_host, "http://a.localhost:7717/x"),
        (&in_public, "https://public.example/a/x"),
        (&by_socket, "http://localhost/a/x"),
        (&by_path, "http://proxy.example:8080/x"),
        (&by_path, "http://evil.example:7717/x"),
    ] {
        assert_eq!(links.turn(url, "/y"), None, "{url}");
    }
}

#[test]
fn another_port_that_is_listened_on_is_another_place() {
    let hosts = ["access.example"].map(str::to_owned);
    let own = Arc::new(Own::new(hosts, vec![80, 443], None));
    let of = |base: &str| links(base, "").among(&own, base.parse().ok(), false);
    let plain = of("http://localhost");
    assert_eq!(plain.turn("http://localhost/x", "/y"), None);
    let turned = plain.turn("https://localhost/x", "/y");
    assert_eq!(turned.as_deref(), Some("http://localhost/x"));
    // As they are read with another letter.
    for host in [
        "acce\u{1e9e}.example",
        "acce\u{df}.example",
        "acce%C3%9F.example",
    ] {
        let turned = plain.turn(&format!("http://{host}/x"), "/y");
        assert_eq!(turned.as_deref(), Some("http://localhost/x"), "{host}");
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
        let own = Arc::new(Own::default().with_several(true));
        let links = links(&base, prefix).among(&own, base.parse().ok(), false);
        links.turn_headers(&mut headers, asked, Some(&is_anothers));
        String::from_utf8_lossy(headers[LOCATION].as_bytes()).into_owned()
    };
    let away = "https://acme.my.salesforce.com";
    let rows = [
        // A fallback's links.
        ("", "/x", "/b/wipe?c#d", format!("{away}/b/wipe?c#d")),
        ("", "/x", "b", format!("{away}/b")),
        ("", "/x/y", "../b/wipe", format!("{away}/b/wipe")),
        ("", "/x", "/%62/wipe", format!("{away}/%62/wipe")),
        ("", "/x", "/x/..//b/wipe", format!("{away}//b/wipe")),
        ("", "/x", "/x\\..\\b", format!("{away}/b")),
        ("", "/x", "//localhost:7717/b", format!("{away}/b")),
        ("", "/x", "http://localhost:7717/b", format!("{away}/b")),
        ("", "/x", &format!("{away}/b"), format!("{away}/b")),
        ("", "/x", "/../b", format!("{away}/b")),
        ("", "/x", "../../c", "/c".to_owned()),
        ("", "/x", "/bc", "/bc".to_owned()),
        ("", "/x", "?b", "/x?b".to_owned()),
        (
            "",
            "/x",
            "http://\\/localhost:7717/b",
            "http://localhost:7717//localhost:7717/b".to_owned(),
        ),
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
    let long = format!("/{}/b", "%20".repeat(2000));
    assert_eq!(of("", "/x", &long), format!("{away}{long}"));
}

#[test]
fn at_a_place_of_its_own_no_reference_is_another_ones_to_some_clients() {
    let of = |several: bool, field: HeaderName, value: &str| {
        let own = Own::new([], vec![7717, 7720], None).with_several(several);
        let links = links("http://localhost:7720", "").among(&Arc::new(own), None, false);
        let mut headers = HeaderMap::from_iter([(field.clone(), value.parse().unwrap())]);
        links.turn_headers(&mut headers, "/x", None);
        let left = headers.remove(field);
        left.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let rows = [
        (
            LOCATION,
            "<http://localhost:7717/b>",
            Some("/%3Chttp://localhost:7717/b%3E"),
        ),
        (
            LOCATION,
            "\"//localhost:7717/b\"",
            Some("/%22//localhost:7717/b%22"),
        ),
        (LINK, "http://localhost:7717/b; rel=\"next\"", None),
        (LINK, "<'http://localhost:7717/b'>; rel=\"next\"", None),
        (LINK, "<http://localhost:7717/b; rel=\"next\"", None),
        (LOCATION, "/a\\b", Some("/a/b")),
        (LOCATION, "a b", Some("/a%20b")),
        (
            LOCATION,
            "https://h.example/a?b=<//c>",
            Some("https://h.example/a?b=<//c>"),
        ),
        (LINK, "</a>;rel=next,, ", Some("</a>;rel=next,, ")),
    ];
    for (field, value, expected) in rows {
        assert_eq!(
            of(true, field.clone(), value).as_deref(),
            expected,
            "{value}"
        );
        assert_eq!(of(false, field, value).as_deref(), Some(value));
    }
}
