//! Which readings a path has, how many, and where they lead.

use super::*;

#[test]
fn a_path_with_too_many_readings_is_denied_and_never_allowed() {
    let nested = format!("/a%{}41", "25".repeat(100));
    let long = format!("/{}%20", "x".repeat(MAX_ODD_PATH));
    let large = format!("/{}%2525252520", "x".repeat(MAX_ODD_PATH - 100));
    for path in [nested, long, large] {
        let readings = Readings::of(&path);
        assert!(readings.others.len() <= MAX_READINGS);
        assert!(rule("/never").matches_any(&Method::GET, &readings));
        assert!(!rule("/**").matches_all(&Method::GET, &readings));
        assert!(!rule("POST /never").matches_any(&Method::GET, &readings));
    }
    // The longest name in a script of three bytes is none of them.
    let honest = format!("/x/{}", "%e3%81%82".repeat(255));
    assert!(allowed("/x/*", &honest));
    assert!(!denied("/never", &honest));
}

#[test]
fn a_plain_path_has_one_reading_and_is_not_taken_apart() {
    let rows = [
        ("/", 1),
        ("/services/data/v59.0/sobjects/Account/001.x", 1),
        ("/.well-known/openid-configuration", 1),
        ("/a%20b", 2),
        ("/a/./b", 2),
        ("/a.json", 2),
        ("/a.xml/", 2),
        ("/ajson", 1),
        ("/Products(1)/x(S(y))", 1),
        ("/(S(y))/x", 3),
    ];
    for (path, expected) in rows {
        assert_eq!(Readings::of(path).each().count(), expected, "{path}");
    }
}

proptest::proptest! {
    #[test]
    fn paths_called_plain_have_no_other_reading(path in "/[a-b./_~()-]{0,12}(\\.[JjXx][SsMm][OoLl][Nn/]?)?/?") {
        if is_plain(path.as_bytes()) {
            for transform in TRANSFORMS.into_iter().chain(LENIENT) {
                proptest::prop_assert_eq!(transform(path.as_bytes()), path.as_bytes());
            }
        }
    }

    #[test]
    fn no_path_panics_or_escapes_the_limit(path in "/[a./\\\\;%25cefCE0u \u{80}-\u{ff}\u{131}\u{ff05}\u{ff0e}]{0,60}") {
        let readings = Readings::of(&path);
        let bytes: usize = readings.others.iter().map(Vec::len).sum();
        proptest::prop_assert!(readings.others.len() <= MAX_READINGS && bytes <= MAX_BYTES);
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
        ("/%u002e%u002e/y", true),
        ("/%f8%80%80%80%ae./y", true),
        ("/%ef%bc%8e%ef%bc%8e/y", true),
        ("/x/\u{2025}/\u{ff0e}./y", true),
        ("/%u2026/x", false),
        ("/..%09/y", true),
        ("/%20../y", true),
    ];
    for (path, expected) in rows {
        assert_eq!(Readings::of(path).climbs_out(), expected, "{path}");
    }
}
