//! `upauth key NAME`: makes a key for a caller. It is printed once and kept nowhere.

use super::Exit;
use super::output::Output;
use crate::config::is_name;
use crate::secret::{Digest, hex, random};

pub(super) fn run(name: &str, out: &mut Output<'_>) -> Exit {
    if !is_name(name) {
        out.error(&format!(
            "`{name}` cannot be a name: 1 to 40 lower-case letters, digits and hyphens"
        ));
        return Exit::Usage;
    }
    // 128 bits, and short enough for fields that are made for the secrets of APIs.
    let key = format!("upauth-{}", hex(&random::<16>()));
    let digest = Digest::of(key.as_bytes()).to_hex();
    out.error("for the caller, who keeps it secret; it is not shown again:");
    out.answer(&key);
    out.error("for the list [access] keys in proxy.toml:");
    out.answer(&format!("{{ name = \"{name}\", sha256 = \"{digest}\" }},"));
    Exit::Done
}
