//! `http2`: whether an upstream is offered HTTP/2, which is agreed on in the TLS handshake.

use super::oauth2;
use super::reading::Reading;
use super::salesforce::Login;
use super::section::Section;
use super::upstream::Provider;
use crate::code;
use crate::message::Origin;
use crate::message::origin::Scheme;

/// Reads it. Where it would do nothing it is a mistake, unless it is a default for others, too.
pub(super) fn read(
    table: &mut Section<'_>,
    provider: Option<&Provider>,
    reading: &mut Reading<'_>,
) -> bool {
    let place = table.own_key("http2");
    let http2 = table.flag("http2", reading);
    if let (true, Some(place), Some(plain)) = (http2, place, provider.and_then(plain_target)) {
        let message = format!("`http2` needs TLS, and {plain} is called over plain http");
        reading
            .problem(&code::DOES_NOT_APPLY, place, message)
            .help("remove it, or give the address of the API as https");
    }
    http2
}

/// The first of the addresses of an API that is called in plain text; those that come with a token are not known yet.
fn plain_target(provider: &Provider) -> Option<&Origin> {
    let targets = match provider {
        Provider::Salesforce(keys) => match &keys.login {
            Login::Call { .. } => [None, None],
            Login::Program { api_url, .. } => [api_url.as_ref(), None],
        },
        Provider::Zilliant(keys) => [Some(&keys.api_url), None],
        Provider::Zuora(keys) => [Some(&keys.api_url), None],
        Provider::MarketingCloud(keys) => [keys.api_url.as_ref(), keys.soap_url.as_ref()],
        Provider::MarketingCloudLegacy(keys) => [Some(&keys.api_url), keys.soap_url.as_ref()],
        Provider::OAuth2(keys) => match &keys.target {
            oauth2::Target::Api(address) => [Some(&address.origin), None],
            oauth2::Target::Instance { .. } => [None, None],
        },
    };
    let mut targets = targets.into_iter().flatten();
    targets.find(|target| target.scheme() == Scheme::Http)
}
