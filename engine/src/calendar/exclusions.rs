//! What is cut out of openings.

use super::spans::Span;
use crate::planted::{PlantedBug, planted};

/// In order, and apart from each other.
pub(super) fn apart(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut apart: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
            Some(_) | None => apart.push(span),
        }
    }
    apart
}

/// What is left of a time without those that are closed.
pub(super) fn without(open: Span, closed: &[Span]) -> Vec<Span> {
    if planted(PlantedBug::IgnoreExclusions) {
        return vec![open];
    }
    let mut left = Vec::new();
    let mut from = open.from;
    for closed in closed.iter().filter(|closed| closed.until > open.from && closed.from < open.until) {
        left.push(Span { from, until: closed.from });
        from = closed.until;
    }
    left.push(Span { from, until: open.until });
    left.retain(|span| span.from < span.until);
    left
}
