//! [`Login`]: the grants of a Salesforce upstream, and the keys of each.

use super::environment::{self, Environment};
use super::{User, not_a_page};
use crate::code;
use crate::config::credential::{self, Credentials, GrantKeys, Rotates};
use crate::config::reading::Reading;
use crate::config::section::Section;
use crate::message::Origin;
use crate::secret::{Algorithm, Source};

/// How a Salesforce upstream gets its token.
#[derive(Clone, Debug)]
pub enum Login {
    /// From a token endpoint.
    Call {
        /// Where to log in: an origin.
        login_url: Origin,
        /// Consumer key.
        client_id: Source,
        /// `grant`. Default `client_credentials`.
        grant: Grant,
    },
    /// `grant = "command"`: from a program.
    Program {
        /// What is run at each login.
        command: Source,
        /// Where calls go, whatever the program says; needed if it prints a token alone.
        api_url: Option<Origin>,
    },
}

/// The grants of a token endpoint.
#[derive(Clone, Debug)]
pub enum Grant {
    /// `client_credentials`.
    ClientCredentials {
        /// Consumer secret.
        client_secret: Source,
    },
    /// `password`.
    Password {
        /// Consumer secret.
        client_secret: Source,
        /// Whose password.
        user: User,
    },
    /// `jwt_bearer`: an assertion, signed with RS256.
    JwtBearer {
        /// Whom it speaks for.
        username: Source,
        /// RSA, in PEM.
        private_key: Source,
        /// Whom it is for. Default: what `login_url` implies.
        audience: String,
    },
    /// `refresh_token`.
    RefreshToken {
        /// The token.
        refresh_token: Source,
        /// Consumer secret, unless the app does not ask for it.
        client_secret: Option<Source>,
        /// Whether the token may have a successor.
        rotates: Rotates,
    },
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Name {
    #[default]
    ClientCredentials,
    Password,
    JwtBearer,
    RefreshToken,
    Command,
}

impl Login {
    pub(super) fn read(
        table: &mut Section<'_>,
        plain_http: &[String],
        environment: Option<Environment>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let before = reading.problems.len();
        let name = table.word("grant", &NAMES, &[], reading);
        if reading.problems.len() > before {
            // Which of the keys belong to a grant that is not known cannot be said.
            KEYS.pass_over(table);
            return None;
        }
        let word = NAMES.iter().find(|(_, known)| *known == name);
        let word = word.map_or("", |(word, _)| *word);
        KEYS.refuse_others(table, word, reading);
        if name == Name::Command {
            let place = table.span_of("api_url");
            let api_url = crate::config::origin::target(table, "api_url", plain_http, reading);
            let command = credential::command(table, reading);
            if let Some(api_url) = &api_url {
                of_its_kind("api_url", api_url, environment, place, reading);
            }
            return Some(Self::Program {
                command: command?,
                api_url,
            });
        }
        let place = table.span_of("login_url");
        let login_url = credential::required_origin(table, "login_url", plain_http, reading);
        let mut credentials = Credentials::new(table, login_url.as_ref());
        let client_id = credentials.required("client_id", reading);
        let grant = Grant::read(name, &mut credentials, login_url.as_ref(), reading);
        if let Some(login_url) = &login_url {
            let generic = ["login.salesforce.com", "test.salesforce.com"];
            let host = login_url.host();
            if name == Name::ClientCredentials && generic.contains(&host) {
                let message = format!("client_credentials does not work on {host}");
                let help =
                    "use the org's own host: login_url = \"https://YOUR-DOMAIN.my.salesforce.com\"";
                reading
                    .problem(&code::LOGIN_HOST, place.clone(), message)
                    .help(help);
            }
            not_a_page(login_url, place.clone(), reading);
            of_its_kind("login_url", login_url, environment, place, reading);
        }
        Some(Self::Call {
            login_url: login_url?,
            client_id: client_id?,
            grant: grant?,
        })
    }
}

impl Grant {
    fn read(
        name: Name,
        credentials: &mut Credentials<'_, '_>,
        login_url: Option<&Origin>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        match name {
            Name::ClientCredentials => Some(Self::ClientCredentials {
                client_secret: credentials.required("client_secret", reading)?,
            }),
            Name::Password => {
                let client_secret = credentials.required("client_secret", reading);
                let user = User::read(credentials, reading);
                Some(Self::Password {
                    client_secret: client_secret?,
                    user: user?,
                })
            }
            Name::JwtBearer => {
                let username = credentials.required("username", reading);
                let private_key = credentials.private_key(Algorithm::Rs256, reading);
                let given = credentials.table.text("audience", reading);
                let audience = match given {
                    Some(given) => Some(given.text),
                    None => login_url.map(environment::audience),
                };
                Some(Self::JwtBearer {
                    username: username?,
                    private_key: private_key?,
                    audience: audience?,
                })
            }
            Name::RefreshToken => {
                let token = credentials.refresh_token(reading);
                let client_secret = credentials.optional("client_secret", reading);
                let (refresh_token, rotates) = token?;
                Some(Self::RefreshToken {
                    refresh_token,
                    client_secret,
                    rotates,
                })
            }
            Name::Command => None,
        }
    }
}

/// `origin`, which stands at `key`, must not be of the other environment.
fn of_its_kind(
    key: &str,
    origin: &Origin,
    environment: Option<Environment>,
    place: std::ops::Range<usize>,
    reading: &mut Reading<'_>,
) {
    let (Some(wanted), Some(is)) = (environment, Environment::of(origin.host())) else {
        return;
    };
    if wanted != is {
        let message = format!("`{key}` is a {is} host, and environment = \"{wanted}\"");
        reading
            .problem(&code::WRONG_ENVIRONMENT, place, message)
            .help(format!("write environment = \"{is}\", or a {wanted} host"));
    }
}

const NAMES: [(&str, Name); 5] = [
    ("client_credentials", Name::ClientCredentials),
    ("password", Name::Password),
    ("jwt_bearer", Name::JwtBearer),
    ("refresh_token", Name::RefreshToken),
    ("command", Name::Command),
];

const CALLS: &[&str] = &[
    "client_credentials",
    "password",
    "jwt_bearer",
    "refresh_token",
];
const KEYS: GrantKeys = GrantKeys(&[
    ("login_url", CALLS),
    ("client_id", CALLS),
    (
        "client_secret",
        &["client_credentials", "password", "refresh_token"],
    ),
    ("username", &["password", "jwt_bearer"]),
    ("password", &["password"]),
    ("security_token", &["password"]),
    ("private_key", &["jwt_bearer"]),
    ("audience", &["jwt_bearer"]),
    ("refresh_token", &["refresh_token"]),
    ("rotates", &["refresh_token"]),
    ("command", &["command"]),
    ("api_url", &["command"]),
]);
