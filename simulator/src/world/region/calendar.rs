//! Azure's rhythm of releases, month by month: pure, and the same for the same seed.
//!
//! Linux images weekly, Windows images some days after the second Tuesday, patches monthly, a minor
//! every four months (a month in preview before), one year of support and one of long-term support
//! after that ("Supported Kubernetes versions in AKS", "Node images in AKS").

use std::collections::VecDeque;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Weekday, date},
    tz::TimeZone,
};

/// Something that happens to a region's offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// Every Linux image, built on this day.
    LinuxImages {
        built: Date,
    },
    /// Every Windows image, built on this day; its revision grows by so much.
    WindowsImages {
        built: Date,
        revision: u32,
    },
    /// Security patches for the nodes of the channel `SecurityPatch`.
    SecurityPatches {
        on: Date,
    },
    /// A new patch of every minor.
    Patches,
    Preview(u64),
    GenerallyAvailable(u64),
    /// From now on with long-term support only.
    EndOfSupport(u64),
    /// No longer offered.
    EndOfLongTermSupport(u64),
}

/// The last month of support, and of long-term support, of minors whose page of August 2026 says so.
const ENDS: &[(u64, Date, Date)] = &[
    (31, date(2025, 11, 1), date(2026, 11, 1)),
    (32, date(2026, 3, 1), date(2027, 3, 1)),
    (33, date(2026, 7, 1), date(2027, 7, 1)),
    (34, date(2026, 11, 1), date(2027, 11, 1)),
    (35, date(2027, 3, 1), date(2028, 3, 1)),
    (36, date(2027, 6, 1), date(2028, 6, 1)),
    (37, date(2027, 10, 1), date(2028, 10, 1)),
];

/// The first minor that is not on that page, and the month in which it becomes generally available;
/// the others follow every four months.
const NEXT_MINOR: (u64, Date) = (38, date(2027, 2, 1));

/// Months from one minor to the next.
const MONTHS_BETWEEN_MINORS: i32 = 4;

/// The months of a region, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    seed: u64,
    month: Date,
    queue: VecDeque<(Timestamp, Release)>,
}

impl Calendar {
    /// A calendar that begins after an instant.
    pub(crate) fn after(start: Timestamp, seed: u64) -> Self {
        let month = start.to_zoned(TimeZone::UTC).date().first_of_month();
        let mut calendar = Self { seed, month, queue: VecDeque::new() };
        calendar.fill();
        while calendar.next_at().is_some_and(|at| at <= start) {
            calendar.queue.pop_front();
            calendar.fill();
        }
        calendar
    }

    /// Which minors have come and gone until an instant, in order: what `after` leaves out, without
    /// images and patches.
    pub(crate) fn minors_until(start: Timestamp, seed: u64) -> Vec<Release> {
        let until = start.to_zoned(TimeZone::UTC).date();
        let mut month = date(2026, 1, 1);
        let mut past = Vec::new();
        while month <= until {
            past.extend(minors_of(month, seed).into_iter().filter(|(at, _)| *at <= start));
            month = next_month(month);
        }
        past.into_iter().map(|(_, release)| release).collect()
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// The next release.
    pub(crate) fn take(&mut self) -> Option<Release> {
        let (_, release) = self.queue.pop_front()?;
        self.fill();
        Some(release)
    }

    fn fill(&mut self) {
        // The end of time is the only month without a Monday.
        while self.queue.is_empty() && self.month.year() < 9000 {
            self.queue = releases_of(self.month, self.seed).into();
            self.month = next_month(self.month);
        }
    }
}

/// Everything that is released in the month that begins on this day, in order.
fn releases_of(month: Date, seed: u64) -> Vec<(Timestamp, Release)> {
    let mut releases = minors_of(month, seed);
    releases.extend(images_of(month, seed));
    let mut draw = Draw::new(seed, month, 1);
    releases.push((at(month, 9 + draw.below(14), &mut draw), Release::Patches));
    releases.sort_by_key(|(at, _)| *at);
    releases
}

fn images_of(month: Date, seed: u64) -> Vec<(Timestamp, Release)> {
    let mut releases = Vec::new();
    let mut draw = Draw::new(seed, month, 2);
    for week in 1..=5 {
        let Ok(monday) = month.nth_weekday_of_month(week, Weekday::Monday) else { continue };
        let built = monday.saturating_sub(3.days());
        releases.push((at(monday, 0, &mut draw), Release::LinuxImages { built }));
        let thursday = monday.saturating_add(3.days());
        releases.push((at(thursday, 0, &mut draw), Release::SecurityPatches { on: thursday }));
    }
    if let Ok(tuesday) = month.nth_weekday_of_month(2, Weekday::Tuesday) {
        // A build is the same in every region, whenever it gets there.
        let revision = 120 + u32::from(Draw::new(0, month, 4).below(120).unsigned_abs());
        let built = tuesday.saturating_add(2.days());
        releases
            .push((at(tuesday, 6 + draw.below(5), &mut draw), Release::WindowsImages { built, revision }));
    }
    releases
}

/// Minors that begin or end in a month.
fn minors_of(month: Date, seed: u64) -> Vec<(Timestamp, Release)> {
    let mut draw = Draw::new(seed, month, 3);
    let mut releases = Vec::new();
    let last = month.last_of_month();
    for (minor, end, long_term_end) in ENDS {
        if *end == month {
            releases.push((midnight(last), Release::EndOfSupport(*minor)));
        }
        if *long_term_end == month {
            releases.push((midnight(last), Release::EndOfLongTermSupport(*minor)));
        }
    }
    let (first, begin) = NEXT_MINOR;
    let months = months_between(begin, month);
    let minor_of = |months: i32| {
        let is_turn = months >= 0 && months % MONTHS_BETWEEN_MINORS == 0;
        let index = u64::try_from(months / MONTHS_BETWEEN_MINORS).unwrap_or(0);
        is_turn.then_some(first + index)
    };
    if let Some(minor) = minor_of(months + 1) {
        releases.push((at(month, 4 + draw.below(20), &mut draw), Release::Preview(minor)));
    }
    if let Some(minor) = minor_of(months) {
        releases.push((at(month, 4 + draw.below(20), &mut draw), Release::GenerallyAvailable(minor)));
    }
    if let Some(minor) = minor_of(months - 12) {
        releases.push((midnight(last), Release::EndOfSupport(minor)));
    }
    if let Some(minor) = minor_of(months - 24) {
        releases.push((midnight(last), Release::EndOfLongTermSupport(minor)));
    }
    releases.sort_by_key(|(at, _)| *at);
    releases
}

fn next_month(month: Date) -> Date {
    month.saturating_add(1.month())
}

fn months_between(from: Date, to: Date) -> i32 {
    (i32::from(to.year()) - i32::from(from.year())) * 12 + i32::from(to.month()) - i32::from(from.month())
}

/// An hour of the day so many days after `day`.
fn at(day: Date, days: i8, draw: &mut Draw) -> Timestamp {
    let hours = SignedDuration::from_hours(6 + i64::from(draw.below(12)));
    let start = midnight(day.saturating_add(i64::from(days).days()));
    start.checked_add(hours).unwrap_or(Timestamp::MAX)
}

fn midnight(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// Numbers that a seed and a month settle.
struct Draw(u64);

impl Draw {
    fn new(seed: u64, month: Date, stream: u64) -> Self {
        let month = u64::try_from(months_between(date(1, 1, 1), month)).unwrap_or(0);
        Self(seed.wrapping_add(month.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(stream << 56))
    }

    /// A number from 0 to below `bound`.
    fn below(&mut self, bound: i8) -> i8 {
        self.0 = crate::world::ids::next_word(self.0);
        let bound = u64::from(bound.unsigned_abs()).max(1);
        i8::try_from((self.0 >> 33) % bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn year(seed: u64) -> Vec<(Timestamp, Release)> {
        let mut calendar = Calendar::after("2026-12-05T00:00:00Z".parse().unwrap(), seed);
        let mut releases = Vec::new();
        while let Some(at) = calendar.next_at().filter(|at| *at < "2027-12-05T00:00:00Z".parse().unwrap()) {
            releases.push((at, calendar.take().unwrap()));
        }
        releases
    }

    fn days(wanted: impl Fn(&Release) -> bool) -> Vec<String> {
        let year = year(7);
        let days = year.iter().filter(|(_, release)| wanted(release));
        days.map(|(at, _)| at.strftime("%Y-%m-%d").to_string()).collect()
    }

    #[test]
    fn a_seed_settles_every_release_and_another_one_moves_them() {
        assert_eq!(year(7), year(7));
        assert_ne!(year(7), year(8));
        assert!(year(7).is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn linux_images_come_weekly_and_windows_images_after_the_second_tuesday() {
        let linux = days(|release| matches!(release, Release::LinuxImages { .. }));
        assert_eq!((linux.len(), linux[0].as_str(), linux[1].as_str()), (52, "2026-12-07", "2026-12-14"));
        let windows = year(7).into_iter().filter_map(|(at, release)| {
            let Release::WindowsImages { built, .. } = release else { return None };
            Some((at.to_zoned(TimeZone::UTC).date(), built))
        });
        let windows = windows.collect::<Vec<_>>();
        assert_eq!(windows.len(), 12);
        // 8 December 2026 is a second Tuesday.
        assert_eq!(windows[0].1, date(2026, 12, 10));
        assert!(windows.iter().all(|(released, built)| {
            let days = (*released - *built).get_days();
            (4..=8).contains(&days)
        }));
    }

    #[test]
    fn regions_get_the_same_images_each_at_its_own_time() {
        let images = |seed: u64| {
            let images = year(seed).into_iter().filter(|(_, release)| {
                matches!(release, Release::LinuxImages { .. } | Release::WindowsImages { .. })
            });
            images.unzip::<_, _, Vec<_>, Vec<_>>()
        };
        let ((west, built), (east, same)) = (images(7), images(8));
        let is_in = |all: &[Release], one: &Release| all.contains(one);
        assert!(built.iter().all(|image| is_in(&same, image)), "{built:?} {same:?}");
        assert_ne!(west, east);
    }

    #[test]
    fn minors_come_every_four_months_and_stay_for_a_year_and_another() {
        let minors = year(7).into_iter().filter_map(|(at, release)| match release {
            Release::LinuxImages { .. }
            | Release::WindowsImages { .. }
            | Release::SecurityPatches { .. }
            | Release::Patches => None,
            Release::Preview(_)
            | Release::GenerallyAvailable(_)
            | Release::EndOfSupport(_)
            | Release::EndOfLongTermSupport(_) => Some(format!("{} {release:?}", at.strftime("%Y-%m"))),
        });
        let expected = [
            "2027-01 Preview(38)",
            "2027-02 GenerallyAvailable(38)",
            "2027-03 EndOfLongTermSupport(32)",
            "2027-03 EndOfSupport(35)",
            "2027-05 Preview(39)",
            "2027-06 GenerallyAvailable(39)",
            "2027-06 EndOfSupport(36)",
            "2027-07 EndOfLongTermSupport(33)",
            "2027-09 Preview(40)",
            "2027-10 GenerallyAvailable(40)",
            "2027-10 EndOfSupport(37)",
            "2027-11 EndOfLongTermSupport(34)",
        ];
        let mut minors = minors.collect::<Vec<_>>();
        minors.sort_by_key(|text| text[..7].to_owned());
        assert_eq!(minors, expected);
        assert_eq!(days(|release| *release == Release::Patches).len(), 12);
    }

    #[test]
    fn the_past_is_told_by_its_minors() {
        let past = Calendar::minors_until("2027-02-28T23:00:00Z".parse().unwrap(), 7);
        let expected = [
            Release::EndOfSupport(32),
            Release::EndOfSupport(33),
            Release::EndOfLongTermSupport(31),
            Release::EndOfSupport(34),
            Release::Preview(38),
            Release::GenerallyAvailable(38),
        ];
        assert_eq!(past, expected);
    }
}
