//! Which API family a path belongs to, and what that means.

use http::{Method, header};

use super::{salesforce, salesforce_keys, zilliant, zuora};
use crate::config::carrier::Header;
use crate::message::{PathRule, Readings};
use crate::provider::{CarrierForm, Denial, Provider, salesforce as data};

#[test]
fn a_path_belongs_to_one_surface_and_a_login_in_any_spelling_is_a_login() {
    let salesforce = salesforce();
    let zuora = zuora();
    let rows = [
        (&salesforce, "/services/data/v64.0/query/", "rest"),
        (&salesforce, "/services/data/v64.0/jobs/ingest", "rest"),
        (&salesforce, "/services/apexrest/x/secur/y", "apex"),
        (&salesforce, "/id/services/apexrest/x", "apex"),
        (&salesforce, "/services/data/../apexrest/x", "apex"),
        (&salesforce, "/", "rest"),
        (&salesforce, "/services/async/64.0/job/750x/batch", "bulk"),
        (&salesforce, "/cometd/64.0/connect", "streaming"),
        (&salesforce, "/id/00Dxx/005xx", "identity"),
        (&salesforce, "/id/00Dxx/005xx/x", "rest"),
        (&salesforce, "/services/oauth2/userinfo", "userinfo"),
        (&salesforce, "/id/services/oauth2/userinfo", "userinfo"),
        (&salesforce, "/services/oauth2/token", "login"),
        (&salesforce, "/services/oauth2/introspect", "login"),
        (&salesforce, "/services/oauth2/revoke", "login"),
        (&salesforce, "/services/oauth2/singleaccess", "login"),
        (&salesforce, "/services/oauth2/userinfo/../token", "login"),
        (&salesforce, "/services/data/../oauth2/token", "login"),
        (&salesforce, "/services/oauth2%2ftoken", "login"),
        (&salesforce, "/services/%6fauth2/token", "login"),
        (&salesforce, "/services/%256fauth2/token", "login"),
        (&salesforce, "/SERVICES/OAuth2/Token", "login"),
        (&salesforce, "/services/a360/token", "login"),
        (&salesforce, "/secur/frontdoor.jsp", "login"),
        (&salesforce, "/secur/login.jsp", "login"),
        (&salesforce, "/secur/logout.jsp", "login"),
        (&salesforce, "/services/Soap/u/64.0", "soap"),
        (&salesforce, "/services/soap/c/64.0/00Dxx", "soap"),
        (&zuora, "/v1/accounts/A1", "rest"),
        (&zuora, "/oauth/token", "login"),
        (&zuora, "/v1/connections", "login"),
        (&zuora, "/rest/v1/connections", "login"),
        (&zuora, "/v1/%63onnections", "login"),
        (&zuora, "/apps/services/a/91.0", "soap"),
        (&zuora, "/apps/api/file/1", "rest"),
    ];
    for (provider, path, expected) in rows {
        is_of(provider, path, expected);
    }
}

#[test]
fn a_site_may_have_any_name_and_a_call_any_format() {
    let salesforce = salesforce();
    let rows = [
        ("/id/services/oauth2/token", "login"),
        ("/id/services/oauth2/singleaccess", "login"),
        ("/id/services/auth/sso", "login"),
        ("/id/secur/frontdoor.jsp", "login"),
        ("/partners/services/a360/token", "login"),
        ("/cometd/services/oauth2/token", "login"),
        ("/id/services/Soap/u/64.0", "soap"),
        ("/services/oauth2/userinfo.json", "login"),
        (
            "/services/data/v64.0/tooling/executeAnonymous/",
            "anonymous",
        ),
        (
            "/services/data/v57.0/tooling/executeAnonymous.json",
            "anonymous",
        ),
        (
            "/id/services/data/v64.0/tooling/executeanonymous",
            "anonymous",
        ),
        ("/services/data/v64.0/tooling/query", "rest"),
    ];
    for (path, expected) in rows {
        is_of(&salesforce, path, expected);
    }
}

fn is_of(provider: &Provider, path: &str, expected: &str) {
    let surface = provider.surface(&Readings::of(path));
    assert_eq!(surface.name, expected, "{path}");
    let denied = match expected {
        "login" | "anonymous" => Some(Denial::Login),
        "soap" => Some(Denial::NotBuilt("SOAP")),
        _ => None,
    };
    assert_eq!(surface.denied, denied, "{path}");
}

#[test]
fn a_call_that_runs_something_is_known_whatever_family_it_is_taken_for() {
    let salesforce = salesforce();
    let rows = [
        ("/services/data/v64.0/tooling/executeAnonymous/", true),
        ("/services/data/v64.0/tooling/runTestsSynchronous", true),
        (
            "/partners/services/data/v64.0/tooling/runTestsAsynchronous/",
            true,
        ),
        ("/services/data/v40.0/tooling/runTestsSynchronous.xml", true),
        (
            "/services/apexrest/../data/v64.0/tooling/runtestssynchronous",
            true,
        ),
        (
            "/services/async/%2e%2e/data/v64.0/tooling/runTestsSynchronous",
            true,
        ),
        ("/services/data/v64.0/tooling/runTestsFailed", false),
        ("/services/data/v64.0/tooling/query", false),
        ("/services/data/v64.0/query", false),
    ];
    for (path, expected) in rows {
        let read = Readings::of(path);
        assert_eq!(salesforce.surface(&read).acts(&read), expected, "{path}");
    }
}

#[test]
fn each_surface_carries_the_token_its_own_way() {
    let carriers = |provider: &Provider, path: &str| {
        let surface = provider.surface(&Readings::of(path));
        let carriers = surface.carriers.iter();
        carriers
            .map(|carrier| (carrier.header.to_string(), carrier.form))
            .collect::<Vec<_>>()
    };
    let mut oauth = salesforce_keys();
    oauth.header = vec![Header::OAuth];
    let oauth = data::provider(&oauth, &[]);
    let authorization = header::AUTHORIZATION.as_str();
    let rows = [
        (salesforce(), "/x", authorization, CarrierForm::Bearer),
        (oauth.clone(), "/x", authorization, CarrierForm::OAuth),
        (oauth, "/cometd/64.0", authorization, CarrierForm::OAuth),
        (
            salesforce(),
            "/services/async/64.0/job",
            "x-sfdc-session",
            CarrierForm::Token,
        ),
        (zilliant(), "/x", authorization, CarrierForm::OAuthBase64),
        (zuora(), "/x", authorization, CarrierForm::Bearer),
    ];
    for (provider, path, header, form) in rows {
        assert_eq!(
            carriers(&provider, path),
            [(header.to_owned(), form)],
            "{path}"
        );
    }
}

#[test]
fn no_allow_that_is_an_example_opens_a_login_or_what_runs_code() {
    let examples = concat!(
        include_str!("../../../proxy.toml"),
        include_str!("../../../docs/callers.md")
    );
    let lists = examples.split("allow = [").skip(1);
    let lists = lists.filter_map(|rest| rest.split(']').next());
    let rules: Vec<PathRule> = lists
        .flat_map(|list| list.split('"').skip(1).step_by(2))
        .map(|rule| rule.parse().unwrap())
        .collect();
    assert!(rules.len() > 2, "{rules:?}");
    for path in [
        "/services/data/v64.0/tooling/executeAnonymous",
        "/services/data/v64.0/tooling/runTestsSynchronous",
        "/services/oauth2/singleaccess",
    ] {
        let opens = |rule: &&PathRule| rule.matches_all(&Method::GET, &Readings::of(path));
        let rule = rules.iter().find(opens);
        assert!(rule.is_none(), "{rule:?} opens {path}");
    }
}
