//! Node image versions: when one was published, read from its name.
//!
//! AKS documents no ordering; images are compared by equality only. The date is
//! used for one thing: leaving young images alone (`maxImageAge`).

use jiff::civil::{Date, date};

/// The day on which a node image was published, where its name tells.
///
/// Linux: `AKSUbuntu-2204gen2containerd-202510.03.1` (year, month, day, build);
/// Windows: `AKSWindows-2022-containerd-20348.4294.251014` (build, then year, month, day).
/// Source: release notes of the AKS repository, "AKS node image" pages.
#[must_use]
pub fn published(image: &str) -> Option<Date> {
    let (_, version) = image.rsplit_once('-')?;
    let parts: Vec<&str> = version.split('.').collect();
    match *parts.as_slice() {
        [month, day, _] if month.len() == 6 && day.len() == 2 => new_date(&month[..4], &month[4..], day),
        [_, _, day] if day.len() == 6 => new_date(&format!("20{}", &day[..2]), &day[2..4], &day[4..]),
        _ => None,
    }
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
            ("AKSUbuntu-2204gen2containerd-2022.08.10", None),
            ("custom", None),
            ("äöü-ßßßßßß.öö.1", None),
        ];
        for (image, expected) in cases {
            assert_eq!(published(image), expected, "{image}");
        }
    }
}
