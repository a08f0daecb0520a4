//! What a seed draws of when steps may start: windows, the clusters' own, and freezes.

use std::time::Duration;

use engine::{Freeze, calendar::Week};
use fastrand::Rng;
use jiff::{
    Timestamp, ToSpan as _,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde_json::{Value, json};

use super::{Draw, HOUR, MINUTE};
use crate::exploration::{
    happening::Happening,
    hours::{Hours, On, Opens},
    timing::{Own, Timing},
};

/// Zones on both sides of UTC, with changes of the clocks and without.
const ZONES: [&str; 5] = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC"];
/// Zones that are all the year as those that change their clocks are in the ninety days that are simulated.
const STEADY: [(&str, &str); 3] = [
    ("Europe/Berlin", "Africa/Lagos"),
    ("America/New_York", "America/Bogota"),
    ("Pacific/Auckland", "Pacific/Tongatapu"),
];
const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];
const WEEKS: [Week; 5] = [Week::First, Week::Second, Week::Third, Week::Fourth, Week::Last];

impl Hours {
    /// Takes a zone in which clocks never change, and show the same meanwhile.
    fn keep_its_clocks(&mut self) {
        if let Some((_, steady)) = STEADY.iter().find(|(zone, _)| *zone == self.zone) {
            (*steady).clone_into(&mut self.zone);
        }
    }
}

impl Draw {
    /// When the steps of an upgrade may start.
    pub(super) fn timing(&mut self) -> Timing {
        let mut timing = Timing::default();
        if self.is_drawn("windows", 0.3) {
            let number = self.dice.usize(1..=2);
            timing.windows = (0..number).map(|number| self.hours(number)).collect();
        }
        if self.is_drawn("the cluster's own windows", 0.15) {
            timing.own = self.own();
            timing.ignores_own = self.is_drawn("the cluster's own windows are ignored", 0.25);
            // What has enough in common only when clocks change is rightly waited for until then, beyond the end.
            timing.windows.iter_mut().for_each(Hours::keep_its_clocks);
        }
        if self.is_drawn("not before", 0.08) {
            timing.not_before = Some(self.when());
        }
        let is_bound = !timing.windows.is_empty() || !timing.own.is_empty();
        if is_bound && self.is_drawn("what must remain of a window", 0.4) {
            timing.minimum_remaining = Some(self.seconds(10 * MINUTE, 3 * HOUR));
        }
        timing
    }

    /// A window on some days. Mostly such that everything drawn fits; else somebody has to say something.
    fn hours(&mut self, number: usize) -> Hours {
        let some = self.dice.usize(2..=7);
        let first = self.dice.usize(0..7);
        let days = (0..some).map(|day| WEEK[(first + 2 * day) % 7]);
        let mut days: Vec<Weekday> = days.collect();
        days.sort_by_key(|day| day.to_monday_zero_offset());
        days.dedup();
        let short = self.is_drawn("a window that is short", 0.1);
        let length = if short { self.seconds(20 * MINUTE, HOUR) } else { self.seconds(4 * HOUR, 12 * HOUR) };
        let zone = *self.one_of(&ZONES);
        let time = Time::constant(self.dice.i8(0..24), self.dice.i8(0..60), 0, 0);
        let length = Duration::from_secs(length.as_secs() / MINUTE * MINUTE);
        let mut hours = Hours::weekly(&format!("window{number}"), zone, (days, time), length);
        self.more_hours(&mut hours);
        hours
    }

    /// What else a window may have. Drawn aside: all else of a seed stays what it was.
    fn more_hours(&mut self, hours: &mut Hours) {
        let seed = self.dice.clone().u64(..) ^ 0x6d6f_7265;
        let dice = std::mem::replace(&mut self.dice, Rng::with_seed(seed));
        let mut time = || Time::constant(self.dice.i8(0..24), self.dice.i8(0..60), 0, 0);
        let [monthly, cron] = [time(), time()];
        if self.is_drawn("a window by the month", 0.25) {
            let on = match self.chance(0.5) {
                true => On::DayOfMonth(self.dice.i8(1..=31)),
                false => On::WeekdayOfMonth(*self.one_of(&WEEKS), *self.one_of(&WEEK)),
            };
            hours.opens.push(Opens { on, time: monthly });
        }
        if self.is_drawn("a window by cron", 0.25) {
            let first = self.dice.i8(1..=28);
            let on = match self.chance(0.5) {
                true => On::CronDays(first, (first + 3).min(31)),
                false => On::CronWeekdays(vec![*self.one_of(&WEEK)]),
            };
            hours.opens.push(Opens { on, time: cron });
        }
        if self.is_drawn("a window that opens once", 0.2) {
            let from = self.within_days(10);
            hours.once = Some((from, from + self.seconds(2 * HOUR, 8 * HOUR)));
        }
        if self.is_drawn("a window with days on which it stays closed", 0.25) {
            let first = self.within_days(10).to_zoned(TimeZone::UTC).date();
            let last = first.checked_add(self.dice.i64(0..3).days()).expect("a date");
            hours.closed_days = Some((first, last));
        }
        if self.is_drawn("a window with a time in which it stays closed", 0.25) {
            let from = self.within_days(10);
            hours.closed = Some((from, from + self.seconds(HOUR, 24 * HOUR)));
        }
        self.dice = dice;
    }

    fn within_days(&mut self, days: u64) -> Timestamp {
        self.start + self.seconds(0, days * 24 * HOUR)
    }

    /// Maintenance configurations. Mostly they leave most of each day open, so that windows have something in common
    /// with them; else somebody has to say something.
    fn own(&mut self) -> Vec<Own> {
        let names: &[&'static str] = match self.dice.usize(0..4) {
            0 => &["default"],
            1 => &["aksManagedAutoUpgradeSchedule"],
            2 => &["aksManagedNodeOSUpgradeSchedule", "default"],
            _ => &["aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"],
        };
        let is_short = self.is_drawn("the cluster's own windows are short", 0.2);
        let mut one = |name: &&'static str| Own {
            name,
            hour: self.dice.i8(0..24),
            hours: if is_short { self.dice.i64(4..=6) } else { self.dice.i64(18..=22) },
            offset: self.dice.i8(-8..=10),
            elsewhere: self.is_drawn("a maintenance configuration that is not understood", 0.15),
        };
        names.iter().map(&mut one).collect()
    }

    /// A freeze between a claim and its deed is where it matters most: the process is stopped meanwhile.
    fn freeze_before_the_deed(&mut self, at: Timestamp, replicas: usize, freeze: &Happening) {
        for replica in 0..replicas {
            let stop = Happening::Freeze { replica, length: self.seconds(60, 220) };
            for then in [freeze.clone(), stop] {
                let pause = Duration::from_millis(self.dice.u64(0..400));
                self.happens(at, Happening::AfterNextClaim { replica, pause, then: Box::new(then) });
            }
        }
    }

    /// Somebody freezes clusters in the middle, also right after the operator has written something.
    pub(super) fn freezes(&mut self, upgrades: usize, replicas: usize) {
        if !self.is_drawn("freezes", 0.45) {
            return;
        }
        for number in 0..self.dice.usize(1..=3) {
            let (made_at, until) = self.span(HOUR, 8 * HOUR);
            // Announced, or at once.
            let from = if self.chance(0.3) { made_at + self.seconds(MINUTE, HOUR) } else { made_at };
            let is_open = self.is_drawn("a freeze without an end", 0.4);
            let name = format!("freeze{number}");
            let reason = "an incident".to_owned();
            let freeze = Freeze {
                name: name.clone(),
                reason,
                from,
                until: (!is_open).then_some(until.max(from + Duration::from_secs(60))),
            };
            let only = self.chance(0.3).then(|| self.dice.usize(0..upgrades));
            let then = Happening::FreezeClusters { freeze, only };
            if self.chance(0.4) {
                self.freeze_before_the_deed(made_at, replicas, &then);
            } else if self.chance(0.5) {
                let replica = self.dice.usize(0..replicas);
                self.happens(made_at, Happening::AfterNextWrite { replica, then: Box::new(then) });
            } else {
                self.happens(made_at, then);
            }
            if is_open {
                self.happens(until, Happening::LiftFreeze { name: name.clone() });
            }
            // Whoever comes too late to freeze does so for nothing.
            self.happens(self.calm_from(), Happening::LiftFreeze { name });
        }
    }
}

/// A cluster's maintenance configurations, as Azure has them.
pub(super) fn configurations(timing: &Timing) -> Value {
    let configuration = |own: &Own| {
        if own.elsewhere {
            let id = format!("/subscriptions/s/resourceGroups/rg/providers/windows/{}", own.name);
            return json!({ "name": own.name, "properties": { "maintenanceWindowId": id } });
        }
        let sign = if own.offset < 0 { '-' } else { '+' };
        json!({ "name": own.name, "properties": { "maintenanceWindow": {
            "schedule": { "daily": { "intervalDays": 1 } },
            "durationHours": own.hours,
            "utcOffset": format!("{sign}{:02}:00", own.offset.abs()),
            "startTime": format!("{:02}:00", own.hour),
        } } })
    };
    timing.own.iter().map(configuration).collect()
}
