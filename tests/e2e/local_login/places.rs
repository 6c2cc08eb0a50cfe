//! Where an answer leads, and what the operator says about login calls.

use super::{FORM, TOKEN, post, text};
use crate::support::emulated::{BILLING, CRM};
use crate::support::{Caller, Emulated, Scripted, TestProxy};

/// An upstream with a host and a listener of its own, and a second one.
async fn start(server: &str) -> Emulated {
    Emulated::start(&format!(
        "[server]\n{server}[access]\nhosts = [\"proxy.example\"]\n{CRM}host = \"crm.example\"\n\
         listen = \"127.0.0.1:0\"\n{BILLING}"
    ))
    .await
}

/// Each row: path, Host, and the `instance_url` of the answer; no path: the upstream's own listener, whose port is OWN.
async fn check(server: &str, rows: &[(&str, &str, &str)]) {
    let it = start(server).await;
    let own = it.proxy.own("crm");
    let own_port = own.port().to_string();
    for (path, host, expected) in rows {
        let (addr, path) = match path.is_empty() {
            true => (own, TOKEN),
            false => (it.proxy.addr(), *path),
        };
        let host = host.replace("OWN", &own_port);
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{FORM}Content-Length: 19\r\n\r\ngrant_type=password"
        );
        let answer = Caller::connect(addr).await.ask(request).await.json();
        let found = text(&answer, "instance_url").replace(&own_port, "OWN");
        assert_eq!(found, *expected, "{server}{host}{path}");
        let id = text(&answer, "id").replace(&own_port, "OWN");
        let ids = id.strip_prefix(*expected).unwrap();
        assert_eq!(ids, "/id/00Dxx0000000001EAA/005xx000000000AAAQ", "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_in_an_answer_are_the_proxy_as_its_caller_sees_it() {
    let token = "/crm/services/oauth2/token";
    let site = "/crm/partners/services/oauth2/token";
    check(
        "",
        &[
            (site, "localhost:17", "http://localhost:17/crm"),
            (
                "/partners/services/oauth2/token",
                "crm.example",
                "http://crm.example",
            ),
            (token, "localhost:17", "http://localhost:17/crm"),
            (token, "proxy.example", "http://proxy.example/crm"),
            (TOKEN, "crm.localhost:17", "http://crm.localhost:17"),
            (TOKEN, "crm.example", "http://crm.example"),
            ("", "127.0.0.1:OWN", "http://127.0.0.1:OWN"),
        ],
    )
    .await;
    // It names the place that paths lead to.
    let public = "public_url = \"https://public.example:444\"\n";
    check(
        public,
        &[
            (site, "localhost:17", "https://public.example:444/crm"),
            (token, "localhost:17", "https://public.example:444/crm"),
            (token, "proxy.example", "https://public.example:444/crm"),
            (TOKEN, "crm.localhost:17", "https://crm.localhost:17"),
            (TOKEN, "crm.example", "https://crm.example"),
            ("", "127.0.0.1:OWN", "http://127.0.0.1:OWN"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_no_host_can_be_told_no_address() {
    for (server, expected) in [
        ("", 400),
        ("public_url = \"https://public.example\"\n", 200),
    ] {
        let request = format!(
            "POST /crm{TOKEN} HTTP/1.0\r\n{FORM}Content-Length: 19\r\n\r\ngrant_type=password"
        );
        let it = start(server).await;
        let answer = it.proxy.caller().await.ask(request).await;
        assert_eq!(answer.status, expected, "{server}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_says_about_login_calls_holds() {
    let api = Scripted::constant("ok").await;
    let body = "grant_type=client_credentials";
    for (more, expected) in [
        ("read_only = true\nmethods = [\"GET\"]\n", "200 here"),
        ("allow = [\"/v1/**\"]\n", "200 here"),
        ("local_login = false\n", "403 UA-0207"),
        ("deny = [\"/oauth/**\"]\n", "403 UA-0206"),
        ("allow = [\"POST /oauth/token\"]\n", "200 there"),
    ] {
        let proxy = TestProxy::start(&format!("{}{more}", api.upstream()));
        let answer = post(&proxy, "/api/oauth/token", FORM, body).await;
        let by = match answer.header("x-upauth-upstream") {
            _ if answer.status != 200 => answer.code(),
            Some(_) => "there".to_owned(),
            None => "here".to_owned(),
        };
        assert_eq!(format!("{} {by}", answer.status), expected, "{more}");
    }
}
