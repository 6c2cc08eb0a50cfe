//! What is told of a panic: where it was, and never its text.
//!
//! The text holds what the code had at hand: a slice of a string that begins within a letter prints the string.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::thread;

/// From now on each panic of this process is a diagnostic, with the thread and the place; with `RUST_BACKTRACE=1` the way to
/// it as well. Before there are diagnostics it is a line to standard error.
pub fn tell_places_alone() {
    panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("an unknown place");
    let thread = thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let way = Backtrace::capture();
    let way = (way.status() == BacktraceStatus::Captured).then(|| way.to_string());
    if tracing::dispatcher::has_been_set() {
        tracing::error!(place, thread, way, "a defect of this program: it panicked");
    } else {
        let way = way.unwrap_or_default();
        // Standard error may be closed: there is nobody left to tell.
        let _ = writeln!(
            io::stderr(),
            "a defect of this program: it panicked at {place}, thread {thread}\n{way}"
        );
    }
}
