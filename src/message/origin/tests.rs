//! Tables for origins and host rules.

use super::*;

#[test]
fn an_origin_is_parsed_or_refused_with_a_reason() {
    let rows = [
        (
            "https://ACME.my.salesforce.com",
            Ok("https://acme.my.salesforce.com"),
        ),
        ("https://acme.example/", Ok("https://acme.example")),
        ("https://acme.example.:443", Ok("https://acme.example")),
        ("http://127.0.0.1:7720", Ok("http://127.0.0.1:7720")),
        ("HTTP://[::1]:80", Ok("http://[::1]")),
        ("acme.example", Err(OriginError::Scheme)),
        ("ftp://acme.example", Err(OriginError::Scheme)),
        ("https://u:p@acme.example", Err(OriginError::UserInfo)),
        ("https://acme.example/services", Err(OriginError::Path)),
        ("https://acme.example?x", Err(OriginError::Path)),
        ("https://acme.example#x", Err(OriginError::Path)),
        ("https://acme.example\\@evil", Err(OriginError::Path)),
        ("https://", Err(OriginError::Host)),
        ("https://a b", Err(OriginError::Host)),
        ("https://127.1", Err(OriginError::Host)),
        ("https://a..b", Err(OriginError::Host)),
        ("https://[::1", Err(OriginError::Host)),
        ("https://acme.example:", Err(OriginError::Port)),
        ("https://acme.example:0", Err(OriginError::Port)),
        ("https://acme.example:65536", Err(OriginError::Port)),
        ("https://acme.example:+1", Err(OriginError::Port)),
    ];
    for (text, expected) in rows {
        let got = text.parse::<Origin>().map(|origin| origin.to_string());
        assert_eq!(got.as_deref().map_err(|e| *e), expected, "{text}");
    }
}

#[test]
fn host_rules_match_on_label_boundaries_and_ports() {
    let rule = |text: &str| text.parse::<HostRule>().unwrap();
    let rules = HostRules::new(
        vec![
            rule("*.salesforce.com"),
            rule("exact.example:8443"),
            rule("a.salesforce.com"),
            rule("x.lightning.force.com:8443"),
        ],
        vec![rule("*.lightning.force.com")],
    );
    let rows = [
        ("https://acme.my.salesforce.com", Some(Allowed::ByWildcard)),
        ("https://a.salesforce.com", Some(Allowed::Exactly)),
        ("https://salesforce.com", None),
        ("https://evilsalesforce.com", None),
        ("https://acme.salesforce.com.evil", None),
        ("https://acme.my.salesforce.com:8443", None),
        ("https://exact.example:8443", Some(Allowed::Exactly)),
        ("https://exact.example", None),
        ("https://x.lightning.force.com", None),
        ("https://x.lightning.force.com:8443", None),
    ];
    for (origin, expected) in rows {
        assert_eq!(rules.allow(&origin.parse().unwrap()), expected, "{origin}");
    }
}

#[test]
fn a_wildcard_over_a_whole_top_level_domain_is_refused() {
    assert_eq!("*.com".parse::<HostRule>(), Err(OriginError::Host));
    assert!("*.example.com".parse::<HostRule>().is_ok());
}

#[test]
fn the_origin_of_a_url_is_split_off() {
    let (origin, rest) = Origin::split_url("https://a.example:8443/x?y#z").unwrap();
    assert_eq!(
        (origin.to_string().as_str(), rest),
        ("https://a.example:8443", "/x?y#z")
    );
    let (origin, rest) = Origin::split_url("http://a/b/c").unwrap();
    assert_eq!((origin.to_string().as_str(), rest), ("http://a", "/b/c"));
    assert!(Origin::split_url("/relative").is_none());
}

#[test]
fn a_host_is_known_as_a_name_an_address_and_this_machine() {
    let rows = [
        ("https://acme.example", "acme.example", false, false),
        ("https://localhost:1", "localhost", false, true),
        ("https://a.localhost", "a.localhost", false, true),
        ("https://notlocalhost", "notlocalhost", false, false),
        ("https://127.9.9.9", "127.9.9.9", true, true),
        ("https://[::1]:8443", "::1", true, true),
        ("https://[::ffff:127.0.0.1]", "::ffff:127.0.0.1", true, true),
        ("https://10.0.0.1", "10.0.0.1", true, false),
        ("https://[2600::1]", "2600::1", true, false),
    ];
    for (text, name, is_address, is_loopback) in rows {
        let origin: Origin = text.parse().unwrap();
        assert_eq!(origin.server_name(), name, "{text}");
        let ip = origin.ip().map(|ip| ip.to_string());
        assert_eq!(ip, is_address.then(|| name.to_owned()), "{text}");
        assert_eq!(origin.is_loopback(), is_loopback, "{text}");
        assert_eq!(format!("{origin:?}"), text, "{text}");
    }
}
