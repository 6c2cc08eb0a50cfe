//! The instance that comes with the token: only to allowed hosts, and never without its token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;

use super::{DEAD, ECHO};
use crate::support::emulated::CRM;
use crate::support::{Caller, Emulated, Scripted, TestProxy, together};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_a_strange_host_is_thrown_away_and_costs_one_login() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = trap.local_addr().unwrap().port();
    for strange in [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{port}@127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/services"),
        "https://evil.example".to_owned(),
        "https://acme.my.salesforce.com.evil.example".to_owned(),
        "https://acme.lightning.force.com".to_owned(),
        String::new(),
    ] {
        let at = Emulated::start(CRM).await;
        at.turn(|dials| dials.answer.instance_url = Some(strange.clone()));
        for _ in 0..20 {
            let answer = at.proxy.get(ECHO).await;
            assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0304"));
            assert_eq!(answer.header("retry-after"), None);
            assert!(strange.is_empty() || !answer.text().contains(&strange));
        }
        assert_eq!(at.logins(), 1, "{strange}");
        assert_eq!(at.proxy.status("crm").await["state"], "refused");
    }
    let dialled = tokio::time::timeout(Duration::from_millis(50), trap.accept()).await;
    assert!(dialled.is_err(), "a strange host was dialled: {dialled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_org_is_thrown_away_until_the_expectation_is_corrected() {
    let expecting = |org: &str| format!("{CRM}expect_org = \"{org}\"\n");
    let mut at = Emulated::start(&expecting("00Dxx0000000002")).await;
    for _ in 0..5 {
        let answer = at.proxy.get(ECHO).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0304"));
    }
    let told = at.proxy.status("crm").await;
    assert_eq!((at.logins(), &told["state"]), (1, &json!("refused")));
    let why = told["why"].as_str().unwrap();
    assert!(
        why.contains("names `00Dxx0000000001EAA`, which is not the org"),
        "{why}"
    );
    at.proxy.reload(&expecting("00Dxx0000000001")).unwrap();
    assert_eq!(at.proxy.get(ECHO).await.status, 200);
}

/// An org that moves: token N is good at A if N is even, at B if it is odd, and only the latest lives.
struct MovingOrg {
    login: Scripted,
    instances: [Scripted; 2],
    latest: Arc<AtomicUsize>,
}

impl MovingOrg {
    async fn start() -> Self {
        let latest = Arc::new(AtomicUsize::new(0));
        let instances = [
            instance(0, latest.clone()).await,
            instance(1, latest.clone()).await,
        ];
        let (addrs, current) = ([instances[0].addr, instances[1].addr], latest.clone());
        let login = Scripted::start(move |mut connection| {
            let current = current.clone();
            async move {
                while connection.request().await.is_some() {
                    let number = current.load(Ordering::SeqCst);
                    let body = json!({
                        "access_token": format!("token-{number}"),
                        "instance_url": format!("http://{}", addrs[number % 2]),
                    });
                    connection.reply("200 OK", "", &body.to_string()).await;
                }
            }
        })
        .await;
        Self {
            login,
            instances,
            latest,
        }
    }

    fn config(&self) -> String {
        let [a, b] = [self.instances[0].addr, self.instances[1].addr];
        format!(
            "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"http://{}\"\nclient_id = \"id\"\n\
             client_secret = \"secret\"\ninstance_hosts = [\"{a}\", \"{b}\"]\n",
            self.login.addr
        )
    }
}

async fn instance(side: usize, latest: Arc<AtomicUsize>) -> Scripted {
    Scripted::start(move |mut connection| {
        let latest = latest.clone();
        async move {
            while let Some(seen) = connection.request().await {
                let number = latest.load(Ordering::SeqCst);
                let good = format!("Bearer token-{number}");
                if number % 2 == side && seen.header("authorization") == Some(&good) {
                    connection.reply("200 OK", "", "here").await;
                } else {
                    let json = "Content-Type: application/json\r\n";
                    connection.reply("401 Unauthorized", json, DEAD).await;
                }
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instance_is_swapped_with_its_token_as_one_value_under_load() {
    const CALLERS: usize = 16;
    let org = MovingOrg::start().await;
    let proxy = TestProxy::start(&org.config());
    let (addr, stop) = (proxy.addr(), Arc::new(AtomicBool::new(false)));
    let done: Arc<Vec<AtomicUsize>> = Arc::new((0..CALLERS).map(|_| AtomicUsize::new(0)).collect());
    let (counted, ended) = (done.clone(), stop.clone());
    let load = together(CALLERS, move |me| {
        let (done, stop) = (counted.clone(), ended.clone());
        async move {
            let mut caller = Caller::connect(addr).await;
            while !stop.load(Ordering::SeqCst) {
                let answer = caller.get("/crm/services/data").await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                done[me].fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let moves = async {
        for _ in 0..4 {
            // A request may live through one move; so every caller must be past the last one before the next.
            let before: Vec<usize> = done.iter().map(|n| n.load(Ordering::SeqCst)).collect();
            let past = |me: usize| done[me].load(Ordering::SeqCst) >= before[me] + 5;
            while !(0..CALLERS).all(past) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            org.latest.fetch_add(1, Ordering::SeqCst);
        }
        stop.store(true, Ordering::SeqCst);
    };
    tokio::join!(load, moves);
    for (side, instance) in org.instances.iter().enumerate() {
        let seen = instance.seen();
        assert!(seen.len() > CALLERS, "{}", seen.len());
        for request in seen {
            let token = request.header("authorization").unwrap();
            let number: usize = token
                .strip_prefix("Bearer token-")
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(number % 2, side, "a token for the other instance");
        }
    }
    assert!(org.login.seen().len() <= 5, "{}", org.login.seen().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_only_a_wildcard_allows_is_not_called_at_an_address_that_is_not_public() {
    let api = Scripted::constant("here").await;
    let port = api.addr.port();
    // A name to us, and 127.0.0.1 to every resolver, without a name server.
    let instance = format!("http://127.0.0.0x1:{port}");
    let tokens = Scripted::start_with(&instance, |mut connection, instance| async move {
        while connection.request().await.is_some() {
            let body = json!({ "access_token": "token", "instance_url": instance });
            connection.reply("200 OK", "", &body.to_string()).await;
        }
    })
    .await;
    let login = tokens.addr;
    let config = |host: &str| {
        format!(
            "[upstream.crm]\nprovider = \"salesforce\"\nlogin_url = \"http://{login}\"\nclient_id = \"id\"\n\
             client_secret = \"secret\"\ninstance_hosts = [\"{host}:{port}\"]\n\
             plain_http = [\"127.0.0.0x1\"]\n"
        )
    };
    let proxy = TestProxy::start(&config("*.0.0x1"));
    let answer = proxy.get("/crm/services/data").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UA-0404"));
    assert!(api.seen().is_empty());
    let proxy = TestProxy::start(&config("127.0.0.0x1"));
    assert_eq!(proxy.get("/crm/services/data").await.text(), "here");
}
