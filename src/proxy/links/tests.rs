//! Documents, cut everywhere.

use super::*;

fn document(format: Format, cut: &[usize], text: &str) -> String {
    let upstream = vec!["https://rest.zuora.com".parse().unwrap()];
    let base = "http://localhost:7717/billing".to_owned();
    let links = Links::new(upstream, String::new(), base, "/billing".to_owned());
    let mut from = 0;
    let pieces = cut.iter().copied().chain([text.len()]);
    let pieces = pieces.map(|to| &text.as_bytes()[std::mem::replace(&mut from, to)..to]);
    let pieces: Vec<_> = pieces.collect();
    String::from_utf8(turned(format, links, PLACES, &pieces)).unwrap()
}

const PLACES: &[&str] = &["/nextPage", "/urls/*", "/*/next"];

#[test]
fn only_urls_of_the_upstream_at_known_places_are_turned_wherever_the_document_is_cut() {
    let long = format!("https://rest.zuora.com/{}", "x".repeat(9000));
    let json = format!("{{\"nextPage\":\"{long}\"}}");
    let xml = format!("<r><nextPage>{long}</nextPage></r>");
    let long = [(Format::Json, &*json, &*json), (Format::Xml, &xml, &xml)];
    let rows = ROWS
        .iter()
        .map(|(text, turned)| (Format::Json, *text, *turned));
    let xml = XML_ROWS
        .iter()
        .map(|(text, turned)| (Format::Xml, *text, *turned));
    for (format, text, expected) in rows.chain(xml).chain(long) {
        assert_eq!(document(format, &[], text), expected);
        for cut in (0..text.len().min(400)).filter(|cut| text.is_char_boundary(*cut)) {
            assert_eq!(document(format, &[cut], text), expected, "cut at {cut}");
        }
        let everywhere: Vec<usize> = (0..text.len()).collect();
        assert_eq!(document(format, &everywhere, text), expected);
    }
}

#[test]
fn a_document_that_is_too_deep_passes_from_there_on() {
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let json = format!(
        r#"{{"nextPage":"https://rest.zuora.com/a","d":{},"urls":["https://rest.zuora.com/b"]}}"#,
        deep("[", "]")
    );
    let xml = format!(
        "<r><nextPage>https://rest.zuora.com/a</nextPage>{}<urls><x>https://rest.zuora.com/b</x></urls></r>",
        deep("<d>", "</d>")
    );
    for (format, text) in [(Format::Json, json), (Format::Xml, xml)] {
        let turned = "http://localhost:7717/billing/a";
        let expected = text.replace("https://rest.zuora.com/a", turned);
        assert_eq!(document(format, &[], &text), expected);
    }
}

#[test]
fn a_document_is_what_its_content_type_says() {
    let rows = [
        ("application/json", Some(Format::Json)),
        ("Application/JSON;charset=UTF-8", Some(Format::Json)),
        ("application/vnd.x+json", Some(Format::Json)),
        ("application/xml; charset=utf-8", Some(Format::Xml)),
        ("text/xml", Some(Format::Xml)),
        ("application/atom+xml", Some(Format::Xml)),
        ("text/json", None),
        ("text/html", None),
        ("application/x-www-form-urlencoded", None),
        ("json", None),
        ("", None),
    ];
    for (text, expected) in rows {
        let value = HeaderValue::from_static(text);
        assert_eq!(Format::of(&value), expected, "{text}");
    }
}

/// A document, and what becomes of it.
const ROWS: &[(&str, &str)] = &[
    (
        r#"{"success":true,"nextPage":"https://rest.zuora.com/v1/x?page=2"}"#,
        r#"{"success":true,"nextPage":"http://localhost:7717/billing/v1/x?page=2"}"#,
    ),
    // What climbs ends at the root of the upstream.
    (
        r#"{"nextPage":"https://rest.zuora.com/../other/x?page=2"}"#,
        r#"{"nextPage":"http://localhost:7717/billing/other/x?page=2"}"#,
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

/// The same in XML.
const XML_ROWS: &[(&str, &str)] = &[
    (
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<user xmlns:xsi=\"http://x\"><urls>\n  <a>https://rest.zuora.com/a/{version}\n  </a><b/></urls></user>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<user xmlns:xsi=\"http://x\"><urls>\n  <a>http://localhost:7717/billing/a/{version}\n  </a><b/></urls></user>",
    ),
    (
        "<r><n:nextPage a='>' b=\"'/>\">https://rest.zuora.com/v1?a=1&amp;b=&lt;2&gt;</n:nextPage></r>",
        "<r><n:nextPage a='>' b=\"'/>\">http://localhost:7717/billing/v1?a=1&amp;b=&lt;2></n:nextPage></r>",
    ),
    (
        "<r><x><next>https://rest.zuora.com/a</next><next>https://s3.example/a?b&amp;c</next></x></r>",
        "<r><x><next>http://localhost:7717/billing/a</next><next>https://s3.example/a?b&amp;c</next></x></r>",
    ),
    // Markup that is none of elements.
    (
        "<r><!-- <urls> -- > -> --><?p <urls>?><![CDATA[<urls><a>]]]>]]><nextPage>https://rest.zuora.com/a<!--x--></nextPage></r>",
        "<r><!-- <urls> -- > -> --><?p <urls>?><![CDATA[<urls><a>]]]>]]><nextPage>http://localhost:7717/billing/a<!--x--></nextPage></r>",
    ),
    // Record data, attributes, values that only look like elements, relative URLs.
    (
        "<r><a><nextPage>https://rest.zuora.com/a</nextPage></a><b nextPage=\"https://rest.zuora.com/a\">https://rest.zuora.com/a</b></r>",
        "<r><a><nextPage>https://rest.zuora.com/a</nextPage></a><b nextPage=\"https://rest.zuora.com/a\">https://rest.zuora.com/a</b></r>",
    ),
    (
        "<nextPage>https://rest.zuora.com/a<nextPage>/v1/x</nextPage><urls>https://rest.zuora.com/a</urls></nextPage>",
        "<nextPage>https://rest.zuora.com/a<nextPage>/v1/x</nextPage><urls>https://rest.zuora.com/a</urls></nextPage>",
    ),
    (
        "<r><nextPage/>https://rest.zuora.com/a<nextPage></nextPage><nextPage> </nextPage></r>",
        "<r><nextPage/>https://rest.zuora.com/a<nextPage></nextPage><nextPage> </nextPage></r>",
    ),
    // Entities of its own, or none.
    (
        "<!DOCTYPE r [<!ENTITY e \"x\">]><r><nextPage>https://rest.zuora.com/a</nextPage></r>",
        "<!DOCTYPE r [<!ENTITY e \"x\">]><r><nextPage>https://rest.zuora.com/a</nextPage></r>",
    ),
    (
        "<r><nextPage>https://rest.zuora.com/&e;</nextPage><nextPage>https://rest.zuora.com/a&b</nextPage></r>",
        "<r><nextPage>https://rest.zuora.com/&e;</nextPage><nextPage>https://rest.zuora.com/a&b</nextPage></r>",
    ),
    // Not XML, or not all of it.
    (
        "<r><nextPage>https://rest.zuora.com/",
        "<r><nextPage>https://rest.zuora.com/",
    ),
    ("<r><nextPage", "<r><nextPage"),
    (
        "</r></r>><nextPage>https://rest.zuora.com/a</nextPage>",
        "</r></r>><nextPage>https://rest.zuora.com/a</nextPage>",
    ),
    ("https://rest.zuora.com/a", "https://rest.zuora.com/a"),
    ("é<", "é<"),
    ("", ""),
];
