//! Open files: callers get no more of them than leaves enough for those who are served and for those who watch.
//!
//! Each connection is one, and a request under way needs another to its upstream. Were they all callers', nothing could be
//! sent on for anybody, no operator would get in, and nothing could be written down.

use crate::config::server::Limits;

/// Asks the system for as many open files as `limits` need, and takes back what of their connections it has no room for.
pub fn fitted(mut limits: Limits) -> Limits {
    let wanted = 2 * u64::try_from(limits.connections).unwrap_or(u64::MAX / 4) + RESERVE;
    let Some(files) = allowed(wanted) else {
        return limits;
    };
    let most = places(files);
    if most < limits.connections {
        let told = format!(
            "[server.limits] connections = {} would need {wanted} open files, and the system allows {files} (RLIMIT_NOFILE, `ulimit -Hn`): \
             at most {most} connections of callers are served at once",
            limits.connections
        );
        // A little less than asked for is nobody's trouble.
        match most < limits.connections / 2 {
            true => tracing::warn!("{told}"),
            false => tracing::debug!("{told}"),
        }
        limits.connections = most;
    }
    limits
}

/// How many connections of callers leave enough of so many open files.
fn places(files: u64) -> usize {
    let reserve = RESERVE.min(files / 2);
    usize::try_from((files - reserve) / 2)
        .unwrap_or(usize::MAX)
        .max(1)
}

/// How many open files the system allows, once it was asked for `wanted`. `None`: any number.
///
/// No more is asked for than is needed: programs that are run inherit it, and some look at each file that they might have.
#[cfg(unix)]
fn allowed(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = maximum.map_or(wanted, |most| most.min(wanted));
    if current? < raised {
        let limit = Rlimit {
            current: Some(raised),
            maximum,
        };
        // Where that is refused, what there is counts.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
fn allowed(_: u64) -> Option<u64> {
    None
}

/// Files for all but callers and their requests: listeners, operators, logins, the store, logs, programs that are run. Of few files
/// it is half.
const RESERVE: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_leave_as_many_files_as_they_have_and_a_reserve() {
        let rows = [
            (1024, 384),
            (20_256, 10_000),
            (512, 128),
            (256, 64),
            (64, 16),
            (3, 1),
            (0, 1),
        ];
        for (files, most) in rows {
            assert_eq!(places(files), most, "{files}");
        }
        // What is asked for is enough.
        for connections in [1, 2, 100, 127, 128, 129, 10_000, 1_000_000] {
            let wanted = 2 * connections + RESERVE;
            assert!(places(wanted) as u64 >= connections, "{connections}");
        }
    }
}
