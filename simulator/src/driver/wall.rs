//! Real time as the Kubernetes API writes it: what a kubelet says is never on the simulated clock.

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// `at` as the API server stores it: whole seconds.
pub(super) fn stored(at: Timestamp) -> Time {
    let rounding = TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc);
    Time(at.round(rounding).unwrap_or(at))
}

/// How long after `earlier` the instant `later` is; zero when it is not after.
pub(super) fn since(earlier: Timestamp, later: Timestamp) -> std::time::Duration {
    later.duration_since(earlier).max(SignedDuration::ZERO).unsigned_abs()
}
