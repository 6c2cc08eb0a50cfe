//! Proxies that the environment names: plain http and this machine go past them, on both legs and to the admin listener.

use std::net::TcpListener;

use super::asking::{LIMITS, get};
use super::{Stage, serving};

#[test]
fn no_variable_of_the_environment_leads_plain_http_to_a_proxy() {
    let stage = Stage::new("proxied");
    // A login that goes astray fails soon.
    let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", "token_timeout = \"2s\"\n");
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}", trap.local_addr().unwrap());
    let environment = |arguments: &[&str]| {
        let mut command = stage.command(arguments, &config);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(name, &url).env(name.to_lowercase(), &url);
        }
        // What makes exceptions of this machine, and what has HTTP_PROXY itself read over.
        for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
            command.env_remove(name);
        }
        command
    };
    let log = std::fs::File::create(stage.folder.join("log")).unwrap();
    let (_running, addr) = serving(&mut environment(&["run"]), log).unwrap();
    assert_eq!(get(&addr, LIMITS), 200);
    assert_eq!(stage.emulator.counters().token_requests, 1);
    let status = environment(&["status"]).output().unwrap();
    assert!(status.status.success(), "{status:?}");
    let heard = trap.accept().map(|(_, from)| from);
    assert!(heard.is_err(), "somebody asked the proxy: {heard:?}");
}
