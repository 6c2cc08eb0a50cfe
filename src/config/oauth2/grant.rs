//! `grant` of any OAuth 2.0 server, and the keys of each.

use super::client::{Client, audience};
use crate::config::credential::{Credentials, GrantKeys, Rotates};
use crate::config::reading::Reading;
use crate::message::{Locator, Origin};
use crate::secret::Source;

/// The grants of an OAuth 2.0 server.
#[derive(Clone, Debug)]
pub enum Grant {
    /// `client_credentials`.
    ClientCredentials,
    /// `password`.
    Password {
        /// Whose password.
        username: Source,
        /// It.
        password: Source,
    },
    /// `refresh_token`.
    RefreshToken {
        /// The token.
        refresh_token: Source,
        /// Whether it may have a successor.
        rotates: Rotates,
    },
    /// `jwt_bearer`: an assertion that the client signs.
    JwtBearer {
        /// Whom it speaks for.
        username: Source,
        /// Whom it is for. Default `token_url`.
        audience: Locator,
    },
}

#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Name {
    #[default]
    ClientCredentials,
    Password,
    RefreshToken,
    JwtBearer,
}

/// `grant`, and who the client is.
pub(super) fn read(
    credentials: &mut Credentials<'_, '_>,
    token_url: Option<&(Origin, Locator)>,
    reading: &mut Reading<'_>,
) -> (Option<Grant>, Option<Client>) {
    let before = reading.problems.len();
    let name = credentials
        .table
        .word("grant", &NAMES, &["command"], reading);
    let word = NAMES.iter().find(|(_, known)| *known == name);
    if reading.problems.len() > before {
        // Which of the keys belong to a grant that is not known cannot be said.
        KEYS.pass_over(credentials.table);
        return (None, Client::read(credentials, name, token_url, reading));
    }
    let word = word.map_or("", |(word, _)| *word);
    KEYS.refuse_others(credentials.table, word, reading);
    let grant = Grant::read(name, credentials, token_url, reading);
    (grant, Client::read(credentials, name, token_url, reading))
}

impl Grant {
    fn read(
        name: Name,
        credentials: &mut Credentials<'_, '_>,
        token_url: Option<&(Origin, Locator)>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        match name {
            Name::ClientCredentials => Some(Self::ClientCredentials),
            Name::Password => {
                let username = credentials.required("username", reading);
                let password = credentials.required("password", reading);
                Some(Self::Password {
                    username: username?,
                    password: password?,
                })
            }
            Name::RefreshToken => {
                let (refresh_token, rotates) = credentials.refresh_token(reading)?;
                Some(Self::RefreshToken {
                    refresh_token,
                    rotates,
                })
            }
            Name::JwtBearer => {
                let username = credentials.required("username", reading);
                let given = credentials.table.text("audience", reading);
                let audience = match given {
                    Some(given) => Some(given.text.into()),
                    None => token_url.map(audience),
                };
                Some(Self::JwtBearer {
                    username: username?,
                    audience: audience?,
                })
            }
        }
    }

    /// The parameters that are written for it.
    pub(super) fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::ClientCredentials => &[],
            Self::Password { .. } => &["username", "password"],
            Self::RefreshToken { .. } => &["refresh_token"],
            Self::JwtBearer { .. } => &["assertion"],
        }
    }
}

const NAMES: [(&str, Name); 4] = [
    ("client_credentials", Name::ClientCredentials),
    ("password", Name::Password),
    ("refresh_token", Name::RefreshToken),
    ("jwt_bearer", Name::JwtBearer),
];
const KEYS: GrantKeys = GrantKeys(&[
    ("username", &["password", "jwt_bearer"]),
    ("password", &["password"]),
    ("refresh_token", &["refresh_token"]),
    ("rotates", &["refresh_token"]),
]);
