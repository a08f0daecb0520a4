//! How a MaintenanceWindow stands, in its status. Pure.

use crds::{InvalidField, MaintenanceWindow, MaintenanceWindowStatus, WindowOpening, condition};
use engine::{Opening, Window};
use jiff::{Timestamp, tz::TimeZone};

use crate::context::bounded;

/// How many openings are shown.
const SHOWN: usize = 5;
/// How long a condition's message may be, in bytes.
const MESSAGE_LIMIT: usize = 1000;

/// The status at an instant. It changes only when an opening begins or ends.
pub(super) fn status(
    object: &MaintenanceWindow,
    window: &Result<Window, Vec<InvalidField>>,
    now: Timestamp,
) -> MaintenanceWindowStatus {
    let (open, next_openings, standing) = match window {
        Ok(window) => {
            let openings: Vec<_> =
                window.openings(now).take(SHOWN).map(|opening| shown(&opening, window.zone())).collect();
            let open = openings.first().is_some_and(|first| first.from <= now);
            let standing = standing(open, &openings);
            (Some(open), openings, standing)
        }
        Err(fields) => (None, Vec::new(), invalid(fields)),
    };
    let (generation, message) = (object.metadata.generation, bounded(&standing.message, MESSAGE_LIMIT));
    let before = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let condition =
        |type_, status| condition(before, type_, status, standing.reason, &message, generation, now);
    let (ready, stalled) = if standing.invalid { ("False", "True") } else { ("True", "False") };
    MaintenanceWindowStatus {
        observed_generation: generation,
        open,
        next_openings,
        conditions: vec![condition("Ready", ready), condition("Stalled", stalled)],
    }
}

/// When the next opening begins, or the present one ends.
pub(super) fn next_change(status: &MaintenanceWindowStatus, now: Timestamp) -> Option<Timestamp> {
    let first = status.next_openings.first()?;
    [first.from, first.until].into_iter().find(|instant| *instant > now)
}

struct Standing {
    invalid: bool,
    reason: &'static str,
    message: String,
}

fn standing(open: bool, openings: &[WindowOpening]) -> Standing {
    let (reason, message) = match openings.first() {
        Some(first) if open => ("Open", format!("open until {}", first.local_until)),
        Some(first) => ("Closed", format!("opens {}", first.local_from)),
        None => ("NoMoreOpenings", "does not open again within ten years".to_owned()),
    };
    Standing { invalid: false, reason, message }
}

fn invalid(fields: &[InvalidField]) -> Standing {
    let words: Vec<String> = fields.iter().map(ToString::to_string).collect();
    Standing { invalid: true, reason: "InvalidSpec", message: words.join("; ") }
}

fn shown(opening: &Opening, zone: &TimeZone) -> WindowOpening {
    let local = |instant: Timestamp| {
        let name = zone.iana_name().unwrap_or_default();
        instant.to_zoned(zone.clone()).strftime(&format!("%a %Y-%m-%d %H:%M %:z {name}")).to_string()
    };
    WindowOpening {
        from: opening.from,
        until: opening.until,
        local_from: local(opening.from),
        local_until: local(opening.until),
    }
}

#[cfg(test)]
mod tests {
    use crds::window_of;
    use serde_json::{Value, json};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn object(spec: Value) -> MaintenanceWindow {
        let object = json!({"apiVersion": "tidegate.dev/v1alpha1", "kind": "MaintenanceWindow",
            "metadata": {"name": "nights", "namespace": "platform", "generation": 3}, "spec": spec});
        serde_json::from_value(object).unwrap()
    }

    fn saturdays() -> MaintenanceWindow {
        object(json!({"timeZone": "europe/berlin", "duration": "6h",
            "starts": [{"weekly": {"daysOfWeek": ["Saturday"], "startTime": "22:00"}}]}))
    }

    fn status_at(object: &MaintenanceWindow, now: &str) -> MaintenanceWindowStatus {
        status(object, &window_of(object), at(now))
    }

    fn said(status: &MaintenanceWindowStatus, type_: &str) -> (String, String, String) {
        let condition = status.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
        assert_eq!(condition.observed_generation, Some(3));
        (condition.status.clone(), condition.reason.clone(), condition.message.clone())
    }

    fn triple(status: &str, reason: &str, message: &str) -> (String, String, String) {
        (status.to_owned(), reason.to_owned(), message.to_owned())
    }

    #[test]
    fn the_next_openings_are_shown_in_local_time_too() {
        let status = status_at(&saturdays(), "2026-10-20T00:00:00Z");
        assert_eq!((status.open, status.observed_generation), (Some(false), Some(3)));
        let local: Vec<_> = status.next_openings.iter().map(|opening| opening.local_from.as_str()).collect();
        let expected = [
            "Sat 2026-10-24 22:00 +02:00 Europe/Berlin",
            "Sat 2026-10-31 22:00 +01:00 Europe/Berlin",
            "Sat 2026-11-07 22:00 +01:00 Europe/Berlin",
            "Sat 2026-11-14 22:00 +01:00 Europe/Berlin",
            "Sat 2026-11-21 22:00 +01:00 Europe/Berlin",
        ];
        assert_eq!(local, expected);
        // Clocks go back in this night: six hours, and one less on the clock.
        assert_eq!(status.next_openings[0].until, at("2026-10-25T02:00:00Z"));
        assert_eq!(status.next_openings[0].local_until, "Sun 2026-10-25 03:00 +01:00 Europe/Berlin");
        let opens = "opens Sat 2026-10-24 22:00 +02:00 Europe/Berlin";
        assert_eq!(said(&status, "Ready"), triple("True", "Closed", opens));
        assert_eq!(said(&status, "Stalled"), triple("False", "Closed", opens));
    }

    #[test]
    fn it_is_looked_at_again_when_an_opening_begins_or_ends_and_shows_the_same_until_then() {
        let mut object = saturdays();
        let mut now = at("2026-12-04T00:00:00Z");
        let mut changes = Vec::new();
        for _ in 0..3 {
            let status = status(&object, &window_of(&object), now);
            object.status = Some(status.clone());
            let next = next_change(&status, now).unwrap();
            let just_before = next - jiff::SignedDuration::from_secs(1);
            assert_eq!(super::status(&object, &window_of(&object), just_before), status);
            changes.push((next.to_string(), said(&status, "Ready").1));
            now = next;
        }
        let expected = [
            ("2026-12-05T21:00:00Z", "Closed"),
            ("2026-12-06T03:00:00Z", "Open"),
            ("2026-12-12T21:00:00Z", "Closed"),
        ];
        assert_eq!(changes, expected.map(|(at, reason)| (at.to_owned(), reason.to_owned())));
    }

    #[test]
    fn one_that_is_over_says_so_and_rests() {
        let object = object(json!({"timeZone": "UTC",
            "starts": [{"once": {"from": "2026-12-05T22:00", "until": "2026-12-06T04:00"}}]}));
        let status = status_at(&object, "2026-12-06T04:00:00Z");
        assert_eq!(status.open, Some(false));
        assert_eq!(said(&status, "Ready").1, "NoMoreOpenings");
        assert_eq!(next_change(&status, at("2026-12-06T04:00:00Z")), None);
    }

    #[test]
    fn what_means_nothing_is_stalled_and_names_its_fields() {
        let status = status_at(
            &object(
                json!({"timeZone": "Europe/Berlni", "duration": "6h", "starts": [{"cron": "0 22 30 2 *"}]}),
            ),
            "2026-12-06T04:00:00Z",
        );
        let (stalled, reason, message) = said(&status, "Stalled");
        assert_eq!((stalled.as_str(), reason.as_str()), ("True", "InvalidSpec"));
        assert_eq!(said(&status, "Ready"), triple("False", "InvalidSpec", &message));
        for words in ["spec.timeZone", "Europe/Berlin?", "spec.starts[0].cron", "never opens"] {
            assert!(message.contains(words), "{words} is missing in {message}");
        }
        assert_eq!((status.open, status.next_openings.len()), (None, 0));
    }

    #[test]
    fn what_the_guide_shows_can_be_applied() {
        let guide = include_str!("../../../../docs/windows.md");
        let examples = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let mut seen = 0;
        for example in examples {
            let object: MaintenanceWindow = serde_saphyr::from_str(example).unwrap();
            let status = status(&object, &window_of(&object), at("2026-11-23T08:00:00Z"));
            assert_eq!(status.next_openings.len(), SHOWN, "{status:?}");
            let shown = &status.next_openings[0];
            let in_table = format!("{}   {}", shown.local_from, shown.local_until);
            assert!(
                object.metadata.name.as_deref() != Some("weekend-nights") || guide.contains(&in_table),
                "{in_table}"
            );
            seen += 1;
        }
        assert_eq!(seen, 3);
    }
}
