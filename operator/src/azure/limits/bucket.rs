//! One token bucket, of which we use a share. Touches nothing.
//!
//! A bucket is kept as the instant at which it is full again: each call moves that by the time that one
//! call takes to come back. That is the token bucket without its rounding (the "virtual scheduling" of
//! ITU-T I.371), in whole nanoseconds: between two instants never more than the share's calls plus those
//! that came back meanwhile.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Urgency;

/// How much of each bucket we spend, in per cent: other tools use the same subscriptions, and Azure's
/// clock and ours do not tick together.
const OURS: u32 = 70;
/// No limit of Azure's is longer than an hour; who asks for more than a day is mistaken.
const LONGEST_STOP: SignedDuration = SignedDuration::from_hours(24);
/// What Azure Resource Manager reported counts for the gauge that long: more than two of the slowest sweeps.
const REPORT_AGE: SignedDuration = SignedDuration::from_mins(5);

/// Our share of a kind of bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// How many calls it holds.
    pub(super) calls: i32,
    /// How long one call takes to come back.
    pub(super) each: SignedDuration,
}

impl Share {
    /// Our share of a bucket that holds `burst` calls and gains `gains` of them in `seconds`.
    pub(super) const fn of(burst: u32, gains: u32, seconds: u32) -> Self {
        let nanos = seconds as u64 * 1_000_000_000 * 100;
        // Rounded to our disadvantage, both.
        let each = nanos.div_ceil((gains * OURS) as u64);
        Self { calls: (burst * OURS / 100) as i32, each: SignedDuration::from_nanos(each as i64) }
    }

    /// How long the whole share takes to come back.
    fn whole(self) -> SignedDuration {
        self.each * self.calls
    }
}

/// What is known of one bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    full_at: Timestamp,
    stopped_until: Option<Timestamp>,
    reported: Option<(Timestamp, u32)>,
}

impl Bucket {
    /// A bucket that nobody has taken from.
    pub(super) const fn full(now: Timestamp) -> Self {
        Self { full_at: now, stopped_until: None, reported: None }
    }

    /// How long until one more call may be made after `ahead` others, `None` for at once.
    pub(super) fn wait(
        &self,
        share: Share,
        now: Timestamp,
        urgency: Urgency,
        ahead: i32,
    ) -> Option<SignedDuration> {
        let usable = match urgency {
            Urgency::Upgrade => share.whole(),
            Urgency::Inventory => share.whole() / 2,
        };
        let calls = share.each.saturating_mul(ahead.saturating_add(1));
        let empty_for = self.debt(share, now) + calls - usable;
        Some(empty_for.max(self.stop_left(now))).filter(SignedDuration::is_positive)
    }

    /// Takes one call out.
    pub(super) fn spend(&mut self, share: Share, now: Timestamp) {
        self.full_at = later(now, self.debt(share, now) + share.each);
    }

    /// Azure says that only `left` calls are left in all. Of what is left, we spend our share.
    pub(super) fn lower(&mut self, share: Share, now: Timestamp, left: u32) {
        let ours = i32::try_from(u64::from(left) * u64::from(OURS) / 100).unwrap_or(i32::MAX);
        let debt = share.each * (share.calls - ours).max(0);
        self.full_at = self.full_at.max(later(now, debt));
    }

    /// Azure refused: there is nothing in it now, and nothing is to be asked for this long.
    pub(super) fn stop(&mut self, share: Share, now: Timestamp, pause: Duration) {
        let pause = SignedDuration::try_from(pause).unwrap_or(LONGEST_STOP).min(LONGEST_STOP);
        self.lower(share, now, 0);
        self.stopped_until = self.stopped_until.max(Some(later(now, pause)));
    }

    /// Notes what Azure reported, for whoever watches.
    pub(super) fn report(&mut self, now: Timestamp, left: u32) {
        self.reported = Some((now, left));
    }

    /// What Azure reported lately.
    pub(super) fn reported(&self, now: Timestamp) -> Option<u32> {
        let (_, left) = self.reported.filter(|(at, _)| now.duration_since(*at) < REPORT_AGE)?;
        Some(left)
    }

    /// How much of the share is left, from 0 to 1.
    pub(super) fn left(&self, share: Share, now: Timestamp) -> f64 {
        if self.is_stopped(now) {
            return 0.0;
        }
        1.0 - self.debt(share, now).as_secs_f64() / share.whole().as_secs_f64()
    }

    /// Whether Azure's refusal still counts.
    pub(super) fn is_stopped(&self, now: Timestamp) -> bool {
        self.stop_left(now).is_positive()
    }

    /// Whether it is as good as new.
    pub(super) fn is_idle(&self, share: Share, now: Timestamp) -> bool {
        self.debt(share, now).is_zero() && !self.is_stopped(now) && self.reported(now).is_none()
    }

    /// How long until it is full. A clock that was set back makes nobody wait longer than for that.
    fn debt(&self, share: Share, now: Timestamp) -> SignedDuration {
        self.full_at.duration_since(now).clamp(SignedDuration::ZERO, share.whole())
    }

    fn stop_left(&self, now: Timestamp) -> SignedDuration {
        let left = self.stopped_until.map_or(SignedDuration::ZERO, |until| until.duration_since(now));
        left.min(LONGEST_STOP)
    }
}

/// At the end of time when it is beyond.
pub(super) fn later(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}
