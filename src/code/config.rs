//! UA-01xx: problems of the configuration.

use super::Code;

/// Every code of this file, in order.
pub(super) const CONFIG: &[&Code] = &[&SYNTAX];

/// The file is not TOML.
pub const SYNTAX: Code = Code {
    id: "UA-0101",
    title: "the file is not valid TOML",
    explain: "The configuration could not be parsed. The line and column name the place; the most \
              common causes are a missing quotation mark, a key given twice, and a value without quotation marks.",
};
