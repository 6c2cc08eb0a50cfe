//! `upauth version`.

use super::Exit;
use super::output::Output;

pub(super) fn run(json: bool, out: &mut Output<'_>) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    if json {
        let value = serde_json::json!({
            "name": "upauth",
            "version": version,
            "os": os,
            "arch": arch,
            "tls": "rustls, aws-lc-rs",
        });
        out.answer(&value.to_string());
    } else {
        out.answer(&format!("upauth {version} ({os} {arch})"));
    }
    Exit::Done
}
