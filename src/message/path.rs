//! Rules over paths, and the readings of a path that they look at.

use std::str::FromStr;

use http::Method;

/// `[METHOD ]/seg/*/**`: `*` is one segment, `**` any rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    method: Option<Method>,
    segments: Vec<String>,
}

/// Every way a server might read a raw path: as it stands, decoded once and twice, without dot segments.
#[derive(Clone, Debug)]
pub struct Readings {
    readings: Vec<String>,
}

/// Why a text is not a path rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not `[METHOD ]/seg/*/**`")]
pub struct PathRuleError;

impl Readings {
    /// The readings of `raw`, the path as it came.
    pub fn of(raw: &str) -> Self {
        Self {
            readings: vec![raw.to_owned()],
        }
    }
}

impl PathRule {
    /// Whether any reading matches: what a deny asks.
    pub fn matches_any(&self, method: &Method, path: &Readings) -> bool {
        let _ = (method, &path.readings, &self.method, &self.segments);
        false
    }

    /// Whether all readings match: what an allow asks.
    pub fn matches_all(&self, method: &Method, path: &Readings) -> bool {
        let _ = (method, path);
        false
    }
}

impl FromStr for PathRule {
    type Err = PathRuleError;

    fn from_str(_text: &str) -> Result<Self, PathRuleError> {
        Err(PathRuleError)
    }
}
