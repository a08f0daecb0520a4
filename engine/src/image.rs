//! Node image versions: when one was published, read from its name.
//!
//! AKS documents no ordering; images are compared by equality only. The date is
//! used for one decision: leaving young images alone (`maxImageAge`); and shown to people.

use jiff::{
    Timestamp,
    civil::{Date, date},
    tz::TimeZone,
};

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
        [month, day, _] if month.len() == 6 && day.len() == 2 => new_date(&month[..4], &month[4..], day),
        [_, _, day] if day.len() == 6 => new_date(&format!("20{}", &day[..2]), &day[2..4], &day[4..]),
        _ => None,
    }
}

/// How many days ago a node image was published, by UTC; zero for one of tomorrow.
#[must_use]
pub fn age_in_days(image: &str, now: Timestamp) -> Option<u32> {
    let days = (now.to_zoned(TimeZone::UTC).date() - published(image)?).get_days();
    Some(u32::try_from(days).unwrap_or(0))
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
        ];
        for (image, expected) in cases {
            assert_eq!(published(image), expected, "{image}");
        }
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
