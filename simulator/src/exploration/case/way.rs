//! From where to where a control plane goes: the versions, and what kind of way it is.

use serde_json::{Value, json};

use super::Draw;

/// Where clusters are of which the way is an ordinary one: what the simulator has built in.
const ORDINARY: &str = "westeurope";
/// Where many minors are supported at once, so that pools have to move on the way.
const WIDE: &str = "northeurope";

/// Stable versions that are offered, oldest first.
const VERSIONS: [&str; 6] = ["1.34.2", "1.34.4", "1.35.1", "1.35.3", "1.36.0", "1.36.2"];
const NEWEST: [&str; 8] = ["1.34.2", "1.34.4", "1.35.1", "1.35.3", "1.36.0", "1.36.2", "1.37.0", "1.37.1"];
/// With long-term support Azure skips minors.
const LONG_TERM: [&str; 7] = ["1.32.100", "1.33.100", "1.33.101", "1.34.4", "1.35.3", "1.36.0", "1.36.2"];
/// The first is not offered any more.
const UNSUPPORTED: [&str; 6] = ["1.33.5", "1.34.2", "1.34.4", "1.35.1", "1.35.3", "1.36.2"];
/// From the first there is no way but for the whole cluster at once.
pub(super) const TOO_OLD: [&str; 5] = ["1.32.7", "1.34.2", "1.34.4", "1.35.1", "1.35.3"];
const MANY: [&str; 8] = ["1.31.9", "1.32.4", "1.32.8", "1.33.6", "1.34.4", "1.35.3", "1.36.0", "1.36.2"];

/// A way of a control plane.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) location: &'static str,
    /// The versions that there are on it, oldest first.
    pub(super) versions: &'static [&'static str],
    /// Where it begins, and where it is to end.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) long_term: bool,
    /// Ends at a minor on which the older operating systems do not run.
    pub(super) newest: bool,
    /// Somebody has to take the first hop with control plane and pools at once.
    pub(super) too_old: bool,
}

impl Way {
    /// The version at which it begins.
    pub(super) fn start(&self) -> &'static str {
        self.versions[self.from]
    }

    /// The version to arrive at.
    pub(super) fn target(&self) -> &'static str {
        self.versions[self.to]
    }
}

/// The minor of a version 1.
pub(super) fn minor(version: &str) -> u64 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or_default()
}

/// The regions that are not built in.
pub(super) fn regions() -> Value {
    let versions: Vec<Value> = MANY.iter().map(|version| json!({ "version": version })).collect();
    json!({ WIDE: { "kubernetesVersions": versions } })
}

impl Draw {
    pub(super) fn way(&mut self) -> Way {
        let ordinary = Way {
            location: ORDINARY,
            versions: &VERSIONS,
            from: 0,
            to: 0,
            long_term: false,
            newest: false,
            too_old: false,
        };
        let (way, last_start) = if self.is_drawn("a way of four or five minors", 0.1) {
            (Way { location: WIDE, versions: &MANY, ..ordinary }, 1)
        } else if self.is_drawn("long-term support", 0.1) {
            (Way { versions: &LONG_TERM, long_term: true, ..ordinary }, 3)
        } else if self.is_drawn("a version out of support", 0.08) {
            (Way { versions: &UNSUPPORTED, ..ordinary }, 0)
        } else if self.is_drawn("a version from which only the whole cluster goes on", 0.05) {
            (Way { versions: &TOO_OLD, too_old: true, ..ordinary }, 0)
        } else if self.is_drawn("the newest minor", 0.16) {
            (Way { versions: &NEWEST, newest: true, ..ordinary }, 5)
        } else {
            (ordinary, VERSIONS.len() - 2)
        };
        let from = self.dice.usize(0..=last_start);
        let last = way.versions.len() - 1;
        let to = if way.location == WIDE {
            self.dice.usize(last - 1..=last)
        } else {
            self.dice.usize(from + 1..=last)
        };
        Way { from, to, ..way }
    }
}
