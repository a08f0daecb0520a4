//! A window as it is described, and whether that is one: each problem names its field.

use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

use super::{
    Recurrence, Window,
    cron::Cron,
    days::{Days, On, Week},
    exclusions,
    spans::Span,
    zone,
};

/// A window must not last as long as its week: it would never close.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a window is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its name.
    pub name: String,
    /// A name of the IANA database.
    pub time_zone: String,
    /// How long it is open each time, in elapsed time: a day with a change of the clocks makes it
    /// neither longer nor shorter. Not for one-off openings, which say their end.
    pub duration: Option<Duration>,
    /// When it opens.
    pub starts: Vec<Start>,
    /// When it stays closed.
    pub exclusions: Vec<Exclusion>,
}

/// When a window opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At a time of each of these days.
    Weekly {
        /// The days.
        days: Vec<Weekday>,
        /// The local time.
        time: Time,
    },
    /// At a time of a day of each month; a month that is shorter has it on its last day.
    DayOfMonth {
        /// 1 to 31.
        day: i8,
        /// The local time.
        time: Time,
    },
    /// At a time of the n-th such day of each month.
    WeekdayOfMonth {
        /// Which.
        week: Week,
        /// The day.
        weekday: Weekday,
        /// The local time.
        time: Time,
    },
    /// When a cron expression of five fields fires.
    Cron(String),
    /// A single time.
    Once {
        /// Its first instant.
        from: Moment,
        /// The first instant after it.
        until: Moment,
    },
}

/// When a window stays closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// Whole days in the window's zone, both included.
    Days {
        /// The first.
        first: Date,
        /// The last.
        last: Date,
    },
    /// From one instant to another.
    Period {
        /// Its first instant.
        from: Moment,
        /// The first instant after it.
        until: Moment,
    },
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As clocks in the window's zone show it.
    Local(DateTime),
    /// Everywhere the same.
    Instant(Timestamp),
}

/// What is wrong with a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidWindow {
    /// The field, such as `starts[0].once`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl InvalidWindow {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl Window {
    /// The window that is described.
    ///
    /// # Errors
    /// All that is wrong, in the order of the fields.
    pub fn new(terms: &Terms) -> Result<Self, Vec<InvalidWindow>> {
        let mut wrong = Vec::new();
        let zone = zone::named(&terms.time_zone).unwrap_or_else(|problem| {
            wrong.push(InvalidWindow::new("timeZone", problem));
            TimeZone::UTC
        });
        let length = length(terms).unwrap_or_else(|problem| {
            wrong.push(InvalidWindow::new("duration", problem));
            SignedDuration::ZERO
        });
        let mut window = Self {
            name: terms.name.clone(),
            zone,
            recurring: Vec::new(),
            once: Vec::new(),
            closed: Vec::new(),
        };
        if terms.starts.is_empty() {
            wrong.push(InvalidWindow::new("starts", "has no start: such a window never opens"));
        }
        for (index, start) in terms.starts.iter().enumerate() {
            if let Err((field, problem)) = window.add_start(start, length) {
                wrong.push(InvalidWindow::new(format!("starts[{index}].{field}"), problem));
            }
        }
        let mut closed = Vec::new();
        for (index, exclusion) in terms.exclusions.iter().enumerate() {
            match window.excluded(exclusion) {
                Ok(span) => closed.push(span),
                Err((field, problem)) => {
                    wrong.push(InvalidWindow::new(format!("exclusions[{index}].{field}"), problem));
                }
            }
        }
        window.closed = exclusions::apart(closed);
        if wrong.is_empty() && window.is_closed_for_good() {
            let problem = "remove every opening (of ten years, where it recurs): shorten or leave out some";
            wrong.push(InvalidWindow::new("exclusions", problem));
        }
        if wrong.is_empty() { Ok(window) } else { Err(wrong) }
    }

    /// Whether exclusions leave nothing of it: of one-off openings ever, else for as long as is looked
    /// ahead. Whatever recurs opens again after the last exclusion, but who waits for it has forgotten it.
    fn is_closed_for_good(&self) -> bool {
        if self.recurring.is_empty() {
            return self.once.iter().all(|span| exclusions::without(*span, &self.closed).is_empty());
        }
        self.closed.iter().any(|closed| self.openings(closed.from).next().is_none())
    }

    fn add_start(&mut self, start: &Start, length: SignedDuration) -> Result<(), Problem> {
        let (on, times) = match start {
            Start::Weekly { days, .. } if days.is_empty() => {
                return Err(("weekly.daysOfWeek", "names no day".to_owned()));
            }
            Start::Weekly { days, time } => (On::Weekdays(days.clone()), vec![*time]),
            Start::DayOfMonth { day, .. } if !(1..=31).contains(day) => {
                return Err(("monthly.dayOfMonth", format!("{day} is not a day from 1 to 31")));
            }
            Start::DayOfMonth { day, time } => (On::DayOfMonth(*day), vec![*time]),
            Start::WeekdayOfMonth { week, weekday, time } => {
                (On::WeekdayOfMonth(*week, *weekday), vec![*time])
            }
            Start::Cron(text) => {
                let cron = Cron::parse(text).map_err(|problem| ("cron", problem))?;
                let times = cron.times().to_vec();
                (On::Cron(cron), times)
            }
            Start::Once { from, until } => {
                let span = self.span(*from, *until).map_err(|problem| ("once", problem))?;
                self.once.push(span);
                return Ok(());
            }
        };
        self.recurring.push(Recurrence { days: Days::always(on), times, length });
        Ok(())
    }

    fn excluded(&self, exclusion: &Exclusion) -> Result<Span, Problem> {
        match exclusion {
            Exclusion::Days { first, last } if first > last => {
                Err(("days", format!("the first day, {first}, is after the last, {last}")))
            }
            Exclusion::Days { first, last } => {
                let midnight = |day: Date| zone::start(&self.zone, day.to_datetime(Time::midnight()));
                let span = midnight(*first).zip(last.tomorrow().ok().and_then(midnight));
                let span = span.map(|(from, until)| Span { from, until });
                span.ok_or_else(|| ("days", "is beyond all calendars".to_owned()))
            }
            Exclusion::Period { from, until } => {
                self.span(*from, *until).map_err(|problem| ("period", problem))
            }
        }
    }

    fn span(&self, from: Moment, until: Moment) -> Result<Span, String> {
        let instant = |moment| match moment {
            Moment::Local(local) => zone::start(&self.zone, local),
            Moment::Instant(instant) => Some(instant),
        };
        match (instant(from), instant(until)) {
            (Some(from), Some(until)) if from < until => Ok(Span { from, until }),
            (Some(from), Some(until)) => Err(format!("from, {from}, is not before until, {until}")),
            (None, _) | (_, None) => Err("is beyond all calendars".to_owned()),
        }
    }
}

/// A field of an entry of a list, and what is wrong with it.
type Problem = (&'static str, String);

fn length(terms: &Terms) -> Result<SignedDuration, String> {
    let recurs = terms.starts.iter().any(|start| !matches!(start, Start::Once { .. }));
    let right = "it must be longer than nothing and shorter than 7 days, for example 6h";
    match terms.duration {
        None if recurs => Err(format!("is missing: {right}")),
        None => Ok(SignedDuration::ZERO),
        Some(Duration::ZERO) => Err(format!("a window of no length never opens: {right}")),
        Some(duration) if duration >= WEEK => Err(format!("a week or more is too long: {right}")),
        Some(duration) => SignedDuration::try_from(duration).map_err(|_| format!("is too long: {right}")),
    }
}
