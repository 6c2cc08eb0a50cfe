//! `[admin]`: where the proxy can be looked at.

use super::listen;
use super::reading::{ForWhom, Reading};
use super::section::{Leftover, Section};
use super::server::Listen;
use crate::code;

/// `[admin]`.
#[derive(Clone, Debug)]
pub struct Admin {
    /// API, health and metrics. Default `localhost:7718`; `""` switches it off.
    pub listen: Option<Listen>,
    /// Health and metrics only, for any Host. Default off.
    pub health_listen: Option<Listen>,
}

impl Admin {
    pub(super) fn read(mut table: Section<'_>, reading: &mut Reading<'_>) -> Self {
        let given = table.has("listen");
        let mut listen = one(&mut table, "listen", ForWhom::Operators, reading);
        if !given {
            listen = DEFAULT_LISTEN.parse().ok();
            if let Some(each) = &listen {
                listen::note(each, 0..0, ForWhom::Operators, reading);
            }
        }
        let health_listen = one(&mut table, "health_listen", ForWhom::Anybody, reading);
        table.finish(Leftover::default(), reading);
        Self {
            listen,
            health_listen,
        }
    }
}

fn one(
    table: &mut Section<'_>,
    key: &'static str,
    for_whom: ForWhom,
    reading: &mut Reading<'_>,
) -> Option<Listen> {
    let span = table.span_of(key);
    let mut listens = table.listen(key, for_whom, reading)?;
    if listens.len() > 1 {
        let message = format!("`{key}` takes one address");
        reading
            .problem(&code::WRONG_TYPE, span, message)
            .help("\"localhost\" is both loopback families");
    }
    listens.pop()
}

const DEFAULT_LISTEN: &str = "localhost:7718";
