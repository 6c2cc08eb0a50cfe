//! `expect_org`: which Salesforce org a token must be of.

use std::fmt;
use std::str::FromStr;

use super::reading::Reading;
use super::section::Section;
use crate::code;

/// The id of a Salesforce org, in its form of 15 characters, which tells small letters from capitals. The other three
/// of 18 follow from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgId(String);

impl OrgId {
    /// `expect_org`, if it is there.
    pub(super) fn read(table: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let text = table.text("expect_org", reading)?;
        match text.text.parse() {
            Ok(org) => Some(org),
            Err(NoOrgId) => {
                let message = format!("{} is not the id of an org", text.quoted());
                reading.problem(&code::BAD_VALUE, text.span, message).help(
                    "15 or 18 letters and digits that begin with 00D: Setup, Company Information",
                );
                None
            }
        }
    }
}

/// It is not the id of an org.
#[derive(Debug, PartialEq, Eq)]
pub struct NoOrgId;

impl FromStr for OrgId {
    type Err = NoOrgId;

    fn from_str(text: &str) -> Result<Self, NoOrgId> {
        let plain = text.starts_with("00D") && text.bytes().all(|b| b.is_ascii_alphanumeric());
        match text.get(..15) {
            Some(id) if plain && [15, 18].contains(&text.len()) => Ok(Self(id.to_owned())),
            _ => Err(NoOrgId),
        }
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
