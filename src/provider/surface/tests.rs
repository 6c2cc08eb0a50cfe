//! What belongs to which family of calls, and what is put on them.

use super::*;
use crate::provider::marketing_cloud;
use crate::provider::tests as fixtures;

#[test]
fn a_track_id_is_the_callers_if_zuora_would_take_it() {
    let long = "x".repeat(65);
    let longest = "x".repeat(64);
    let rows = [
        (Some("order-17"), "01J", "order-17"),
        (Some("two words"), "01J", "two words"),
        (Some(longest.as_str()), "01J", longest.as_str()),
        (Some(long.as_str()), "01J", "01J"),
        (Some("a:b"), "01J", "01J"),
        (Some("a;b"), "01J", "01J"),
        (Some("it's"), "01J", "01J"),
        (Some("\"a\""), "01J", "01J"),
        (Some(""), "01J", "01J"),
        (None, "01J", "01J"),
        (None, "a:b;ü", "ab"),
        (None, long.as_str(), longest.as_str()),
    ];
    for (callers, ours, expected) in rows {
        let callers = callers.map(|text| HeaderValue::from_str(text).unwrap());
        assert_eq!(track_id(callers.as_ref(), ours), expected, "{callers:?}");
    }
    let latin = HeaderValue::from_bytes(b"caf\xe9").unwrap();
    assert_eq!(track_id(Some(&latin), "01J"), "01J");
}

#[test]
fn each_header_of_the_operators_has_its_own_template() {
    let own = |name: &str, before: &str| config::Header::Own {
        name: name.parse().unwrap(),
        before: before.to_owned(),
        after: String::new(),
    };
    let headers = [own("x-a", "A "), config::Header::Bearer, own("x-b", "B ")];
    let (carriers, templates) = carriers(&headers);
    let forms: Vec<_> = carriers
        .iter()
        .map(|carrier| match carrier.form {
            CarrierForm::Template(at) => templates[at].before.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(forms, ["A ", "", "B "]);
}

#[test]
fn links_are_known_of_the_paths_they_come_on() {
    let mail = marketing_cloud::tests::mail();
    let rows = [
        (Method::GET, "/platform/v1/endpoints/soap", true),
        (Method::POST, "/platform/v1/endpoints/soap", false),
        (Method::GET, "/platform/v1/tokenContext", false),
    ];
    for (method, path, expected) in rows {
        let readings = Readings::of(path);
        let links = mail.surface(&readings).links(&method, &readings);
        assert_eq!(links.is_some(), expected, "{method} {path}");
    }
}

#[test]
fn no_spelling_of_a_session_call_is_taken_for_another_call() {
    let (salesforce, zuora) = (fixtures::salesforce(), fixtures::zuora());
    let zilliant = fixtures::zilliant();
    let mail = marketing_cloud::tests::mail();
    let rows = [
        (&salesforce, "/services/oauth2/token"),
        (&salesforce, "/services/oauth2/singleaccess"),
        (&salesforce, "/services/a360/token"),
        (&salesforce, "/secur/frontdoor.jsp"),
        (&salesforce, "/partners/services/oauth2/token"),
        (&salesforce, "/services/Soap/u/64.0"),
        (&salesforce, "/id/services/oauth2/revoke"),
        (&salesforce, "/id/secur/frontdoor.jsp"),
        (&salesforce, "/id/services/Soap/u/64.0"),
        (&salesforce, "/services/data/v64.0/tooling/executeAnonymous"),
        (&zilliant, "/services/oauth2/token"),
        (&zuora, "/oauth/token"),
        (&zuora, "/v1/connections"),
        (&zuora, "/rest/v1/connections"),
        (&mail, "/v1/requestToken"),
        (&mail, "/v2/token"),
        (&mail, "/v2/userinfo"),
        (&mail, "/Service.asmx"),
    ];
    for (provider, path) in rows {
        for spelling in spellings(path) {
            let surface = provider.surface(&Readings::of(&spelling));
            assert!(surface.denied.is_some(), "{} {spelling}", provider.name);
        }
    }
}

/// Ways in which some server would read `path`.
fn spellings(path: &str) -> Vec<String> {
    let mut spellings = vec![path.to_owned(), path.to_ascii_uppercase()];
    for (at, byte) in path.bytes().enumerate().skip(1) {
        let (front, back) = (&path[..at], &path[at + 1..]);
        let (top, low) = (byte >> 6, 0x80 | byte & 0x3f);
        let mut instead = vec![
            format!("%{byte:02x}"),
            format!("%{byte:02X}"),
            format!("%25{byte:02x}"),
            format!("%2525{byte:02x}"),
            format!("%c{top}%{low:02x}"),
            format!("%e0%8{top}%{low:02x}"),
            format!("%f0%80%8{top}%{low:02x}"),
            format!("%f8%80%80%8{top}%{low:02x}"),
            format!("%fc%80%80%80%8{top}%{low:02x}"),
            format!("%u00{byte:02x}"),
            format!("%25U00{byte:02X}"),
            format!("%uff{:02x}", byte - 0x20),
        ];
        let wide = char::from_u32(0xfee0 + u32::from(byte)).unwrap();
        let alike = match byte {
            b'k' | b'K' => "\u{212a}",
            b's' | b'S' => "\u{17f}",
            b'i' | b'I' => "\u{131}\u{130}",
            _ => "",
        };
        for letter in alike.chars().chain([wide]).map(String::from) {
            instead.push(letter.bytes().map(|byte| format!("%{byte:02x}")).collect());
            instead.push(letter);
        }
        if byte == b'/' {
            instead.extend(SLASHES.map(str::to_owned));
        }
        spellings.extend(instead.iter().map(|new| format!("{front}{new}{back}")));
    }
    spellings.extend(ENDS.map(|end| format!("{path}{end}")));
    spellings
        .extend(["/", "/.", "/x/..", "/;x", "/%2e", "/%2f"].map(|front| format!("{front}{path}")));
    spellings
}

/// What may stand for a slash.
const SLASHES: [&str; 19] = [
    "//",
    "/./",
    "/x/../",
    "/;a/",
    "/%2e/",
    "/x/%2e%2e/",
    "/x/..;/",
    "/x/..%3b/",
    "\\",
    "%5c",
    "./",
    "%20/",
    "%2e/",
    ";x/",
    ";x=%2f/",
    "%3bx/",
    "%2f%2f",
    "/%2f/",
    "/.;x/",
];

/// What may stand behind a path.
const ENDS: [&str; 15] = [
    "/",
    ".",
    "..",
    "%20",
    ";x",
    "/.",
    "/..;/token",
    "%00",
    "%3f",
    "%23x",
    "//",
    ".json",
    ".xml/",
    "%2eJSON",
    ".j%c5%bfon;x",
];
