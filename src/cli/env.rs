//! `upauth env NAME`: what a client needs to use an upstream through the proxy.

use std::path::{Path, PathBuf};

use super::output::Output;
use super::{Exit, load, reached, shell, upstream};
use crate::config::server::{Listen, ListenTls};
use crate::config::{Config, Provider, Upstream};
use crate::telemetry::printable;

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
    let way = match way(&config, upstream) {
        Ok(way) => way,
        Err(why) => {
            out.error(&format!("`{name}` {why}"));
            return Exit::Failed;
        }
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
    for note in notes(path, &config, upstream, &way) {
        // Evaluated with the rest: a line break in it would end the comment.
        out.answer(&format!("# {}", printable(&note)));
    }
    Exit::Done
}

/// What a person may want to know of it.
fn notes(path: &Path, config: &Config, upstream: &Upstream, way: &Way) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(ca) = &way.ca {
        if !ca.exists() {
            let from = shell::with_config(path);
            notes.push(format!(
                "the authority's file is not there yet: the first `upauth run{from}` makes it"
            ));
        }
        notes.push(CA.to_owned());
    }
    let keyed = config.access.keys.is_some();
    if keyed {
        notes.push(KEYED.to_owned());
    }
    if way.socket.is_some() {
        notes.push(SOCKET.to_owned());
        return notes;
    }
    // What the logins of an OAuth 2.0 server of the wild look like is not known, so none is answered here.
    if upstream.local_login && !matches!(upstream.provider, Provider::OAuth2(_)) {
        let secret = match keyed {
            false => "any client id and secret will do",
            true => "its client secret, or its password, is the key",
        };
        let url = &way.url;
        notes.push(format!(
            "an app that insists on logging in: {url} is its login host; {secret}"
        ));
    }
    notes.extend(hints(upstream, &way.url, keyed));
    notes
}

/// Its own listener, where no prefix is needed; else the server's, with the prefix. An upstream with routes is
/// reached through the first of them.
fn way(config: &Config, upstream: &Upstream) -> Result<Way, String> {
    let server = &config.server.listen;
    let route = config
        .routes
        .iter()
        .find(|route| route.upstream == upstream.name);
    let (listens, tls, path, host) = match route {
        Some(route) => {
            let listens = if route.listen.is_empty() {
                server
            } else {
                &route.listen
            };
            let host = route.host.as_deref();
            (listens, &config.server.tls, route.path.clone(), host)
        }
        None if !upstream.listen.is_empty() => {
            (&upstream.listen, &upstream.tls, String::new(), None)
        }
        None => {
            let path = format!("/{}", upstream.name);
            (server, &config.server.tls, path, None)
        }
    };
    if listens.is_empty() {
        return Err(CHOSEN.to_owned());
    }
    let public = config.server.public_url.as_ref();
    let shared = listens == server && host.is_none();
    let base = match public.filter(|_| shared) {
        Some(public) => public.to_string(),
        None => base(listens, tls, host)?,
    };
    let state = config.server.state.as_ref();
    // Absolute: the lines are evaluated here, and their clients run anywhere.
    let ca = state
        .filter(|_| *tls == ListenTls::Auto)
        .map(|state| state.join("ca.pem"))
        .map(|ca| std::path::absolute(&ca).unwrap_or(ca));
    let socket = socket(listens);
    Ok(Way {
        url: base + &path,
        socket: socket.map(|path| std::path::absolute(path).unwrap_or(path.to_owned())),
        ca,
    })
}

/// The unix socket that leads there, unless an address does: most clients can be pointed at an address rather than a file.
fn socket(listens: &[Listen]) -> Option<&Path> {
    let is_file = listens.iter().all(|listen| listen.tcp().is_none());
    let mut sockets = listens.iter().filter_map(Listen::unix);
    sockets.next().filter(|_| is_file)
}

fn base(listens: &[Listen], tls: &ListenTls, host: Option<&str>) -> Result<String, String> {
    let scheme = tls.scheme();
    if socket(listens).is_some() {
        return Ok(format!("{scheme}://{}", host.unwrap_or("localhost")));
    }
    let authority = reached::written(listens).ok_or(CHOSEN)?;
    let Some(host) = host else {
        return Ok(format!("{scheme}://{authority}"));
    };
    if reached::is_like_localhost(host) && !reached::is_by_name(&authority) {
        return Err(format!("is reached as {host}, {HALF}"));
    }
    let port = authority.rsplit(':').next().unwrap_or_default();
    Ok(format!("{scheme}://{host}:{port}"))
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
const CHOSEN: &str = "has no address that is known before the start (port 0, or nothing listens for it): see what `upauth run` prints";
const HALF: &str = "but listens on one of 127.0.0.1 and [::1] only, and another user may answer on the other: let it listen on both, \
    as \"localhost:PORT\" or as [\"0.0.0.0:PORT\", \"[::]:PORT\"]";
const CA: &str =
    "in this shell they replace the system's authorities: other https calls may fail in it";
const KEYED: &str = "this proxy asks for a key ([access] keys): put it into UPAUTH_KEY";
const SOCKET: &str = "curl: curl --unix-socket \"$UPAUTH_SOCKET\" \"$UPAUTH_URL/...\"; for other clients: an address in `listen`";
