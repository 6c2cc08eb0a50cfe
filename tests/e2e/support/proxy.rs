//! The real `App` on free ports.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use upauth::app::{Addresses, App, ReloadError, Reloaded, Stopped};
use upauth::clock::Clock;
use upauth::config::Config;
use upauth::telemetry::{AccessLog, Metrics};

use super::caller::{Answer, Caller};

/// A running proxy; dropping it ends it.
pub struct TestProxy {
    pub app: Option<App>,
    pub addrs: Addresses,
    pub metrics: Metrics,
    /// What the next reload reads.
    pub text: Arc<Mutex<String>>,
}

/// Reads a configuration; listeners take free ports unless the text says otherwise.
fn read(text: &str, variables: &[(String, String)]) -> Result<Config, String> {
    let mut text = text.to_owned();
    for (section, line) in [
        ("[server]", "listen = \"127.0.0.1:0\"\nworkers = 1"),
        ("[admin]", "listen = \"127.0.0.1:0\""),
    ] {
        if text.contains(section) {
            if !text.contains(&format!("{section}\nlisten")) {
                text = text.replace(section, &format!("{section}\n{line}"));
            }
        } else {
            text = format!("{section}\n{line}\n{text}");
        }
    }
    let env = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    match Config::parse(&text, "test.toml", Path::new("."), &env) {
        Ok(checked) => Ok(checked.config),
        Err(problems) => Err(problems.render(false)),
    }
}

impl TestProxy {
    /// Starts the proxy with this configuration; listeners take free ports unless the text says otherwise.
    pub fn start(text: &str) -> Self {
        Self::start_with(text, &[], AccessLog::off())
    }

    /// The same with variables for `${NAME}`, and an access log.
    pub fn start_with(text: &str, variables: &[(String, String)], log: AccessLog) -> Self {
        Self::start_at(text, variables, log, Clock::system())
    }

    /// The same with a clock that the test may step.
    pub fn start_at(
        text: &str,
        variables: &[(String, String)],
        log: AccessLog,
        clock: Clock,
    ) -> Self {
        let config = read(text, variables).unwrap_or_else(|problems| panic!("{problems}"));
        let metrics = Metrics::new();
        let app = App::start_with(&config, &metrics, log, clock).unwrap();
        let text = Arc::new(Mutex::new(text.to_owned()));
        let (again, variables) = (text.clone(), variables.to_owned());
        app.read_with(Box::new(move || read(&again.lock().unwrap(), &variables)));
        Self {
            addrs: app.addrs(),
            app: Some(app),
            metrics,
            text,
        }
    }

    /// Reloads with another configuration; free ports stay where listeners are the same.
    pub fn reload(&mut self, text: &str) -> Result<Reloaded, ReloadError> {
        text.clone_into(&mut self.text.lock().unwrap());
        let app = self.app.as_ref().unwrap();
        let reloaded = tokio::task::block_in_place(|| app.reload());
        self.addrs = app.addrs();
        reloaded
    }

    pub fn addr(&self) -> SocketAddr {
        self.addrs.server[0]
    }

    /// The first listener of an upstream's own.
    pub fn own(&self, upstream: &str) -> SocketAddr {
        self.addrs.upstreams[upstream][0]
    }

    pub fn admin(&self) -> SocketAddr {
        self.addrs.admin.unwrap()
    }

    /// A new connection.
    pub async fn caller(&self) -> Caller {
        Caller::connect(self.addr()).await
    }

    /// `GET` on a new connection.
    pub async fn get(&self, path: &str) -> Answer {
        self.caller().await.get(path).await
    }

    /// `GET` with these header lines, each ended by CRLF, on a new connection.
    pub async fn get_with(&self, path: &str, headers: &str) -> Answer {
        self.caller().await.get_with(path, headers).await
    }

    /// `POST` on a new connection.
    pub async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.caller().await.post(path, body).await
    }

    /// An upstream as the admin listener tells of it.
    pub async fn status(&self, upstream: &str) -> serde_json::Value {
        let told = Caller::connect(self.admin())
            .await
            .get("/api/v1/status")
            .await
            .json();
        let all = told["upstreams"].as_array().unwrap();
        all.iter()
            .find(|one| one["name"] == upstream)
            .unwrap()
            .clone()
    }

    /// Drains and stops.
    pub async fn stop(mut self) -> Stopped {
        let app = self.app.take().unwrap();
        tokio::task::spawn_blocking(move || app.stop(std::future::pending()))
            .await
            .unwrap()
    }
}
