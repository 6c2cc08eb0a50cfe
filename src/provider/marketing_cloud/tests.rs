//! Byte fixtures: logins, answers, refusals and dead sessions of Marketing Cloud.

use http::{HeaderMap, Method, StatusCode};

use super::*;
use crate::config;
use crate::message::{Allowed, Readings};
use crate::provider::judge::judge;
use crate::provider::tests::{secrets, source, upstream};
use crate::provider::{Answer, Lifetime, LoginFailure, Refused, answer, login as logins};

fn keys() -> MarketingCloud {
    MarketingCloud {
        login_url: "https://mcfake.auth.marketingcloudapis.com"
            .parse()
            .unwrap(),
        api_url: None,
        soap_url: None,
        client_id: source("fakeid"),
        client_secret: source("fake\"secret"),
        account_id: None,
        scope: None,
        instance_hosts: None,
    }
}

pub(in crate::provider) fn mail() -> Provider {
    provider(&keys(), &[])
}

fn read(provider: &Provider, status: u16, body: &str) -> Result<answer::Granted, LoginFailure> {
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
        wall: Duration::ZERO,
    };
    answer::read(provider, &secrets(provider), &answer)
}

/// After DougMidgley/SFMC-SDK, `test/resources/auth.js`; token and hosts are invented.
const ANSWER: &str = r#"{"access_token":"eyJhbGciOiJIUzI1NiIsFAKE.FAKE.FAKE","token_type":"Bearer","expires_in":1079,
 "scope":"email_read email_write offline",
 "soap_instance_url":"https://mcfakefakefakefakefakefake00.soap.marketingcloudapis.com/",
 "rest_instance_url":"https://mcfakefakefakefakefakefake00.rest.marketingcloudapis.com/"}"#;

#[test]
fn a_login_names_the_business_unit_and_the_scope_if_they_are_given() {
    let check = |keys: &MarketingCloud, body: &str| {
        let provider = provider(keys, &[]);
        let Login::Call(call) = &provider.login else {
            panic!("no call");
        };
        let moment = logins::Moment {
            wall: Duration::ZERO,
            unique: String::new(),
        };
        let request = logins::request(call, &secrets(&provider), &moment).unwrap();
        assert_eq!(request.path.as_str(), "/v2/token");
        assert_eq!(request.body, body.to_owned());
        assert!(!request.headers.contains_key(header::AUTHORIZATION));
    };
    let mut keys = keys();
    check(
        &keys,
        r#"{"client_id":"fakeid","client_secret":"fake\"secret","grant_type":"client_credentials"}"#,
    );
    keys.account_id = Some("510001".to_owned());
    keys.scope = Some("email_read email_write".to_owned());
    check(
        &keys,
        r#"{"account_id":"510001","client_id":"fakeid","client_secret":"fake\"secret","grant_type":"client_credentials","scope":"email_read email_write"}"#,
    );
}

#[test]
fn each_business_unit_and_scope_has_a_token_of_its_own_and_all_share_one_budget() {
    let of = |change: fn(&mut MarketingCloud)| {
        let mut keys = keys();
        change(&mut keys);
        let upstream = upstream(config::Provider::MarketingCloud(keys));
        let provider = Provider::of(&upstream);
        let secrets = secrets(&provider);
        let user: Vec<String> = provider
            .user_key(&secrets)
            .into_iter()
            .map(Into::into)
            .collect();
        (provider.account(&upstream), user)
    };
    let base = of(|_| ());
    // (shares the token, shares refusals and budgets)
    type Row = (fn(&mut MarketingCloud), (bool, bool));
    let rows: [Row; 5] = [
        (|_| (), (true, true)),
        (|keys| keys.account_id = Some("1".to_owned()), (false, true)),
        (|keys| keys.scope = Some("a".to_owned()), (false, true)),
        (|keys| keys.client_secret = source("B"), (false, true)),
        (|keys| keys.client_id = source("B"), (false, false)),
    ];
    for (index, (change, expected)) in rows.into_iter().enumerate() {
        let changed = of(change);
        let shared = (changed.0 == base.0, changed.1 == base.1);
        assert_eq!(shared, expected, "row {index}");
    }
}

#[test]
fn an_answer_brings_two_hosts_and_the_path_decides_between_them() {
    let provider = mail();
    let granted = read(&provider, 200, ANSWER).unwrap();
    let lifetime = granted.credential.lifetime();
    assert_eq!(lifetime, Lifetime::For(Duration::from_secs(1079)));
    assert!(granted.refresh_token.is_none());
    let rest = "https://mcfakefakefakefakefakefake00.rest.marketingcloudapis.com";
    let soap = "https://mcfakefakefakefakefakefake00.soap.marketingcloudapis.com";
    let rows = [
        ("/asset/v1/content/assets", "rest", rest),
        ("/hub/v1/dataevents/key:x/rowset", "rest", rest),
        ("/x/Service.asmx", "rest", rest),
        ("/Service.asmx", "soap", soap),
        ("/service.asmx", "soap", soap),
        ("/SERVICE.ASMX", "soap", soap),
        ("/Service%2easmx", "soap", soap),
    ];
    for (path, name, url) in rows {
        let surface = provider.surface(&Readings::of(path));
        assert_eq!(surface.name, name, "{path}");
        let base = provider.target(surface, &granted.credential).unwrap();
        assert_eq!(
            (base.origin.to_string().as_str(), base.path.as_str()),
            (url, "")
        );
        assert_eq!(base.allowed, Allowed::ByWildcard, "{path}");
    }
}

#[test]
fn what_the_operator_wrote_is_used_instead_of_the_answer() {
    let mut own = keys();
    own.api_url = Some("https://api.example.com".parse().unwrap());
    own.soap_url = Some("https://soap.example.com".parse().unwrap());
    let provider = provider(&own, &[]);
    // Whatever the answer names, nothing goes there.
    let body = r#"{"access_token":"t","rest_instance_url":"https://evil.example/"}"#;
    let granted = read(&provider, 200, body).unwrap();
    let rest = provider.target(&provider.rest, &granted.credential);
    assert_eq!(rest.unwrap().origin.to_string(), "https://api.example.com");
    let soap = provider.surface(&Readings::of("/Service.asmx"));
    let soap = provider.target(soap, &granted.credential);
    assert_eq!(soap.unwrap().origin.to_string(), "https://soap.example.com");
}

#[test]
fn a_token_for_a_strange_host_is_refused() {
    let of = |rest: &str, soap: &str| {
        let json = serde_json::json!({"access_token": "t", "rest_instance_url": rest, "soap_instance_url": soap});
        read(&mail(), 200, &json.to_string()).map(|_| ())
    };
    let (rest, soap) = (
        "https://a.rest.marketingcloudapis.com/",
        "https://a.soap.marketingcloudapis.com/",
    );
    assert_eq!(of(rest, soap), Ok(()));
    assert_eq!(
        of(
            "https://www.exacttargetapis.com",
            "https://webservice.s6.exacttarget.com/"
        ),
        Ok(())
    );
    for strange in [
        "https://evil.example/",
        "https://marketingcloudapis.com.evil.example/",
        "https://evilmarketingcloudapis.com/",
        "http://a.rest.marketingcloudapis.com/",
        "https://a.rest.marketingcloudapis.com//",
        "https://a.rest.marketingcloudapis.com/asset/",
        "https://a.my.salesforce.com/",
    ] {
        for (rest, soap) in [(strange, soap), (rest, strange)] {
            let got = of(rest, soap);
            assert!(
                matches!(got, Err(LoginFailure::TargetRefused { .. })),
                "{rest} {soap}: {got:?}"
            );
        }
    }
    let homeless = read(&mail(), 200, r#"{"access_token":"t"}"#).map(|_| ());
    assert!(matches!(homeless, Err(LoginFailure::Transient { .. })));
}

#[test]
fn refusals_are_told_apart() {
    let client = r#"{"error":"invalid_client","error_description":"Client authentication failed. Make sure that the client ID and client secret are valid and that the package is installed and enabled.","error_uri":"https://developer.salesforce.com/docs"}"#;
    let legacy = r#"{"documentation":"https://code.docs.exacttarget.com/rest/errors/401","errorcode":1,"message":"Unauthorized"}"#;
    let limited =
        r#"{"message":"Rate limit exceeded","errorcode":50100,"retryAfter":5,"documentation":""}"#;
    let blocked = r#"{"message":"Your requests are temporarily blocked.","errorcode":50200}"#;
    let what = |what| Some(what);
    let rows = [
        (401, client, what(Refused::Client), None),
        (401, legacy, what(Refused::Policy), None),
        (401, &legacy.replace('1', "0"), what(Refused::Policy), None),
        (
            400,
            r#"{"error":"invalid_scope"}"#,
            what(Refused::Policy),
            None,
        ),
        (
            400,
            r#"{"error":"invalid_request"}"#,
            what(Refused::Policy),
            None,
        ),
        (429, limited, None, Some(5)),
        (429, blocked, None, None),
        (503, legacy, None, None),
    ];
    for (status, body, refused, after) in rows {
        match read(&mail(), status, body).unwrap_err() {
            LoginFailure::Refused { what, text } => {
                assert_eq!(Some(what), refused, "{body}");
                assert!(text.contains(": ") || !body.contains("message"), "{text}");
            }
            LoginFailure::Transient { retry_after, .. } => {
                let retry_after = retry_after.map(|wait| wait.as_secs());
                assert_eq!((None, retry_after), (refused, after), "{body}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }
}

fn verdict(method: &Method, status: u16, body: &str) -> Verdict {
    let (status, headers) = (StatusCode::from_u16(status).unwrap(), HeaderMap::new());
    judge(
        &mail().rest,
        method,
        status,
        &headers,
        body.as_bytes(),
        true,
    )
}

fn said(code: u32, message: &str) -> String {
    format!(
        r#"{{"documentation":"https://developer.salesforce.com/docs","errorcode":{code},"message":"{message}"}}"#
    )
}

#[test]
fn a_session_is_dead_by_status_and_code() {
    for (status, body) in [
        (401, said(0, "Not Authorized")),
        (401, r#"{ "message" : "x", "errorcode" : "0" }"#.to_owned()),
        (401, r#"{ "message" : "x", "errorcode" : 0.0 }"#.to_owned()),
        (401, said(1, "Unauthorized")),
        (401, said(40_004, "Token invalid")),
        (403, said(40_001, "Not Authenticated")),
    ] {
        let got = verdict(&Method::GET, status, &body);
        assert_eq!(got, Verdict::Dead, "{status} {body}");
    }
    assert_eq!(verdict(&Method::HEAD, 401, ""), Verdict::Dead);
    assert_eq!(verdict(&Method::HEAD, 403, ""), Verdict::Alive);
}

#[test]
fn what_only_looks_like_a_dead_session_rejects_nothing() {
    for (status, code) in [
        (401, 2),
        (401, 10),
        (403, 0),
        (403, 20_000),
        (403, 20_001),
        (403, 20_002),
        (403, 40_000),
        (403, 40_002),
        (403, 40_003),
        (400, 0),
        (429, 0),
        (429, 50_100),
        (429, 50_200),
        (200, 0),
        (500, 0),
    ] {
        let got = verdict(&Method::GET, status, &said(code, "Not Authorized"));
        assert_eq!(got, Verdict::Alive, "{status} {code}");
    }
    for body in [
        said(0, "Insufficient scope"),
        said(0, "insufficient privileges"),
        format!("[{}]", said(0, "Not Authorized")),
        format!(r#"{{"inner":{}}}"#, said(0, "Not Authorized")),
        String::new(),
        "Not Authorized".to_owned(),
    ] {
        let got = verdict(&Method::GET, 401, &body);
        assert_eq!(got, Verdict::Alive, "{body}");
    }
}

#[test]
fn calls_that_mint_or_show_a_session_are_denied_and_no_others() {
    let rows = [
        ("/v1/requestToken", Some(Denial::Login)),
        ("/v1/requesttoken/", Some(Denial::Login)),
        ("/v2/token", Some(Denial::Login)),
        ("/v2/authorize", Some(Denial::Login)),
        ("/v2/userinfo", Some(Denial::Login)),
        ("/asset/../v2/token", Some(Denial::Login)),
        ("/v2%2ftoken", Some(Denial::Login)),
        ("/service.asmx", Some(Denial::NotBuilt("SOAP"))),
        ("/asset/v1/content/assets", None),
        ("/platform/v1/tokenContext", None),
        ("/data/v1/async/v2/token", None),
    ];
    for (path, expected) in rows {
        assert_eq!(
            mail().surface(&Readings::of(path)).denied,
            expected,
            "{path}"
        );
    }
}
