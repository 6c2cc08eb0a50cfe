//! What the operator decided: `proxy.toml`, read into values that cannot be wrong.
//!
//! One file per section and per provider. Each has the typed values with their defaults, and reads them out of a
//! `Section`; what is wrong becomes a [`Problem`], all of them at once. Nothing here opens a socket or asks a token
//! endpoint. `{ file }` and `{ command }` are read with the configuration, except those of credentials, which are
//! read at each login (and by [`Checked::check_references`]).

pub mod access;
pub mod admin;
pub mod carrier;
pub mod keys;
pub mod listen;
pub mod log;
pub mod marketing_cloud;
pub mod marketing_cloud_legacy;
pub mod oauth2;
pub mod org;
pub mod outbound;
pub mod policy;
pub mod proxy;
pub mod route;
pub mod salesforce;
pub mod server;
pub mod store;
pub mod upstream;
pub mod zilliant;
pub mod zuora;

mod around;
mod credential;
mod defaults;
mod exposed;
mod files;
mod header;
mod http2;
mod load;
mod mask;
mod names;
mod nearest;
mod origin;
mod problem;
mod reading;
mod reference;
mod section;
mod text;
mod value;
mod written;

pub use self::access::Access;
pub use self::admin::Admin;
pub use self::credential::Rotates;
pub use self::load::Checked;
pub use self::log::Log;
pub use self::names::is_name;
pub use self::nearest::{SHOWN, listed, nearest};
pub use self::outbound::Leg;
pub use self::problem::{Problem, Problems};
pub use self::proxy::Proxy;
pub use self::reading::Pem;
pub use self::route::Route;
pub use self::server::Server;
pub use self::store::Store;
pub use self::upstream::{Provider, Upstream};
pub use self::written::{Change, What, Written};

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
    /// `[store]`.
    pub store: Store,
    /// `[upstream.NAME]`, in the order of the file.
    pub upstreams: Vec<Upstream>,
    /// `[route.NAME]`, in the order of the file.
    pub routes: Vec<Route>,
    /// What stands in the file, without values.
    pub written: Written,
}

/// The shipped `proxy.toml`: every key with its default, and what `demo` runs.
pub const SHIPPED: &str = include_str!("../../proxy.toml");

#[cfg(test)]
mod tests;
