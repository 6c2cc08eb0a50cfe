//! `upauth check --live` and `upauth token show`: real logins, and what the provider said to them.

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use super::output::Output;
use super::{Exit, likely, load, shell, upstream};
use crate::app::live::{Login, Logins};
use crate::config::Upstream;
use crate::provider::{CarrierForm, LoginFailure, Strange};

/// Logs in at `name`, or at every upstream, and says what came of it.
pub(super) fn check(path: &Path, name: Option<&str>, out: &mut Output<'_>) -> Exit {
    let checked = match load(path, out) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    let chosen: Vec<&Upstream> = match name {
        None => checked.config.upstreams.iter().collect(),
        Some(name) => match upstream(&checked.config, name, out) {
            Ok(upstream) => vec![upstream],
            Err(exit) => return exit,
        },
    };
    let mut worst = Exit::Done;
    let mut logins = Logins::default();
    for upstream in chosen {
        match logins.log_in(upstream, &checked.config.store) {
            Ok(Some(login)) => worst = worst.max(tell(upstream, &login, path, out)),
            Ok(None) => not_tried(upstream, out),
            Err(error) => {
                out.error(&format!("{}: {error}", upstream.name));
                worst = worst.max(Exit::Config);
            }
        }
    }
    worst
}

/// Logs in from the configuration and prints the token: the only thing that ever prints one.
pub(super) fn show(path: &Path, name: &str, yes: bool, out: &mut Output<'_>) -> Exit {
    let checked = match load(path, out) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    let upstream = match upstream(&checked.config, name, out) {
        Ok(upstream) => upstream,
        Err(exit) => return exit,
    };
    if !yes && !asked(name, out) {
        out.error("nothing was printed");
        return Exit::Failed;
    }
    match Logins::default().log_in(upstream, &checked.config.store) {
        Ok(Some(login)) => match &login.result {
            Ok(credential) => {
                out.answer(
                    credential
                        .value(CarrierForm::Token)
                        .to_str()
                        .unwrap_or_default(),
                );
                Exit::Done
            }
            Err(_) => tell(upstream, &login, path, out),
        },
        Ok(None) => {
            not_tried(upstream, out);
            Exit::Refused
        }
        Err(error) => {
            out.error(&error.to_string());
            Exit::Config
        }
    }
}

fn not_tried(upstream: &Upstream, out: &mut Output<'_>) {
    out.error(&format!(
        "{:<16} not tried: the password of its user was just refused, and each try counts towards a lock-out",
        upstream.name
    ));
}

fn tell(upstream: &Upstream, login: &Login, path: &Path, out: &mut Output<'_>) -> Exit {
    let Err(failure) = &login.result else {
        let target = login.target.as_deref().unwrap_or("-");
        let took = login.took.as_millis();
        out.answer(&format!(
            "{:<16} ok: token in {took} ms, calls go to {target}",
            upstream.name
        ));
        return Exit::Done;
    };
    let (likely, exit) = match failure {
        LoginFailure::Refused { what, .. } => {
            (likely::refused(*what, &upstream.provider), Exit::Refused)
        }
        LoginFailure::Transient { .. } => {
            (likely::unavailable(&upstream.provider), Exit::Unavailable)
        }
        LoginFailure::TargetRefused {
            why: Strange::OtherOrg,
            ..
        } => (
            "login_url or user of another org; or expect_org, if this is the right one",
            Exit::Refused,
        ),
        LoginFailure::TargetRefused { .. } => (
            "the host is new, or not yours: write it into instance_hosts if it is right, and environment as it is",
            Exit::Refused,
        ),
        LoginFailure::Secret { .. } => (
            "a file or program: a secret, a key, or the one that prints the token",
            Exit::Config,
        ),
        LoginFailure::Store { .. } => (
            "the folder of [store] is full, not writable, or not the one it was",
            Exit::Unavailable,
        ),
    };
    out.error(&format!(
        "{:<16} failed\n  request   {}\n  answer    {failure}\n  likely    {likely}\n  again     upauth check --live {}{}",
        upstream.name,
        login.request,
        upstream.name,
        shell::with_config(path)
    ));
    exit
}

fn asked(name: &str, out: &mut Output<'_>) -> bool {
    if !std::io::stdin().is_terminal() {
        out.error(
            "standard input is not a terminal: add --yes to print a token without being asked",
        );
        return false;
    }
    out.error(&format!(
        "Print the token of `{name}`? Whoever sees it can use it. [y/N]"
    ));
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    matches!(line.trim(), "y" | "Y" | "yes")
}
