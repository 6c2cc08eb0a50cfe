//! What is in memory stays there.

/// From now on the system writes no core dump of this process, nor of programs that it runs: a file with the secrets and tokens that
/// were in memory. A program in `kernel.core_pattern` is run all the same (core(5)).
pub fn without_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};

        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        // To less than before: nobody refuses that.
        let _ = setrlimit(Resource::Core, none);
    }
}
