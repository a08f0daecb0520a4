//! A pool's operating system and node image: when it ends, how old it is, whether Azure offers another.

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

/// An image and the newest one on offer.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageAnswer {
    pub(super) name: String,
    /// The day in its name; `None` when its name has none.
    published: Option<Date>,
    pub(super) age_days: Option<u32>,
    /// `None` when Azure names none.
    pub(super) newest: Option<String>,
    newest_published: Option<Date>,
    newest_age_days: Option<u32>,
    /// Whether Azure offers another one; `None` when it names none.
    pub(super) behind: Option<bool>,
}

impl ImageAnswer {
    /// `None` when Azure names no image.
    pub(super) fn new(name: &str, newest: Option<&String>, now: Timestamp) -> Option<Self> {
        (!name.is_empty()).then(|| Self {
            name: name.to_owned(),
            published: engine::published(name),
            age_days: engine::age_in_days(name, now),
            newest: newest.cloned(),
            newest_published: newest.and_then(|newest| engine::published(newest)),
            newest_age_days: newest.and_then(|newest| engine::age_in_days(newest, now)),
            behind: newest.map(|newest| newest != name),
        })
    }

    /// Its version and age, for a narrow column.
    pub(super) fn short(&self) -> String {
        format!("{}, {}", version_of(&self.name), age(self.age_days))
    }

    /// The newest image, for a narrow column: its version, or its name where that is of another family.
    pub(super) fn newest_short(&self) -> String {
        self.newest_words(|newest| {
            let same_family = family_of(newest) == family_of(&self.name);
            if same_family { version_of(newest).to_owned() } else { newest.to_owned() }
        })
    }

    /// The newest image with its age.
    pub(super) fn newest_long(&self) -> String {
        self.newest_words(|newest| format!("{newest}, {}", age(self.newest_age_days)))
    }

    fn newest_words(&self, words: impl Fn(&str) -> String) -> String {
        match (&self.newest, self.behind) {
            (Some(newest), Some(true)) => words(newest),
            (Some(_), _) => "newest already".to_owned(),
            (None, _) => "unknown".to_owned(),
        }
    }
}

/// An age in words.
pub(super) fn age(days: Option<u32>) -> String {
    match days {
        Some(1) => "1 day".to_owned(),
        Some(days) => format!("{days} days"),
        None => "age unknown".to_owned(),
    }
}

/// An operating system in words, with its last minor where it ends.
pub(super) fn os(os_type: &str, os_sku: &str) -> String {
    match (os_sku.is_empty(), engine::last_minor(os_sku)) {
        (true, _) => os_type.to_owned(),
        (false, None) => os_sku.to_owned(),
        (false, Some(last)) => format!("{os_sku}, last on {last}"),
    }
}

/// The part of its name that changes with every image.
pub(super) fn version_of(image: &str) -> &str {
    image.rsplit_once('-').map_or(image, |(_, version)| version)
}

fn family_of(image: &str) -> &str {
    image.rsplit_once('-').map_or("", |(family, _)| family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_age_and_what_is_newer() {
        let now = "2026-11-22T21:00:00Z".parse().unwrap();
        let told = |name: &str, newest: Option<&str>| {
            let image = ImageAnswer::new(name, newest.map(str::to_owned).as_ref(), now).unwrap();
            (image.short(), image.newest_short(), image.behind)
        };
        let old = "AKSUbuntu-2204gen2containerd-202610.01.0";
        let new = "AKSUbuntu-2204gen2containerd-202611.10.0";
        let words = |short: &str, newest: &str, behind| (short.to_owned(), newest.to_owned(), behind);
        assert_eq!(told(old, Some(new)), words("202610.01.0, 52 days", "202611.10.0", Some(true)));
        assert_eq!(told(new, Some(new)), words("202611.10.0, 12 days", "newest already", Some(false)));
        assert_eq!(told(old, None), words("202610.01.0, 52 days", "unknown", None));
        let moved = "AKSUbuntu-2404gen2containerd-202611.10.0";
        assert_eq!(told(old, Some(moved)).1, moved, "the version alone would not show the other family");
        let windows = "AKSWindows-2022-containerd-20348.4405.261121";
        assert_eq!(told(windows, None).0, "20348.4405.261121, 1 day");
        assert_eq!(told("custom", None).0, "custom, age unknown");
        assert!(ImageAnswer::new("", None, now).is_none());
    }

    #[test]
    fn tells_when_an_operating_system_ends() {
        assert_eq!(os("Windows", "Windows2022"), "Windows2022, last on 1.36");
        assert_eq!(os("Linux", "Ubuntu2404"), "Ubuntu2404");
        assert_eq!(os("Linux", ""), "Linux");
    }
}
