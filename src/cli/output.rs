//! [`Output`]: standard output and standard error, or what a test puts in their place.

use std::io::{self, IsTerminal, Write};

/// Where answers and complaints go.
pub(crate) struct Output<'a> {
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
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
        }
    }
}

impl<'a> Output<'a> {
    /// Writes an answer. Who reads it may have gone, which is nobody's problem.
    pub(crate) fn answer(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
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
            color: false,
        }
    }
}
