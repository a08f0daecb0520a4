//! When a step may start: inside a window that stays open for long enough, under no freeze, not too early.
//!
//! Windows open by union; the cluster's own maintenance windows are intersected with them; freezes, and all
//! that is before `notBefore`, are cut out of both. A step in flight is not looked at here: it finishes.
//! Pure: knows what is to be so, and the present, and nothing of what is observed of the cluster.

mod estimate;
mod freeze;
mod learned;
mod maintenance;
mod spans;

use std::time::Duration;

use jiff::Timestamp;

pub use estimate::{Estimates, LARGEST_ESTIMATES};
pub use freeze::Freeze;
pub use learned::learned;
pub(crate) use maintenance::Misread;
pub use maintenance::{Configured, Maintenance};
use spans::{Span, Spans};

use crate::{
    calendar::{Opening, Window},
    cluster::Cluster,
    planted::{PlantedBug, planted},
    policy::Policy,
    step::Step,
    waiting::WaitingOn,
};

/// When the steps of an upgrade may start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// The windows, one of which must be open; without any, it is always time.
    pub windows: Vec<Window>,
    /// A window that is asked for and cannot be used, and what would be right: nothing starts until it can.
    pub unusable: Option<String>,
    /// Whether the cluster's own maintenance windows are kept, too.
    pub respects_cluster: bool,
    /// The freezes of the cluster that are not over.
    pub freezes: Vec<Freeze>,
    /// Nothing starts before this instant.
    pub not_before: Option<Timestamp>,
    /// How long a window must stay open for a step to start, instead of what the step is expected to take.
    pub minimum_remaining: Option<Duration>,
    /// How long steps of the cluster took.
    pub estimates: Estimates,
}

/// What a step has to be asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// The present.
    pub(crate) now: Timestamp,
    /// For how long the window must stay open.
    pub(crate) needs: Duration,
    /// The freezes, as they were read last.
    pub(crate) freezes: &'a [Freeze],
    /// The cluster's own maintenance window, where one binds.
    pub(crate) cluster: Option<&'a Window>,
}

/// Whether a step may start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// It may.
    Start,
    /// A window is named that cannot be used.
    Unusable(String),
    /// Not before this instant.
    NotBefore(Timestamp),
    /// Somebody has frozen the cluster.
    Frozen(Freeze),
    /// No window is open, or none for long enough.
    Closed {
        /// The window that is next open for long enough; empty where none is asked for.
        window: String,
        /// The cluster's own configuration that is open then, too, where one binds.
        own: Option<String>,
        /// When that is.
        opens: Timestamp,
        /// Whether one is open, and closes too soon.
        too_soon: bool,
    },
    /// No window is ever open for long enough.
    Never {
        /// What leaves no more.
        bounds: Bounds,
        /// The longest that there is.
        longest: Duration,
    },
}

/// What leaves no more time than there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// `spec.schedule.windows`.
    Windows,
    /// The cluster's own maintenance configuration of that name.
    Own(String),
    /// That and `spec.schedule.windows`, which must be open at the same time.
    Both(String),
}

impl Schedule {
    /// What a step of that length waits for, if no window is ever open for so long; windows and the step alone are
    /// looked at, and not what the cluster has of its own.
    #[must_use]
    pub fn shortfall(&self, step: &Step, needs: Duration, now: Timestamp) -> Option<WaitingOn> {
        self.shortfall_within(step, &Ask { now, needs, freezes: &[], cluster: None })
    }

    /// The same, within the cluster's own maintenance window, too, where one binds; freezes are not looked at.
    pub(crate) fn shortfall_within(&self, step: &Step, ask: &Ask<'_>) -> Option<WaitingOn> {
        let longest = self.never_fits(ask)?;
        let bounds = self.bounds(ask);
        Some(WaitingOn::WindowTooShort { subject: step.subject(), needs: ask.needs, bounds, longest })
    }

    /// The next openings of its windows, at most so many, by what begins first.
    #[must_use]
    pub fn next_openings(&self, now: Timestamp, most: usize) -> Vec<Opening> {
        let mut all: Vec<Opening> =
            self.windows.iter().flat_map(|window| window.openings(now).take(most)).collect();
        all.sort_by(|a, b| (a.from, a.until, &a.window).cmp(&(b.from, b.until, &b.window)));
        all.truncate(most);
        all
    }

    /// For how long a window must stay open for a step to start.
    #[must_use]
    pub fn needs(&self, step: &Step, cluster: &Cluster, policy: &Policy) -> Duration {
        if planted(PlantedBug::IgnoreFit) {
            return Duration::ZERO;
        }
        self.minimum_remaining.unwrap_or_else(|| self.estimates.of_step(step, cluster, policy))
    }
}

/// An opening is seen some seconds after it has begun: who looks has to read the cluster first. So much less may
/// remain of what is open, or a step that needs a window as long as it is would come too late for each, for ever.
const SEEN_WITHIN: Duration = Duration::from_secs(60);
/// How far ahead windows are looked at first, and where that shows none that is long enough.
const NEAR: Duration = Duration::from_secs(8 * 24 * 3600);
const FAR: Duration = Duration::from_secs(400 * 24 * 3600);

impl Schedule {
    /// Whether nothing may start now, however short.
    pub(crate) fn is_closed(&self, now: Timestamp) -> bool {
        self.answer(&Ask { now, needs: Duration::ZERO, freezes: &self.freezes, cluster: None })
            != Answer::Start
    }

    /// The first instant, not before another, at which a step may start, as far as windows and freezes are known now;
    /// `None` when it never may, or not until somebody ends a freeze.
    pub(crate) fn next_start(&self, from: Timestamp, needs: Duration) -> Option<Timestamp> {
        let mut at = from;
        // Each answer but the last goes past `notBefore`, past a freeze, or to an opening that none of them touches.
        for _ in 0..self.freezes.len() + 3 {
            let ask = Ask { now: at, needs, freezes: &self.freezes, cluster: None };
            at = match self.answer(&ask) {
                Answer::Start => return Some(at),
                Answer::NotBefore(next) | Answer::Closed { opens: next, .. } => next,
                Answer::Frozen(freeze) => freeze.until?,
                Answer::Unusable(_) | Answer::Never { .. } => return None,
            };
        }
        None
    }

    /// Whether a step may start.
    pub(crate) fn answer(&self, ask: &Ask<'_>) -> Answer {
        let Ask { now, freezes, .. } = *ask;
        if let Some(why) = &self.unusable {
            return Answer::Unusable(why.clone());
        }
        if let Some(freeze) = frozen(freezes, now) {
            return Answer::Frozen(freeze.clone());
        }
        if let Some(at) = self.not_before.filter(|at| now < *at && !planted(PlantedBug::IgnoreNotBefore)) {
            return Answer::NotBefore(at);
        }
        let next = [NEAR, FAR].into_iter().find_map(|ahead| self.next_opening(ask, ahead));
        let never =
            || self.never_fits(ask).map(|longest| Answer::Never { bounds: self.bounds(ask), longest });
        next.or_else(never).unwrap_or_else(|| {
            // The windows are long enough: it is a freeze that leaves nothing of them.
            let left = freezes.iter().filter(|freeze| !freeze.is_over(now));
            let last = left.max_by_key(|freeze| freeze.until.unwrap_or(Timestamp::MAX));
            last.map_or(Answer::Start, |freeze| Answer::Frozen(freeze.clone()))
        })
    }

    /// The longest time that windows stay open, whatever is frozen, if that is never long enough; zero when none
    /// opens any more.
    pub(crate) fn never_fits(&self, ask: &Ask<'_>) -> Option<Duration> {
        let now = self.not_before.map_or(ask.now, |at| ask.now.max(at));
        let longest = |ahead| {
            let open = self.open(&Ask { now, ..*ask }, ahead).after(now).0.into_iter();
            open.map(|span| length(span.from, span.until)).max().unwrap_or_default()
        };
        if longest(NEAR) >= ask.needs && !ask.needs.is_zero() {
            return None;
        }
        let longest = longest(FAR);
        (longest.is_zero() || longest < ask.needs).then_some(longest)
    }

    /// The next time that is long enough, and whether that is now.
    fn next_opening(&self, ask: &Ask<'_>, ahead: Duration) -> Option<Answer> {
        let Ask { now, needs, freezes, .. } = *ask;
        let open = self.open(ask, ahead).after(now);
        let open = if planted(PlantedBug::IgnoreFreezes) { open } else { open.without(freezes) };
        let late = |span: &&Span| if span.from <= now { SEEN_WITHIN } else { Duration::ZERO };
        let next = open.0.iter().find(|span| length(span.from, span.until) + late(span) >= needs)?;
        if next.from <= now {
            return Some(Answer::Start);
        }
        let too_soon = open.0.first().is_some_and(|first| first.from <= now);
        let own = ask.cluster.map(|window| window.name().to_owned());
        Some(Answer::Closed { window: self.open_at(next.from), own, opens: next.from, too_soon })
    }

    /// The name of the window that is open at an instant: of several, that which has been for longest.
    fn open_at(&self, at: Timestamp) -> String {
        let next = self.windows.iter().filter_map(|window| window.openings(at).next());
        let open = next.filter(|opening| opening.from <= at);
        let first = open.min_by(|a, b| (a.from, a.until, &a.window).cmp(&(b.from, b.until, &b.window)));
        first.map(|opening| opening.window).unwrap_or_default()
    }

    /// What is to be open.
    fn bounds(&self, ask: &Ask<'_>) -> Bounds {
        match ask.cluster.map(|window| window.name().to_owned()) {
            None => Bounds::Windows,
            Some(own) if self.windows.is_empty() => Bounds::Own(own),
            Some(own) => Bounds::Both(own),
        }
    }

    /// When windows are open, the cluster's own included, as far as it is asked about them.
    fn open(&self, Ask { now, cluster, .. }: &Ask<'_>, ahead: Duration) -> Spans {
        let own = if self.windows.is_empty() || planted(PlantedBug::IgnoreWindows) {
            Spans::always(*now)
        } else {
            united(&self.windows, *now, ahead)
        };
        match cluster {
            Some(window) => own.intersected(&united(std::slice::from_ref(*window), *now, ahead)),
            None => own,
        }
    }
}

fn united(windows: &[Window], now: Timestamp, ahead: Duration) -> Spans {
    let horizon = now.saturating_add(ahead).unwrap_or(Timestamp::MAX);
    let openings = windows.iter().flat_map(|window| {
        window.openings(now).take_while(|opening| opening.from <= horizon).map(Span::from)
    });
    Spans::united(openings.collect())
}

fn length(from: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(from)).unwrap_or_default()
}

/// The freeze that holds, if one does: of several that which holds longest.
fn frozen(freezes: &[Freeze], now: Timestamp) -> Option<&Freeze> {
    if planted(PlantedBug::IgnoreFreezes) {
        return None;
    }
    let holding = freezes.iter().filter(|freeze| freeze.holds(now));
    holding.max_by_key(|freeze| (freeze.until.unwrap_or(Timestamp::MAX), std::cmp::Reverse(&freeze.name)))
}

#[cfg(test)]
mod tests;
