//! `upauth check`: everything that is wrong with a configuration, without a login.

use std::path::Path;

use super::output::Output;
use super::{Exit, load};

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
        Ok(runtime) => runtime.block_on(checked.check_references()),
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
            "{} of the references in {} cannot be read. `upauth run` starts without a credential, whose upstream is then unavailable, but not without a certificate.",
            problems.len(),
            path.display()
        ));
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
