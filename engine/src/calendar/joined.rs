//! Times that overlap or touch are one opening.

use std::iter::Peekable;

use jiff::{SignedDuration, Timestamp};

use super::spans::Span;

/// Times that follow each other without a break for longer are cut after it: a window that is always open
/// has no end to be found. It is so much longer than how far we look back that four weeks remain of
/// what is open now, which is longer than any step.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 56);

/// Times in the order of their beginnings, joined.
pub(super) struct Joined<I: Iterator<Item = Span>> {
    spans: Peekable<I>,
    /// The end of what was given out.
    passed: Timestamp,
}

impl<I: Iterator<Item = Span>> Joined<I> {
    pub(super) fn new(spans: I) -> Self {
        Self { spans: spans.peekable(), passed: Timestamp::MIN }
    }
}

impl<I: Iterator<Item = Span>> Iterator for Joined<I> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let passed = self.passed;
        let mut open = self
            .spans
            .by_ref()
            .map(|span| Span { from: span.from.max(passed), ..span })
            .find(|span| span.from < span.until)?;
        while open.until.duration_since(open.from) < LONGEST
            && let Some(next) = self.spans.next_if(|next| next.from <= open.until)
        {
            open.until = open.until.max(next.until);
        }
        self.passed = open.until;
        Some(open)
    }
}
