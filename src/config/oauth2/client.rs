//! `client_auth`: who the client is, and how it proves that.

use super::grant::Name;
use crate::config::credential::Credentials;
use crate::config::reading::Reading;
use crate::message::{Locator, Origin};
use crate::secret::{Algorithm, Source};

/// Who the client is, and how it proves that.
#[derive(Clone, Debug)]
pub struct Client {
    /// Client id; `None`: `request` holds it in its own way, if at all.
    pub id: Option<Source>,
    /// `client_auth`. Default `body`, and `none` for `jwt_bearer`.
    pub proof: Proof,
    /// What `jwt_bearer` and `private_key_jwt` sign with.
    pub signing: Option<Signing>,
}

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Id and secret in the body.
    Body {
        /// The secret.
        secret: Source,
    },
    /// Id and secret in `Authorization: Basic`.
    Basic {
        /// The secret.
        secret: Source,
        /// Whether each is form-encoded first, as RFC 6749 section 2.3.1 wants it.
        encoded: bool,
    },
    /// An assertion of its own (RFC 7523 section 2.2).
    PrivateKeyJwt {
        /// Whom it is for. Default `token_url`.
        audience: Locator,
    },
    /// The id alone.
    None,
}

/// A key, and how it signs.
#[derive(Clone, Debug)]
pub struct Signing {
    /// In PEM.
    pub private_key: Source,
    /// `algorithm`. Default `RS256`.
    pub algorithm: Algorithm,
    /// `key_id`: which of the client's keys it is.
    pub key_id: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Body,
    Basic,
    BasicRaw,
    PrivateKeyJwt,
    None,
}

impl Client {
    pub(super) fn read(
        credentials: &mut Credentials<'_, '_>,
        grant: Name,
        token_url: Option<&(Origin, Locator)>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let before = reading.problems.len();
        let words = WAYS.map(|(word, way)| (word, Some(way)));
        let given = credentials
            .table
            .word("client_auth", &words, LATER, reading);
        if reading.problems.len() > before {
            credentials.table.pass_over(KEYS);
            return None;
        }
        let default = match grant {
            Name::JwtBearer => Way::None,
            _ => Way::Body,
        };
        let way = given.unwrap_or(default);
        let signs = way == Way::PrivateKeyJwt || grant == Name::JwtBearer;
        let id = match way == Way::None && grant != Name::JwtBearer {
            true => Some(credentials.optional("client_id", reading)),
            false => credentials.required("client_id", reading).map(Some),
        };
        let signing = match signs {
            true => Signing::read(credentials, reading).map(Some),
            false => {
                refuse(credentials, SIGNING, SIGNS, reading);
                Some(None)
            }
        };
        let proof = Proof::read(way, credentials, token_url, reading);
        Some(Self {
            id: id?,
            proof: proof?,
            signing: signing?,
        })
    }

    /// The parameters that are written for it.
    pub(super) fn parameters(&self) -> Vec<&'static str> {
        match &self.proof {
            Proof::Body { .. } => vec!["client_id", "client_secret"],
            Proof::Basic { .. } => vec![],
            Proof::PrivateKeyJwt { .. } => {
                vec!["client_id", "client_assertion_type", "client_assertion"]
            }
            Proof::None => self.id.iter().map(|_| "client_id").collect(),
        }
    }
}

impl Proof {
    fn read(
        way: Way,
        credentials: &mut Credentials<'_, '_>,
        token_url: Option<&(Origin, Locator)>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let has_secret = matches!(way, Way::Body | Way::Basic | Way::BasicRaw);
        let secret = match has_secret {
            true => credentials.required("client_secret", reading),
            false => {
                let others =
                    "write client_auth = \"body\", \"basic\" or \"basic-raw\", or remove it";
                refuse(credentials, &["client_secret"], others, reading);
                None
            }
        };
        let audience = match way {
            Way::PrivateKeyJwt => {
                let given = credentials.table.text("client_audience", reading);
                let given = given.map(|text| Locator::from(text.text));
                given.or_else(|| token_url.map(audience))
            }
            _ => {
                let others = "write client_auth = \"private_key_jwt\", or remove it";
                refuse(credentials, &["client_audience"], others, reading);
                None
            }
        };
        Some(match way {
            Way::Body => Self::Body { secret: secret? },
            Way::Basic | Way::BasicRaw => Self::Basic {
                secret: secret?,
                encoded: way == Way::Basic,
            },
            Way::PrivateKeyJwt => Self::PrivateKeyJwt {
                audience: audience?,
            },
            Way::None => Self::None,
        })
    }
}

/// Whom an assertion is for that is sent there.
pub(super) fn audience((origin, path): &(Origin, Locator)) -> Locator {
    format!("{origin}{}", path.as_str()).into()
}

impl Signing {
    fn read(credentials: &mut Credentials<'_, '_>, reading: &mut Reading<'_>) -> Option<Self> {
        let algorithms = [
            ("RS256", Some(Algorithm::Rs256)),
            ("ES256", Some(Algorithm::Es256)),
        ];
        let table = &mut *credentials.table;
        let algorithm = table.word("algorithm", &algorithms, &[], reading);
        let algorithm = algorithm.unwrap_or(Algorithm::Rs256);
        let key_id = table.text("key_id", reading).map(|text| text.text);
        let private_key = credentials.private_key(algorithm, reading);
        Some(Self {
            private_key: private_key?,
            algorithm,
            key_id,
        })
    }
}

/// The keys are there, but would be ignored.
fn refuse(
    credentials: &mut Credentials<'_, '_>,
    keys: &[&'static str],
    help: &str,
    reading: &mut Reading<'_>,
) {
    let because = "to this `client_auth` and `grant`";
    for key in keys {
        credentials.table.refuse(key, because, help, reading);
    }
}

const WAYS: [(&str, Way); 5] = [
    ("body", Way::Body),
    ("basic", Way::Basic),
    ("basic-raw", Way::BasicRaw),
    ("private_key_jwt", Way::PrivateKeyJwt),
    ("none", Way::None),
];
/// A certificate of the client's own (RFC 8705), by the design's word and by the words of that RFC.
const LATER: &[&str] = &["mtls", "tls_client_auth", "self_signed_tls_client_auth"];
const SIGNING: &[&str] = &["private_key", "algorithm", "key_id"];
const SIGNS: &str =
    "write grant = \"jwt_bearer\" or client_auth = \"private_key_jwt\", or remove it";
const KEYS: &[&str] = &[
    "client_id",
    "client_secret",
    "client_audience",
    "private_key",
    "algorithm",
    "key_id",
];
