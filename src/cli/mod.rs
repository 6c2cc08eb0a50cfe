//! Arguments in, exit code out: what the commands are called, and what they print.
//!
//! Answers go to standard output, everything else to standard error. This is the only room that reads the
//! environment.

mod args;
mod asking;
mod check;
mod demo;
mod env;
mod exit;
mod explain;
mod init;
mod key;
mod likely;
mod live;
mod output;
mod papers;
mod reached;
mod run;
mod shell;
mod signals;
mod told;
mod version;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use self::args::{Arguments, Command, TokenCommand};
pub use self::exit::Exit;
use self::output::Output;
use crate::config::{Checked, Config, Upstream, nearest};
use crate::secret::memory;
use crate::telemetry;

/// The whole program: reads the arguments, runs the command.
pub fn main() -> ExitCode {
    telemetry::panics::tell_places_alone();
    memory::without_core_dumps();
    let mut out = Output::of_process();
    let exit = match Arguments::try_parse() {
        Ok(arguments) => execute(arguments.command, &mut out),
        Err(message) => shown(&message, &mut out),
    };
    exit.into()
}

/// What clap says itself: help and the version, or that the arguments are wrong.
fn shown(message: &clap::Error, out: &mut Output<'_>) -> Exit {
    let written = message.print();
    if message.use_stderr() {
        return Exit::Usage;
    }
    out.answered(written);
    out.ended(Exit::Done)
}

fn execute(command: Command, out: &mut Output<'_>) -> Exit {
    // What these print is not what they are for.
    let serves = matches!(command, Command::Run { .. } | Command::Demo);
    let exit = run_command(command, out);
    if serves { exit } else { out.ended(exit) }
}

fn run_command(command: Command, out: &mut Output<'_>) -> Exit {
    match command {
        Command::Run { config, listen } => run::run(&config, listen.as_deref(), out),
        Command::Demo => demo::demo(out),
        Command::Emulate { file } => demo::emulate(file.as_deref(), out),
        Command::Init { config, wishes } => {
            let stdin = std::io::stdin();
            let somebody = stdin.is_terminal();
            let mut asked = stdin.lock();
            let asked = somebody.then_some(&mut asked as &mut dyn std::io::BufRead);
            init::run(&config, &wishes, asked, out)
        }
        Command::Check {
            config,
            all,
            live: None,
        } => check::run(&config, all, out),
        Command::Check {
            config,
            live: Some(name),
            ..
        } => live::check(&config, name.as_deref(), out),
        Command::Token(TokenCommand::Show { config, name, yes }) => {
            live::show(&config, &name, yes, out)
        }
        Command::Token(TokenCommand::Renew { config, name }) => asking::renew(&config, &name, out),
        Command::Status { config, json } => asking::status(&config, json, out),
        Command::Retry { config, name } => asking::retry(&config, &name, out),
        Command::Reload { config } => asking::reload(&config, out),
        Command::Health { config } => asking::health(&config, out),
        Command::Env { config, name, json } => env::run(&config, &name, json, out),
        Command::Key { name } => key::run(&name, out),
        Command::Explain { code } => explain::run(code.as_deref(), out),
        Command::Completions { shell } => papers::completions(shell, out),
        Command::Man { folder } => papers::man(folder.as_deref(), out),
        Command::Version { json } => version::run(json, out),
    }
}

/// Reads the configuration; prints its warnings, or all that is wrong with it.
pub(crate) fn load(path: &Path, out: &mut Output<'_>) -> Result<Checked, Exit> {
    match Config::load(path, &environment) {
        Ok(checked) => {
            for warning in &checked.warnings {
                let drawn = warning.render(out.color);
                out.error(&format!("{drawn}\n"));
            }
            Ok(checked)
        }
        Err(problems) => {
            let drawn = problems.render(out.color);
            out.error(&drawn);
            Err(Exit::Config)
        }
    }
}

/// The upstream of this name, or the complaint that there is none.
fn upstream<'a>(
    config: &'a Config,
    name: &str,
    out: &mut Output<'_>,
) -> Result<&'a Upstream, Exit> {
    config.upstream(name).ok_or_else(|| {
        let upstreams = config.upstreams.iter();
        let names: Vec<_> = upstreams.map(|upstream| upstream.name.as_str()).collect();
        unknown(name, &names, out)
    })
}

fn unknown(name: &str, names: &[&str], out: &mut Output<'_>) -> Exit {
    out.error(&format!(
        "there is no upstream `{name}`; there are: {}",
        nearest(name, names)
    ));
    Exit::Usage
}

/// A variable of the environment.
pub(crate) fn environment(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests;
