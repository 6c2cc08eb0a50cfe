//! [`Rotation`]: what becomes of a refresh token that was used.

use std::time::Duration;

use crate::config::Rotates;

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The login has none.
    None,
    /// It stays, says the operator.
    Stays,
    /// It stays unless the answer brings another, which then takes its place: using the old one again revokes both, as at
    /// Salesforce (its Help, "OAuth 2.0 Refresh Token Flow for Renewed Sessions").
    UnlessGiven,
    /// It is good for one use and, if the answer was lost, for this long after it: Marketing Cloud's ("requestToken
    /// Reference for Legacy Packages").
    OnceWithGrace(Duration),
}

impl Rotation {
    /// That of an OAuth 2.0 server, which replaces a refresh token or not (RFC 6749 section 6), as the operator says.
    pub fn of(rotates: Rotates) -> Self {
        match rotates {
            Rotates::Never => Self::Stays,
            Rotates::Auto => Self::UnlessGiven,
        }
    }
}
