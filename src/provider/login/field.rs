//! [`Field`]: what a login is made of.

/// A value that the operator gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `client_id`.
    ClientId,
    /// `client_secret`.
    ClientSecret,
    /// `username`.
    Username,
    /// `password`.
    Password,
    /// `security_token`.
    SecurityToken,
    /// `private_key`.
    PrivateKey,
    /// `refresh_token`: the one to be used now.
    RefreshToken,
    /// The secret with this number in `request`.
    Request(usize),
    /// The value with this number in `token_headers`.
    Header(usize),
}

impl Field {
    /// The key in `proxy.toml`.
    pub fn key(self) -> &'static str {
        match self {
            Self::ClientId => "client_id",
            Self::ClientSecret => "client_secret",
            Self::Username => "username",
            Self::Password => "password",
            Self::SecurityToken => "security_token",
            Self::PrivateKey => "private_key",
            Self::RefreshToken => "refresh_token",
            Self::Request(_) => "request",
            Self::Header(_) => "token_headers",
        }
    }

    /// Whether its value must not be shown even to the operator. (An operator who looks for the
    /// mistake needs to see which client and which user a provider's text names.)
    pub fn is_secret(self) -> bool {
        match self {
            Self::ClientId | Self::Username => false,
            Self::ClientSecret
            | Self::Password
            | Self::SecurityToken
            | Self::PrivateKey
            | Self::RefreshToken
            | Self::Request(_)
            | Self::Header(_) => true,
        }
    }
}
