//! Logins through a proxy that leads nowhere.

use super::{answer_with, endpoint, log_in, nobody, serve, transient};
use crate::config::Proxy;
use crate::secret::Secret;

#[tokio::test]
async fn a_proxy_that_leads_nowhere_is_named_and_its_password_is_not() {
    let refusing = answer_with("403 Forbidden", "");
    let rows = [
        (
            Some(refusing.clone()),
            "",
            "cannot connect through the proxy ",
        ),
        (
            Some(refusing),
            "a.example",
            "cannot connect through the proxy ",
        ),
        (None, "", "cannot connect through the proxy "),
        (
            None,
            "a.example",
            "cannot connect, perhaps through the proxy ",
        ),
    ];
    for (script, except, words) in rows {
        let (_port, mut url) = nobody();
        if let Some(script) = script {
            (url, _) = serve(vec![script]).await;
        }
        let mut endpoint = endpoint("https://login.example");
        endpoint.leg.proxy = Some(Proxy {
            url: url.parse().unwrap(),
            user: Some(("me".to_owned(), Secret::new("hunter2"))),
            except: except.to_owned(),
        });
        let told = transient(log_in(&endpoint).await);
        let place = url.trim_start_matches("http://");
        assert!(told.contains(&format!("{words}{place}: ")), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
