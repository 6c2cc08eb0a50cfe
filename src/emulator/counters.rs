//! What the emulator has seen: numbers for tests and for the demo's page. Never a credential.

use std::collections::BTreeMap;

use serde::Serialize;

/// A snapshot of what the emulator has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests to the Salesforce token endpoints.
    pub token_requests: u64,
    /// Requests to Zuora's token endpoint.
    pub billing_token_requests: u64,
    /// Requests to Marketing Cloud's token endpoint, first generation.
    pub legacy_token_requests: u64,
    /// Requests to Marketing Cloud's token endpoint, second generation.
    pub cloud_token_requests: u64,
    /// Requests to the OAuth 2.0 server's token endpoint.
    pub oauth2_token_requests: u64,
    /// How its clients proved who they are: `body`, `basic_rfc`, `basic_raw`, `private_key_jwt`, `none`.
    pub client_auth: BTreeMap<&'static str, u64>,
    /// Assertions that were used a second time, and refused.
    pub replayed_assertions: u64,
    /// Tokens that were issued, by provider and grant: `marketing-cloud-legacy offline`.
    pub grants: BTreeMap<String, u64>,
    /// Refresh tokens that were used again after they were spent, whatever came of it.
    pub spent_refresh_tokens: u64,
    /// Families of refresh tokens that were ended, with the sessions that came from them.
    pub revoked_families: u64,
    /// The most token requests (of all) that were under way at once.
    pub token_requests_at_once: u64,
    /// Successful logins by Salesforce user or Zuora client.
    pub logins: BTreeMap<String, u64>,
    /// Logins that were refused.
    pub refused_logins: u64,
    /// Token requests that carried parameters in the query string.
    pub credentials_in_query: u64,
    /// API requests by listener.
    pub api_requests: BTreeMap<&'static str, u64>,
    /// API requests answered as having a dead session (or token).
    pub dead_sessions: u64,
    /// API requests that carried a credential which is not the proxy's.
    pub dummy_credentials: u64,
    /// API requests with `Authorization` and `X-SFDC-Session` that differ.
    pub both_header_forms: u64,
    /// Requests to the foreign host of results that carried a credential.
    pub credentials_at_files: u64,
    /// Requests whose `Host` is another than the listener's own.
    pub wrong_host: u64,
    /// Marketing Cloud requests for what belongs to another account than the token.
    pub other_accounts: u64,
    /// Zilliant requests with a token that belongs to the other environment.
    pub mixed_environments: u64,
    /// Bytes of request bodies received by `drain`.
    pub bytes_drained: u64,
    /// Connections accepted, all listeners together.
    pub connections: u64,
    /// Event streams that are open.
    pub event_streams: u64,
    /// Sessions and tokens that are alive.
    pub live: u64,
}
