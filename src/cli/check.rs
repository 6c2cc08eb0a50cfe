//! `upauth check`: everything that is wrong with a configuration, without a login.

use std::path::Path;
use std::time::Duration;

use super::output::Output;
use super::{Exit, load};
use crate::app::leftovers::leftovers;
use crate::config::server::ListenTls;
use crate::config::{Config, SHOWN, Upstream, listed};
use crate::tls;
use crate::token::store::Leftover;

pub(super) fn run(path: &Path, all: bool, out: &mut Output<'_>) -> Exit {
    let checked = match load(path, out) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    // Files and programs behind secrets are read at each login; here they are read once, to see whether they can be.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            out.error(&format!("cannot start: {error}"));
            return Exit::Failed;
        }
    };
    let references = checked
        .check_references(|path, what| tls::check(path, what).map_err(|error| error.to_string()));
    let problems = runtime.block_on(references);
    if !problems.is_empty() {
        for problem in &problems {
            let drawn = problem.render(out.color);
            out.error(&format!("{drawn}\n"));
        }
        out.error(&format!(
            "{} of the references in {} cannot be used. `upauth run` starts without those of an upstream, which is unavailable until they can, \
             but not without those of a listener or of the store.",
            problems.len(),
            path.display()
        ));
        return Exit::Config;
    }
    if let Err(why) = pairs(&checked.config) {
        out.error(&why);
        return Exit::Config;
    }
    let names: Vec<_> = checked
        .config
        .upstreams
        .iter()
        .map(|upstream| upstream.name.as_str())
        .collect();
    let named = match all {
        true => names.join(", "),
        false => listed(&names),
    };
    out.answer(&format!("{} is sound: {named}", path.display()));
    if !all && names.len() > SHOWN {
        out.error("--all names every upstream");
    }
    match runtime.block_on(leftovers(&checked.config)) {
        Ok(leftovers) => tell(&leftovers, out),
        Err(error) => out.error(&format!("the store was not looked into: {error}")),
    }
    Exit::Done
}

fn tell(leftovers: &[Leftover], out: &mut Output<'_>) {
    if leftovers.is_empty() {
        return;
    }
    out.error("The store has refresh tokens that no upstream of this file goes on from:");
    for leftover in leftovers {
        let of = match &leftover.upstream {
            Some(upstream) => format!("of `{upstream}`, "),
            None => String::new(),
        };
        let (path, used) = (leftover.path.display(), ago(leftover.unused));
        out.error(&format!("  {path}  {of}last used {used}"));
    }
    out.error("They stay, for upstreams that come back. To remove one for ever: rm FILE*");
}

fn ago(time: Duration) -> String {
    match time.as_secs() / DAY {
        0 => "less than a day ago".to_owned(),
        1 => "a day ago".to_owned(),
        days => format!("{days} days ago"),
    }
}

/// Whether each certificate of a listener has its key.
fn pairs(config: &Config) -> Result<(), String> {
    let own = |upstream: &Upstream| (format!("upstream.{}", upstream.name), upstream.tls.clone());
    let upstreams = config.upstreams.iter().map(own);
    let server = ("server".to_owned(), config.server.tls.clone());
    for (section, tls) in std::iter::once(server).chain(upstreams) {
        if let ListenTls::Files { .. } = tls
            && let Err(error) = tls::server(&tls, &[], None)
        {
            return Err(format!("[{section}] tls: {error}"));
        }
    }
    Ok(())
}

const DAY: u64 = 24 * 3600;
