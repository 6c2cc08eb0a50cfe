//! [`Value`]: what one parameter of a login says.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value as Json;

use super::Field;
use crate::provider::assertion::Assertion;

/// The value of a parameter. Its `Debug` shows none that an operator put beside the parameters of the grant: a key may be among
/// them.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// As it stands.
    Text(Cow<'static, str>),
    /// As it stands in JSON; in a form its text.
    Json(Json),
    /// These fields, one right after the other, as one value; a field that is not there is empty. If none is there, the
    /// parameter is left out.
    Fields(Vec<Field>),
    /// An assertion, signed anew for each login.
    Assertion(Box<Assertion>),
}

impl Value {
    /// All that it says, where `Debug` leaves something out.
    pub(super) fn asked(&self) -> String {
        match self {
            Self::Json(json) => format!("Json({json:?})"),
            Self::Assertion(assertion) => match assertion.audience.query() {
                Some(query) => format!("{self:?}?{query}"),
                None => format!("{self:?}"),
            },
            Self::Text(_) | Self::Fields(_) => format!("{self:?}"),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Json(_) => f.write_str("Json"),
            Self::Fields(fields) => f.debug_tuple("Fields").field(fields).finish(),
            Self::Assertion(assertion) => f.debug_tuple("Assertion").field(assertion).finish(),
        }
    }
}
