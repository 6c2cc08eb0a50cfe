//! What is usually behind a login that failed, by provider: the pages in `docs/providers` say more.

use crate::config::Provider;
use crate::provider::Refused;

/// Behind a refusal.
pub(super) fn refused(what: Refused, provider: &Provider) -> &'static str {
    use Provider::{MarketingCloud, MarketingCloudLegacy, OAuth2, Salesforce, Zilliant, Zuora};
    match (what, provider) {
        (Refused::Password, Salesforce(_) | Zilliant(_)) => {
            "user name, password or security token; a locked user; the password flow is blocked in this org; a sandbox user at \
             the production login host"
        }
        (Refused::Password, _) => {
            "user name or password; a locked user; or the answer is in words of the server's own: fields, success"
        }
        (Refused::Client, Salesforce(_) | Zilliant(_)) => {
            "client id, secret, key or refresh token; the app is not installed in this org"
        }
        (Refused::Client, OAuth2(_)) => {
            "client id or secret, or another client_auth; a key, certificate or refresh token that the server does not know"
        }
        (Refused::Client, Zuora(_)) => {
            "client id or secret; the host of another tenant or environment"
        }
        (Refused::Client, MarketingCloud(_) | MarketingCloudLegacy(_)) => {
            "client id or secret; a package of the other kind, made minutes ago, or not enabled"
        }
        (Refused::Policy, OAuth2(_)) => {
            "a grant, scope or audience that the client may not have; a parameter that the server wants besides (request); at a 401 client id or secret"
        }
        (Refused::Policy, MarketingCloud(_) | MarketingCloudLegacy(_)) => {
            "account_id is no business unit that may use the package; scope; the wrong login host"
        }
        (Refused::Policy, Zuora(_)) => "the user is inactive, or may not use the API",
        (Refused::Policy, Salesforce(_) | Zilliant(_)) => {
            "the app's policy at the provider: no run-as user, no scopes, an address that is not allowed, the wrong login host"
        }
    }
}

/// Behind an answer that is none.
pub(super) fn unavailable(provider: &Provider) -> &'static str {
    match provider {
        Provider::OAuth2(_) => {
            "the endpoint is unreachable or overloaded; or token_url, encode, fields or success are not as the server wants them"
        }
        _ => "the endpoint is unreachable, overloaded, or not a token endpoint",
    }
}
