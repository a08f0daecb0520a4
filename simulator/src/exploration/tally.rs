//! What seeds have met, and how often: so that nothing is drawn that never is, and no reason is left out.

use std::collections::BTreeMap;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something that not every seed has.
    Draw,
    /// Something that has happened without the operator deciding it.
    Happening,
    /// What somebody else has done to a cluster in Azure.
    Deed,
    /// What an upgrade has waited on.
    Reason,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Draw, Self::Happening, Self::Deed, Self::Reason];
}

/// How often each was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(Kind, &'static str), u64>);

impl Tally {
    pub(super) fn add(&mut self, kind: Kind, name: &'static str) {
        *self.0.entry((kind, name)).or_default() += 1;
    }

    /// Counts the seeds that have met each, whatever it was that they have met often.
    pub fn add_seed(&mut self, seed: &Self) {
        for (kind, name) in seed.0.keys() {
            self.add(*kind, name);
        }
    }

    /// How often it was met.
    #[must_use]
    pub fn of(&self, kind: Kind, name: &str) -> u64 {
        self.of_kind(kind).find_map(|(met, times)| (met == name).then_some(times)).unwrap_or_default()
    }

    /// All of a kind, by name.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().filter(move |((of, _), _)| *of == kind).map(|((_, name), times)| (*name, *times))
    }
}
