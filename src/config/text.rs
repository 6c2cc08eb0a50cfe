//! [`Text`]: a text of the file, and whether a problem may show it.

use std::ops::Range;

/// A text after its references were looked up.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    /// Whether it stands in the file as it is.
    pub(super) plain: bool,
    /// Whether no problem may show it: a variable, file or program holds it, which may be that of a secret, or more
    /// than was meant; or it is hidden where the file is quoted.
    pub(super) hidden: bool,
}

impl Text {
    /// What a variable, file or program holds.
    pub(super) fn held(text: String, span: Range<usize>) -> Self {
        Self {
            text,
            span,
            plain: false,
            hidden: true,
        }
    }

    /// What a problem calls it.
    pub(super) fn quoted(&self) -> String {
        match self.hidden {
            true => "the value".to_owned(),
            false => format!("`{}`", self.text),
        }
    }
}
