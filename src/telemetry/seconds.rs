//! [`Seconds`]: ages and lives as logs say them.

use std::fmt;
use std::time::Duration;

/// A time of seconds, minutes or hours in whole seconds: `3598 s`.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_seconds_however_long() {
        let rows = [
            (0, "0 s"),
            (999, "0 s"),
            (15_430, "15 s"),
            (86_400_000, "86400 s"),
        ];
        for (millis, expected) in rows {
            let shown = Seconds(Duration::from_millis(millis)).to_string();
            assert_eq!(shown, expected, "{millis}");
        }
    }
}
