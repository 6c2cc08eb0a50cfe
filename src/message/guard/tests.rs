//! Tables for hosts and pages.

use http::{Request, Version};

use super::*;

type Fields<'a> = &'a [(&'a str, &'a str)];

fn named(hosts: &[&str]) -> Own {
    Own::new(hosts.iter().map(ToString::to_string), Vec::new(), None)
}

fn check(method: &str, fields: Fields<'_>) -> Result<(), Rejection> {
    let guard = Guard::new(
        named(&["proxy.example", "UPPER.example."]),
        vec![
            "https://app.example".parse().unwrap(),
            "http://localhost:3000".parse().unwrap(),
        ],
    );
    let mut request = Request::builder().method(method).uri("/x");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    guard.check(&request.body(()).unwrap().into_parts().0)
}

#[test]
fn hosts_are_compared_by_name_never_by_port() {
    let served = [
        "localhost",
        "localhost:7717",
        "localhost:1",
        "127.0.0.1:7717",
        "127.0.0.2",
        "[::1]",
        "[::1]:7717",
        "crm.localhost:7717",
        "a.b.LOCALHOST",
        "proxy.example:8443",
        "Proxy.Example.",
        "upper.example",
    ];
    for host in served {
        assert_eq!(check("GET", &[("host", host)]), Ok(()), "{host}");
    }
    let foreign = [
        "evil.example:7717",
        "localhost.evil.example",
        "evillocalhost",
        ".localhost",
        "localhost..",
        "127.1",
        "2130706433",
        "0x7f.1",
        "127.0.0.1.evil.example",
        "0.0.0.0:7717",
        "[::]",
        "[::ffff:10.0.0.1]",
        "10.0.0.1",
        "a.proxy.example",
        "proxy.example.evil",
        "xproxy.example",
        // This machine, but browsers do not say of which page such a request is.
        "localhost.",
        "crm.LOCALHOST.:7717",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]:7717",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
    ];
    for host in foreign {
        assert_eq!(
            check("GET", &[("host", host)]),
            Err(Rejection::WrongHost),
            "{host}"
        );
    }
}

#[test]
fn the_target_s_authority_decides_before_host() {
    let rows = [
        (
            Version::HTTP_11,
            "http://evil.example/x",
            Some("localhost"),
            Err(Rejection::WrongHost),
        ),
        (
            Version::HTTP_11,
            "http://localhost/x",
            Some("evil.example"),
            Ok(()),
        ),
        (
            Version::HTTP_2,
            "http://evil.example/x",
            None,
            Err(Rejection::WrongHost),
        ),
        (Version::HTTP_2, "http://localhost/x", None, Ok(())),
        (Version::HTTP_10, "/x", None, Ok(())),
        (
            Version::HTTP_10,
            "/x",
            Some("evil.example"),
            Err(Rejection::WrongHost),
        ),
    ];
    for (version, uri, host, expected) in rows {
        let mut request = Request::builder().version(version).uri(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        assert_eq!(
            Guard::default().check(&parts),
            expected,
            "{version:?} {uri} {host:?}"
        );
    }
}

const ADMITTED: &[Fields<'_>] = &[
    &[],
    &[("origin", "http://localhost:7717")],
    &[("origin", "https://localhost:7717")],
    &[
        ("origin", "http://localhost:7717"),
        ("sec-fetch-site", "same-origin"),
    ],
    &[
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "no-cors"),
    ],
    &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
    &[("origin", "https://app.example")],
    &[
        ("origin", "https://app.example"),
        ("sec-fetch-site", "cross-site"),
    ],
    &[
        ("origin", "https://app.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "no-cors"),
    ],
    &[
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "same-site"),
    ],
    &[("referer", "http://localhost:7717/page?x")],
    &[("referer", "https://app.example/")],
];

const REFUSED: &[Fields<'_>] = &[
    &[("origin", "https://evil.example")],
    &[
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "same-origin"),
    ],
    &[
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "none"),
    ],
    &[("origin", "http://localhost")],
    &[("origin", "http://localhost:8080")],
    &[("origin", "http://127.0.0.1:7717")],
    &[("origin", "http://localhost:7717.evil.example")],
    &[("origin", "http://localhost:7717@evil.example")],
    &[("origin", "https://app.example.evil")],
    &[("origin", "http://app.example")],
    &[("origin", "https://app.example:8443")],
    &[("origin", "null")],
    &[("origin", "null"), ("sec-fetch-site", "same-origin")],
    &[("origin", "")],
    &[("origin", "file://")],
    &[("origin", "chrome-extension://abc")],
    &[("origin", "https://app.example, https://evil.example")],
    &[
        ("origin", "https://app.example"),
        ("origin", "https://app.example"),
    ],
    &[
        ("origin", "http://localhost:7717"),
        ("origin", "http://localhost:7717"),
        ("sec-fetch-site", "same-origin"),
    ],
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "Cross-Site")],
    &[("sec-fetch-site", "")],
    &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
    &[
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
    ],
    &[
        ("origin", "http://localhost:7717"),
        ("sec-fetch-site", "cross-site"),
    ],
    &[("sec-fetch-mode", "no-cors")],
    &[("sec-fetch-mode", "no-cors"), ("sec-fetch-site", "none")],
    &[("referer", "https://evil.example/")],
    &[("referer", "http://localhost:8080/")],
    &[("referer", "about:blank")],
    &[
        ("referer", "http://localhost:7717/"),
        ("referer", "http://evil.example/"),
    ],
];

#[test]
fn pages_of_other_origins_are_refused_for_every_method() {
    let admitted = ADMITTED.iter().map(|fields| (fields, Ok(())));
    let refused = REFUSED
        .iter()
        .map(|fields| (fields, Err(Rejection::CrossSite)));
    for (fields, expected) in admitted.chain(refused) {
        let fields = [&[("host", "localhost:7717")], *fields].concat();
        for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
            assert_eq!(check(method, &fields), expected, "{method} {fields:?}");
        }
    }
}

#[test]
fn where_browsers_do_not_say_which_page_a_request_is_of_what_they_open_is_refused() {
    let opens = ("upgrade-insecure-requests", "1");
    let ahead = ("sec-purpose", "prefetch");
    let agent = ("user-agent", "Mozilla/5.0");
    let html = ("accept", "text/html,application/xhtml+xml");
    let image = ("accept", "image/avif,image/webp,*/*;q=0.8");
    let own = ("referer", "http://proxy.example:7717/page");
    let form = ("origin", "http://proxy.example:7717");
    let listed = ("referer", "https://app.example/");
    let none = ("sec-fetch-site", "none");
    let foreign = ("referer", "https://evil.example/");
    // Of each whether it passes by the proxy's own name, without keys and with them.
    let rows: &[(Fields<'_>, bool, bool)] = &[
        (&[opens, agent, html], false, true),
        (&[ahead, agent], false, true),
        (&[opens, own], true, true),
        (&[opens, form], true, true),
        (&[opens, listed], true, true),
        // Over TLS that ends in front of the proxy.
        (&[opens, none], true, true),
        (&[opens, foreign], false, false),
        // Programs say that they are browsers and take pages, and images look like programs.
        (&[agent, html], true, true),
        (&[agent, image], true, true),
        (&[("purpose", "billing")], true, true),
    ];
    let origins = vec!["https://app.example".parse().unwrap()];
    let guard = Guard::new(named(&["proxy.example"]), origins);
    let told = |guard: &Guard, host: &str, fields: Fields<'_>| {
        let mut request = Request::get("/x").header("host", host);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        guard.check(&parts).is_ok()
    };
    for (fields, without, with) in rows {
        for (keyless, expected) in [(true, without), (false, with)] {
            let guard = guard.clone().keyless(keyless);
            let passes = told(&guard, "proxy.example:7717", fields);
            assert_eq!(passes, *expected, "{keyless} {fields:?}");
        }
    }
    let keyless = guard.keyless(true);
    for host in ["localhost:7717", "crm.localhost", "127.0.0.1:7717", "[::1]"] {
        assert!(told(&keyless, host, &[opens, agent, html]), "{host}");
    }
}

#[test]
fn a_missing_port_is_that_of_the_page_s_scheme() {
    let rows = [
        ("localhost", "http://localhost", Ok(())),
        ("localhost", "https://localhost", Ok(())),
        ("localhost:80", "http://localhost", Ok(())),
        (
            "localhost:443",
            "http://localhost",
            Err(Rejection::CrossSite),
        ),
        (
            "localhost",
            "http://localhost:8080",
            Err(Rejection::CrossSite),
        ),
        ("LOCALHOST:80", "http://localhost", Ok(())),
        ("[::1]:7717", "http://[::1]:7717", Ok(())),
    ];
    for (host, origin, expected) in rows {
        assert_eq!(
            check("GET", &[("host", host), ("origin", origin)]),
            expected,
            "{host} {origin}"
        );
    }
}

#[test]
fn without_a_host_no_page_is_our_own() {
    let request = Request::builder()
        .version(Version::HTTP_10)
        .uri("/x")
        .header("origin", "http://localhost");
    let parts = request.body(()).unwrap().into_parts().0;
    assert_eq!(Guard::default().check(&parts), Err(Rejection::CrossSite));
}

#[test]
fn a_rebound_name_is_refused_although_it_is_same_origin() {
    let fields = [
        ("host", "evil.example:7717"),
        ("origin", "http://evil.example:7717"),
    ];
    assert_eq!(check("GET", &fields), Err(Rejection::WrongHost));
}

#[test]
fn only_a_listed_origin_is_answered_with_cors() {
    let guard = Guard::new(named(&[]), vec!["https://app.example".parse().unwrap()]);
    let rows: [(&[&str], Option<&str>); 5] = [
        (&["https://app.example"], Some("https://app.example")),
        (&["https://evil.example"], None),
        (&["null"], None),
        (&["https://app.example", "https://app.example"], None),
        (&[], None),
    ];
    for (origins, expected) in rows {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, origin.parse().unwrap());
        }
        let got = guard
            .cors_origin(&headers)
            .map(|value| value.to_str().unwrap());
        assert_eq!(got, expected, "{origins:?}");
    }
}
