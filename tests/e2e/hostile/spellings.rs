//! Paths that lax servers read as others: the rows A30 and C32.

use super::targets::asks;
use super::{Once, Refused, fire, target};

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_path_is_denied_in_every_spelling_that_a_lax_server_reads() {
    let mut rows = Vec::new();
    for path in [
        "/oauth%u002ftoken",
        "/oauth/%u0074oken",
        "/oauth/%25u0074oken",
        "/oauth/%f0%80%81%b4oken",
        "/oauth/%F8%80%80%81%B4oken",
        "/oauth/%fc%80%80%80%81%b4oken",
        "/oauth/%ef%bd%94oken",
        "/oauth/%uff54oken",
        "/\u{ff4f}auth\u{ff0f}token",
        "/x/%ef%bc%8e%ef%bc%8e/oauth/token",
        "/x/%u002e%u002e/oauth/token",
        "/v1/%e2%80%a5/oauth/token",
        "/v1/connection%C5%BF",
        "/v1/connect\u{131}ons",
        "/v1/connections.json",
        "/oauth.xml",
    ] {
        rows.push(asks("C32", &format!("/api{path}"), Refused(403)));
    }
    for path in [
        "/shut.json",
        "/shut.xml/",
        "/%73hut%2eJSON",
        "/open/%u002e%u002e/shut/x",
        "/open/%ef%bc%8e./shut/x",
        "/%C5%BFhut/x",
        "/%u017fhut",
    ] {
        rows.push(asks("A30", &format!("/api{path}"), Refused(403)));
    }
    for path in ["/shut.json/x", "/shut.csv", "/shu\u{ff0e}t", "/x/shut.xml"] {
        rows.push(asks(
            "A30 another",
            &format!("/api{path}"),
            Once(target(path)),
        ));
    }
    fire(27, rows, "deny = [\"/shut/**\"]\n").await;
}
