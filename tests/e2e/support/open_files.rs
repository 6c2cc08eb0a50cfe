//! Open files: both ends of a crowd are in one process, which many systems let have 1024 unless it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Has this process, and whichever it starts, open as many files as it may.
pub fn as_many_as_there_may_be() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    // What is too few then is told by whoever finds no more.
    let _ = setrlimit(Resource::Nofile, limit);
}
