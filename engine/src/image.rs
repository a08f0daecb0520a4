//! Node image versions: when one was published, read from its name.
//!
//! AKS documents no ordering; images are compared by equality only. The date is
//! used for one decision: leaving young images alone (`maxImageAge`); and shown to people.

use std::collections::BTreeMap;

use jiff::{
    Timestamp,
    civil::{Date, date},
    tz::TimeZone,
};

use crate::offers::Offers;

/// The day on which a node image was published, where its name tells.
///
/// Linux: `AKSUbuntu-2204gen2containerd-202510.03.1` (year, month, day, build);
/// until 2022 `AKSUbuntu-1804gen2containerd-2022.10.24`;
/// Windows: `AKSWindows-2022-containerd-20348.4294.251014` (build, then year, month, day).
/// Source: release notes of the AKS repository, "AKS node image" pages.
#[must_use]
pub fn published(image: &str) -> Option<Date> {
    let (_, version) = image.rsplit_once('-')?;
    let parts: Vec<&str> = version.split('.').collect();
    match *parts.as_slice() {
        [year, month, day] if year.len() == 4 && month.len() == 2 && day.len() == 2 => {
            new_date(year, month, day)
        }
        [month, day, _] if month.len() == 6 && day.len() == 2 => {
            let (year, month) = month.split_at_checked(4)?;
            new_date(year, month, day)
        }
        [_, _, day] if day.len() == 6 => {
            let (year, rest) = day.split_at_checked(2)?;
            let (month, day) = rest.split_at_checked(2)?;
            new_date(&format!("20{year}"), month, day)
        }
        _ => None,
    }
}

/// How many days ago a node image was published, by UTC; zero for one of tomorrow.
#[must_use]
pub fn age_in_days(image: &str, now: Timestamp) -> Option<u32> {
    let days = (now.to_zoned(TimeZone::UTC).date() - published(image)?).get_days();
    Some(u32::try_from(days).unwrap_or(0))
}

/// The family of a node image: its name without the build. `AKSUbuntu-2204gen2containerd-202510.03.1` and
/// `AKSWindows-2022-containerd-20348.4294.251014` are builds of `AKSUbuntu-2204gen2containerd` and
/// `AKSWindows-2022-containerd`. `None` when nothing in it looks like a build.
#[must_use]
pub fn family(image: &str) -> Option<&str> {
    let is_build =
        |part: &str| part.contains('.') && part.chars().all(|char| char.is_ascii_digit() || char == '.');
    let mut end = 0;
    for part in image.split('-') {
        if is_build(part) {
            return (end > 0).then(|| &image[..end - 1]);
        }
        end += part.len() + 1;
    }
    None
}

/// One image of each family for all these clusters: the newest that Azure offers any of them.
///
/// AKS publishes an image region by region, brings a pool to the newest that its region has, and to no other
/// ("Node images in AKS"): an older one, which every region has had, could not be asked for any more where a
/// newer one is there. The newest comes to every region.
#[must_use]
pub fn pins<'a>(clusters: impl Iterator<Item = &'a Offers>) -> BTreeMap<String, String> {
    let mut pins: BTreeMap<String, String> = BTreeMap::new();
    for offers in clusters {
        for image in offers.images.values() {
            let Some(family) = family(image) else { continue };
            let is_newer = |known: &String| (published(known), known) < (published(image), image);
            if pins.get(family).is_none_or(is_newer) && (pins.len() < PINS || pins.contains_key(family)) {
                pins.insert(family.to_owned(), image.clone());
            }
        }
    }
    pins
}

/// How many families can be pinned: AKS has about a dozen.
const PINS: usize = 32;

pub(crate) fn pins_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": PINS,
        "additionalProperties": {"type": "string", "maxLength": 256}
    })
}

/// A map of images by family, in a schema.
#[must_use]
pub fn images_by_family_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    pins_schema(generator)
}

fn new_date(year: &str, month: &str, day: &str) -> Option<Date> {
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
        .ok()
        .filter(|day| *day >= date(2019, 1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_day_from_linux_and_windows_names() {
        let cases = [
            ("AKSUbuntu-2204gen2containerd-202510.03.1", Some(date(2025, 10, 3))),
            ("AKSAzureLinux-V3gen2-202602.26.0", Some(date(2026, 2, 26))),
            ("AKSWindows-2022-containerd-20348.4294.251014", Some(date(2025, 10, 14))),
            ("AKSWindows-2022-containerd-20348.4294.251399", None),
            ("AKSWindows-2019-17763.2114.210811", Some(date(2021, 8, 11))),
            ("AKSUbuntu-1804gen2containerd-2022.10.24", Some(date(2022, 10, 24))),
            ("AKSUbuntu-1804gen2containerd-2022.24.10", None),
            ("AKSUbuntu-2204gen2containerd-22.08.10", None),
            ("custom", None),
            ("äöü-ßßßßßß.öö.1", None),
            ("custom-aäöb.01.1", None),
            ("custom-1.2.aäöb", None),
        ];
        for (image, expected) in cases {
            assert_eq!(published(image), expected, "{image}");
        }
    }

    #[test]
    fn a_family_is_what_all_builds_have_in_common() {
        for (image, expected) in [
            ("AKSUbuntu-2204gen2containerd-202510.03.1", Some("AKSUbuntu-2204gen2containerd")),
            ("AKSUbuntu-1804gen2containerd-2022.10.24", Some("AKSUbuntu-1804gen2containerd")),
            ("AKSWindows-2022-containerd-20348.4294.251014", Some("AKSWindows-2022-containerd")),
            ("AKSAzureLinux-V3gen2-202611.10.0-2026.12.10", Some("AKSAzureLinux-V3gen2")),
            ("custom", None),
            ("202510.03.1", None),
            ("", None),
        ] {
            assert_eq!(family(image), expected, "{image}");
        }
    }

    #[test]
    fn the_pin_of_a_family_is_the_newest_that_any_region_has() {
        let offers = |images: &[&str]| Offers {
            images: images.iter().map(|image| ((*image).to_owned(), (*image).to_owned())).collect(),
            ..Offers::default()
        };
        let west = offers(&[
            "AKSUbuntu-2204gen2containerd-202511.10.0",
            "AKSWindows-2022-containerd-20348.1.251111",
        ]);
        let east = offers(&["AKSUbuntu-2204gen2containerd-202511.17.0", "custom"]);
        let pins = pins([&west, &east].into_iter());
        let words: Vec<_> = pins.into_values().collect();
        assert_eq!(
            words,
            ["AKSUbuntu-2204gen2containerd-202511.17.0", "AKSWindows-2022-containerd-20348.1.251111"]
        );
    }

    #[test]
    fn counts_days_and_none_for_what_is_to_come() {
        let now = "2026-11-22T21:00:00Z".parse().unwrap();
        let age = |image| age_in_days(image, now);
        assert_eq!(age("AKSUbuntu-2204gen2containerd-202611.10.0"), Some(12));
        assert_eq!(age("AKSWindows-2022-containerd-20348.4405.261122"), Some(0));
        assert_eq!(age("AKSWindows-2022-containerd-20348.4405.261123"), Some(0));
        assert_eq!(age("custom"), None);
    }
}
