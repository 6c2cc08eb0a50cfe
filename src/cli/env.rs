//! `upauth env NAME`: what a client needs to use an upstream through the proxy.

use std::path::{Path, PathBuf};

use super::output::Output;
use super::{Exit, load, shell, upstream};
use crate::config::server::{Listen, ListenTls};
use crate::config::{Config, Provider, Upstream};

/// The way to an upstream.
struct Way {
    url: String,
    /// The unix socket that leads there, if no address does.
    socket: Option<PathBuf>,
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
            "no address of `{name}` is known before the start (port 0, or nothing listens for it): see what `upauth run` prints"
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
        out.answer(&format!("export {name}={}", shell::quoted(&value)));
    }
    if let Some(ca) = &way.ca {
        if !ca.exists() {
            let from = shell::with_config(path);
            out.answer(&format!(
                "# the authority's file is not there yet: the first `upauth run{from}` makes it"
            ));
        }
        out.answer("# in this shell they replace the system's authorities: other https calls may fail in it");
    }
    let keyed = !config.access.keys.is_empty();
    if keyed {
        out.answer("# this proxy asks for a key ([access] keys): put it into UPAUTH_KEY");
    }
    if way.socket.is_some() {
        out.answer(SOCKET);
        return Exit::Done;
    }
    // What the logins of an OAuth 2.0 server of the wild look like is not known, so none is answered here.
    if upstream.local_login && !matches!(upstream.provider, Provider::OAuth2(_)) {
        let secret = match keyed {
            false => "any client id and secret will do",
            true => "its client secret, or its password, is the key",
        };
        let url = &way.url;
        out.answer(&format!(
            "# an app that insists on logging in: {url} is its login host; {secret}"
        ));
    }
    for hint in hints(upstream, &way.url, keyed) {
        out.answer(&format!("# {hint}"));
    }
    Exit::Done
}

/// Its own listener, where no prefix is needed; else the server's, with the prefix. An upstream with routes is
/// reached through the first of them.
fn way(config: &Config, upstream: &Upstream) -> Option<Way> {
    let server = first(&config.server.listen);
    let route = config
        .routes
        .iter()
        .find(|route| route.upstream == upstream.name);
    let (listen, tls, path, host) = match route {
        Some(route) => {
            let listen = first(&route.listen).or(server)?;
            (
                listen,
                &config.server.tls,
                route.path.clone(),
                route.host.as_deref(),
            )
        }
        None => match first(&upstream.listen) {
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
        socket: listen
            .unix()
            .map(|path| std::path::absolute(path).unwrap_or(path.to_owned())),
        ca,
    })
}

/// The listener that most clients can be pointed at: an address rather than a file.
fn first(listens: &[Listen]) -> Option<&Listen> {
    let addr = listens.iter().find(|listen| listen.tcp().is_some());
    addr.or(listens.first())
}

fn base(listen: &Listen, tls: &ListenTls, host: Option<&str>) -> Option<String> {
    let scheme = tls.scheme();
    if listen.unix().is_some() {
        return Some(format!("{scheme}://{}", host.unwrap_or("localhost")));
    }
    let addr = listen.tcp().filter(|addr| addr.port() != 0)?;
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
    if let Some(socket) = &way.socket {
        variables.push(("UPAUTH_SOCKET", socket.display().to_string()));
    }
    if let Some(ca) = &way.ca {
        let ca = ca.display().to_string();
        variables.extend(CA_VARIABLES.map(|name| (name, ca.clone())));
    }
    variables
}

/// How common clients are pointed at `url`. Any credential will do: it is taken off. Where there are keys, a client
/// shows one as its access token.
fn hints(upstream: &Upstream, url: &str, keyed: bool) -> Vec<String> {
    let (_, authority) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = authority.split_once('/').unwrap_or((authority, ""));
    let with_key = |text| if keyed { text } else { "" };
    let header = with_key("-H \"X-Upauth-Key: $UPAUTH_KEY\" ");
    let curl = |path: &str| format!("curl: curl {header}\"$UPAUTH_URL{path}\"");
    match &upstream.provider {
        Provider::Salesforce(_) => {
            let token = with_key(", accessToken: process.env.UPAUTH_KEY");
            let mut hints = vec![
                curl("/services/data/"),
                format!("jsforce: new Connection({{ instanceUrl: '{url}'{token} }})"),
            ];
            if !path.is_empty() {
                hints.push(
                    "jsforce's Bulk 2.0: needs `listen` in the upstream (it drops paths)"
                        .to_owned(),
                );
            }
            let session = if keyed {
                "os.environ['UPAUTH_KEY']"
            } else {
                "'none'"
            };
            // It keeps host and port only, and always speaks https.
            hints.push(match (url.starts_with("https:"), path) {
                (true, "") => format!("simple-salesforce: Salesforce(instance='{host}', session_id={session})"),
                _ => "simple-salesforce: needs `listen` and `tls = \"auto\"` in the upstream (it drops paths and insists on https)".to_owned(),
            });
            hints
        }
        Provider::Zuora(_) => {
            let token = with_key(", access_token=os.environ['UPAUTH_KEY']");
            vec![
                curl("/v1/accounts/A00000001"),
                format!("zuora-sdk: zuora_sdk.Configuration(host='{url}'{token})"),
            ]
        }
        Provider::MarketingCloud(_) | Provider::MarketingCloudLegacy(_) => {
            vec![curl("/asset/v1/content/assets")]
        }
        Provider::Zilliant(_) | Provider::OAuth2(_) => vec![curl("/...")],
    }
}

/// What OpenSSL and Go, Python's requests, curl (which heeds its own before OpenSSL's), and Node read.
const CA_VARIABLES: [&str; 4] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];
const SOCKET: &str = "# curl: curl --unix-socket \"$UPAUTH_SOCKET\" \"$UPAUTH_URL/...\"; for other clients: an address in `listen`";
