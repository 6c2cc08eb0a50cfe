//! What the running proxy is asked through its admin listener: `token renew`, `retry`, `reload`, `status`, `health`.

use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::output::Output;
use super::told::{Told, list, text};
use super::{Exit, environment, shell, unknown};
use crate::app::remote::{self, AskError};
use crate::config::{Admin, is_name};

/// Asks for a new token.
pub(super) fn renew(path: &Path, name: &str, out: &mut Output<'_>) -> Exit {
    login(path, name, "renew", "has a new token", out)
}

/// Asks for another try where a login was refused or failed.
pub(super) fn retry(path: &Path, name: &str, out: &mut Output<'_>) -> Exit {
    login(path, name, "retry", "has a token", out)
}

fn login(path: &Path, name: &str, verb: &str, done: &str, out: &mut Output<'_>) -> Exit {
    let running = match Running::find(path, out) {
        Ok(running) => running,
        Err(exit) => return exit,
    };
    if !is_name(name) {
        out.error(&format!("`{name}` cannot be the name of an upstream"));
        return Exit::Usage;
    }
    let path = format!("/api/v1/upstreams/{name}/{verb}");
    match running.ask(Method::POST, &path, out) {
        Ok(told) if told.status < 300 => {
            out.answer(&format!("{name} {done}"));
            Exit::Done
        }
        Ok(told) => {
            let names = match told.status {
                404 => running.names(),
                _ => Vec::new(),
            };
            if !names.is_empty() {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                return unknown(name, &names, out);
            }
            out.error(&told.problem());
            match told.status {
                502 => Exit::Refused,
                503 | 504 => Exit::Unavailable,
                _ => Exit::Failed,
            }
        }
        Err(exit) => exit,
    }
}

/// Asks for a reload, and prints what changed; or what is wrong, as `check` does.
pub(super) fn reload(path: &Path, out: &mut Output<'_>) -> Exit {
    let running = match Running::find(path, out) {
        Ok(running) => running,
        Err(exit) => return exit,
    };
    let told = match running.ask(Method::POST, "/api/v1/reload", out) {
        Ok(told) => told,
        Err(exit) => return exit,
    };
    match told.status {
        200 => {
            for line in changes(&told.fields, &running.from) {
                out.answer(&line);
            }
            for warning in list(&told.fields, "warnings") {
                let warning = warning.as_str().unwrap_or_default();
                out.error(&format!("warning: {warning}"));
            }
            Exit::Done
        }
        status @ (409 | 422) => {
            out.error(&told.detail);
            out.error(STAYS);
            if status == 422 {
                Exit::Config
            } else {
                Exit::Io
            }
        }
        _ => {
            out.error(&told.problem());
            Exit::Failed
        }
    }
}

fn changes(told: &Value, from: &str) -> Vec<String> {
    let texts = |of: &Value, key: &str| -> Vec<String> {
        let texts = list(of, key).iter();
        texts
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    let mut lines = Vec::new();
    for change in list(told, "changes") {
        let section = match text(change, "section") {
            "" => "top of the file",
            section => section,
        };
        lines.push(match text(change, "what") {
            "added" => format!("+ {section}"),
            "removed" => format!("- {section}"),
            _ => format!("~ {section}: {}", texts(change, "keys").join(", ")),
        });
    }
    if lines.is_empty() {
        lines.push("nothing changed; certificates and other files were read again".to_owned());
    }
    for name in texts(told, "logging_in") {
        lines.push(format!(
            "{name} logs in anew, and serves as before until it has: see `upauth status{from}`"
        ));
    }
    for key in texts(told, "at_next_start") {
        lines.push(format!("{key} takes effect at the next start only"));
    }
    lines
}

/// Prints how each upstream is, as a table or as the proxy tells it; the exit code tells the worst.
pub(super) fn status(path: &Path, json: bool, out: &mut Output<'_>) -> Exit {
    let running = match Running::find(path, out) {
        Ok(running) => running,
        Err(exit) => return exit,
    };
    let told = match running.ask(Method::GET, STATUS, out) {
        Ok(told) if told.status == 200 && told.fields.is_object() => told,
        Ok(told) => {
            out.error(&told.problem());
            return Exit::Failed;
        }
        Err(exit) => return exit,
    };
    let mut rows = vec![
        [
            "UPSTREAM",
            "STATE",
            "SINCE",
            "EXPIRES IN",
            "NEXT TRY",
            "WHY",
        ]
        .map(str::to_owned),
    ];
    let mut worst = Exit::Done;
    for upstream in list(&told.fields, "upstreams") {
        rows.push(row(upstream, ""));
        // What waits to take over is not served yet: its trouble is shown, and is nobody's failure.
        rows.extend(upstream.get("next").map(|next| row(next, " (new)")));
        worst = worst.max(match text(upstream, "state") {
            "refused" => Exit::Refused,
            "unavailable" => Exit::Unavailable,
            _ => Exit::Done,
        });
    }
    if json {
        out.answer(&told.body);
    } else {
        table(&rows).iter().for_each(|line| out.answer(line));
    }
    worst
}

fn row(upstream: &Value, mark: &str) -> [String; 6] {
    let text = |key: &str| match text(upstream, key) {
        "" => "-".to_owned(),
        text => text.to_owned(),
    };
    let expires = upstream.get("expires_in_seconds").and_then(Value::as_u64);
    [
        text("name") + mark,
        text("state").replace('_', " "),
        text("since"),
        expires.map_or("-".to_owned(), span),
        text("next_try"),
        text("why"),
    ]
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Says whether the running proxy is ready: for the health check of a container.
pub(super) fn health(path: &Path, out: &mut Output<'_>) -> Exit {
    let running = match Running::find(path, out) {
        Ok(running) => running,
        Err(exit) => return exit,
    };
    let Some(at) = running.admin.health_listen.or(running.admin.listen) else {
        out.error("there is nobody to ask: [admin] listen and health_listen are empty");
        return Exit::Config;
    };
    match remote::ask(&at, Method::GET, "/readyz", HEALTH) {
        Ok(reply) => {
            let told = Told::of(&reply);
            out.answer(&told.body);
            if told.status == 200 {
                Exit::Done
            } else {
                Exit::Failed
            }
        }
        // Orchestrators know healthy and unhealthy, and nothing in between.
        Err(error) => {
            out.error(&error.to_string());
            Exit::Failed
        }
    }
}

/// The proxy that runs with a configuration.
struct Running {
    admin: Admin,
    /// What makes a command line mean this configuration.
    from: String,
}

impl Running {
    /// By `[admin]` alone: who asks need not have the variables that the rest of the file names, and the proxy has an
    /// environment of its own.
    fn find(path: &Path, out: &mut Output<'_>) -> Result<Self, Exit> {
        match Admin::load(path, &environment) {
            Ok(admin) => Ok(Self {
                admin,
                from: shell::with_config(path),
            }),
            Err(problems) => {
                out.error(&problems.but("nobody was asked").render(out.color));
                Err(Exit::Config)
            }
        }
    }

    /// Asks the admin listener; the complaint is made.
    fn ask(&self, method: Method, path: &str, out: &mut Output<'_>) -> Result<Told, Exit> {
        let Some(admin) = &self.admin.listen else {
            out.error("the running proxy has no admin listener: [admin] listen is empty");
            return Err(Exit::Config);
        };
        let reply = remote::ask(admin, method, path, LIMIT);
        reply
            .map(|reply| Told::of(&reply))
            .map_err(|error| match error {
                AskError::Unreachable { .. } => {
                    out.error(&format!("{error}\nDoes `upauth run{}` run?", self.from));
                    Exit::Unavailable
                }
                AskError::Start(error) => {
                    out.error(&error.to_string());
                    Exit::Failed
                }
            })
    }

    /// Its upstreams, if it tells them.
    fn names(&self) -> Vec<String> {
        let asked = self.admin.listen.as_ref();
        let reply = asked.and_then(|at| remote::ask(at, Method::GET, STATUS, LIMIT).ok());
        let fields = reply.map_or(Value::Null, |reply| Told::of(&reply).fields);
        let upstreams = list(&fields, "upstreams").iter();
        upstreams
            .map(|upstream| text(upstream, "name").to_owned())
            .collect()
    }
}

const STATUS: &str = "/api/v1/status";
const STAYS: &str = "The running proxy keeps the configuration it has.";
/// How long the proxy may take: a login, or a reading of many files.
const LIMIT: Duration = Duration::from_secs(60);
const HEALTH: Duration = Duration::from_secs(5);
