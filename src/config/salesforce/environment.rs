//! [`Environment`]: what the name of a Salesforce host tells (forcedotcom/sfdx-core, `sfdcUrl.ts`).

use std::fmt;

use crate::message::Origin;

/// `environment`: which kind of org a host belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Whatever logs in at `login.salesforce.com`, developer editions included.
    Production,
    /// Whatever logs in at `test.salesforce.com`: sandboxes and scratch orgs.
    Sandbox,
}

impl Environment {
    /// The word in `environment = "..."`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
        }
    }

    /// What the name of `host` tells; `None`: nothing, as an Experience site's or a loopback address.
    pub fn of(host: &str) -> Option<Self> {
        let (name, _) = split(host)?;
        let labels: Vec<&str> = name.split('.').collect();
        let sandbox = match labels.as_slice() {
            ["login"] => false,
            ["test"] => true,
            // My Domain, with the partition between: `acme--dev.sandbox.my`, `acme-dev-ed.develop.my`. Production names
            // hold no two hyphens in a row, so older names of sandboxes are told by them.
            [org, between @ .., "my"] => {
                let partition = |label: &&str| {
                    matches!(*label, "sandbox" | "scratch") || instance(label) == Some(true)
                };
                org.contains("--") || between.iter().any(partition)
            }
            // `na3`, `cs42`, `usa2s.sfdc-abc`.
            [first, ..] => instance(first)?,
            [] => return None,
        };
        Some(match sandbox {
            true => Self::Sandbox,
            false => Self::Production,
        })
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `aud` of an assertion for `login_url`: the generic login host of its kind, or an Experience site's own address.
pub(super) fn audience(login_url: &Origin) -> String {
    let host = login_url.host();
    match (Environment::of(host), split(host)) {
        (Some(Environment::Production), Some((_, domain))) => format!("https://login{domain}"),
        (Some(Environment::Sandbox), Some((_, domain))) => format!("https://test{domain}"),
        _ => login_url.to_string(),
    }
}

/// A host of Salesforce's own: what stands before the domain, and the domain.
fn split(host: &str) -> Option<(&str, &'static str)> {
    let mut domains = DOMAINS.iter();
    domains.find_map(|domain| Some((host.strip_suffix(domain)?, *domain)))
}

/// Whether the name of an instance is a sandbox's (`cs42`, `usa2s`) or not (`na3`, `eu2`, `usa2`).
fn instance(label: &str) -> Option<bool> {
    let letters = label.find(|c: char| !c.is_ascii_lowercase())?;
    let (letters, rest) = label.split_at_checked(letters)?;
    let digits = rest.strip_suffix('s').unwrap_or(rest);
    let numbered = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let named = (2..=3).contains(&letters.len());
    (numbered && named).then(|| letters == "cs" || rest.ends_with('s'))
}

const DOMAINS: [&str; 3] = [".salesforce.com", ".salesforce.mil", ".sfcrmproducts.cn"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_host_tells_its_environment_and_audience() {
        for (host, environment, expected) in HOSTS {
            let origin: Origin = format!("https://{host}").parse().unwrap();
            let got = Environment::of(origin.host()).map(Environment::as_str);
            assert_eq!(
                (got, audience(&origin)),
                (*environment, (*expected).to_owned()),
                "{host}"
            );
        }
    }

    const LOGIN: &str = "https://login.salesforce.com";
    const TEST: &str = "https://test.salesforce.com";
    /// Host, environment, audience.
    const HOSTS: &[(&str, Option<&str>, &str)] = &[
        ("login.salesforce.com", Some("production"), LOGIN),
        ("acme.my.salesforce.com", Some("production"), LOGIN),
        ("cs42.my.salesforce.com", Some("production"), LOGIN),
        (
            "acme-dev-ed.develop.my.salesforce.com",
            Some("production"),
            LOGIN,
        ),
        (
            "acme.trailblaze.my.salesforce.com",
            Some("production"),
            LOGIN,
        ),
        ("acme.usa2.my.salesforce.com", Some("production"), LOGIN),
        ("na3.salesforce.com", Some("production"), LOGIN),
        ("eu2.salesforce.com", Some("production"), LOGIN),
        ("usa2.sfdc-abc123.salesforce.com", Some("production"), LOGIN),
        ("test.salesforce.com", Some("sandbox"), TEST),
        ("acme--dev.sandbox.my.salesforce.com", Some("sandbox"), TEST),
        ("acme--dev.my.salesforce.com", Some("sandbox"), TEST),
        ("acme--dev.cs42.my.salesforce.com", Some("sandbox"), TEST),
        ("acme.cs42.my.salesforce.com", Some("sandbox"), TEST),
        (
            "able-fox-123.scratch.my.salesforce.com",
            Some("sandbox"),
            TEST,
        ),
        ("cs42.salesforce.com", Some("sandbox"), TEST),
        ("usa2s.sfdc-abc123.salesforce.com", Some("sandbox"), TEST),
        (
            "acme.my.salesforce.mil",
            Some("production"),
            "https://login.salesforce.mil",
        ),
        (
            "acme--dev.sandbox.my.sfcrmproducts.cn",
            Some("sandbox"),
            "https://test.sfcrmproducts.cn",
        ),
        ("api.salesforce.com", None, "https://api.salesforce.com"),
        ("www.salesforce.com", None, "https://www.salesforce.com"),
        ("acme.my.site.com", None, "https://acme.my.site.com"),
        ("portal.acme.example", None, "https://portal.acme.example"),
        ("salesforce.com", None, "https://salesforce.com"),
        (
            "login.salesforce.com.evil.example",
            None,
            "https://login.salesforce.com.evil.example",
        ),
        ("evilsalesforce.com", None, "https://evilsalesforce.com"),
        ("127.0.0.1:7720", None, "https://127.0.0.1:7720"),
    ];
}
