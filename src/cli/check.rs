//! `upauth check`: everything that is wrong with a configuration, without a login.

use std::path::Path;

use super::output::Output;
use super::{Exit, load};
use crate::config::server::ListenTls;
use crate::config::{Config, Upstream};
use crate::tls;

pub(super) fn run(path: &Path, out: &mut Output<'_>) -> Exit {
    let checked = match load(path, out) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    // Files and programs behind secrets are read at each login; here they are read once, to see whether they can be.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let problems = match runtime {
        Ok(runtime) => runtime.block_on(checked.check_references(|path, what| {
            tls::check(path, what).map_err(|error| error.to_string())
        })),
        Err(error) => {
            out.error(&format!("cannot start: {error}"));
            return Exit::Failed;
        }
    };
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
    out.answer(&format!(
        "{} is sound: {}",
        path.display(),
        names.join(", ")
    ));
    Exit::Done
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
