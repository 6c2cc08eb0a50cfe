//! Whole files through [`Config::parse`].

mod defaults;
#[cfg(unix)]
mod exposed;
mod files;
mod grants;
mod http2;
mod listeners;
mod misspelled;
mod mistakes;
mod oauth2;
mod render;
mod rules;
mod shipped;
mod store;
mod values;

use std::path::Path;

use super::salesforce::{Grant, Login};
use super::{Checked, Config, Problems, Provider, Upstream};
use crate::message::Origin;
use crate::secret::Source;

/// The environment of these tests.
fn env(name: &str) -> Option<String> {
    let value = match name {
        "SECRET" => "from-env",
        "URL" => "https://acme.my.salesforce.com",
        "EMPTY" => "",
        "HOME" => "/home/me",
        _ => return None,
    };
    Some(value.to_owned())
}

fn parse(text: &str) -> Result<Checked, Problems> {
    Config::parse(text, "proxy.toml", Path::new("/etc/upauth"), &env)
}

/// Login host and secret of a Salesforce upstream by client credentials.
fn client(upstream: &Upstream) -> (&Origin, &Source) {
    if let Provider::Salesforce(salesforce) = &upstream.provider
        && let Login::Call {
            login_url, grant, ..
        } = &salesforce.login
        && let Grant::ClientCredentials { client_secret } = grant
    {
        return (login_url, client_secret);
    }
    panic!("{upstream:?}")
}

/// `{CRM}` in `text` is a sound upstream.
fn with_crm(text: &str) -> String {
    text.replace("{CRM}", CRM)
}

const CRM: &str = "[upstream.crm]
provider = \"salesforce\"
login_url = \"https://acme.my.salesforce.com\"
client_id = \"id\"
client_secret = { env = \"SECRET\" }
";
