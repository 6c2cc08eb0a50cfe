//! `[admin]`: where the proxy can be looked at.

use super::server::Listen;

/// `[admin]`.
#[derive(Clone, Debug)]
pub struct Admin {
    /// API, health and metrics. Default `localhost:7718`; `""` switches it off.
    pub listen: Option<Listen>,
    /// Health and metrics only, for any Host. Default off.
    pub health_listen: Option<Listen>,
}
