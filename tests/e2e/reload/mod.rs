//! The configuration is read again while requests go on: applied whole, or not at all.

/// Listeners that come, go and stay.
mod listeners;
/// Under load: good, bad and half-written configurations.
mod load;
/// Who logs in anew, and who serves until then.
mod logins;
/// What changes at once, what stays, and what is told of it.
mod whole;

use upauth::app::{ReloadError, Reloaded};

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
