//! Arguments in, exit code out.

use std::process::ExitCode;

/// A new connection costs a tenth less than with the C library's allocator, and an idle caller two fifths less memory, for 9 MiB
/// more at the start (`docs/performance.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    upauth::cli::main()
}
