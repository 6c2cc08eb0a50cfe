//! [`Locator`]: where a call goes, written with a query that may hold a key.

use std::borrow::Cow;
use std::fmt;

/// A path or URL, as it is written. Some servers want a key in the query, so `Debug` leaves that out.
#[derive(Clone, PartialEq, Eq)]
pub struct Locator(Cow<'static, str>);

impl Locator {
    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What may be shown of it.
    pub fn without_query(&self) -> &str {
        self.0.split('?').next().unwrap_or_default()
    }

    /// What may not.
    pub fn query(&self) -> Option<&str> {
        self.0.split_once('?').map(|(_, query)| query)
    }
}

impl From<&'static str> for Locator {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Locator {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.without_query(), f)
    }
}
