//! Marketing Cloud: business units, two hosts, dead sessions and what only looks like one. What its API does, it does
//! for both generations of logins.

use std::time::Duration;

use upauth::emulator::{Canned, CloudDials, Dials};

use crate::support::emulated::{MAIL, MAIL_LEGACY};
use crate::support::{Caller, Emulated, Scripted, together};

const ASSETS: &str = "/asset/v1/content/assets";
const JSON: &str = "Content-Type: application/json\r\n";

/// The generations: configuration, name of the upstream, its dials, its name for the emulator.
type Generation = (
    &'static str,
    &'static str,
    fn(&mut Dials) -> &mut CloudDials,
    &'static str,
);
const GENERATIONS: [Generation; 2] = [
    (
        MAIL,
        "mail",
        |dials| &mut dials.marketing_cloud,
        "marketing-cloud",
    ),
    (
        MAIL_LEGACY,
        "mail-legacy",
        |dials| &mut dials.marketing_cloud_legacy,
        "marketing-cloud-legacy",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_example_runs_as_it_is_but_for_its_addresses() {
    let example = std::fs::read_to_string("examples/marketing-cloud.toml").unwrap();
    let config = example
        .replace(
            "https://mc0123456789abcdefghijklmnop.auth.marketingcloudapis.com",
            "${DEMO_MAIL_LOGIN_URL}",
        )
        .replace("l1f0c6cq2sbb9u0v7xkpwl2e", "${DEMO_MAIL_CLIENT_ID}")
        .replace("MAIL_CLIENT_SECRET", "DEMO_MAIL_CLIENT_SECRET")
        .replace("510001234", "${DEMO_MAIL_ACCOUNT_ID}");
    assert_eq!(config.matches("DEMO_").count(), 4, "{config}");
    let hosts = "instance_hosts = [\"${DEMO_MAIL_HOST}\", \"${DEMO_MAIL_SOAP_HOST}\"]\n";
    let at = Emulated::start(&format!("{config}{hosts}")).await;
    let answer = at.proxy.get(&format!("/mail{ASSETS}?$pageSize=2")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(answer.header("x-upauth-upstream"), Some("mail"));
    assert_eq!(at.counters().cloud_token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn business_units_of_one_package_never_share_a_token() {
    let unit = |name: &str, account: &str| {
        let mail = MAIL.replace("upstream.mail", &format!("upstream.{name}"));
        format!("{mail}account_id = \"{account}\"\n")
    };
    let config = format!("{}{}", unit("one", "510001"), unit("two", "510002"));
    let at = Emulated::start(&config).await;
    let addr = at.proxy.addr();
    let ask = move |me: usize| async move {
        let (name, account) = [("one", "510001"), ("two", "510002")][me % 2];
        let mut caller = Caller::connect(addr).await;
        for _ in 0..10 {
            let answer = caller.get(&format!("/{name}{ASSETS}")).await;
            let told = answer.json();
            assert_eq!(told["items"][0]["owner"]["account"], account, "{told}");
        }
    };
    together(20, ask).await;
    assert_eq!(at.logins(), 2);
    at.emulator.end_sessions("marketing-cloud");
    together(20, ask).await;
    let counters = at.counters();
    assert_eq!(
        (counters.cloud_token_requests, counters.other_accounts),
        (4, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_business_unit_keeps_no_other_from_its_token() {
    let wrong = MAIL.replace("upstream.mail", "upstream.wrong");
    let at = Emulated::start(&format!("{wrong}account_id = \"999\"\n{MAIL}")).await;
    for _ in 0..3 {
        let answer = at.proxy.get(&format!("/wrong{ASSETS}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0301"));
        let answer = at.proxy.get(&format!("/mail{ASSETS}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(at.logins(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_the_package_lacks_is_refused_once() {
    let at = Emulated::start(&format!("{MAIL}scope = \"email_read\"\n")).await;
    assert_eq!(at.proxy.get(&format!("/mail{ASSETS}")).await.status, 200);
    let at = Emulated::start(&format!("{MAIL}scope = \"email_read everything\"\n")).await;
    for _ in 0..3 {
        let answer = at.proxy.get(&format!("/mail{ASSETS}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0301"));
    }
    assert_eq!(at.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_session_is_renewed_and_replayed_with_and_without_a_challenge() {
    for (config, name, dials_of, provider) in GENERATIONS {
        let at = Emulated::start(config).await;
        for (number, challenge) in [(2, false), (3, true)] {
            at.turn(|dials| dials_of(dials).challenge = challenge);
            assert_eq!(at.proxy.get(&format!("/{name}{ASSETS}")).await.status, 200);
            assert_eq!(at.emulator.end_sessions(provider), 1);
            let path = format!("/{name}/contacts/v1/contacts");
            let mut caller = at.proxy.caller().await;
            let answer = caller
                .post_with(&path, JSON, r#"{"contactKey":"k1"}"#)
                .await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            assert_eq!(answer.json()["contactKey"], "k1");
            assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
            assert_eq!(at.logins(), number, "{name}");
        }
        assert_eq!(at.counters().dead_sessions, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_authenticated_is_a_dead_session_and_other_refusals_pass_without_a_login() {
    let other = |status: u16, code: u32, message: &str| {
        let body = format!(r#"{{"documentation":"","errorcode":{code},"message":"{message}"}}"#);
        Canned::json(status, body)
    };
    for (config, name, dials_of, _) in GENERATIONS {
        let at = Emulated::start(config).await;
        let path = format!("/{name}{ASSETS}");
        for alike in [
            Canned::cloud_forbidden(40_000),
            Canned::cloud_forbidden(40_002),
            Canned::cloud_forbidden(40_003),
            Canned::cloud_forbidden(20_001),
            Canned::cloud_rate_limited(),
            Canned::cloud_blocked(),
            other(401, 0, "Insufficient scope"),
            other(400, 0, "Not Authorized"),
            other(500, 0, "Not Authorized"),
            Canned::json(401, r#"[{"errorcode":0,"message":"Not Authorized"}]"#),
        ] {
            at.turn(|dials| dials_of(dials).api.next.push_back(alike.clone()));
            let answer = at.proxy.get(&path).await;
            assert_eq!((answer.status, answer.text()), (alike.status, alike.body));
            assert_eq!(answer.header("x-upauth-replayed"), None);
            let after = alike.headers.iter().find(|(name, _)| name == "Retry-After");
            let after = after.map(|(_, value)| value.as_str());
            assert_eq!(answer.header("retry-after"), after);
        }
        assert_eq!(at.logins(), 1, "{name}");
        let dead = Canned::cloud_forbidden(40_001);
        at.turn(|dials| dials_of(dials).api.next.push_back(dead));
        let answer = at.proxy.get(&path).await;
        assert_eq!((answer.status, at.logins()), (200, 2), "{}", answer.text());
        assert_eq!(answer.header("x-upauth-replayed"), Some("1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_own_credentials_are_taken_off_query_and_head() {
    for (config, name, ..) in GENERATIONS {
        let at = Emulated::start(config).await;
        let junk = "Authorization: Bearer junk\r\nCookie: a=b\r\nX-SFDC-Session: junk\r\n";
        let path = format!("/{name}{ASSETS}?access_token=junk&$pageSize=1");
        let answer = at.proxy.get_with(&path, junk).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["pageSize"], 1);
        let counters = at.counters();
        assert_eq!(
            (counters.dummy_credentials, counters.credentials_in_query),
            (0, 0)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_and_soap_are_refused_in_any_spelling_and_nothing_is_sent() {
    for (config, name, ..) in GENERATIONS {
        let at = Emulated::start(&format!("{config}local_login = false\n")).await;
        for (path, code) in [
            ("/v1/requestToken", "UA-0207"),
            ("/v1/requestToken?legacy=1", "UA-0207"),
            ("/v2/token", "UA-0207"),
            ("/V2/Token/", "UA-0207"),
            ("/asset/..%2fv2/token", "UA-0207"),
            ("/asset/..%20/v2/token", "UA-0207"),
            ("/(S(x))/v2/token", "UA-0207"),
            ("/(S(x))/Service.asmx", "UA-0210"),
            ("/v2/authorize", "UA-0207"),
            ("/v2/userinfo", "UA-0207"),
            ("/Service.asmx", "UA-0210"),
            ("/service.asmx", "UA-0210"),
            ("/SERVICE.asmx?WSDL", "UA-0210"),
        ] {
            let answer = at.proxy.post(&format!("/{name}{path}"), "{}").await;
            assert_eq!(answer.code(), code, "{path}");
        }
        let counters = at.counters();
        assert_eq!(
            (at.logins(), counters.api_requests.len()),
            (0, 0),
            "{counters:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_insists_on_logging_in_is_led_to_the_proxy_and_served() {
    for (config, name, call, body, token) in [
        (
            MAIL,
            "mail",
            "/v2/token",
            r#"{"grant_type":"client_credentials","client_id":"x","client_secret":"y"}"#,
            "/access_token",
        ),
        (
            MAIL_LEGACY,
            "mail-legacy",
            "/v1/requestToken",
            r#"{"clientId":"x","clientSecret":"y"}"#,
            "/accessToken",
        ),
    ] {
        let at = Emulated::start(config).await;
        let json = "Content-Type: application/json\r\n";
        let path = format!("/{name}{call}");
        let answer = at.proxy.caller().await.post_with(&path, json, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = answer.json();
        if name == "mail" {
            for host in ["rest_instance_url", "soap_instance_url"] {
                assert_eq!(told[host], "http://localhost/mail/", "{host}");
            }
        }
        let placeholder = told.pointer(token).unwrap().as_str().unwrap();
        let bearer = format!("Authorization: Bearer {placeholder}\r\n");
        let answer = at
            .proxy
            .get_with(&format!("/{name}{ASSETS}"), &bearer)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!((at.logins(), at.counters().dummy_credentials), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_client_that_asks_where_soap_is_is_led_back() {
    for (config, name, more) in [
        (MAIL, "mail", ""),
        (
            MAIL_LEGACY,
            "mail-legacy",
            "soap_url = \"${DEMO_MAIL_SOAP_URL}\"\n",
        ),
    ] {
        let at = Emulated::start(&format!("{config}{more}")).await;
        let path = format!("/{name}/platform/v1/endpoints");
        let soap = format!("http://localhost/{name}/Service.asmx");
        let one = at.proxy.get(&format!("{path}/soap")).await.json();
        assert_eq!(one["url"], soap, "{one}");
        let all = at.proxy.get(&path).await.json();
        assert_eq!(all["items"][0]["url"], soap, "{all}");
        let rest = format!("http://localhost/{name}/");
        assert_eq!(all["items"][1]["url"], rest, "{all}");
        // URLs in record data are nobody's to change.
        let assets = at.proxy.get(&format!("/{name}{ASSETS}")).await.json();
        let published = &assets["items"][0]["fileProperties"]["publishedURL"];
        let published = published.as_str().unwrap();
        assert!(published.starts_with("https://image.example/"), "{assets}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_when_its_time_is_over_before_anybody_is_refused() {
    for (config, name, ..) in GENERATIONS {
        let at = Emulated::start(config).await;
        for number in 1..=2 {
            let answer = at.proxy.get(&format!("/{name}{ASSETS}")).await;
            assert_eq!((answer.status, at.logins()), (200, number), "{name}");
            at.pass(Duration::from_secs(3600)).await;
        }
        assert_eq!(at.counters().dead_sessions, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_allowed_gets_no_token_and_one_that_the_operator_wrote_does() {
    let start = MAIL.find("instance_hosts").unwrap();
    let at = Emulated::start(&MAIL[..start]).await;
    let answer = at.proxy.get(&format!("/mail{ASSETS}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0304"));
    assert!(at.counters().api_requests.is_empty());

    let api = Scripted::constant("ok").await;
    let own = format!(
        "api_url = \"http://{}\"\nsoap_url = \"${{DEMO_MAIL_SOAP_URL}}\"\n",
        api.addr
    );
    let at = Emulated::start(&format!("{}{own}", &MAIL[..start])).await;
    assert_eq!(at.proxy.get(&format!("/mail{ASSETS}")).await.status, 200);
    let seen = &api.seen()[0];
    assert_eq!(seen.target, ASSETS);
    let authorization = seen.header("authorization").unwrap();
    assert!(authorization.starts_with("Bearer ey") && authorization.len() > 512);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_host_that_asks_for_patience_in_its_body_is_not_asked_before() {
    for (config, name, dials_of, _) in GENERATIONS {
        let at = Emulated::start(&format!("{config}token_wait = \"3s\"\n")).await;
        // With the header it is the same; here only the body says it.
        let mut limited = Canned::cloud_rate_limited();
        limited.headers.clear();
        at.turn(|dials| dials_of(dials).next_login.push_back(limited));
        let answer = at.proxy.get(&format!("/{name}{ASSETS}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "UA-0302"));
        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((3..=5).contains(&after), "{after}");
        assert_eq!(at.logins(), 1, "{name}");
    }
}
