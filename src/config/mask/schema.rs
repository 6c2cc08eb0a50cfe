//! [`Place`]: where in a configuration a value stands, and what of it may be shown there. Nothing may that is not named here.

use super::names::{is_name, is_random, is_reference};

/// What the keys that lead to a value say of it.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// A key of this schema.
    Known {
        /// Whether text that stands here is shown, and not only a reference.
        shown: bool,
        /// What text that stands here may have with it that nobody may see.
        beside: Beside,
        /// The keys that may stand below.
        below: &'static Table,
    },
    /// What `{ env = }` names.
    Variable,
    /// What `{ file = }` names.
    File,
    /// A key that is spelled wrong, stands in a wrong place, or below such a one; whatever it was meant to be.
    Unknown,
}

#[derive(Clone, Copy)]
pub(super) enum Beside {
    Nothing,
    /// The name of a field, its value (`header = "X-Api-Key: ..."`).
    Value,
    /// A server without a scheme, who somebody is there (`proxy = "user:password"`).
    Password,
}

/// A section, or a table within braces.
pub(super) struct Table {
    /// The keys whose text is shown, with blanks between them.
    shown: &'static str,
    /// The keys that are tables, `*` for a name of the operator's.
    tables: &'static [(&'static str, Self)],
}

impl Place {
    /// The beginning of the file.
    pub(super) const TOP: Self = Self::Known {
        shown: false,
        beside: Beside::Nothing,
        below: &TOP,
    };

    /// The place of `key` here.
    pub(super) fn below(self, key: &str) -> Self {
        let Self::Known { below, .. } = self else {
            return Self::Unknown;
        };
        let shown = below.shown.split_whitespace().any(|known| known == key);
        let mut tables = below.tables.iter();
        let table = tables.find(|(name, _)| [key, "*"].contains(name));
        match key {
            _ if shown || table.is_some() || SECRETS.contains(&key) => Self::Known {
                shown,
                beside: match key {
                    "header" | "remove_headers" | "name" => Beside::Value,
                    "proxy" | "url" | "except" => Beside::Password,
                    _ => Beside::Nothing,
                },
                below: table.map_or(&NOTHING, |(_, table)| table),
            },
            "env" => Self::Variable,
            "file" => Self::File,
            _ => Self::Unknown,
        }
    }

    /// Whether this schema has it.
    pub(super) fn is_known(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Whether `key`, which leads here, may be shown: one that is of this schema, or looks like a name. Those of sections are the
    /// operator's, and shown.
    pub(super) fn shows_key(self, key: &str) -> bool {
        let is_section = matches!(self, Self::Known { below, .. } if !below.tables.is_empty() || !below.shown.is_empty());
        is_section || (key.bytes().all(is_of_name) && !key.split(['_', '-']).any(is_random))
    }

    /// Whether `text` may be shown here.
    pub(super) fn shows(self, text: &str) -> bool {
        let is_pem = text.contains("-----BEGIN");
        match self {
            _ if is_pem => false,
            Self::Known { .. }
                if text
                    .split(|c: char| !c.is_ascii_alphanumeric())
                    .any(is_random) =>
            {
                false
            }
            Self::Known { shown, beside, .. } => {
                let hides = match beside {
                    Beside::Nothing => false,
                    Beside::Value => !text.bytes().all(is_of_name),
                    Beside::Password => !text.contains("//") && text.contains(':'),
                };
                (shown && !hides) || is_reference(text)
            }
            Self::Variable => is_name(text),
            // What a file holds may stand where its path belongs.
            Self::File => text.len() <= LONGEST_PATH && !text.contains(['\n', '\\']),
            Self::Unknown => false,
        }
    }
}

/// Whether names of header fields, and of keys, are made of it.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

const LONGEST_PATH: usize = 200;

/// Keys that hold secrets or who somebody is: of the text that stands there none is shown, references are.
const SECRETS: &[&str] = &[
    "access_token",
    "client_id",
    "client_secret",
    "command",
    "key",
    "password",
    "private_key",
    "refresh_token",
    "security_token",
    "sha256",
    "username",
    "value",
];

const TOP: Table = Table {
    shown: "include",
    tables: &[
        ("server", SERVER),
        ("access", ACCESS),
        ("admin", leaves("listen health_listen")),
        ("outbound", LEG),
        ("store", leaves("kind path")),
        ("log", leaves("format level access")),
        ("defaults", within(&[("upstream", UPSTREAM)])),
        ("upstream", within(&[("*", UPSTREAM)])),
        ("route", within(&[("*", ROUTE)])),
    ],
};
const SERVER: Table = Table {
    shown: "listen default public_url state workers tls drain_delay drain_timeout",
    tables: &[("tls", TLS), ("limits", leaves(LIMITS))],
};
const LIMITS: &str = "header_bytes header_fields header_timeout idle_timeout connections requests_in_flight replay_bytes buffer_bytes";
const ACCESS: Table = Table {
    shown: "hosts origins open",
    tables: &[("keys", leaves("name upstreams read_only"))],
};
const TLS: Table = leaves("cert client_ca");
const LEG: Table = Table {
    shown: "ca connect_timeout proxy",
    tables: &[("proxy", PROXY)],
};
const PROXY: Table = leaves("url except");
const ROUTE: Table = leaves("upstream path host listen methods deny read_only");
const UPSTREAM: Table = Table {
    shown: "provider listen tls host read_only methods deny allow local_login remove_headers plain_http warm token_wait \
        token_timeout response_timeout connections http2 ca connect_timeout proxy \
        login_url api_url token_url soap_url instance_hosts grant environment header session_timeout expect_org audience rotates \
        entity_ids org_ids account_id scope legacy_token offline client_auth client_audience encode algorithm key_id",
    tables: &[
        ("token", LEG),
        ("api", LEG),
        ("proxy", PROXY),
        ("tls", TLS),
        ("header", leaves("name")),
        ("set_headers", NAMED),
        ("token_headers", NAMED),
        ("request", NAMED),
        ("fields", FIELDS),
        ("success", leaves("path equals")),
        ("dead_session", leaves("status body")),
    ],
};
const FIELDS: Table = Table {
    shown: "expires_in error error_description instance_url",
    tables: &[("expires_in", leaves("path unit"))],
};
/// Values under names that are the operator's: secrets among other things.
const NAMED: Table = within(&[("*", NOTHING)]);
const NOTHING: Table = leaves("");

const fn leaves(shown: &'static str) -> Table {
    Table { shown, tables: &[] }
}

const fn within(tables: &'static [(&'static str, Table)]) -> Table {
    Table { shown: "", tables }
}
