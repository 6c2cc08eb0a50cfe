//! `upauth env NAME`: what a client needs to use an upstream through the proxy.

use std::path::{Path, PathBuf};

use super::output::Output;
use super::{Exit, load, upstream};
use crate::config::server::{Listen, ListenTls};
use crate::config::{Config, Provider, Upstream};

/// The way to an upstream.
struct Way {
    url: String,
    /// The file with the authority that signed the listener's certificate, if it is the proxy's own.
    ca: Option<PathBuf>,
}

pub(super) fn run(path: &Path, name: &str, json: bool, out: &mut Output<'_>) -> Exit {
    let config = match load(path, out) {
        Ok(checked) => checked.config,
        Err(exit) => return exit,
    };
    let upstream = match upstream(&config, name, out) {
        Ok(upstream) => upstream,
        Err(exit) => return exit,
    };
    let Some(way) = way(&config, upstream) else {
        out.error(&format!(
            "`{name}` listens on a port that is chosen at the start (port 0): see what `upauth run` prints"
        ));
        return Exit::Failed;
    };
    let variables = variables(&way);
    if json {
        let map: serde_json::Map<_, _> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        out.answer(&serde_json::Value::Object(map).to_string());
        return Exit::Done;
    }
    for (name, value) in variables {
        out.answer(&format!("export {name}={}", quoted(&value)));
    }
    if let Some(ca) = &way.ca {
        if !ca.exists() {
            out.answer("# the authority's file is not there yet: the first `upauth run` makes it");
        }
        out.answer("# in this shell they replace the system's authorities: other https calls may fail in it");
    }
    if !config.access.keys.is_empty() {
        out.answer(KEYS);
    }
    for hint in hints(upstream, &way.url) {
        out.answer(&format!("# {hint}"));
    }
    Exit::Done
}

/// Its own listener, where no prefix is needed; else the server's, with the prefix. An upstream with routes is
/// reached through the first of them.
fn way(config: &Config, upstream: &Upstream) -> Option<Way> {
    let server = config.server.listen.first();
    let route = config
        .routes
        .iter()
        .find(|route| route.upstream == upstream.name);
    let (listen, tls, path, host) = match route {
        Some(route) => {
            let listen = route.listen.first().or(server)?;
            (
                listen,
                &config.server.tls,
                route.path.clone(),
                route.host.as_deref(),
            )
        }
        None => match upstream.listen.first() {
            Some(listen) => (listen, &upstream.tls, String::new(), None),
            None => (
                server?,
                &config.server.tls,
                format!("/{}", upstream.name),
                None,
            ),
        },
    };
    let public = config.server.public_url.as_ref();
    let shared = Some(listen) == server && host.is_none();
    let base = match public.filter(|_| shared) {
        Some(public) => public.to_string(),
        None => base(listen, tls, host)?,
    };
    let state = config.server.state.as_ref();
    // Absolute: the lines are evaluated here, and their clients run anywhere.
    let ca = state
        .filter(|_| *tls == ListenTls::Auto)
        .map(|state| state.join("ca.pem"))
        .map(|ca| std::path::absolute(&ca).unwrap_or(ca));
    Some(Way {
        url: base + &path,
        ca,
    })
}

fn base(listen: &Listen, tls: &ListenTls, host: Option<&str>) -> Option<String> {
    let scheme = match tls {
        ListenTls::Off => "http",
        ListenTls::Auto | ListenTls::Files { .. } => "https",
    };
    let addr = listen.addrs.first().filter(|addr| addr.port() != 0)?;
    let unspecified = addr.ip().is_unspecified();
    let host = host.unwrap_or(if unspecified {
        "localhost"
    } else {
        &listen.host
    });
    Some(format!("{scheme}://{host}:{}", addr.port()))
}

fn variables(way: &Way) -> Vec<(&'static str, String)> {
    let mut variables = vec![("UPAUTH_URL", way.url.clone())];
    if let Some(ca) = &way.ca {
        let ca = ca.display().to_string();
        variables.extend(CA_VARIABLES.map(|name| (name, ca.clone())));
    }
    variables
}

/// How common clients are pointed at `url`. Any credential will do: it is taken off.
fn hints(upstream: &Upstream, url: &str) -> Vec<String> {
    let (_, authority) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = authority.split_once('/').unwrap_or((authority, ""));
    match &upstream.provider {
        Provider::Salesforce(_) => {
            let mut hints = vec![
                format!("curl: curl \"$UPAUTH_URL/services/data/\""),
                format!("jsforce: new Connection({{ instanceUrl: '{url}' }})"),
            ];
            if !path.is_empty() {
                hints.push(
                    "jsforce's Bulk 2.0: needs `listen` in the upstream (it drops paths)"
                        .to_owned(),
                );
            }
            // It keeps host and port only, and always speaks https.
            hints.push(match (url.starts_with("https:"), path) {
                (true, "") => format!("simple-salesforce: Salesforce(instance='{host}', session_id='none')"),
                _ => "simple-salesforce: needs `listen` and `tls = \"auto\"` in the upstream (it drops paths and insists on https)".to_owned(),
            });
            hints
        }
        Provider::Zuora(_) => vec![
            "curl: curl \"$UPAUTH_URL/v1/accounts/A00000001\"".to_owned(),
            format!("zuora-sdk: zuora_sdk.Configuration(host='{url}')"),
        ],
        Provider::MarketingCloud(_) | Provider::MarketingCloudLegacy(_) => {
            vec!["curl: curl \"$UPAUTH_URL/asset/v1/content/assets\"".to_owned()]
        }
        Provider::Zilliant(_) | Provider::OAuth2(_) => {
            vec!["curl: curl \"$UPAUTH_URL/...\"".to_owned()]
        }
    }
}

/// In single quotes, in which nothing means anything to a shell but the quote itself.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

const KEYS: &str = "# this proxy asks for a key ([access] keys): in X-Upauth-Key, as Authorization: Bearer, or as the password of Basic; with curl:\n\
# curl -H \"X-Upauth-Key: $UPAUTH_KEY\" \"$UPAUTH_URL/...\"; a client library takes it as its access token (`accessToken`, `session_id`, ...)";
/// What OpenSSL and Go, Python's requests, curl (which heeds its own before OpenSSL's), and Node read.
const CA_VARIABLES: [&str; 4] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];
