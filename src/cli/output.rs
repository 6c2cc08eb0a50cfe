//! [`Output`]: standard output and standard error, or what a test puts in their place.

use std::io::{self, IsTerminal, Write};

use super::Exit;

/// Where answers and complaints go.
pub(crate) struct Output<'a> {
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
    /// An answer could not be written.
    lost: bool,
    /// Whether complaints are in color.
    pub(crate) color: bool,
}

impl Output<'static> {
    /// Those of the process. Color only on a terminal, and not where `NO_COLOR` is set.
    ///
    /// They are locked for each line only: while the proxy runs, its log needs them too.
    pub(crate) fn of_process() -> Self {
        let no_color = super::environment("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            color: io::stderr().is_terminal() && !no_color,
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            lost: false,
        }
    }
}

impl<'a> Output<'a> {
    /// Writes an answer.
    pub(crate) fn answer(&mut self, text: &str) {
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        self.answered(written);
    }

    /// Takes note of how the writing of an answer went. Who reads it may have gone, which is nobody's problem.
    pub(super) fn answered(&mut self, written: io::Result<()>) {
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
            && !self.lost
        {
            self.lost = true;
            self.error(&format!(
                "standard output cannot be written, the answer is lost: {error}"
            ));
        }
    }

    /// How a command ends that would end with `exit`, had its answers been read.
    pub(super) fn ended(&self, exit: Exit) -> Exit {
        match self.lost {
            true => exit.max(Exit::Io),
            false => exit,
        }
    }

    /// Writes a complaint.
    pub(crate) fn error(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }

    /// What a test reads afterwards.
    #[cfg(test)]
    pub(crate) fn into(out: &'a mut Vec<u8>, err: &'a mut Vec<u8>) -> Self {
        Self {
            out: Box::new(out),
            err: Box::new(err),
            lost: false,
            color: false,
        }
    }
}
