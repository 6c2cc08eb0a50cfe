//! Calls that are never forwarded: they would mint, end or show a session.

use crate::support::Emulated;
use crate::support::emulated::CRM;

const LOGINS: &[&str] = &[
    "/services/oauth2/token",
    "/services/oauth2/revoke",
    "/services/oauth2/revoke?token=x",
    "/services/oauth2/introspect",
    "/services/oauth2/authorize",
    "/services/oauth2/singleaccess",
    "/services/oauth2/logout",
    "/services/a360/token",
    "/services/auth/sso/x",
    "/services/authcallback/x",
    "/secur/logout.jsp",
    "/secur/frontdoor.jsp?sid=x",
    // Of a site of the org.
    "/partners/services/oauth2/token",
    "/partners/services/oauth2/singleaccess",
    "/partners/services/auth/sso/x",
    "/partners/secur/frontdoor.jsp?sid=x",
    // Of a site that is called like another family.
    "/id/services/oauth2/token",
    "/id/services/oauth2/singleaccess",
    "/id/services/oauth2/revoke",
    "/id/secur/frontdoor.jsp?sid=x",
    "/cometd/services/oauth2/token",
    // It runs what its caller wrote.
    "/services/data/v64.0/tooling/executeAnonymous/?anonymousBody=x",
    "/services/data/v57.0/tooling/executeAnonymous.json?anonymousBody=x",
    "/partners/services/data/v64.0/tooling/executeAnonymous",
    // Letters that are others in another case, and by other escapes.
    "/%C5%BFervices/oauth2/singleaccess",
    "/services/oauth2/to%u212aen",
    "/services/%f0%80%81%afauth2/token",
    // Encoded once, twice, and its slashes.
    "/services/%6fauth2/token",
    "/services/%256Fauth2/token",
    "/services%2foauth2%2Ftoken",
    "/services/oauth2%2ftoken",
    "/%73ecur/logout.jsp",
    // Dotted.
    "/./services/oauth2/token",
    "/services/data/../oauth2/token",
    "/services/data/%2e%2e/oauth2/token",
    "/services/data/%252e%252E/oauth2/token",
    "/services/oauth2/userinfo/../token",
    "/services/oauth2/x/../userinfo",
    "/id/../services/oauth2/token",
    // Several slashes, and one at the end.
    "//services/oauth2/token",
    "/services//oauth2///token",
    "/services/oauth2/token/",
    // Upper case.
    "/SERVICES/OAuth2/TOKEN",
    "/Secur/Logout.jsp",
    "/services/%4FAUTH2/token",
    // With path parameters.
    "/services/oauth2/token;x=1",
    "/services/oauth2;x=1/token",
];

const SOAP: &[&str] = &[
    "/services/Soap/u/59.0",
    "/services/Soap/c/59.0/00Dxx0000000001",
    "/services/soap/U/59.0",
    "/partners/services/Soap/u/59.0",
    "/id/services/Soap/u/59.0",
    "/services/%53oap/u/59.0",
    "/services//Soap/u/59.0",
    "/services/data/../Soap/u/59.0",
];

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_mint_end_or_show_sessions_are_refused_in_every_spelling() {
    let at = Emulated::start(&format!("{CRM}local_login = false\n")).await;
    for path in LOGINS {
        let mut caller = at.proxy.caller().await;
        for answer in [
            caller.get(&format!("/crm{path}")).await,
            caller.post(&format!("/crm{path}"), "token=x").await,
        ] {
            let refused = (answer.status, answer.code());
            assert_eq!(refused, (403, "UA-0207".to_owned()), "{path}");
        }
    }
    for path in SOAP {
        let answer = at.proxy.post(&format!("/crm{path}"), "<login/>").await;
        let refused = (answer.status, answer.code());
        assert_eq!(refused, (403, "UA-0210".to_owned()), "{path}");
    }
    let counters = at.counters();
    assert_eq!(counters.connections, 0, "{counters:?}");
    assert_eq!(
        (counters.token_requests, counters.api_requests.len()),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn allow_opens_one_denied_call_and_no_other_and_never_soap() {
    let allow = r#"allow = ["/services/oauth2/introspect", "/services/Soap/**"]"#;
    let at = Emulated::start(&format!("{CRM}{allow}")).await;
    let open = at
        .proxy
        .post("/crm/services/oauth2/introspect", "token=x")
        .await;
    // The emulator misses the client's name: the call did arrive.
    assert_eq!(open.status, 400, "{}", open.text());
    assert_eq!(open.header("x-upauth-upstream"), Some("crm"));
    for (path, code) in [
        ("/services/oauth2/userinfo/../introspect", "UA-0206"),
        ("/services/oauth2/x/../introspect", "UA-0206"),
        ("/services/Soap/u/59.0", "UA-0210"),
    ] {
        let answer = at.proxy.post(&format!("/crm{path}"), "token=x").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, code),
            "{path}"
        );
    }
    assert_eq!(at.counters().api_requests["instance"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_code_by_a_get_is_no_read() {
    let tooling = "/crm/services/data/v59.0/tooling";
    let at = Emulated::start(&format!(
        "{CRM}read_only = true\nallow = [\"/services/**\"]\n"
    ))
    .await;
    for name in [
        "executeAnonymous/?anonymousBody=x",
        "executeAnonymous.json",
        "runTestsSynchronous/?classnames=x",
        "runtestsasynchronous",
    ] {
        let answer = at.proxy.get(&format!("{tooling}/{name}")).await;
        let refused = (answer.status, answer.code());
        assert_eq!(refused, (403, "UA-0209".to_owned()), "{name}");
    }
    assert_eq!(at.counters().api_requests.len(), 0);
    let read = at.proxy.get("/crm/services/data/v59.0/limits").await;
    assert_eq!(read.status, 200, "{}", read.text());
    // Who allows it and does not limit it to reading has it.
    let at = Emulated::start(&format!("{CRM}allow = [\"/services/**\"]\n")).await;
    let answer = at.proxy.get(&format!("{tooling}/executeAnonymous/")).await;
    assert_eq!(answer.header("x-upauth-upstream"), Some("crm"));
    assert_eq!(at.counters().api_requests["instance"], 1);
    let at = Emulated::start(CRM).await;
    let answer = at
        .proxy
        .get(&format!("{tooling}/runTestsSynchronous/"))
        .await;
    assert_eq!(answer.header("x-upauth-upstream"), Some("crm"));
}
