//! Stretches of time: united, intersected, cut. Pure.

use jiff::{SignedDuration, Timestamp};

use super::Freeze;
use crate::{
    calendar::Opening,
    planted::{PlantedBug, planted},
};

/// From one instant to another, which does not belong to it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl From<Opening> for Span {
    fn from(Opening { window: _, from, until }: Opening) -> Self {
        let late = if planted(PlantedBug::ForgetWindowEnd) {
            SignedDuration::from_hours(12)
        } else {
            SignedDuration::ZERO
        };
        Self { from, until: until + late }
    }
}

/// Spans that neither overlap nor touch, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(pub(super) Vec<Span>);

impl Spans {
    /// All of time, from an instant on.
    pub(super) fn always(from: Timestamp) -> Self {
        Self(vec![Span { from, until: Timestamp::MAX }])
    }

    /// All that is in one of these, in any order. What overlaps or touches is one span: a step may go on from
    /// one window into the next.
    pub(super) fn united(mut spans: Vec<Span>) -> Self {
        spans.retain(|span| span.from < span.until);
        spans.sort_by_key(|span| (span.from, span.until));
        let mut united: Vec<Span> = Vec::new();
        for span in spans {
            match united.last_mut() {
                Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
                Some(_) | None => united.push(span),
            }
        }
        Self(united)
    }

    /// All that is in both.
    pub(super) fn intersected(&self, others: &Self) -> Self {
        let both = self.0.iter().flat_map(|span| {
            let overlapping = others
                .0
                .iter()
                .map(|other| Span { from: span.from.max(other.from), until: span.until.min(other.until) });
            overlapping.filter(|both| both.from < both.until).collect::<Vec<_>>()
        });
        Self(both.collect())
    }

    /// All of it that is not frozen.
    pub(super) fn without(self, freezes: &[Freeze]) -> Self {
        freezes.iter().fold(self, |spans, freeze| spans.cut(freeze))
    }

    fn cut(self, freeze: &Freeze) -> Self {
        let until = freeze.until.unwrap_or(Timestamp::MAX);
        let parts = self.0.into_iter().flat_map(|span| {
            let before = Span { until: span.until.min(freeze.from), ..span };
            let after = Span { from: span.from.max(until), ..span };
            [before, after]
        });
        Self(parts.filter(|part| part.from < part.until).collect())
    }

    /// All of it from an instant on.
    pub(super) fn after(self, from: Timestamp) -> Self {
        let parts = self.0.into_iter().map(|span| Span { from: span.from.max(from), ..span });
        Self(parts.filter(|part| part.from < part.until).collect())
    }
}
