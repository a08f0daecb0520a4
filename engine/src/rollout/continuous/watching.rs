//! What a continuous plan waits for while no rollout runs: one typed reason.

use std::{collections::BTreeSet, fmt, time::Duration};

use jiff::Timestamp;

use crate::waiting::Stance;

/// The longest that it is not looked at again, whatever wakes it before.
const LONGEST: Duration = Duration::from_secs(600);
/// Clusters named in a message.
const NAMED: usize = 3;

/// What is watched while no rollout runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watching {
    /// Clusters that need something and cannot start, each with the first reason.
    pub hindered: Vec<(String, String)>,
    /// Clusters that need what the last rollout has left undone.
    pub left: BTreeSet<String>,
    /// Clusters that need something by the inventory, in which the last rollout found nothing to do.
    pub found_at_target: BTreeSet<String>,
    /// Clusters of which nothing is known, or too little that is new enough, or that are busy.
    pub unknown: Vec<String>,
    /// When something is to be done by the passing of time alone, as far as that is known.
    pub next: Option<Timestamp>,
}

impl Watching {
    /// In one word.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        if !self.hindered.is_empty() {
            "PreflightBlocked"
        } else if !self.left.is_empty() {
            "LeftBehind"
        } else if !self.unknown.is_empty() || !self.found_at_target.is_empty() {
            "WaitingForInventory"
        } else {
            "UpToDate"
        }
    }

    /// How the plan stands; `None` when every cluster is where it should be.
    #[must_use]
    pub fn stance(&self) -> Option<Stance> {
        if !self.hindered.is_empty() {
            Some(Stance::Stopped)
        } else if !self.left.is_empty() {
            Some(Stance::Parked)
        } else if !self.unknown.is_empty() || !self.found_at_target.is_empty() {
            Some(Stance::Working)
        } else {
            None
        }
    }

    /// After how long it is looked at again, if nothing wakes it before.
    #[must_use]
    pub fn look_again(&self, now: Timestamp) -> Duration {
        let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
        self.next.map_or(LONGEST, until).clamp(Duration::from_secs(1), LONGEST)
    }
}

impl fmt::Display for Watching {
    /// One sentence, without clock or counter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((cluster, why)) = self.hindered.first() {
            write!(f, "cluster {cluster} needs an upgrade and cannot start: {why}")?;
            let more = few(self.hindered.iter().skip(1).map(|(cluster, _)| cluster));
            return if more.is_empty() { Ok(()) } else { write!(f, "; neither can {more}") };
        }
        if !self.left.is_empty() {
            let few = few(&self.left);
            return write!(
                f,
                "the last rollout ended without {few}: tried again with the next rollout, or within a week of it"
            );
        }
        if !self.unknown.is_empty() {
            let few = few(&self.unknown);
            return write!(f, "what runs in {few}, or what Azure offers there, is not known well enough now");
        }
        if !self.found_at_target.is_empty() {
            let few = few(&self.found_at_target);
            return write!(
                f,
                "the last rollout found nothing to do in {few}, and the inventory shows something: tried again within a day"
            );
        }
        f.write_str("every cluster is at what the target stands for now; a rollout starts when that changes")
    }
}

fn few<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let mut names = names.into_iter();
    let mut words: Vec<&str> = names.by_ref().take(NAMED).map(String::as_str).collect();
    if names.next().is_some() {
        words.push("others");
    }
    words.join(", ")
}
