//! `http2`: where it does something, and where it cannot.

use super::mistakes::check_all;
use super::{parse, with_crm};

/// A Zuora upstream whose API is at `api_url`.
fn zuora(api_url: &str, more: &str) -> String {
    format!(
        "[upstream.z]\nprovider = \"zuora\"\nlogin_url = \"https://rest.zuora.com\"\napi_url = \"{api_url}\"\n\
         client_id = \"id\"\nclient_secret = {{ env = \"SECRET\" }}\n{more}\n"
    )
}

#[test]
fn http2_is_off_unless_an_upstream_or_the_defaults_say_otherwise() {
    let defaults = "[defaults.upstream]\nhttp2 = true\n";
    let rows = [
        (with_crm("{CRM}"), false),
        (with_crm("{CRM}http2 = false\n"), false),
        (with_crm("{CRM}http2 = true\n"), true),
        (with_crm(&format!("{{CRM}}{defaults}")), true),
        (
            with_crm(&format!("{{CRM}}http2 = false\n{defaults}")),
            false,
        ),
        (zuora("https://rest.zuora.com", "http2 = true"), true),
    ];
    for (text, expected) in rows {
        let config = parse(&text).unwrap().config;
        assert_eq!(config.upstreams[0].http2, expected, "{text}");
    }
}

#[test]
fn http2_without_tls_is_a_mistake_unless_it_is_a_default_for_others() {
    let plain = zuora("http://127.0.0.1:8080", "http2 = true");
    check_all(&[
        (
            &plain,
            "UA-0128 7:1 http://127.0.0.1:8080 is called over plain http",
        ),
        ("{CRM}http2 = 2\n", "UA-0105 6:9 true or false"),
    ]);
    let defaults = "[defaults.upstream]\nhttp2 = true";
    assert!(parse(&zuora("http://127.0.0.1:8080", defaults)).is_ok());
}
