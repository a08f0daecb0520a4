//! What keeps a step from starting now, where windows do: those of the plan, the cluster's own, or both.
//!
//! Every sentence names what somebody can change, and is no longer than 200 bytes with the longest names that there
//! are: 31 of AKS's configurations, 12 of pools; a window's may have 63, and is cut where it has to be.

use std::time::Duration;

use jiff::Timestamp;

use super::clipped;
use crate::schedule::Bounds;

/// Nothing is open for long enough now: until when, by the plan's window and the cluster's own configuration. With
/// what does not fit into what remains, if something is open.
pub(super) fn closed(
    (window, own): (&str, Option<&str>),
    opens: Timestamp,
    does_not_fit: Option<&str>,
) -> String {
    let why = match does_not_fit {
        Some(subject) => format!("{subject} does not fit into what remains: it waits until"),
        None => "waits until".to_owned(),
    };
    match (window, own) {
        ("", None) => format!("{why} {opens}"),
        ("", Some(own)) => format!("{why} the cluster's own {own} opens at {opens}"),
        (window, None) => format!("{why} window {} opens at {opens}", clipped(window, 70)),
        // One of them may have been open for long: what is waited for is that both are.
        (window, Some(own)) => {
            let window = clipped(window, if does_not_fit.is_some() { 36 } else { 63 });
            format!("{why} {opens}, when window {window} and the cluster's own {own} are open")
        }
    }
}

/// Nothing is ever open for long enough.
pub(super) fn too_short(subject: &str, bounds: &Bounds, needs: Duration, longest: Duration) -> String {
    // What is expected is no promise: in whole five minutes, rounded up. What there is, is rounded down.
    let (needs, most) = (in_words(needs.as_secs().div_ceil(300) * 5), in_words(longest.as_secs() / 60));
    match bounds {
        Bounds::Windows if longest.is_zero() => {
            format!("{subject} cannot start: no window of spec.schedule.windows opens any more")
        }
        Bounds::Own(own) if longest.is_zero() => format!(
            "{subject} cannot start: the cluster's own {own} does not open any more: change it in Azure, or set spec.schedule.clusterWindows: Ignore"
        ),
        Bounds::Both(own) if longest.is_zero() => format!(
            "{subject} cannot start: spec.schedule.windows and the cluster's own {own} never overlap: change one of them, or set spec.schedule.clusterWindows: Ignore"
        ),
        Bounds::Windows => format!(
            "{subject} needs a window of {needs}, and the longest is {most}: a longer window, more surge, or spec.schedule.minimumRemaining"
        ),
        Bounds::Own(own) => format!(
            "{subject} needs {needs}, and the cluster's own {own} opens for {most} at most: a longer one, more surge, spec.schedule.minimumRemaining, or clusterWindows: Ignore"
        ),
        Bounds::Both(own) => format!(
            "{subject} needs {needs}, and spec.schedule.windows and the cluster's own {own} overlap for {most} at most: more surge, minimumRemaining, or clusterWindows: Ignore"
        ),
    }
}

/// The cluster's own configuration cannot be understood.
pub(super) fn misread(name: &str, why: &str) -> String {
    format!(
        "the cluster's own {name}: {}; mend it or set spec.schedule.clusterWindows: Ignore",
        clipped(why, 94)
    )
}

/// In hours and minutes.
fn in_words(minutes: u64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}m"),
        (hours, 0) => format!("{hours}h"),
        (hours, minutes) => format!("{hours}h{minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: &str = "aksManagedNodeOSUpgradeSchedule";
    const POOL: &str = "pool abcdefghijkl";

    #[test]
    fn what_is_too_short_never_looks_long_enough() {
        let needs = Duration::from_secs(280);
        let words = too_short(POOL, &Bounds::Windows, needs, Duration::from_secs(279));
        assert!(words.contains("a window of 5m, and the longest is 4m"), "{words}");
    }

    #[test]
    fn every_sentence_names_what_must_be_open_and_stays_short() {
        let window = "a".repeat(63);
        let opens: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let hours = |hours: u64, minutes: u64| Duration::from_secs(hours * 3600 + minutes * 60);
        let mut all = Vec::new();
        for does_not_fit in [None, Some(POOL)] {
            for window in ["", &window] {
                all.push(closed((window, Some(LONGEST)), opens, does_not_fit));
            }
        }
        for bounds in [Bounds::Own(LONGEST.to_owned()), Bounds::Both(LONGEST.to_owned())] {
            for longest in [hours(0, 0), hours(11, 55)] {
                let words = too_short(POOL, &bounds, hours(23, 55), longest);
                assert!(words.contains("clusterWindows: Ignore"), "{words}");
                all.push(words);
            }
        }
        all.push(misread(LONGEST, &"w".repeat(300)));
        for words in all {
            assert!(words.len() <= 200, "{} bytes: {words}", words.len());
            assert!(words.contains(LONGEST), "{words}");
        }
        for (bounds, longest) in [(Bounds::Windows, hours(0, 0)), (Bounds::Windows, hours(6, 0))] {
            let words = too_short(POOL, &bounds, hours(11, 15), longest);
            assert!(!words.contains("cluster"), "{words}");
        }
    }
}
