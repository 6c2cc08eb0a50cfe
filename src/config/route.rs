//! `[route.NAME]`: a narrower way to an upstream.

use http::Method;

use super::server::Listen;
use crate::message::PathRule;

/// `[route.NAME]`. An upstream with routes is reached only through them.
#[derive(Clone, Debug)]
pub struct Route {
    /// NAME.
    pub name: String,
    /// The upstream it leads to.
    pub upstream: String,
    /// Path prefix on a segment boundary (`/crm`), stripped. Empty: none.
    pub path: String,
    /// A host name of its own, lower case.
    pub host: Option<String>,
    /// Listeners of its own.
    pub listen: Vec<Listen>,
    /// Allowed methods; empty: all that the upstream allows.
    pub methods: Vec<Method>,
    /// Further denied paths.
    pub deny: Vec<PathRule>,
    /// GET, HEAD and OPTIONS only.
    pub read_only: bool,
}
