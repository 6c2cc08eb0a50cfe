//! [`Places`]: where the URLs of a document stand.

/// Paths of at most 32 places; which of them is one bit each.
pub(super) struct Places(Vec<Vec<String>>);

/// All places.
pub(super) const ALL: u32 = u32::MAX;

impl Places {
    /// Those of `/nextPage` or `/urls/*`, split into steps.
    pub(super) fn new(places: &[&str]) -> Self {
        let steps = |place: &&str| place.split('/').skip(1).map(str::to_owned).collect();
        Self(places.iter().take(32).map(steps).collect())
    }

    /// Which of `places` go, by their step number `depth` (from 1), through a member of this name, or through the
    /// elements of a list.
    pub(super) fn through(&self, places: u32, depth: usize, name: Option<&[u8]>) -> u32 {
        let passes = |steps: &[String]| {
            let step = steps.get(depth - 1);
            step.is_some_and(|step| step == "*" || name == Some(step.as_bytes()))
        };
        self.listed(places)
            .filter(|(_, steps)| passes(steps))
            .fold(0, |bits, (index, _)| bits | 1 << index)
    }

    /// Whether one of `places` has this many steps.
    pub(super) fn end(&self, places: u32, depth: usize) -> bool {
        self.listed(places).any(|(_, steps)| steps.len() == depth)
    }

    fn listed(&self, places: u32) -> impl Iterator<Item = (usize, &[String])> {
        let all = self.0.iter().map(Vec::as_slice).enumerate();
        all.filter(move |(index, _)| places & 1 << index != 0)
    }
}
