//! Tables for rules; for what readings there are: in `readings`.

use super::*;

mod readings;

fn rule(text: &str) -> PathRule {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn denied(rule_text: &str, path: &str) -> bool {
    rule(rule_text).matches_any(&Method::GET, &Readings::of(path))
}

fn allowed(rule_text: &str, path: &str) -> bool {
    rule(rule_text).matches_all(&Method::GET, &Readings::of(path))
}

#[test]
fn a_rule_is_parsed_and_shown_or_refused() {
    let rows = [
        ("/", Some("/")),
        ("/a/b", Some("/a/b")),
        ("/a/b/", Some("/a/b")),
        ("/a/*/c", Some("/a/*/c")),
        ("/**", Some("/**")),
        ("GET /a/**", Some("GET /a/**")),
        ("/with a blank", Some("/with a blank")),
        ("/.well-known/x", Some("/.well-known/x")),
        ("", None),
        ("a/b", None),
        ("get /a", None),
        ("GET", None),
        ("GET  /a", None),
        ("G*T /a", None),
        ("DELTE /a", None),
        ("TRACE /a", None),
        ("/a//b", None),
        ("//a", None),
        ("/a/**/b", None),
        ("/a/b*", None),
        ("/a/***", None),
        ("/a/../b", None),
        ("/a/.", None),
        ("/a%20b", None),
        ("/a;b", None),
        ("/a?b", None),
        ("/a#b", None),
        ("/a\\b", None),
        ("/[0-9]+", None),
        ("/{id}", None),
        ("/^a$", None),
        ("/a|b", None),
        ("/Products(1)/$value", Some("/Products(1)/$value")),
        ("/a\nb", None),
    ];
    for (text, expected) in rows {
        let shown = text.parse::<PathRule>().ok().map(|rule| rule.to_string());
        assert_eq!(shown.as_deref(), expected, "{text}");
    }
}

#[test]
fn segments_stars_and_rests_match() {
    let rows = [
        ("/", "/", true),
        ("/", "/a", false),
        ("/a/b", "/a/b", true),
        ("/a/b", "/a/b/", true),
        ("/a/b", "/A/B", true),
        ("/a/b", "/a", false),
        ("/a/b", "/a/b/c", false),
        ("/a/b", "/a/bc", false),
        ("/a/*", "/a/b", true),
        ("/a/*", "/a", false),
        ("/a/*", "/a/", false),
        ("/a/*", "/a/b/c", false),
        ("/a/*/c", "/a/b/c", true),
        ("/a/**", "/a", true),
        ("/a/**", "/a/", true),
        ("/a/**", "/a/b/c", true),
        ("/a/**", "/ab", false),
        ("/**", "/", true),
        ("/**", "/x/y", true),
        ("/a/*/**", "/a", false),
        ("/a/*/**", "/a/b", true),
        ("GET /a", "/a", true),
        ("POST /a", "/a", false),
    ];
    for (text, path, expected) in rows {
        assert_eq!(denied(text, path), expected, "deny {text} of {path}");
        assert_eq!(allowed(text, path), expected, "allow {text} of {path}");
    }
}

#[test]
fn a_denied_path_is_denied_however_it_is_written() {
    let spellings = [
        "/services/oauth2/token",
        "/services/oauth2/token/",
        "/SERVICES/OAuth2/Token",
        "//services///oauth2//token//",
        "/services/oauth2/%74oken",
        "/services/oauth2/%2574oken",
        "/services/oauth2/%252574oken",
        "/services%2foauth2%2Ftoken",
        "/services%252foauth2/token",
        "/services%5coauth2\\token",
        "/services/./oauth2/token/.",
        "/x/../services/oauth2/token",
        "/services/data/..%2f/oauth2/token",
        "/services/data/%2e%2e/oauth2/token",
        "/services/data/%2e./oauth2/token",
        "/services/data/%252e%252e/oauth2/token",
        "/services/data/v59.0/../../oauth2/token",
        "/../../services/oauth2/token",
        "/services/data/..;/oauth2/token",
        "/services/data/..;x=y/oauth2/token",
        "/services/data/..%3b/oauth2/token",
        "/services;v=1/oauth2/token;jsessionid=1",
        "/services/%6fauth2;a=%2fx/token",
        "/services/oauth2/token%3b",
        "/services/oauth2/token%00",
        "/services/oauth2/token%00.json",
        "/services/oauth2/token%3fx",
        "/services/oauth2/token%23x",
        "/services/oauth2/token%0a",
        "/services/oauth2/to%09ken",
        "/services/data/.%0d%0a./oauth2/token",
        "/services/oauth2/token%c2%a0",
        "/services/data/..%e3%80%80/oauth2/token",
        "/services/oauth2/token;jsessionid=1/x",
        "/services/oauth2/token%3BJSESSIONID=1/x;y",
        "/services/oauth2/token.",
        "/services/oauth2/token%20",
        "/services/oauth2/token%2e%20.",
        "/services%c0%afoauth2/token",
        "/services/data/%c0%ae%c0%ae/oauth2/token",
        "/services/oauth2/%c1%b4oken",
        "/services/x//..//oauth2/token",
        "/services//x/../oauth2/token",
        "/services/x/..\\oauth2\\token",
        "/services/data/..%20/oauth2/token",
        "/services/data/%20..%20/oauth2/token",
        "/services/data/..%09/oauth2/token",
        "/services/data/x/..%00/..%0b/oauth2/token",
        "/services%09/oauth2%20./token",
        "/services/%20/oauth2/token",
    ];
    for path in spellings {
        assert!(denied("/services/oauth2/token", path), "{path}");
    }
}

#[test]
fn a_denied_path_is_denied_however_lax_its_reader_is() {
    let spellings = [
        // UTF-16 in an escape of its own.
        "/services/oauth2/%u0074oken",
        "/services/oauth2/%U0074oken",
        "/services%u002foauth2/token",
        "/services/data/%u002e%u002e/oauth2/token",
        "/services/oauth2/%25u0074oken",
        "/services/oauth2/%u0025u0074oken",
        "/services/oauth2/%uff54oken",
        "/services%u2215oauth2%u2216token",
        // More bytes of UTF-8 than there may be.
        "/services/oauth2/%e0%81%b4oken",
        "/services/oauth2/%f0%80%81%b4oken",
        "/services/oauth2/%F8%80%80%81%B4oken",
        "/services/oauth2/%fc%80%80%80%81%b4oken",
        "/services%f0%80%80%afoauth2/token",
        "/services/oauth2/to%f0%82%84%aaen",
        // Wide forms.
        "/services/oauth2/%ef%bd%94oken",
        "/services/oauth2/\u{ff54}oken",
        "/services%ef%bc%8foauth2/token",
        "/services/data/%ef%bc%8e%ef%bc%8e/oauth2/token",
        "/services/data/\u{2025}/oauth2/token",
        "/services/oauth2/%ef%bc%8574oken",
        "/services/oauth2/token%ef%bc%9bx",
        // Letters that are ASCII in their other case.
        "/services/oauth2/to%E2%84%AAen",
        "/services/oauth2/to\u{212a}en",
        "/%C5%BFervices/oauth2/token",
        "/serv%c4%b1ces/oauth2/token",
        "/SERV%c4%b0CES/oauth2/token",
        "/%u017fervices/oauth2/token",
        // Formats of the answer.
        "/services/oauth2/token.json",
        "/services/oauth2/token.xml",
        "/services/oauth2/token.JSON/",
        "/services/oauth2/token%2exml",
        "/services/oauth2/token.json;x",
        "/services/oauth2/token.xml%00",
        "/services/oauth2/token%20.json",
        "/services/oauth2/token.j%c5%bfon",
        "/services/oauth2/t%6fken.json",
    ];
    for path in spellings {
        assert!(denied("/services/oauth2/token", path), "{path}");
    }
}

#[test]
fn a_deny_does_not_spread_to_other_paths() {
    let rows = [
        "/services/data/v59.0/query",
        "/services/oauth2/tokens",
        "/services/oauth2/token/x",
        "/services/oauth2%2fx/token",
        "/services/data/a%20b/oauth2/token",
        "/id/00D000000000001/005000000000001",
        "/services/data/v59.0/sobjects/Account/Ext__c/a%2Fb",
        "/%zz%",
        "/%u00zz%u",
        "/%ud800/oauth2/token",
        "/services/oauth2/token.json/x",
        "/services/oauth2/token.jsonl",
        "/services/oauth2/token_json",
        "/services/oauth2/t\u{f8}ken",
    ];
    for path in rows {
        assert!(!denied("/services/oauth2/token", path), "{path}");
    }
}

#[test]
fn an_allow_needs_every_reading() {
    let rows = [
        ("/services/data/**", "/services/data/v59.0/query", true),
        ("/services/data/**", "/services/data/a%20b", true),
        ("/services/data/**", "/services/data/a%2Fb", true),
        ("/services/data/**", "/services/data/x/../y", true),
        ("/services/data/**", "/services/data/../oauth2/token", false),
        (
            "/services/data/**",
            "/services/data/%2e%2e/oauth2/token",
            false,
        ),
        (
            "/services/data/**",
            "/services/data/..%252foauth2/token",
            false,
        ),
        ("/services/data/**", "/services/data/..;/oauth2", false),
        ("/services/data/**", "/services/data\\..\\oauth2", false),
        ("/services/data/**", "/x/../services/data/a", false),
        ("/services/data/**", "//services/data/a", false),
        ("/services/data/*", "/services/data/a%2Fb", false),
        ("/a b", "/a%20b", false),
        ("/v1/**", "/v1/%u002e%u002e/v2", false),
        ("/v1/**", "/v1/%ef%bc%8e%ef%bc%8e/v2", false),
        ("/v1/**", "/v1/%f0%80%80%ae./v2", false),
        ("/v1/*", "/v1/a%u002fb", false),
        // By the name that it lists.
        ("/v1/*", "/v1/x.json", true),
        ("/v1/x.json", "/v1/x.json", true),
        ("/v1/x", "/v1/x.json", false),
        ("/v1/\u{131}", "/v1/\u{131}", true),
        ("/v1/i", "/v1/\u{131}", false),
    ];
    for (text, path, expected) in rows {
        assert_eq!(allowed(text, path), expected, "{text} of {path}");
    }
}

#[test]
fn a_rule_for_get_denies_head_too_and_allows_it_not() {
    let path = Readings::of("/secret/x");
    let own = rule("GET /secret/**");
    let rows = [
        (Method::GET, true, true),
        (Method::HEAD, true, false),
        (Method::POST, false, false),
    ];
    for (method, denied, allowed) in rows {
        assert_eq!(own.matches_any(&method, &path), denied, "{method}");
        assert_eq!(own.matches_all(&method, &path), allowed, "{method}");
    }
    assert!(!rule("HEAD /secret/**").matches_any(&Method::GET, &path));
}

#[test]
fn letter_case_does_not_matter_in_any_alphabet() {
    for path in ["/b%C3%BCro/x", "/B%C3%9CRO/x", "/B\u{dc}ro/x"] {
        assert!(
            rule("/büro/**").matches_any(&Method::GET, &Readings::of(path)),
            "{path}"
        );
    }
    assert!(!rule("/büro/**").matches_any(&Method::GET, &Readings::of("/buro/x")));
}
