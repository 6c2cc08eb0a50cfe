//! References as they are written for all clients.

use super::*;

fn links(base: &str, prefix: &str, path: &str) -> Links {
    let upstream = vec!["https://rest.zuora.com".parse().unwrap()];
    Links::new(
        upstream,
        path.to_owned(),
        base.to_owned(),
        prefix.to_owned(),
    )
}

#[test]
fn what_climbs_ends_at_the_root_of_the_upstream_and_all_is_written_whole() {
    let here = "http://localhost:7717/crm";
    for &(url, expected) in ROWS {
        let got = links(here, "/crm", "").turn(url, "/v1/x");
        assert_eq!(got.as_deref().unwrap_or(url), expected, "{url:?}");
        // Where nobody else is only what may be the proxy's own name changes.
        let alone = links("http://crm.localhost", "", "").turn(url, "/v1/x");
        let is_here = |url: &str| url.starts_with("http://crm.localhost");
        assert!(alone.as_deref().is_none_or(is_here), "{url}: {alone:?}");
    }
}

#[test]
fn a_path_beside_the_one_that_was_asked_for_stays_below_the_place_of_its_upstream() {
    let rows = [
        // The root, perhaps without its slash: `b` is beside `y`.
        ("", "/", "b/wipe", "/x/y/b/wipe"),
        ("", "/", "?b", "/x/y/?b"),
        ("", "/a", "b", "/x/y/b"),
        ("", "/a", "../b", "/x/y/b"),
        ("", "/a/", "../b", "/x/y/b"),
        ("", "/a/../..", "b", "/x/y/b"),
        ("", "/a/..", "../b", "/x/y/b"),
        ("", "/a/%2e", "../../b", "/x/y/b"),
        ("", "/a\\..\\c/d", "../b", "/x/y/b"),
        ("", "/a/b?c=1", "", ""),
        ("", "/?c=1", "", "/x/y/?c=1"),
        ("", "/?c=1", "#d", "/x/y/?c=1#d"),
        ("", "/", "x.y:/wipe", "/x/y/x.y:/wipe"),
        ("", "/a/b?c=1", "?d=/../e", "/x/y/a/b?d=/../e"),
        ("", "/a/b?c=/d/e", "f", "/x/y/a/f"),
        // Past the path in front.
        ("/v2", "/a", "../b", "https://rest.zuora.com/b"),
        ("/v2", "/a", "../v2/b", "/x/y/b"),
        ("/v2", "/a", "/v2/../v2/b", "/x/y/b"),
        ("/v2", "/a", "/v2/../b", "https://rest.zuora.com/b"),
        ("/v2", "/a", "/./v2/b", "/x/y/b"),
        (
            "/v2",
            "/a",
            "https://rest.zuora.com/v2/../b",
            "https://rest.zuora.com/v2/../b",
        ),
    ];
    for (path, asked, url, expected) in rows {
        let got = links("http://p/x/y", "/x/y", path).turn(url, asked);
        assert_eq!(
            got.as_deref().unwrap_or(url),
            expected,
            "{path} {asked} {url}"
        );
    }
}

/// A reference, and what becomes of it.
const ROWS: &[(&str, &str)] = &[
    ("/../b/wipe", "/crm/b/wipe"),
    ("/../b/wipe?c=/../d#/../e", "/crm/b/wipe?c=/../d#/../e"),
    ("/./../b", "/crm/b"),
    ("/%2e%2E/b", "/crm/b"),
    ("/.%2e/b", "/crm/b"),
    ("/x/../../b", "/crm/b"),
    ("/x//../../b", "/crm/b"),
    ("/..", "/crm/"),
    ("/../b/.", "/crm/b/"),
    ("/..//b", "/crm//b"),
    ("/..\\b/wipe", "/crm/b/wipe"),
    ("\\b", "/crm/b"),
    ("/.\t./b", "/crm/b"),
    (" /b", "/crm/b"),
    ("\u{a0}/b", "/crm/b"),
    ("</b/wipe>", "/crm/v1/%3C/b/wipe%3E"),
    ("\"/../../../b\"", "/crm/b%22"),
    (
        "<http://localhost:7717/b>",
        "/crm/v1/%3Chttp://localhost:7717/b%3E",
    ),
    ("url:/b/wipe", "/crm/b/wipe"),
    ("URL: url:../../../b", "/crm/b"),
    ("url:http://localhost:7717/b", "http://localhost:7717/crm/b"),
    ("<url:/b>", "/crm/v1/%3Curl:/b%3E"),
    ("1:../../../b", "/crm/b"),
    ("_:/../wipe", "/crm/v1/wipe"),
    ("<http:../../../b/wipe", "/crm/b/wipe"),
    ("\u{e4}/b", "/crm/v1/%C3%A4/b"),
    (
        "\u{feff}//localhost:7717/b\u{2003}",
        "http://localhost:7717/crm/b",
    ),
    ("/.. ", "/crm/"),
    ("http:/b", "/crm/b"),
    ("HTTPS:b", "/crm/v1/b"),
    ("http:../../../b", "/crm/b"),
    ("http:mailto:x", "/crm/v1/mailto:x"),
    ("http:///b", "/crm/b"),
    ("http://?b", "/crm/?b"),
    ("////b", "/crm//b"),
    ("../../b/wipe", "/crm/b/wipe"),
    ("../../../b?c", "/crm/b?c"),
    ("..\\..\\b", "/crm/b"),
    ("%2e./%2e./b", "/crm/b"),
    ("../..;x", "/crm/"),
    ("/..;?b", "/crm/?b"),
    ("/x/../..;y/b", "/crm/b"),
    ("x/../../../b", "/crm/b"),
    ("https://rest.zuora.com/../b", "http://localhost:7717/crm/b"),
    ("//rest.zuora.com/%2e%2e/b", "http://localhost:7717/crm/b"),
    (
        "https://rest.zuora.com\\..\\b",
        "http://localhost:7717/crm/b",
    ),
    // Of one of these hosts or of the other: here it is neither's.
    (
        "https://rest.zuora.com\\@evil.example/a",
        "http://localhost:7717/crm/@evil.example/a",
    ),
    // The proxy itself, as the caller knows it.
    (
        "http://localhost:7717/b/wipe",
        "http://localhost:7717/crm/b/wipe",
    ),
    ("//LOCALHOST:7717/crm/../b", "http://localhost:7717/crm/b"),
    ("http://localhost:7717", "http://localhost:7717/crm"),
    ("http://127.0.0.1:7717/b", "http://localhost:7717/crm/b"),
    (
        "http://b.localhost:7717/wipe",
        "http://localhost:7717/crm/wipe",
    ),
    ("http://u:p@localhost:7717/b", "http://localhost:7717/crm/b"),
    ("http://@loc%61lhost:7717?b", "http://localhost:7717/crm?b"),
    ("https://rest.zuora.com:/b", "http://localhost:7717/crm/b"),
    // In its own place, by another name.
    ("http://127.0.0.1:7717/crm/b", "http://localhost:7717/crm/b"),
    (
        "http://b.localhost:7717/crm/b?c",
        "http://localhost:7717/crm/b?c",
    ),
    // As clients read them.
    ("http://127.1:7717/b", "http://localhost:7717/crm/b"),
    ("http://0x7f.1:7717/b", "http://localhost:7717/crm/b"),
    ("http://0x7f000001:7717/b", "http://localhost:7717/crm/b"),
    ("http://127.0.0.0x1:7717/b", "http://localhost:7717/crm/b"),
    ("http://2130706433:7717/b", "http://localhost:7717/crm/b"),
    ("http://0177.0.0.1:7717/b", "http://localhost:7717/crm/b"),
    ("http://%31%32%37.1:7717/b", "http://localhost:7717/crm/b"),
    ("http://[::1]:7717/b", "http://localhost:7717/crm/b"),
    ("http://[::1%25lo]:7717/b", "http://localhost:7717/crm/b"),
    ("http://[::1%lo]:7717/b", "http://localhost:7717/crm/b"),
    (
        "http://\u{ff4c}ocalhost:7717/b",
        "http://localhost:7717/crm/b",
    ),
    (
        "http://local\u{ad}host:7717/b",
        "http://localhost:7717/crm/b",
    ),
    (
        "http://\u{24db}ocalhost:7717/b",
        "http://localhost:7717/crm/b",
    ),
    (
        "http://localhost\u{200b}:7717/b",
        "http://localhost:7717/crm/b",
    ),
    (
        "http://127\u{3002}0\u{3002}0\u{3002}1:7717/b",
        "http://localhost:7717/crm/b",
    ),
    (
        "http://%EF%BD%8Cocalhost:7717/b",
        "http://localhost:7717/crm/b",
    ),
    ("http://localhost:7717 /b", "http://localhost:7717/crm/b"),
    ("http://localhost:7717%20/b", "http://localhost:7717/crm/b"),
    ("http://localhost:7717'/b", "http://localhost:7717/crm/b"),
    ("http://localhost;x:7717/b", "http://localhost:7717/crm/b"),
    ("http://localhost::7717/b", "http://localhost:7717/crm/b"),
    ("http://localhost:07717/b", "http://localhost:7717/crm/b"),
    ("http://localhost:x/crm/b", "http://localhost:7717/crm/b"),
    // A scheme to some, a path to others.
    ("aaaaaaaaaabbbbbbbbbbccccccccccddd:../../../../b", "/crm/b"),
    ("x.y:/../../../../b", "/crm/b"),
    ("app://localhost:7717/b", "http://localhost:7717/crm/b"),
    ("x.y:/b", "x.y:/b"),
    ("app://./index.html", "app://./index.html"),
    ("ftp://h/a/../b", "ftp://h/a/../b"),
    ("mailto:../../../b", "mailto:../../../b"),
    // What any client takes for dots.
    ("/a/../b", "/crm/b"),
    ("/a/%2e%2e/b/.", "/crm/b/"),
    ("../b", "/crm/b"),
    ("x/../../b", "/crm/b"),
    (
        "https://rest.zuora.com/a/../b",
        "http://localhost:7717/crm/b",
    ),
    (
        "http://localhost:7717/crm/a/../b",
        "http://localhost:7717/crm/b",
    ),
    // Whole.
    ("./b:c", "/crm/v1/b:c"),
    ("?../../../b", "/crm/v1/x?../../../b"),
    ("#/../b", "#/../b"),
    ("", ""),
    ("url:", ""),
    ("/a..b/...", "/crm/a..b/..."),
    ("/?/../..", "/crm/?/../.."),
    // As they came.
    ("http://localhost:3000/b", "http://localhost:3000/b"),
    ("https://evil.example/../b", "https://evil.example/../b"),
    ("com.app:/cb\\x", "com.app:/cb\\x"),
    ("https://u@evil.example:/b", "https://u@evil.example:/b"),
    (
        "http://b\u{fc}cher.example:7717/b",
        "http://xn--bcher-kva.example:7717/b",
    ),
    ("http://10.1:7717/b", "http://10.1:7717/b"),
];
