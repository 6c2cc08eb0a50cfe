//! Zilliant: the exact bytes of the token answer are the credential, and environments never mix.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use upauth::emulator::AnswerDials;

use crate::support::emulated::PRICING;
use crate::support::{Caller, Connection, Emulated, Scripted, TestProxy, together};

const PRICES: &str = "/v1/LogicalEntityData/Price";

#[tokio::test(flavor = "multi_thread")]
async fn the_credential_is_the_answer_byte_for_byte_however_it_is_written() {
    let plain = AnswerDials::default;
    for answer in [
        plain(),
        AnswerDials {
            reversed: true,
            ..plain()
        },
        AnswerDials {
            pretty: true,
            ..plain()
        },
        AnswerDials {
            chunked: true,
            ..plain()
        },
        AnswerDials {
            extra_fields: true,
            pretty: true,
            ..plain()
        },
        AnswerDials {
            huge_token: true,
            ..plain()
        },
        // No request goes to Salesforce's instance, so its host does not matter.
        AnswerDials {
            instance_url: Some("https://anywhere.example".to_owned()),
            ..plain()
        },
    ] {
        let at = Emulated::start(PRICING).await;
        at.turn(|dials| dials.answer = answer.clone());
        let told = at.proxy.get(&format!("/pricing{PRICES}?a=1")).await;
        assert_eq!(told.status, 200, "{answer:?}: {}", told.text());
        assert_eq!(told.json()["environment"], "pricing_prod");
        assert_eq!(told.json()["query"], "a=1");
        assert_eq!(told.header("x-upauth-upstream"), Some("pricing"));
        let counters = at.counters();
        assert_eq!((counters.token_requests, counters.dead_sessions), (1, 0));
        assert_eq!(counters.logins["pricing@acme.example"], 1);
    }
}

/// A login host that answers `body`, and an API that answers everything with 200.
async fn scripted(body: &'static str) -> (Scripted, Scripted) {
    let login = Scripted::start(move |mut connection: Connection| async move {
        while connection.request().await.is_some() {
            connection.reply("200 OK", "", body).await;
        }
    })
    .await;
    (login, Scripted::constant("ok").await)
}

fn upstream(login: &Scripted, api: &Scripted) -> String {
    format!(
        "[upstream.pricing]\nprovider = \"zilliant\"\nlogin_url = \"http://{}\"\napi_url = \"http://{}\"\n\
         client_id = \"id\"\nclient_secret = \"secret\"\nusername = \"u\"\npassword = \"p\"\n",
        login.addr, api.addr
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base64_is_of_the_raw_answer_and_the_login_host_is_told() {
    let body = "{ \"access_token\" : \"t\\u0041!k\",\n\t\"id\":\"\u{fc}??>>\" , \"x\":1.0 }  \n";
    let (login, api) = scripted(body).await;
    let proxy = TestProxy::start(&upstream(&login, &api));
    let junk = "Authorization: OAuth undefined\r\nX-Forwarded-Host: evil.example\r\n";
    let answer = proxy.get_with("/pricing/v1/x", junk).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = &api.seen()[0];
    let expected = format!("OAuth {}", STANDARD.encode(body));
    assert_eq!(seen.header("authorization"), Some(expected.as_str()));
    assert_eq!(seen.count("authorization"), 1);
    let host = login.addr.to_string();
    assert_eq!(seen.header("x-forwarded-host"), Some(host.as_str()));
    assert_eq!(seen.count("x-forwarded-host"), 1);
    assert_eq!(seen.header("host"), Some(api.addr.to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn set_headers_overrides_the_forwarded_host() {
    let (login, api) = scripted(r#"{"access_token":"t"}"#).await;
    let config = format!(
        "{}set_headers = {{ X-Forwarded-Host = \"test.salesforce.com\" }}\n",
        upstream(&login, &api)
    );
    let proxy = TestProxy::start(&config);
    proxy.get("/pricing/v1/x").await;
    let seen = &api.seen()[0];
    assert_eq!(seen.header("x-forwarded-host"), Some("test.salesforce.com"));
    assert_eq!(seen.count("x-forwarded-host"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_with_the_same_login_and_user_never_share_a_token() {
    let dev = PRICING
        .replace("upstream.pricing", "upstream.pricing-dev")
        .replace("DEMO_PRICING_URL", "DEMO_PRICING_DEV_URL");
    let at = Emulated::start(&format!("{PRICING}{dev}")).await;
    let addr = at.proxy.addr();
    let ask = move |me: usize| async move {
        let (name, environment) =
            [("pricing", "pricing_prod"), ("pricing-dev", "pricing_dev")][me % 2];
        let mut caller = Caller::connect(addr).await;
        for _ in 0..10 {
            let answer = caller.get(&format!("/{name}{PRICES}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json()["environment"], environment);
        }
    };
    together(20, ask).await;
    assert_eq!(at.logins(), 2);
    assert_eq!(at.emulator.end_sessions("zilliant"), 2);
    together(20, ask).await;
    let counters = at.counters();
    assert_eq!(counters.mixed_environments, 0);
    assert_eq!(counters.token_requests, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_session_is_renewed_and_replayed_with_its_body() {
    let at = Emulated::start(PRICING).await;
    let path = "/pricing/v2/LogicalEntityData/Price/records?delete";
    let headers = "Content-Type: application/json\r\n";
    for (number, replayed) in [(1, None), (2, Some("1")), (3, Some("1"))] {
        let mut caller = at.proxy.caller().await;
        let answer = caller.post_with(path, headers, r#"[{"Id":1}]"#).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["results"][0]["status"], "deleted");
        assert_eq!(answer.header("x-upauth-replayed"), replayed);
        assert_eq!(at.logins(), number);
        at.emulator.end_sessions("zilliant");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_goes_to_the_instance_that_came_with_the_token() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = Emulated::start(PRICING).await;
    let instance = format!("http://{}", trap.local_addr().unwrap());
    at.turn(|dials| dials.answer.instance_url = Some(instance));
    assert_eq!(at.proxy.get(&format!("/pricing{PRICES}")).await.status, 200);
    let dialled = tokio::time::timeout(Duration::from_millis(50), trap.accept()).await;
    assert!(dialled.is_err());
}
