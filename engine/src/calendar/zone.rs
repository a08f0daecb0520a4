//! Time zones by name, and what a local time in one of them means.

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::planted::{PlantedBug, planted};

/// How many names are suggested for one that is not known.
const SUGGESTIONS: usize = 3;

/// The instant at which a window with this local start opens: a time that clocks skip moves forward by the
/// gap, one that they show twice counts the first time.
///
/// `None` beyond what a calendar can say.
pub(super) fn start(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    // jiff's default for both: RFC 5545, 3.3.5.
    zone.to_timestamp(local).ok()
}

/// The zone of that name in the IANA database, in any case.
///
/// # Errors
/// What is wrong with the name, and which names are near.
pub(super) fn named(name: &str) -> Result<TimeZone, String> {
    let database = TimeZoneDatabase::bundled();
    let known = database.available().any(|known| known.as_str().eq_ignore_ascii_case(name));
    if known && let Ok(zone) = database.get(name) {
        return Ok(if planted(PlantedBug::IgnoreZone) { TimeZone::UTC } else { zone });
    }
    let near = nearest(name, &database);
    let hint = match near.as_slice() {
        [] => "take a name of the IANA database such as Europe/Berlin or UTC".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Err(format!("there is no time zone {name:?}: {hint}"))
}

/// Known names that are written nearly so, or whose city is.
fn nearest(name: &str, database: &TimeZoneDatabase) -> Vec<String> {
    let wanted = name.to_ascii_lowercase().replace(' ', "_");
    // Longer names may have more slips; a short one with two is another name.
    let most = (wanted.len() / 4).clamp(1, 4);
    let mut near: Vec<(usize, String)> = database
        .available()
        .filter_map(|known| {
            let lower = known.as_str().to_ascii_lowercase();
            let city = lower.rsplit('/').next().unwrap_or(&lower);
            let distance =
                strsim::damerau_levenshtein(&wanted, &lower).min(strsim::damerau_levenshtein(&wanted, city));
            (distance <= most).then(|| (distance, known.as_str().to_owned()))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(SUGGESTIONS).map(|(_, known)| known).collect()
}
