//! `upauth completions` and `upauth man`: what a package installs beside the program, made from its arguments.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Exit;
use super::args::Arguments;
use super::output::Output;

pub(super) fn completions(shell: Shell, out: &mut Output<'_>) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    out.answer(String::from_utf8_lossy(&script).trim_end());
    Exit::Done
}

/// The page of the program, or into a folder one for each command.
pub(super) fn man(folder: Option<&Path>, out: &mut Output<'_>) -> Exit {
    let written = match folder {
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder)),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command())
                .render(&mut page)
                .map(|()| out.answer(String::from_utf8_lossy(&page).trim_end()))
        }
    };
    match (written, folder) {
        (Ok(()), _) => Exit::Done,
        (Err(error), folder) => {
            let folder = folder.unwrap_or(Path::new("")).display();
            out.error(&format!("cannot write manual pages to {folder}: {error}"));
            Exit::Io
        }
    }
}

const NAME: &str = "upauth";
