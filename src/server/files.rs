//! Open files: callers get no more of them than leaves enough for those who are served and for those who watch.
//!
//! Each connection is one, and a request under way needs another to its upstream. Were they all callers', nothing could be
//! sent on for anybody, no operator would get in, and nothing could be written down.

use crate::config::server::Limits;

/// Asks the system for as many open files as `limits` need, and takes back what of their connections it has no room for. And says
/// how many connections to upstreams leave enough for all else.
pub fn fitted(mut limits: Limits) -> (Limits, usize) {
    // Over HTTP/2 a caller has many requests on one connection, each of which may have its own to the upstream.
    let outgoing = limits.connections.max(limits.requests_in_flight);
    let wanted = u64::try_from(limits.connections + outgoing).unwrap_or(u64::MAX / 2) + RESERVE;
    let Some(files) = allowed(wanted) else {
        return (limits, usize::MAX);
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
    let outgoing = rest(files, limits.connections);
    (limits, outgoing)
}

/// How many connections of callers leave enough of so many open files.
fn places(files: u64) -> usize {
    usize::try_from((files - reserve(files)) / 2)
        .unwrap_or(usize::MAX)
        .max(1)
}

/// How many connections to upstreams do, beside so many of callers.
fn rest(files: u64, callers: usize) -> usize {
    usize::try_from(files - reserve(files))
        .unwrap_or(usize::MAX)
        .saturating_sub(callers)
        .max(1)
}

fn reserve(files: u64) -> u64 {
    RESERVE.min(files / 2)
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
            assert_eq!(rest(files, most), most, "{files}");
        }
        // Who has few callers has more upstreams.
        assert_eq!(rest(1024, 100), 668);
        // What is asked for is enough.
        for connections in [1, 2, 100, 127, 128, 129, 10_000, 1_000_000] {
            let wanted = 2 * connections + RESERVE;
            assert!(places(wanted) as u64 >= connections, "{connections}");
        }
    }
}
