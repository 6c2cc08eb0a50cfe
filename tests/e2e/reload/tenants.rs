//! Many tenants behind one proxy, at random and over reloads: no token ever comes to another's host or path, no answer to
//! another's caller.

use std::collections::HashSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::{Caller, Scripted, TestProxy, together};

const TENANTS: usize = 4;
const CALLERS: usize = 8;
const REQUESTS: usize = 400;
/// Each token is good for so many requests; then its session has ended.
const USES: usize = 60;

/// What the upstreams know in common.
#[derive(Default)]
struct Books {
    logins: AtomicUsize,
    requests: AtomicUsize,
    ended: Mutex<HashSet<String>>,
    mixed_up: Mutex<Vec<String>>,
}

/// The last two share a host: there it is the path that tells them apart.
fn host_of(tenant: usize) -> usize {
    tenant.min(TENANTS - 2)
}

async fn api(host: usize, books: &Arc<Books>) -> Scripted {
    Scripted::start_with(books, move |mut connection, books| async move {
        while let Some(seen) = connection.request().await {
            let tenant: usize = seen.target.rsplit('/').next().unwrap().parse().unwrap();
            let token = seen.header("authorization").unwrap_or_default();
            if host_of(tenant) != host || !token.starts_with(&format!("Bearer of-{tenant}-")) {
                let what = format!("{token} came to host {host} for {}", seen.target);
                books.mixed_up.lock().unwrap().push(what);
            }
            let number = books.requests.fetch_add(1, Ordering::SeqCst);
            if number.is_multiple_of(USES) {
                books.ended.lock().unwrap().insert(token.to_owned());
            }
            let is_dead = books.ended.lock().unwrap().contains(token);
            if is_dead {
                let json = "Content-Type: application/json\r\n";
                let dead = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
                connection.reply("401 Unauthorized", json, dead).await;
            } else {
                connection.reply("200 OK", "", &tenant.to_string()).await;
            }
        }
    })
    .await
}

/// One token endpoint for all: whose token it is, the client tells.
async fn login(hosts: Vec<SocketAddr>, books: &Arc<Books>) -> Scripted {
    Scripted::start_with(
        &(hosts, books.clone()),
        |mut connection, (hosts, books)| async move {
            while let Some(seen) = connection.request().await {
                let body = String::from_utf8(seen.body).unwrap();
                let tenant = body.split("client_id=client-").nth(1).unwrap();
                let tenant: usize = tenant[..1].parse().unwrap();
                let number = books.logins.fetch_add(1, Ordering::SeqCst);
                let answer = json!({
                    "access_token": format!("of-{tenant}-{number}"),
                    "instance_url": format!("http://{}", hosts[host_of(tenant)]),
                });
                connection.reply("200 OK", "", &answer.to_string()).await;
            }
        },
    )
    .await
}

/// Every upstream may call every host. The secrets change from round to round, and who comes first in the file.
fn config(login: SocketAddr, hosts: &[SocketAddr], round: usize) -> String {
    let allowed: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
    let allowed = allowed.join(", ");
    let mut text = String::new();
    for tenant in (0..TENANTS).map(|place| (place + round) % TENANTS) {
        write!(
            text,
            "[upstream.t{tenant}]\nprovider = \"salesforce\"\nlogin_url = \"http://{login}\"\nclient_id = \"client-{tenant}\"\n\
             client_secret = \"secret-{}\"\ninstance_hosts = [{allowed}]\n",
            (tenant + round) / 2
        )
        .unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_comes_to_another_tenant_whatever_is_reloaded_meanwhile() {
    let books = Arc::new(Books::default());
    let mut apis = Vec::new();
    for host in 0..TENANTS - 1 {
        apis.push(api(host, &books).await);
    }
    let hosts: Vec<SocketAddr> = apis.iter().map(|api| api.addr).collect();
    let login = login(hosts.clone(), &books).await;
    let mut proxy = TestProxy::start(&config(login.addr, &hosts, 0));
    let (addr, over) = (proxy.addr(), Arc::new(AtomicBool::new(false)));
    let ended = over.clone();
    let load = async move {
        let served = together(CALLERS, |me| async move {
            let mut caller = Caller::connect(addr).await;
            let mut served = 0;
            for number in 0..REQUESTS {
                // Whom it calls next is as good as random, and its own.
                let tenant = (number + 1).wrapping_mul(me * 2_654_435 + 40_503) >> 7 & 3;
                let answer = caller
                    .get(&format!("/t{tenant}/services/data/{tenant}"))
                    .await;
                // Who meets the end of two sessions in one request is told of it.
                assert!(matches!(answer.status, 200 | 401), "{}", answer.text());
                if answer.status == 200 {
                    assert_eq!(answer.text(), tenant.to_string(), "somebody else's answer");
                    served += 1;
                }
            }
            served
        });
        let served = served.await;
        ended.store(true, Ordering::SeqCst);
        served
    };
    let reloads = async {
        let mut round = 0;
        while !over.load(Ordering::SeqCst) {
            round += 1;
            proxy.reload(&config(login.addr, &hosts, round)).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        round
    };
    let (served, reloads) = tokio::join!(load, reloads);
    let served: usize = served.iter().sum();
    let logins = books.logins.load(Ordering::SeqCst);
    eprintln!("{served} requests, {logins} tokens, {reloads} reloads");
    let mixed_up = books.mixed_up.lock().unwrap();
    assert!(mixed_up.is_empty(), "{mixed_up:#?}");
    assert!(
        served > CALLERS * REQUESTS / 2 && logins > TENANTS,
        "{served} {logins}"
    );
}
