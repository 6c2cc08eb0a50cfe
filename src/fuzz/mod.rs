//! What the fuzz targets in `fuzz/` hold true, whatever bytes come: one file per target, each with a `check` that panics
//! when it is not so.
//!
//! Built for them and for tests, which hold the same of the seeds in `fuzz/seeds`; the program has nothing of it.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what panics here is a finding"
)]

pub mod answer;
pub mod config;
pub mod exchange;
pub mod guard;
pub mod judge;
pub mod links;
pub mod path;
pub mod prepare;

use std::path::Path;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::config::Config;

/// The head of a request, read as hyper reads it, and what stands behind it. `None`: hyper takes none of it for a head.
fn request(bytes: &[u8]) -> Option<(Parts, &[u8])> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else {
        return None;
    };
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(head.method?.as_bytes()).ok()?;
    *request.uri_mut() = Uri::try_from(head.path?).ok()?;
    *request.version_mut() = match head.version? {
        0 => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    for field in head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(field.value).ok()?;
        request.headers_mut().append(name, value);
    }
    Some((request.into_parts().0, &bytes[length..]))
}

/// One upstream of each kind.
fn upstreams() -> Config {
    let text = include_str!("upstreams.toml");
    match Config::parse(text, "upstreams.toml", Path::new("."), &|_| None) {
        Ok(checked) => checked.config,
        Err(problems) => panic!("{problems}"),
    }
}

/// The pieces of an input, which this byte divides.
fn pieces(bytes: &[u8]) -> Vec<Vec<u8>> {
    let pieces = bytes.split(|byte| *byte == CUT).map(<[u8]>::to_vec);
    pieces.filter(|piece| !piece.is_empty()).collect()
}

const CUT: u8 = 0x1c;

#[cfg(test)]
mod tests {
    use std::fs;

    type Check = fn(&[u8]);

    const TARGETS: [(&str, Check); 8] = [
        ("answer", super::answer::check),
        ("config", super::config::check),
        ("exchange", super::exchange::check),
        ("guard", super::guard::check),
        ("judge", super::judge::check),
        ("links", super::links::check),
        ("path", super::path::check),
        ("prepare", super::prepare::check),
    ];

    #[test]
    fn what_the_fuzz_targets_hold_true_is_true_of_every_seed() {
        for (name, check) in TARGETS {
            let folder = format!("{}/fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
            let mut count = 0;
            for seed in fs::read_dir(&folder).unwrap() {
                let path = seed.unwrap().path();
                println!("{}", path.display());
                check(&fs::read(&path).unwrap());
                count += 1;
            }
            assert!(count > 0, "{folder}");
        }
    }

    #[test]
    fn each_target_is_a_program_of_the_fuzz_package() {
        let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml"));
        let manifest = manifest.unwrap();
        let programs: Vec<_> = manifest
            .lines()
            .filter_map(|line| {
                line.strip_prefix("path = \"targets/")?
                    .strip_suffix(".rs\"")
            })
            .collect();
        assert_eq!(programs, TARGETS.map(|(name, _)| name));
    }
}
