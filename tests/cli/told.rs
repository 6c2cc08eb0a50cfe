//! What the log says of requests that fail.

use super::asking::get;
use super::{Stage, until};

#[test]
fn the_log_names_the_host_that_cannot_be_reached_and_neither_path_nor_query() {
    let stage = Stage::new("told");
    let variables = stage.emulator.variables();
    let billing = variables
        .iter()
        .find(|(name, _)| name == "DEMO_BILLING_URL");
    let plain = billing.unwrap().1.trim_start_matches("http://");
    let upstream = |name: &str, api: &str| {
        format!(
            "[upstream.{name}]\nprovider = \"zuora\"\nlogin_url = \"${{DEMO_BILLING_URL}}\"\napi_url = \"{api}\"\n\
             client_id = \"${{DEMO_BILLING_CLIENT_ID}}\"\nclient_secret = \"${{DEMO_BILLING_CLIENT_SECRET}}\"\n"
        )
    };
    let nobody = upstream("nobody", "http://127.0.0.1:1");
    let no_tls = upstream("no-tls", &format!("https://{plain}"));
    let config = stage.config("x", &format!("{nobody}{no_tls}[log]\nformat = \"text\"\n"));
    let (_running, addr) = stage.run(&config);
    let rows = [
        (
            "nobody",
            "the upstream failed: 127.0.0.1:1: connecting: ".to_owned(),
        ),
        (
            "no-tls",
            format!(
                "the upstream failed: {plain}: TLS handshake: the other side does not speak TLS (http:// meant?)"
            ),
        ),
    ];
    let base = addr.strip_suffix("/crm").unwrap_or(&addr);
    for (name, words) in rows {
        assert_eq!(get(base, &format!("/{name}/v1/accounts?q=hunter2")), 502);
        let log = || std::fs::read_to_string(stage.folder.join("log")).unwrap();
        until("it is not told", || log().contains(&words));
        assert!(
            !log().contains("accounts") && !log().contains("hunter2"),
            "{}",
            log()
        );
    }
}
