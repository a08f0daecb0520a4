//! Messages that stay the same while the matter does: they end up in conditions and events, which
//! are written when they change.

use crate::planted::{PlantedBug, planted};

/// `text` without what differs from one answer to the next: instants, seconds to wait, and the ids
/// of single requests.
#[must_use]
pub fn steady(text: &str) -> String {
    if planted(PlantedBug::TellInstants) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        let after = &rest[word.len()..];
        let differs = is_instant(word) || (is_guid(word) && is_of_request(&out)) || is_wait(word, after);
        out.push_str(if differs { "…" } else { word });
        let gap = after.find(is_part).unwrap_or(after.len());
        out.push_str(&after[..gap]);
        rest = &after[gap..];
    }
    out
}

/// Paths stay in one piece: the ids in them name resources.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+' | '/' | '_')
}

/// `2026-12-05T22:00:00Z`, or its parts `2026-12-05` and `22:00:00Z`.
fn is_instant(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ':']);
    let (date, time) = match word.split_once('T') {
        Some((date, time)) => (Some(date), Some(time)),
        None if word.contains(':') => (None, Some(word)),
        None => (Some(word), None),
    };
    let is_date = |date: &str| date.parse::<jiff::civil::Date>().is_ok() && date.contains('-');
    let is_time = |time: &str| {
        let digits = time.trim_end_matches('Z').split('+').next().unwrap_or_default();
        digits.matches(':').count() == 2 && digits.parse::<jiff::civil::Time>().is_ok()
    };
    date.is_none_or(is_date) && time.is_none_or(is_time)
}

fn is_guid(word: &str) -> bool {
    let groups: Vec<&str> = word.trim_end_matches('.').split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The words before an id say that it is of one request; others, of identities, are worth knowing.
fn is_of_request(before: &str) -> bool {
    const WORDS: [&str; 7] = ["trace", "correlation", "request", "activity", "tracking", "operation", "etag"];
    let start = before.char_indices().rev().nth(20).map_or(0, |(at, _)| at);
    let near = before[start..].to_ascii_lowercase();
    WORDS.iter().any(|word| near.contains(word))
}

fn is_wait(word: &str, after: &str) -> bool {
    let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    number && after.trim_start().starts_with("second")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_what_differs_between_two_answers() {
        let entra = |second: &str, id: &str| {
            steady(&format!(
                "AADSTS700016: Application 11111111-2222-4333-8444-555555555555 not found. Trace ID: {id} \
                 Correlation ID: {id} Timestamp: 2026-12-05 22:00:{second}Z, {{\"timestamp\":\"2026-12-05T22:00:{second}.5Z\"}}"
            ))
        };
        let one = entra("01", "0a0a0a0a-0000-4000-8000-000000000001");
        assert_eq!(one, entra("59", "0b0b0b0b-0000-4000-8000-000000000002"));
        assert!(one.contains("Application 11111111-2222-4333-8444-555555555555 not found"), "{one}");
        let etag =
            |id: &str| steady(&format!("The eTag {id} of the request does not match the current eTag {id}."));
        assert_eq!(
            etag("0a0a0a0a-0000-4000-8000-000000000001"),
            etag("0b0b0b0b-0000-4000-8000-000000000002")
        );
        let began = |at: &str| {
            steady(&format!("there's an in progress operation on the resource started at {at}. Please wait"))
        };
        assert_eq!(began("2026-11-20 22:00:01 +0000 UTC"), began("2026-11-21 02:10:59 +0000 UTC"));
        assert_eq!(began("2026-11-20T22:00:01Z"), began("2026-11-20T22:00:01.123456789+00:00"));
        assert_eq!(steady("Throttled: try again in 37 seconds"), "Throttled: try again in … seconds");
    }

    #[test]
    fn keeps_what_tells_something() {
        for text in [
            "429 Throttled: 3 of 5 pools, 10.0.0.0/24, 1.34.2, §ä…",
            "no permission on /subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/a",
            "the client '20000000-0000-4000-8000-000000000001' has no permission",
            "AKSUbuntu-2204gen2containerd-202510.03.1",
            "",
        ] {
            assert_eq!(steady(text), text);
        }
    }
}
