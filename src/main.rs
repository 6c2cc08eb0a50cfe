//! Arguments in, exit code out.

use std::process::ExitCode;

/// It keeps the memory of large buffers for the next one, where the C library's allocator gives it back to the system and has it
/// mapped anew: a fifth of the time of a body of a megabyte (`docs/performance.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    upauth::cli::main()
}
