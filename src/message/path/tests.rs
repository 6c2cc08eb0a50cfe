//! Tables for rules and readings.

use super::*;

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
        "/services/oauth2/token.",
        "/services/oauth2/token%20",
        "/services/oauth2/token%2e%20.",
        "/services%c0%afoauth2/token",
        "/services/data/%c0%ae%c0%ae/oauth2/token",
        "/services/oauth2/%c1%b4oken",
        "/services/x//..//oauth2/token",
        "/services//x/../oauth2/token",
        "/services/x/..\\oauth2\\token",
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
    ];
    for (text, path, expected) in rows {
        assert_eq!(allowed(text, path), expected, "{text} of {path}");
    }
}

#[test]
fn a_path_with_too_many_readings_is_denied_and_never_allowed() {
    let nested = format!("/a%{}41", "25".repeat(100));
    let long = format!("/{}%20", "x".repeat(MAX_ODD_PATH));
    for path in [nested, long] {
        let readings = Readings::of(&path);
        assert!(readings.others.len() <= MAX_READINGS);
        assert!(rule("/never").matches_any(&Method::GET, &readings));
        assert!(!rule("/**").matches_all(&Method::GET, &readings));
        assert!(!rule("POST /never").matches_any(&Method::GET, &readings));
    }
}

#[test]
fn a_plain_path_has_one_reading_and_is_not_taken_apart() {
    let rows = [
        ("/", 1),
        ("/services/data/v59.0/sobjects/Account/001.x", 1),
        ("/.well-known/openid-configuration", 1),
        ("/a%20b", 2),
        ("/a/./b", 2),
    ];
    for (path, expected) in rows {
        assert_eq!(Readings::of(path).each().count(), expected, "{path}");
    }
}

proptest::proptest! {
    #[test]
    fn paths_called_plain_have_no_other_reading(path in "/[a-b./_~-]{0,12}") {
        if is_plain(path.as_bytes()) {
            for transform in TRANSFORMS {
                proptest::prop_assert_eq!(transform(path.as_bytes()), path.as_bytes());
            }
        }
    }

    #[test]
    fn no_path_panics_or_escapes_the_limit(path in "/[a./\\\\;%25cefCE0 \u{80}-\u{ff}]{0,60}") {
        proptest::prop_assert!(Readings::of(&path).others.len() <= MAX_READINGS);
    }
}

#[test]
fn a_path_that_goes_up_further_than_it_went_down_in_any_reading_climbs_out() {
    let rows = [
        ("/", false),
        ("/x/y", false),
        ("/x/../y", false),
        ("/x/./y/../..", false),
        ("/x/..y/...", false),
        ("/%2e%2e%2e/x", false),
        ("/..", true),
        ("/x/../../y", true),
        ("/x/%2e%2e/%2E./y", true),
        ("/x/..%2f..%2fy", true),
        ("/x/%252e%252e/%252e%252e/y", true),
        ("/x\\..\\..\\y", true),
        ("//../y", true),
        ("/..;a/y", true),
        ("/.%20./..%20/y", true),
        ("/%c0%ae%c0%ae/y", true),
    ];
    for (path, expected) in rows {
        assert_eq!(Readings::of(path).climbs_out(), expected, "{path}");
    }
}
