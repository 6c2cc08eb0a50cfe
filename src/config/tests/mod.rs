//! Whole files through [`Config::parse`].

mod files;
mod mistakes;
mod render;
mod shipped;
mod values;

use std::path::Path;

use super::{Checked, Config, Problems};

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
