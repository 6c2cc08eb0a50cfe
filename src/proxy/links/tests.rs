//! Documents, cut everywhere.

use super::*;

fn document(cut: &[usize], text: &str, places: &[&str]) -> String {
    let upstream = vec!["https://rest.zuora.com".parse().unwrap()];
    let base = "http://localhost:7717/billing".to_owned();
    let links = Links::new(upstream, String::new(), base, "/billing".to_owned());
    let mut document = InJson::new(links, places.iter().copied());
    let mut out = VecDeque::new();
    let mut from = 0;
    for to in cut.iter().copied().chain([text.len()]) {
        let piece = text.as_bytes().get(from..to).unwrap();
        document.push(&Bytes::copy_from_slice(piece), &mut out);
        from = to;
    }
    put(&mut out, document.end());
    String::from_utf8(out.iter().flatten().copied().collect()).unwrap()
}

const PLACES: &[&str] = &["/nextPage", "/urls/*", "/*/next"];

#[test]
fn only_urls_of_the_upstream_at_known_places_are_turned_wherever_the_document_is_cut() {
    let long = format!(
        r#"{{"nextPage":"https://rest.zuora.com/{}"}}"#,
        "x".repeat(9000)
    );
    let rows = ROWS.iter().copied().chain([(&*long, &*long)]);
    for (text, expected) in rows {
        assert_eq!(document(&[], text, PLACES), expected);
        for cut in 0..text.len().min(400) {
            assert_eq!(document(&[cut], text, PLACES), expected, "cut at {cut}");
        }
        let everywhere: Vec<usize> = (0..text.len()).collect();
        assert_eq!(document(&everywhere, text, PLACES), expected);
    }
}

#[test]
fn a_document_that_is_too_deep_passes_from_there_on() {
    let deep = format!(
        r#"{{"nextPage":"https://rest.zuora.com/a","d":{}{},"urls":["https://rest.zuora.com/b"]}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let expected = deep.replace(
        "https://rest.zuora.com/a",
        "http://localhost:7717/billing/a",
    );
    assert_eq!(document(&[], &deep, PLACES), expected);
}

/// A document, and what becomes of it.
const ROWS: &[(&str, &str)] = &[
    (
        r#"{"success":true,"nextPage":"https://rest.zuora.com/v1/x?page=2"}"#,
        r#"{"success":true,"nextPage":"http://localhost:7717/billing/v1/x?page=2"}"#,
    ),
    (
        r#"{ "nextPage" : "https:\/\/rest.zuora.com\/v1\/x\u003fa" , "z" : 1 }"#,
        r#"{ "nextPage" : "http://localhost:7717/billing/v1/x?a" , "z" : 1 }"#,
    ),
    (
        r#"{"urls":{"a":"https://rest.zuora.com/a/{version}","b":["https://rest.zuora.com/b"]}}"#,
        r#"{"urls":{"a":"http://localhost:7717/billing/a/{version}","b":["https://rest.zuora.com/b"]}}"#,
    ),
    (
        r#"{"urls":["https://rest.zuora.com/a",{"c":"https://rest.zuora.com/b"}]}"#,
        r#"{"urls":["http://localhost:7717/billing/a",{"c":"https://rest.zuora.com/b"}]}"#,
    ),
    (
        r#"[{"next":"https://rest.zuora.com/a"},{"next":"https://s3.example/a?sig=x"}]"#,
        r#"[{"next":"http://localhost:7717/billing/a"},{"next":"https://s3.example/a?sig=x"}]"#,
    ),
    // Record data, keys, values that only look like members, relative URLs.
    (
        r#"{"a":{"nextPage":"https://rest.zuora.com/a"},"b":["nextPage","https://rest.zuora.com/a"]}"#,
        r#"{"a":{"nextPage":"https://rest.zuora.com/a"},"b":["nextPage","https://rest.zuora.com/a"]}"#,
    ),
    (
        r#"{"https://rest.zuora.com/a":"nextPage","x":"nextPage\":\"https://rest.zuora.com/a"}"#,
        r#"{"https://rest.zuora.com/a":"nextPage","x":"nextPage\":\"https://rest.zuora.com/a"}"#,
    ),
    (r#"{"nextPage":"/v1/x"}"#, r#"{"nextPage":"/v1/x"}"#),
    (
        r#"{"nextPage":null,"a":"\\"}"#,
        r#"{"nextPage":null,"a":"\\"}"#,
    ),
    // Not JSON, or not all of it.
    (
        r#"{"nextPage":"https://rest.zuora"#,
        r#"{"nextPage":"https://rest.zuora"#,
    ),
    (
        r#"]}"nextPage":"https://rest.zuora.com/a""#,
        r#"]}"nextPage":"https://rest.zuora.com/a""#,
    ),
    (
        r#""https://rest.zuora.com/a""#,
        r#""https://rest.zuora.com/a""#,
    ),
    (
        r#"{"nextPage":"\ud800https://rest.zuora.com/a"}"#,
        r#"{"nextPage":"\ud800https://rest.zuora.com/a"}"#,
    ),
    ("", ""),
];
