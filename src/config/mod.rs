//! What the operator decided: `proxy.toml`, read into values that cannot be wrong.

pub mod access;
pub mod admin;
pub mod log;
pub mod outbound;
pub mod route;
pub mod salesforce;
pub mod server;
pub mod upstream;
pub mod zilliant;
pub mod zuora;

pub use self::access::Access;
pub use self::admin::Admin;
pub use self::log::Log;
pub use self::outbound::Leg;
pub use self::route::Route;
pub use self::server::Server;
pub use self::upstream::{Provider, Upstream};

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[server]`.
    pub server: Server,
    /// `[access]`.
    pub access: Access,
    /// `[admin]`.
    pub admin: Admin,
    /// `[log]`.
    pub log: Log,
    /// `[upstream.NAME]`, in the order of the file.
    pub upstreams: Vec<Upstream>,
    /// `[route.NAME]`, in the order of the file.
    pub routes: Vec<Route>,
}
