//! Fixtures for the tests of this room, and tests of the data files.

use std::borrow::Cow;
mod accounts;
mod surfaces;

use std::time::Duration;

use http::header;

use super::*;
use crate::config::carrier::Header;
use crate::config::policy::Policy;
use crate::config::salesforce::{Grant, Salesforce, User};
use crate::config::server::ListenTls;
use crate::config::zilliant::Zilliant;
use crate::config::zuora::Zuora;
use crate::config::{Leg, Upstream};
use crate::message::Allowed;
use crate::message::twins::Spelled;
use crate::secret::{Secret, Source};

pub(super) fn source(text: &str) -> Source {
    Source::Value(Secret::new(text))
}

pub(super) fn user() -> User {
    User {
        username: source("u+1@acme.example"),
        password: source("p+ %&=é"),
        security_token: Some(source("TOKEN99")),
    }
}

pub(super) fn salesforce_keys() -> Salesforce {
    Salesforce {
        login: by(Grant::ClientCredentials {
            client_secret: source("AAAA0000"),
        }),
        environment: None,
        header: vec![Header::Bearer],
        instance_hosts: None,
        session_timeout: Duration::from_secs(7200),
        expect_org: None,
    }
}

fn by(grant: Grant) -> config::salesforce::Login {
    config::salesforce::Login::Call {
        login_url: "https://acme.my.salesforce.com".parse().unwrap(),
        client_id: source("3MVG9FAKE"),
        grant,
    }
}

/// Salesforce by this grant.
pub(super) fn granted_by(grant: Grant) -> Provider {
    let mut keys = salesforce_keys();
    keys.login = by(grant);
    salesforce::provider(&keys, &[])
}

pub(super) fn zuora_keys() -> Zuora {
    Zuora {
        login_url: "https://rest.test.zuora.com".parse().unwrap(),
        api_url: "https://rest.test.zuora.com".parse().unwrap(),
        client_id: source("6d15fake-0000-4000-8000-000000000000"),
        client_secret: source("se+c/ret="),
        entity_ids: vec![],
        org_ids: vec![],
    }
}

pub(super) fn zilliant_keys() -> Zilliant {
    Zilliant {
        login_url: "https://test.salesforce.com".parse().unwrap(),
        api_url: "https://mycompany.zilliant.com".parse().unwrap(),
        client_id: source("3MVG9FAKE"),
        client_secret: source("AAAA0000"),
        user: user(),
        session_timeout: Duration::from_secs(7200),
        expect_org: None,
    }
}

pub(super) fn salesforce() -> Provider {
    salesforce::provider(&salesforce_keys(), &[])
}

pub(super) fn password() -> Provider {
    granted_by(Grant::Password {
        client_secret: source("AAAA0000"),
        user: user(),
    })
}

pub(super) fn zuora() -> Provider {
    zuora::provider(&zuora_keys())
}

pub(super) fn zilliant() -> Provider {
    zilliant::provider(&zilliant_keys())
}

/// The secrets of the fixtures, as a login would have read them.
pub(super) fn secrets(provider: &Provider) -> Secrets {
    let mut secrets = Secrets::default();
    for (field, source) in provider.login.sources() {
        if let Source::Value(value) = source {
            secrets.insert(*field, value.clone());
        }
    }
    secrets
}

pub(super) fn upstream(provider: config::Provider) -> Upstream {
    let leg = Leg {
        ca: vec![],
        connect_timeout: Duration::from_secs(5),
        proxy: None,
    };
    Upstream {
        local_login: true,
        name: "crm".to_owned(),
        provider,
        listen: vec![],
        tls: ListenTls::Off,
        host: None,
        policy: Policy::default(),
        set_headers: vec![],
        remove_headers: vec![],
        plain_http: vec![],
        warm: false,
        token_wait: Duration::from_secs(20),
        token_timeout: Duration::from_secs(15),
        response_timeout: Duration::from_secs(120),
        connections: 256,
        http2: false,
        token: leg.clone(),
        api: leg,
    }
}

#[test]
fn zilliant_goes_to_its_own_host_and_names_the_login_host() {
    let provider = zilliant();
    let credential = Credential::new(
        "t",
        b"{}",
        &[],
        vec![],
        Lifetime::UntilUnusedFor(Duration::ZERO),
    )
    .unwrap();
    let base = provider.target(&provider.rest, &credential).unwrap();
    assert_eq!(base.origin.to_string(), "https://mycompany.zilliant.com");
    assert_eq!(base.allowed, Allowed::Exactly);
    assert_eq!(
        provider.rest.stamps,
        [Stamp::Set(
            "x-forwarded-host".parse().unwrap(),
            "test.salesforce.com".parse().unwrap()
        )]
    );
    assert!(salesforce().target(&provider.rest, &credential).is_none());
}

#[test]
fn zuora_ids_are_a_fence_that_replaces_the_callers() {
    let mut keys = zuora_keys();
    let free = zuora::provider(&keys);
    assert_eq!(free.rest.stamps, [Stamp::ZuoraTrackId]);
    keys.entity_ids = vec!["e-1".to_owned(), "e-2".to_owned()];
    keys.org_ids = vec!["bad\nid".to_owned()];
    let fenced = zuora::provider(&keys);
    let set = |name: &str, value: &str| Stamp::Set(name.parse().unwrap(), value.parse().unwrap());
    let expected = [
        Stamp::ZuoraTrackId,
        set("zuora-entity-ids", "e-1,e-2"),
        set("zuora-org-ids", "invalid"),
    ];
    assert_eq!(fenced.rest.stamps, expected);
    for name in [
        "apiaccesskeyid",
        "apisecretaccesskey",
        "entityid",
        "zuora-org-ids",
    ] {
        let name = Spelled::of(name);
        assert!(fenced.rest.strip.cover(name), "{name:?}");
    }
}

#[test]
fn the_login_body_encodes_every_value_on_its_own() {
    let body = |provider: &Provider| {
        let Login::Call(call) = &provider.login else {
            panic!("{} calls a token endpoint", provider.name);
        };
        let moment = login::Moment {
            wall: Duration::ZERO,
            unique: String::new(),
        };
        let request = login::request(call, &secrets(provider), &moment).unwrap();
        assert!(!request.headers.contains_key(header::AUTHORIZATION));
        assert_eq!(
            request.headers[header::CONTENT_TYPE],
            "application/x-www-form-urlencoded"
        );
        assert!(!format!("{request:?}").contains("secret"));
        let url = format!("{}{}", request.origin, request.path.as_str());
        (url, String::from_utf8(request.body.to_vec()).unwrap())
    };
    let password_grant = "grant_type=password&client_id=3MVG9FAKE&client_secret=AAAA0000\
        &username=u%2B1%40acme.example&password=p%2B+%25%26%3D%C3%A9TOKEN99";
    let rows = [
        (
            salesforce(),
            "https://acme.my.salesforce.com/services/oauth2/token",
            "grant_type=client_credentials&client_id=3MVG9FAKE&client_secret=AAAA0000",
        ),
        (
            password(),
            "https://acme.my.salesforce.com/services/oauth2/token",
            password_grant,
        ),
        (
            zilliant(),
            "https://test.salesforce.com/services/oauth2/token",
            password_grant,
        ),
        (
            granted_by(Grant::RefreshToken {
                refresh_token: source("5Aep+8/61=="),
                client_secret: None,
                rotates: config::Rotates::Auto,
            }),
            "https://acme.my.salesforce.com/services/oauth2/token",
            "grant_type=refresh_token&client_id=3MVG9FAKE&refresh_token=5Aep%2B8%2F61%3D%3D",
        ),
        (
            zuora(),
            "https://rest.test.zuora.com/oauth/token",
            "grant_type=client_credentials&client_id=6d15fake-0000-4000-8000-000000000000\
             &client_secret=se%2Bc%2Fret%3D",
        ),
    ];
    for (provider, url, expected) in rows {
        assert_eq!(body(&provider), (url.to_owned(), expected.to_owned()));
    }
}
