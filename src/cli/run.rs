//! `upauth run`: serves a configuration until it is asked to stop.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;

use super::output::Output;
use super::signals::{Held, Signals};
use super::{Exit, environment, load, reached};
use crate::app::{self, Addresses, App, StartError, Stopped};
use crate::config::server::{Address, Listen};
use crate::config::{Config, Problems, SHOWN, Upstream};
use crate::telemetry::metrics::Log;
use crate::telemetry::{Metrics, log};

pub(super) fn run(path: &Path, listen: Option<&str>, out: &mut Output<'_>) -> Exit {
    // A service manager may ask for a reload as soon as the process is there.
    let held = Held::new();
    let mut checked = match load(path, out) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    if let Err(why) = instead(&mut checked.config, listen) {
        out.error(&why);
        return Exit::Usage;
    }
    match start(&checked.config, held, out) {
        Ok(started) => {
            let Started { app, signals, .. } = &started;
            let (path, listen) = (path.to_owned(), listen.map(str::to_owned));
            app.read_with(Box::new(move || {
                let read = Config::load(&path, &environment);
                let wrong = |problems: Problems| problems.but("nothing was changed").render(false);
                let mut config = read.map_err(wrong)?.config;
                instead(&mut config, listen.as_deref())?;
                Ok(config)
            }));
            app.reload_when(signals.reload.clone());
            // Last: whoever reads it may ask for a reload at once.
            out.answer(&table(&checked.config, &app.addrs()));
            wait(started)
        }
        Err(exit) => exit,
    }
}

/// Listens where `--listen` says instead of where the configuration does.
fn instead(config: &mut Config, listen: Option<&str>) -> Result<(), String> {
    let Some(listen) = listen else { return Ok(()) };
    config
        .listen_on(listen)
        .map_err(|why| format!("--listen {listen}: {why}"))
}

/// A proxy that serves, its signals and its diagnostics.
pub(super) struct Started {
    pub(super) app: App,
    pub(super) signals: Signals,
    rest: log::Rest,
}

/// Starts the proxy, its logs and its signals.
pub(super) fn start(
    config: &Config,
    held: io::Result<Held>,
    out: &mut Output<'_>,
) -> Result<Started, Exit> {
    let format = app::log_format(config.log.format, io::stderr().is_terminal());
    let rest = log::init(format, &config.log.level).map_err(|error| {
        out.error(&format!("[log] level: {error}"));
        Exit::Config
    })?;
    let metrics = Metrics::new();
    metrics.count_dropped(Log::Diagnostics, rest.lost());
    let started = app::access_log(&config.log, io::stdout().is_terminal()).and_then(|log| {
        metrics.count_dropped(Log::Access, log.dropped());
        let signals = held.and_then(Held::listen).map_err(StartError::Thread)?;
        Ok((App::start(config, &metrics, log)?, signals))
    });
    let (app, signals) = started.map_err(|error| {
        out.error(&error.to_string());
        match error {
            StartError::Listen { .. } | StartError::AccessLog(_) | StartError::Store(_) => Exit::Io,
            StartError::Tls { .. } => Exit::Config,
            StartError::Thread(_) => Exit::Failed,
        }
    })?;
    Ok(Started { app, signals, rest })
}

/// Serves until a signal, then drains.
pub(super) fn wait(started: Started) -> Exit {
    let Started { app, signals, rest } = started;
    let (stop, now) = (signals.stop.clone(), signals.now.clone());
    let stop = async move {
        stop.cancelled().await;
    };
    let now = async move {
        now.cancelled().await;
    };
    let stopped = app.run_until(stop, now);
    drop(rest);
    match stopped {
        Stopped::Drained => Exit::Done,
        Stopped::Cut => Exit::Failed,
    }
}

/// What is served where: printed once the sockets are bound.
fn table(config: &Config, addrs: &Addresses) -> String {
    let mut rows = vec![format!("upauth {} serves", env!("CARGO_PKG_VERSION"))];
    for upstream in config.upstreams.iter().take(SHOWN) {
        rows.push(format!(
            "  {:<16} {}",
            upstream.name,
            base_url(config, upstream, addrs)
        ));
    }
    // Upstreams are named by their own listeners first, so that those of the server could be missing.
    for base in of_all(config, addrs) {
        let base = format!("{base}/");
        if !rows.iter().any(|row| row.contains(&base)) {
            rows.push(format!("  {:<16} {base}NAME", "(all)"));
        }
    }
    let more = config.upstreams.len().saturating_sub(SHOWN);
    if more > 0 {
        rows.push(format!("  and {more} more: `upauth check --all`"));
    }
    if let Some(socket) = config.admin.listen.as_ref().and_then(Listen::unix) {
        rows.push(format!("  {:<16} unix:{}", "(status)", socket.display()));
    }
    if let Some(admin) = status(config, addrs) {
        rows.push(format!("  {:<16} http://{admin}", "(status)"));
    }
    rows.join("\n")
}

/// Where callers reach an upstream: its own listener first.
pub(super) fn base_url(config: &Config, upstream: &Upstream, addrs: &Addresses) -> String {
    let own = addrs.upstreams.get(&upstream.name);
    if let Some(own) = own.and_then(|own| reached::authority(&upstream.listen, own)) {
        return format!("{}://{own}", upstream.tls.scheme());
    }
    match reached::authority(&config.server.listen, &addrs.server) {
        Some(server) => {
            let scheme = config.server.tls.scheme();
            format!("{scheme}://{server}/{}", upstream.name)
        }
        None => in_a_file(config, upstream)
            .or_else(|| by_a_route(config, upstream, addrs))
            .unwrap_or_else(|| "-".to_owned()),
    }
}

/// Each entry of `[server] listen`, as callers name it.
fn of_all(config: &Config, addrs: &Addresses) -> impl Iterator<Item = String> {
    let scheme = config.server.tls.scheme();
    config.server.listen.iter().filter_map(move |listen| {
        if let Some(socket) = listen.unix() {
            return Some(format!("unix:{} {scheme}://localhost", socket.display()));
        }
        let asked = |bound: &&SocketAddr| {
            let mut addrs = listen.addrs.iter().filter_map(Address::tcp);
            addrs.any(|addr| addr.ip() == bound.ip() && [0, bound.port()].contains(&addr.port()))
        };
        let bound: Vec<_> = addrs.server.iter().filter(asked).copied().collect();
        let authority = reached::authority(std::slice::from_ref(listen), &bound)?;
        Some(format!("{scheme}://{authority}"))
    })
}

/// Where operators reach the proxy, unless that is a file.
pub(super) fn status(config: &Config, addrs: &Addresses) -> Option<String> {
    let listen = config.admin.listen.as_ref()?;
    reached::authority(std::slice::from_ref(listen), &[addrs.admin?])
}

/// The unix socket that leads to an upstream, and the address to name there.
fn in_a_file(config: &Config, upstream: &Upstream) -> Option<String> {
    let (socket, tls, path) = match upstream.listen.iter().find_map(Listen::unix) {
        Some(own) => (own, &upstream.tls, String::new()),
        None => {
            let server = config.server.listen.iter().find_map(Listen::unix)?;
            (server, &config.server.tls, format!("/{}", upstream.name))
        }
    };
    let (socket, scheme) = (socket.display(), tls.scheme());
    Some(format!("unix:{socket} {scheme}://localhost{path}"))
}

/// The first listener of a route's own that leads to an upstream.
fn by_a_route(config: &Config, upstream: &Upstream, addrs: &Addresses) -> Option<String> {
    let routes = config.routes.iter();
    let mut routes = routes.filter(|route| route.upstream == upstream.name);
    routes.find_map(|route| {
        let (scheme, path) = (config.server.tls.scheme(), &route.path);
        let own = addrs.routes.get(&route.name);
        if let Some(own) = own.and_then(|own| reached::authority(&route.listen, own)) {
            return Some(format!("{scheme}://{own}{path}"));
        }
        let socket = route.listen.iter().find_map(Listen::unix)?;
        Some(format!(
            "unix:{} {scheme}://localhost{path}",
            socket.display()
        ))
    })
}
