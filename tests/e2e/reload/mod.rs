//! The configuration is read again while requests go on: applied whole, or not at all.

/// Listeners whose addresses change under callers who take no notice.
mod addresses;
/// Listeners that come, go and stay.
mod listeners;
/// Under load: good, bad and half-written configurations.
mod load;
/// Who logs in anew, and who serves until then.
mod logins;
/// Names of upstreams that are gone.
mod names;
/// With a file store.
mod stored;
/// Many tenants, whose tokens are never mixed up.
mod tenants;
/// What changes at once, what stays, and what is told of it.
mod whole;

use std::time::Duration;

use upauth::app::{ReloadError, Reloaded};

use crate::support::Emulated;
use crate::support::caller::PATIENCE;

/// The difference as it is printed.
fn printed(reloaded: &Reloaded) -> Vec<String> {
    reloaded.changes.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(result: Result<Reloaded, ReloadError>) -> String {
    match result {
        Err(ReloadError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Waits until the status of an upstream is as wanted.
async fn becomes(at: &Emulated, upstream: &str, wanted: impl Fn(&serde_json::Value) -> bool) {
    let waiting = async {
        while !wanted(&at.proxy.status(upstream).await) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

/// Waits until nothing waits for its first login any more.
async fn taken_over(at: &Emulated, upstream: &str) {
    becomes(at, upstream, |told| told["next"].is_null()).await;
}
