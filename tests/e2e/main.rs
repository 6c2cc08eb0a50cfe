//! Behaviour end to end: real sockets, the real `App`, the emulator or a scripted server as the upstream.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a test that panics has failed, which is what it is for"
)]

mod support;

/// Callers' keys.
mod access;
/// One line for each request.
mod access_log;
/// Health, metrics, status and renewal of the running proxy.
mod admin;
/// Connections to the upstreams: silent, used again, let go.
mod connections;
/// The files of `examples/`.
mod examples;
/// Path, query, headers, bodies and answers pass as they should.
mod forwarding;
/// Which Hosts are served, and which pages may call.
mod guard;
/// Hostile bytes from callers and upstreams, in tables.
mod hostile;
/// Upstreams that speak HTTP/2.
mod http2;
/// URLs in bodies that lead back to the proxy.
mod links;
/// Logins and logouts that are answered here.
mod local_login;
/// Marketing Cloud: business units, two hosts, dead sessions and their look-alikes.
mod marketing_cloud;
/// Marketing Cloud by a legacy package: its login, its own hosts.
mod marketing_cloud_legacy;
/// What bodies cost.
mod memory;
/// Any OAuth 2.0 server: clients, grants, dialects, dead tokens.
mod oauth2;
/// The proxy on the way out.
mod outbound;
/// What an upstream lets through.
mod policy;
/// The configuration is read again while requests go on.
mod reload;
/// Which requests are sent again, how often, and with which bytes.
mod replay;
/// Refresh tokens that have successors.
mod rotation;
/// Salesforce: grants, carriers, instances, dead sessions, refused paths.
mod salesforce;
/// Callers and the proxy: versions, TLS, slow callers, limits, ways, troubles, the drain.
mod server;
/// Tokens that outlive the process.
mod store;
/// Streams in both directions, disconnects, early and broken answers.
mod streaming;
/// The life of tokens through the whole product: sharing, renewing, failing.
mod token;
/// Two versions of the program at one store.
mod versions;
/// Who watches over the proxy, while others fill its listeners.
mod watchers;
/// Zilliant: the exact answer as credential, environments apart.
mod zilliant;
/// Zuora: track ids, entities, three dead shapes.
mod zuora;
