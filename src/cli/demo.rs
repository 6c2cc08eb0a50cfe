//! `upauth demo` and `upauth emulate`: the emulated providers, with and without the proxy in front.

use std::path::Path;
use std::{fs, io};

use tokio::runtime::Runtime;

use super::output::Output;
use super::run::{base_url, start, status, wait};
use super::signals::Held;
use super::{Exit, reached, shell};
use crate::app::Addresses;
use crate::config::server::Address;
use crate::config::{Config, SHIPPED, Upstream};
use crate::emulator::{Emulator, Settings};
use crate::provider::Provider;
use crate::server;

/// The emulator and the proxy in one process, on the shipped configuration.
pub(super) fn demo(out: &mut Output<'_>) -> Exit {
    let (runtime, emulator) = match emulator(out) {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let variables = emulator.variables();
    let env = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    let mut config = match Config::parse(SHIPPED, "proxy.toml", Path::new("."), &env) {
        Ok(checked) => checked.config,
        Err(problems) => {
            out.error(&problems.render(out.color));
            return Exit::Failed;
        }
    };
    if is_taken(&config) {
        out.error("port 7717 or 7718 is taken: this demo listens on free ports");
        take_free_ports(&mut config);
    }
    let started = match start(&config, Held::new(), out) {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    out.answer(&table(&config, &started.app.addrs(), &emulator));
    runtime.spawn(started.signals.clone().end_at_hangup());
    let exit = wait(started);
    drop(emulator);
    runtime.shutdown_background();
    exit
}

/// Whether somebody else listens where the demo would: a second demo, most likely.
fn is_taken(config: &Config) -> bool {
    let listens = config.server.listen.iter().chain(&config.admin.listen);
    listens
        .into_iter()
        .any(|listen| server::bind(listen, 1, server::Ours::default()).is_err())
}

fn take_free_ports(config: &mut Config) {
    for listen in config
        .server
        .listen
        .iter_mut()
        .chain(&mut config.admin.listen)
    {
        for addr in &mut listen.addrs {
            if let Address::Tcp(addr) = addr {
                addr.set_port(0);
            }
        }
    }
}

/// The emulator alone; prints what a configuration needs, or writes it into `file`, as lines that a shell can evaluate.
pub(super) fn emulate(file: Option<&Path>, out: &mut Output<'_>) -> Exit {
    let (runtime, emulator) = match emulator(out) {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let signals = match Held::new().and_then(Held::listen) {
        Ok(signals) => signals,
        Err(error) => {
            out.error(&format!("cannot listen for signals: {error}"));
            return Exit::Failed;
        }
    };
    let variables = emulator.variables().into_iter();
    let lines = variables.map(|(name, value)| format!("export {name}={}\n", shell::quoted(&value)));
    let lines: String = lines.collect();
    match file {
        None => out.answer(lines.trim_end()),
        Some(file) => {
            if let Err(error) = write_whole(file, &lines) {
                out.error(&format!("cannot write {}: {error}", file.display()));
                return Exit::Io;
            }
        }
    }
    out.answer(&format!(
        "# end all sessions: curl -X POST http://{0}/end-session/all\n\
         # a first refresh token: curl -X POST http://{0}/refresh-token/salesforce\n\
         # everything else that can be turned: curl http://{0}/",
        emulator.control()
    ));
    // Nobody could find it.
    if out.ended(Exit::Done) == Exit::Done {
        runtime.spawn(signals.clone().end_at_hangup());
        runtime.block_on(signals.stop.cancelled());
    }
    drop(emulator);
    runtime.shutdown_background();
    Exit::Done
}

/// Whoever sees the file sees all of it.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = Path::new(&beside);
    let written = fs::write(beside, text).and_then(|()| fs::rename(beside, file));
    if written.is_err() {
        let _ = fs::remove_file(beside);
    }
    written
}

fn emulator(out: &mut Output<'_>) -> Result<(Runtime, Emulator), Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("emulator")
        .enable_all()
        .build();
    let started = runtime.and_then(|runtime| {
        let emulator = runtime.block_on(Emulator::start(Settings::DEMO))?;
        Ok((runtime, emulator))
    });
    started.map_err(|error| {
        out.error(&format!("cannot start the emulator: {error}"));
        Exit::Io
    })
}

/// What the demo shows: where everything is, what to paste, and how to break it.
fn table(config: &Config, addrs: &Addresses, emulator: &Emulator) -> String {
    let mut rows = vec![
        format!(
            "upauth {}  demo: the providers are emulated in this process, nothing leaves this machine",
            env!("CARGO_PKG_VERSION")
        ),
        String::new(),
        format!("  {:<11} {:<22} address", "upstream", "provider"),
    ];
    rows.extend(
        config
            .upstreams
            .iter()
            .map(|upstream| row(config, upstream, addrs)),
    );
    rows.extend([
        String::new(),
        format!("  {:<10} {:<24} what", "listener", "address"),
    ]);
    rows.extend(listeners(config, addrs, emulator));
    rows.extend([
        String::new(),
        "  try it (no credential anywhere):".to_owned(),
    ]);
    rows.extend(
        config
            .upstreams
            .iter()
            .map(|upstream| call(config, upstream, addrs)),
    );
    rows.extend([
        String::new(),
        "  break it (end every session, then repeat a call: still 200, and the log says why):"
            .to_owned(),
        format!(
            "    curl -X POST http://{}/end-session/all",
            emulator.control()
        ),
        String::new(),
        "  your own org:  README.md, \"Your own org\"        stop: Ctrl-C".to_owned(),
    ]);
    rows.join("\n")
}

fn listeners(config: &Config, addrs: &Addresses, emulator: &Emulator) -> Vec<String> {
    let row = |name: &str, addr: String, what: &str| {
        let address = format!("http://{addr}");
        format!("  {name:<10} {address:<24} {what}")
    };
    let proxy = reached::authority(&config.server.listen, &addrs.server);
    let proxy = proxy.map(|addr| row("proxy", addr, "send plain requests here"));
    let paths = "/api/v1/status  /metrics  /readyz";
    let status = status(config, addrs).map(|addr| row("status", addr, paths));
    // As the providers do, it answers to its own names alone, and `localhost` is none of them.
    let login = "Salesforce's login; the others follow on the next ports";
    let emulator = row("emulator", emulator.login().to_string(), login);
    proxy.into_iter().chain(status).chain([emulator]).collect()
}

fn row(config: &Config, upstream: &Upstream, addrs: &Addresses) -> String {
    let provider = Provider::of(upstream).name;
    let address = base_url(config, upstream, addrs);
    format!("  {:<11} {provider:<22} {address}", upstream.name)
}

fn call(config: &Config, upstream: &Upstream, addrs: &Addresses) -> String {
    let mut calls = CALLS.iter();
    let own = calls.find(|(name, _)| *name == upstream.name);
    let path = own.map_or("/", |(_, path)| path);
    format!("    curl '{}{path}'", base_url(config, upstream, addrs))
}

/// A call for each upstream of the shipped configuration.
const CALLS: &[(&str, &str)] = &[
    (
        "crm",
        "/services/data/v64.0/query?q=SELECT+Name+FROM+Account",
    ),
    ("crm-user", "/services/data/v64.0/limits"),
    ("pricing", "/v1/LogicalEntityData/Product?$top=2"),
    ("billing", "/v1/accounts"),
    ("mail", "/asset/v1/content/assets?$pageSize=2"),
    ("mail-legacy", "/asset/v1/content/assets?$pageSize=2"),
    ("any", "/items"),
];
