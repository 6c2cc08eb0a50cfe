//! What changes at once, what stays, and what is told of it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use upauth::app::{App, Stopped};
use upauth::config::Config;
use upauth::telemetry::{AccessLog, Format, Metrics};

use super::{printed, refused};
use crate::support::caller::PATIENCE;
use crate::support::tls::Folder;
use crate::support::{Caller, Scripted, TestProxy};

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_upstream_keeps_its_token_and_its_connections() {
    let api = Scripted::constant("hello").await;
    let mut proxy = TestProxy::start(&api.upstream());
    assert_eq!(proxy.get("/api/a").await.status, 200);
    let first = api.seen()[0].connection;
    let other = "[upstream.other]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:9\"\nclient_id = \"i\"\nclient_secret = \"s\"\n";
    for text in [
        api.upstream(),
        format!("{other}{}", api.upstream()),
        format!("{}token_wait = \"5s\"\n{other}", api.upstream()),
        // Another name for the same account.
        api.upstream().replace("upstream.api", "upstream.same"),
    ] {
        proxy.reload(&text).unwrap();
        let name = if text.contains("upstream.same") {
            "same"
        } else {
            "api"
        };
        assert_eq!(proxy.get(&format!("/{name}/b")).await.status, 200);
        if name == "api" {
            assert_eq!(api.seen().last().unwrap().connection, first, "{text}");
        }
    }
    assert_eq!(api.logins(), 1);
    let same = proxy.app.as_ref().unwrap().tokens("same").unwrap();
    assert!(format!("{same:?}").contains("same"), "logs know its name");
    let page = proxy.metrics.encode();
    assert!(!page.contains("upstream=\"api\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_from_files_is_read_again_although_nothing_is_written_in_another_way() {
    let (api, folder) = (Scripted::constant("hello").await, Folder::new());
    let file = folder.write("key", "one");
    let set = format!("set_headers = {{ X-Api-Key = {{ file = {file:?} }} }}\n");
    let text = format!("{}{set}", api.upstream());
    let mut proxy = TestProxy::start(&text);
    for key in ["one", "two"] {
        folder.write("key", key);
        assert!(proxy.reload(&text).unwrap().changes.is_empty());
        assert_eq!(proxy.get("/api/a").await.status, 200);
        assert_eq!(api.seen().last().unwrap().header("x-api-key"), Some(key));
    }
    assert_eq!(api.logins(), 1);
    let seen = api.seen();
    assert_eq!(
        seen[0].connection, seen[1].connection,
        "the way is the same"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_may_do_changes_with_the_next_request_of_a_connection() {
    let api = Scripted::constant("hello").await;
    let mut proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    assert_eq!(caller.post("/api/a", "x").await.status, 200);
    proxy
        .reload(&format!("{}read_only = true\n", api.upstream()))
        .unwrap();
    assert_eq!(caller.post("/api/a", "x").await.status, 403);
    assert_eq!(caller.get("/api/a").await.status, 200);
    assert_eq!(api.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_ends_on_the_configuration_it_began_with() {
    let (go_on, gate) = tokio::sync::watch::channel(false);
    let api = Scripted::start_with(&gate, |mut connection, mut gate| async move {
        while connection.begin("text/plain").await.is_some() {
            connection.piece("first").await;
            gate.wait_for(|open| *open).await.unwrap();
            connection.piece("last").await;
            connection.end().await;
        }
    })
    .await;
    let mut proxy = TestProxy::start(&api.upstream());
    let mut caller = proxy.caller().await;
    caller.begin("/api/a").await;
    assert_eq!(caller.head().await.unwrap().status, 200);
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"first");
    let other = api.upstream().replace("upstream.api", "upstream.other");
    let third = api.upstream().replace("upstream.api", "upstream.third");
    proxy.reload(&format!("{other}{third}")).unwrap();
    assert_eq!(proxy.get("/api/a").await.status, 404);
    go_on.send(true).unwrap();
    assert_eq!(caller.chunk().await.unwrap().unwrap(), b"last");
    assert!(caller.chunk().await.unwrap().is_none());
    assert_eq!(proxy.get("/other/a").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_told_and_leaves_everything_as_it_was() {
    let api = Scripted::constant("hello").await;
    let mut proxy = TestProxy::start(&api.upstream());
    let successful = |proxy: &TestProxy, yes: u8| {
        let page = proxy.metrics.encode();
        let line = format!("upauth_config_last_reload_successful {yes}\n");
        assert!(page.contains(&line), "{page}");
    };
    successful(&proxy, 1);
    let text = api.upstream();
    for (wrong, code) in [
        (text.replace("zuora", "zuorra"), "UA-0107"),
        (format!("{text}read_olny = true\n"), "UA-0103"),
        (text.replace("\"secret\"", "\"secr"), "UA-0101"),
        (text[..text.len() / 2].to_owned(), "UA-01"),
        (String::new(), "UA-0129"),
        (
            format!("{text}listen = \"127.0.0.1:{}\"\n", api.addr.port()),
            "",
        ),
        (
            format!(
                "{text}tls = {{ cert = {{ file = \"/no/cert\" }}, key = {{ file = \"/no/key\" }} }}\nlisten = \"127.0.0.1:0\"\n"
            ),
            "",
        ),
        (format!("[log]\naccess = \"/no/such/folder\"\n{text}"), ""),
        (
            format!(
                "[admin]\nlisten = \"127.0.0.1:{}\"\n{text}listen = \"127.0.0.1:0\"\n",
                api.addr.port()
            ),
            "",
        ),
    ] {
        let before = proxy.addrs.clone();
        let result = proxy.reload(&wrong);
        if code.is_empty() {
            assert!(result.is_err(), "{wrong}");
        } else {
            let told = refused(result);
            assert!(told.contains(code) && !told.contains("secret\""), "{told}");
        }
        successful(&proxy, 0);
        assert_eq!(format!("{before:?}"), format!("{:?}", proxy.addrs));
        assert_eq!(proxy.get("/api/a").await.status, 200);
    }
    let told = proxy.reload(&text).unwrap();
    assert!(
        told.changes.is_empty(),
        "what was refused is not the measure"
    );
    successful(&proxy, 1);
    assert_eq!(api.logins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_difference_names_keys_and_never_a_value() {
    let api = Scripted::constant("hello").await;
    let mut proxy = TestProxy::start(&api.upstream());
    assert_eq!(proxy.get("/api/a").await.status, 200);
    let text = api.upstream().replace("\"secret\"", "\"hunter2\"");
    let reloaded = proxy
        .reload(&format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\ndrain_timeout = \"1s\"\n[server.limits]\nconnections = 9\n{text}token_wait = \"5s\"\n{}",
            text.replace("upstream.api", "upstream.more")
        ))
        .unwrap();
    assert_eq!(
        printed(&reloaded),
        [
            "~ server: drain_timeout, workers",
            "~ server.limits: connections",
            "~ upstream.api: client_secret, token_wait",
            "+ upstream.more",
        ]
    );
    assert_eq!(
        reloaded.at_next_start,
        ["server.workers", "server.limits.connections"]
    );
    assert_eq!(reloaded.logging_in, ["api"]);
    let told = format!("{reloaded:?}");
    assert!(!told.contains("hunter2") && !told.contains("\"secret\""));
    // What waits for the next start is told again as long as it does.
    let again = proxy
        .reload(&format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 3\n{text}"
        ))
        .unwrap();
    assert_eq!(again.at_next_start, ["server.workers"]);
    let back = proxy.reload(&api.upstream()).unwrap();
    assert!(back.at_next_start.is_empty(), "{back:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_is_opened_anew_or_where_it_is_to_be_now() {
    let (api, folder) = (Scripted::constant("hello").await, Folder::new());
    let path = folder.path().join("access.log");
    let log = AccessLog::file(&path, Format::Json).unwrap();
    let mut proxy = TestProxy::start_with(&api.upstream(), &[], log);
    let lines = |name: &str| {
        let text = std::fs::read_to_string(folder.path().join(name));
        text.map_or(0, |text| text.lines().count())
    };
    let written = async |name: &str| {
        let written = async {
            while lines(name) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, written).await.unwrap();
    };
    proxy.get("/api/a").await;
    written("access.log").await;
    std::fs::rename(&path, folder.path().join("access.1")).unwrap();
    proxy.reload(&api.upstream()).unwrap();
    proxy.get("/api/b").await;
    written("access.log").await;
    std::fs::rename(&path, folder.path().join("access.2")).unwrap();
    assert!(proxy.reload("half a fi").is_err());
    proxy.get("/api/b").await;
    written("access.log").await;
    let other = folder.path().join("other.log");
    proxy
        .reload(&format!("[log]\naccess = {other:?}\n{}", api.upstream()))
        .unwrap();
    proxy.get("/api/c").await;
    written("other.log").await;
    for name in ["access.1", "access.2", "access.log", "other.log"] {
        assert_eq!(lines(name), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_reloads_and_tells_what_changed() {
    let api = Scripted::constant("hello").await;
    let proxy = TestProxy::start(&api.upstream());
    let post = async |header: &str| {
        let mut caller = Caller::connect(proxy.admin()).await;
        caller.post_with("/api/v1/reload", header, "").await
    };
    assert_eq!(post("").await.status, 403);
    *proxy.text.lock().unwrap() = api.upstream() + "warmm = true\n";
    let answer = post("X-Upauth-Admin: 1\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "UA-0160"));
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("error[UA-0103]")
    );
    *proxy.text.lock().unwrap() = api.upstream() + "read_only = true\n";
    let answer = post("X-Upauth-Admin: 1\r\n").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let expected = serde_json::json!({
        "changes": [{ "section": "upstream.api", "what": "changed", "keys": ["read_only"] }],
        "at_next_start": [], "warnings": [], "logging_in": [],
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(proxy.post("/api/a", "x").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_reload_hangs_on_its_file_one_waits_and_others_are_told() {
    let api = Scripted::constant("hello").await;
    let proxy = TestProxy::start(&api.upstream());
    // Whoever holds the text holds up who reads it.
    let (text, (held, holding)) = (proxy.text.clone(), std::sync::mpsc::channel());
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        let mut text = text.lock().unwrap();
        text.push_str("read_only = true\n");
        held.send(()).unwrap();
        released.recv()
    });
    holding.recv().unwrap();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let admin = proxy.admin();
        asking.spawn(async move {
            let mut caller = Caller::connect(admin).await;
            let asked = caller.post_with("/api/v1/reload", "X-Upauth-Admin: 1\r\n", "");
            asked.await
        });
    }
    let mut detail = String::new();
    for _ in 0..18 {
        let told = tokio::time::timeout(PATIENCE, asking.join_next()).await;
        let told = told.expect("it waits, too").unwrap().unwrap();
        assert_eq!((told.status, told.code().as_str()), (409, "UA-0160"));
        detail = told.json()["detail"].to_string();
    }
    assert!(detail.contains("a reload is under way"), "{detail}");
    assert_eq!(proxy.post("/api/a", "x").await.status, 200);
    drop(release);
    assert!(holder.join().unwrap().is_err());
    let reloaded = asking.join_all().await;
    let statuses: Vec<_> = reloaded.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200]);
    assert_eq!(proxy.post("/api/a", "x").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_hangs_on_its_file_does_not_hold_up_the_end() {
    let text = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"\"\n[upstream.a]\nprovider = \"zuora\"\nlogin_url = \"http://127.0.0.1:9\"\nclient_id = \"i\"\nclient_secret = \"s\"\n";
    let checked = Config::parse(text, "test.toml", Path::new("."), &|_: &str| None);
    let config = checked
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config;
    let app = App::start(&config, &Metrics::new(), AccessLog::off()).unwrap();
    let (began, reading) = std::sync::mpsc::channel();
    let (release, hanging) = std::sync::mpsc::channel::<()>();
    let hanging = Mutex::new(hanging);
    app.read_with(Box::new(move || {
        let _ = began.send(());
        let _ = hanging.lock().unwrap().recv();
        Err("nothing was read".to_owned())
    }));
    let told = Arc::new(Notify::new());
    app.reload_when(told.clone());
    told.notify_one();
    let stopping = tokio::task::spawn_blocking(move || {
        reading.recv().unwrap();
        app.stop(std::future::pending())
    });
    let stopped = tokio::time::timeout(PATIENCE, stopping).await;
    drop(release);
    assert_eq!(stopped.expect("it hangs").unwrap(), Stopped::Drained);
}
