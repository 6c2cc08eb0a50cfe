//! The program with an upstream that holds answers back.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use crate::support::{Caller, Scripted};
use crate::{Running, Stage, ended, signal, until};

/// Far more than fits into the buffers between the upstream and a caller who reads nothing.
pub(super) const LARGE: usize = 16 * 1024 * 1024;
/// An upstream that holds back what is asked of it until it is let go.
async fn upstream(go: &CancellationToken) -> Scripted {
    Scripted::start_with(go, |mut connection, go| async move {
        let large: &str = "~".repeat(LARGE).leak();
        while let Some(seen) = connection.request().await {
            match seen.target.split('?').next().unwrap() {
                "/wait" => {
                    go.cancelled().await;
                    connection.reply("200 OK", "", "waited").await;
                }
                "/long" => {
                    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
                    connection.write(head).await;
                    go.cancelled().await;
                    connection.write("world").await;
                }
                "/endless" => {
                    connection.write("HTTP/1.1 200 OK\r\n\r\nhello").await;
                    connection.left().await;
                    return;
                }
                "/large" => connection.reply("200 OK", "", large).await,
                "/up" => {
                    let length = seen.body.len().to_string();
                    connection.reply("200 OK", "", &length).await;
                }
                _ => connection.reply("200 OK", "", "ok").await,
            }
        }
    })
    .await
}

/// The program, `api` behind it, and what it tells.
pub(super) struct Scene<'a> {
    stage: &'a Stage,
    pub(super) api: Scripted,
    pub(super) config: String,
    pub(super) running: Running,
    pub(super) addr: SocketAddr,
}

impl<'a> Scene<'a> {
    pub(super) async fn new(stage: &'a Stage, go: &CancellationToken, drain_timeout: &str) -> Self {
        let api = upstream(go).await;
        let access = stage.folder.join("access").display().to_string();
        let more = format!(
            "{}[server.limits]\nheader_timeout = \"3s\"\n[log]\naccess = \"{access}\"\n",
            api.upstream()
        );
        let config = stage.config("${DEMO_CRM_CLIENT_SECRET}", &more);
        let text = std::fs::read_to_string(&config).unwrap();
        let timeout = format!("drain_timeout = \"{drain_timeout}\"");
        std::fs::write(&config, text.replace("drain_timeout = \"20s\"", &timeout)).unwrap();
        let (running, addr) = stage.run(&config);
        Self {
            stage,
            api,
            config,
            running,
            addr: addr.parse().unwrap(),
        }
    }

    pub(super) async fn caller(&self) -> Caller {
        Caller::connect(self.addr).await
    }

    /// Waits until the upstream has got each of these requests.
    pub(super) fn has_sent_on(&self, targets: &[&str]) {
        until("a request never arrived", || {
            let seen = self.api.seen();
            let is_seen = |target| seen.iter().any(|seen| seen.target == target);
            targets.iter().all(|target| is_seen(*target))
        });
    }

    fn lets_nobody_in(&self) -> bool {
        std::net::TcpStream::connect(self.addr).is_err()
    }

    /// Sends a signal to stop, and waits until the stop has really begun.
    pub(super) fn stop(&self, name: &str) {
        signal(name, &self.running.0);
        until("the door stayed open", || self.lets_nobody_in());
    }

    /// Its exit code, and what its log says.
    pub(super) fn end(&mut self) -> (Option<i32>, String) {
        (ended(&mut self.running), self.log())
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.stage.folder.join("log")).unwrap()
    }

    /// What the access log says of `/api/TARGET`.
    pub(super) fn lines(&self, target: &str) -> Vec<serde_json::Value> {
        let log = std::fs::read_to_string(self.stage.folder.join("access")).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let path = format!("/api/{target}");
        let path = path.split('?').next().unwrap();
        lines
            .filter(|line: &serde_json::Value| line["path"] == path)
            .collect()
    }
}
