//! Ways around a listener: an upstream of which one listener asks for something that another does not ask for.

use super::reading::Reading;
use super::server::Listen;
use super::{Config, Upstream};
use crate::code;

/// Warns of listeners of upstreams' own whose callers could as well come by `[server] listen`, where less is asked for.
///
/// A listener of a route's own is no matter: a route that has one is nowhere else, and another route was meant to lead
/// elsewhere. Nor is a unix socket in `[server] listen`, which has a mode.
pub(super) fn warn(config: &Config, reading: &mut Reading<'_>) {
    let server = &config.server;
    let mut shared = server.listen.iter().filter_map(Listen::tcp);
    if shared.next().is_none() || server.tls.asks_for_certificates() {
        return;
    }
    for upstream in &config.upstreams {
        if !answers_at_both(upstream, config) {
            continue;
        }
        let Some(first) = upstream.listen.first() else {
            continue;
        };
        let (message, help) = if upstream.tls.asks_for_certificates() {
            ("without a certificate", CERTIFICATES)
        } else if is_private(upstream) && !config.access.serves_strangers() {
            ("for everybody on this machine", PRIVATE)
        } else {
            continue;
        };
        let place = reading.place_of(first);
        let message = format!(
            "`{}` also answers at [server] listen, {message}",
            upstream.name
        );
        reading
            .problem(&code::WAY_AROUND, place, message)
            .label("this listener asks for more")
            .help(help)
            .warning();
    }
}

/// Whether what answers at an upstream's own listeners answers at those of the server, too.
fn answers_at_both(upstream: &Upstream, config: &Config) -> bool {
    let routes = config.routes.iter();
    let mut routes = routes
        .filter(|route| route.upstream == upstream.name)
        .peekable();
    let open = routes.peek().is_none();
    open || routes.any(|route| route.host.is_none() && route.listen.is_empty())
}

/// Whether its own listeners are files alone, that only user and group may connect to.
fn is_private(upstream: &Upstream) -> bool {
    upstream.listen.iter().all(|listen| listen.unix().is_some())
}

const CERTIFICATES: &str = "write client_ca into [server] tls, too; or [server] listen = \"\", if every upstream and route that is called has a listener of its own";
const PRIVATE: &str = "ask for [access] keys (`upauth key NAME` makes one); or write the socket into a [route.NAME] of the upstream, which then is there alone; or [server] listen = \"\"";
