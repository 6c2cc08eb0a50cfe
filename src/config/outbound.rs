//! `[outbound]` and its per-leg forms: how connections to the outside are made.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::proxy::Proxy;
use super::reading::{Pem, Reading};
use super::section::{Item, Leftover, Section};
use super::value::Zero;

/// One leg: to the token endpoint (`[upstream.NAME.token]`) or to the API (`[upstream.NAME.api]`),
/// with what `[outbound]` and the upstream say already merged in.
#[derive(Clone, Debug)]
pub struct Leg {
    /// PEM files of further authorities, added to the system's.
    pub ca: Vec<PathBuf>,
    /// Time for name resolution, TCP and TLS together. Default 5 s.
    pub connect_timeout: Duration,
    /// The proxy on the way.
    pub proxy: Option<Proxy>,
}

impl Leg {
    /// `[outbound]`.
    pub(super) fn read(mut table: Section<'_>, reading: &mut Reading<'_>) -> Self {
        let default = Self {
            ca: Vec::new(),
            connect_timeout: CONNECT_TIMEOUT,
            proxy: match table.has("proxy") {
                true => None,
                false => Proxy::of_env(reading),
            },
        };
        let leg = default.narrowed(&mut table, reading);
        table.finish(Leftover::default(), reading);
        leg
    }

    /// The same with what `table`, an upstream, says instead.
    pub(super) fn narrowed(&self, table: &mut Section<'_>, reading: &mut Reading<'_>) -> Self {
        let ca = table
            .take("ca", reading)
            .and_then(|item| authorities(item, reading));
        Self {
            ca: ca.unwrap_or_else(|| self.ca.clone()),
            connect_timeout: table.duration(
                "connect_timeout",
                self.connect_timeout,
                Zero::Refused,
                reading,
            ),
            proxy: Proxy::read(table, reading).unwrap_or_else(|_| self.proxy.clone()),
        }
    }

    /// The same with what `[upstream.NAME.token]` or `[upstream.NAME.api]` says instead.
    pub(super) fn of_section(&self, mut table: Section<'_>, reading: &mut Reading<'_>) -> Self {
        let leg = self.narrowed(&mut table, reading);
        table.finish(Leftover::default(), reading);
        leg
    }
}

/// `{ file = "PATH" }`, or a list of them.
fn authorities(item: Item<'_>, reading: &mut Reading<'_>) -> Option<Vec<PathBuf>> {
    let items = match item.value {
        DeValue::Array(_) => item.elements(),
        _ => vec![item],
    };
    let items = items.into_iter();
    let files = items.filter_map(|item| item.file(Pem::Authorities, reading));
    Some(files.collect())
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
