//! Whether Microsoft supports a Kubernetes minor in a region, and until when.
//!
//! What Azure answers for the region (`kubernetesVersions`) is the authority on whether: which
//! minors it lists, under which support plans, which of them are previews. Only the months come
//! from a calendar, because Azure tells none. Nothing is decided by it: a month that has passed
//! while Azure still lists the minor is said, not acted on.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Serialize, Serializer};

use crate::{
    cluster::Cluster,
    offers::{Offers, SupportPlans},
    os_sku,
    version::Minor,
};

/// A line of the calendar; a minor of Kubernetes 1.
struct Line {
    minor: u64,
    /// The last month of community support; `None` when that was over before the calendar's date.
    community: Option<(i16, i8)>,
    /// The last month of long-term support.
    long_term: (i16, i8),
}

/// Source: "Supported Kubernetes versions in Azure Kubernetes Service (AKS)", release calendar and
/// LTS versions, as of August 2026.
const CALENDAR: [Line; 7] = [
    Line { minor: 31, community: None, long_term: (2026, 11) },
    Line { minor: 32, community: None, long_term: (2027, 3) },
    Line { minor: 33, community: Some((2026, 7)), long_term: (2027, 7) },
    Line { minor: 34, community: Some((2026, 11)), long_term: (2027, 11) },
    Line { minor: 35, community: Some((2027, 3)), long_term: (2028, 3) },
    Line { minor: 36, community: Some((2027, 6)), long_term: (2028, 6) },
    Line { minor: 37, community: Some((2027, 10)), long_term: (2028, 10) },
];

/// Community support covers the newest minor and two before it; the one before those has platform
/// support only. Source: "Supported Kubernetes versions in AKS", support policy.
const PLATFORM_SUPPORT_AT: u64 = 3;

/// How a minor is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "level")]
pub enum Support {
    /// Community support: the minor is generally available and among the newest three.
    Supported(End),
    /// The cluster is on the long-term-support plan, which covers the minor.
    LongTermSupport(End),
    /// Microsoft answers for Azure's part, and no longer for Kubernetes.
    PlatformSupport(Over),
    /// Not at all. Clusters so far behind are upgraded by force.
    Unsupported(Over),
    /// Azure calls the minor a preview.
    Preview,
    /// Azure says too little.
    Unknown,
}

/// When support ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// The last month, when the calendar has the minor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Month>,
    /// That month is over although Azure still lists the minor: it may be gone any day.
    pub passed: bool,
}

/// Support that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Over {
    /// Its last month, when the calendar has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Month>,
    /// What the long-term-support plan would give, when the region has the minor under it and the
    /// cluster is not on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_term_support: Option<End>,
}

/// How a minor is supported for a cluster, which may be on the long-term-support plan.
#[must_use]
pub fn support(minor: Minor, long_term: bool, offers: &Offers, now: Timestamp) -> Support {
    let listed = offers.region.iter().filter(|entry| entry.version.minor() == minor).collect::<Vec<_>>();
    if !listed.is_empty() && listed.iter().all(|entry| entry.preview) {
        return Support::Preview;
    }
    let plans: Vec<SupportPlans> = listed.iter().filter_map(|entry| entry.support_plans).collect();
    let (community, long) = (plans.iter().any(|p| p.community()), plans.iter().any(|p| p.long_term()));
    let calendar = Calendar { minor, now };
    match (community, long) {
        (_, true) if long_term => Support::LongTermSupport(calendar.long_term()),
        (true, _) => Support::Supported(calendar.community()),
        // Listed, and Azure does not say under which plan.
        (false, false) if !listed.is_empty() => Support::Unknown,
        (false, _) => over(minor, long_term, long, offers, &calendar),
    }
}

/// What a person should know of a cluster's future: support of its version, and operating systems of
/// its pools that end.
#[must_use]
pub fn outlook(cluster: &Cluster, offers: &Offers, now: Timestamp) -> Vec<String> {
    let minor = cluster.version.minor();
    let support = support(minor, cluster.is_long_term(), offers, now);
    let support = support.explanation().map(|words| format!("Kubernetes {minor}: {words}"));
    let os_skus = cluster.pools.iter().filter_map(|pool| os_sku::warning(pool, offers));
    support.into_iter().chain(os_skus).collect()
}

/// A minor without community support: how far behind the newest one is it?
fn over(minor: Minor, on_long_term: bool, long: bool, offers: &Offers, calendar: &Calendar) -> Support {
    let community = |entry: &&crate::RegionVersion| {
        !entry.preview && entry.support_plans.is_some_and(SupportPlans::community)
    };
    let newest = offers.region.iter().filter(community).map(|entry| entry.version.minor()).max();
    let Some(behind) = newest.map(|newest| newest.ahead_of(minor)) else { return Support::Unknown };
    let end = if on_long_term { calendar.long_term() } else { calendar.community() };
    // Azure may be ahead of the calendar: then nobody knows when it ended.
    let ended = end.until.filter(|_| end.passed);
    let over = Over { ended, long_term_support: long.then(|| calendar.long_term()) };
    match behind {
        PLATFORM_SUPPORT_AT => Support::PlatformSupport(over),
        // Among the newest three, or newer, and yet not listed under community support.
        0..PLATFORM_SUPPORT_AT if long => Support::Unsupported(over),
        0..PLATFORM_SUPPORT_AT => Support::Unknown,
        _ => Support::Unsupported(over),
    }
}

/// What the calendar says of a minor.
struct Calendar {
    minor: Minor,
    now: Timestamp,
}

impl Calendar {
    fn community(&self) -> End {
        self.end(|line| line.community)
    }

    fn long_term(&self) -> End {
        self.end(|line| Some(line.long_term))
    }

    fn end(&self, month: impl Fn(&Line) -> Option<(i16, i8)>) -> End {
        let of_minor = |line: &&Line| self.minor == Minor { major: 1, minor: line.minor };
        let month = CALENDAR.iter().find(of_minor).and_then(month);
        let until = month.map(|(year, month)| Month { year, month });
        End { until, passed: until.is_some_and(|until| until.is_over(self.now)) }
    }
}

/// A month of a year: the calendar has no days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// Whether the month is over, by UTC.
    fn is_over(self, now: Timestamp) -> bool {
        let today = now.to_zoned(TimeZone::UTC).date();
        (today.year(), today.month()) > (self.year, self.month)
    }
}

impl fmt::Display for Month {
    /// For people: `Jul 2027`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Date::new(self.year, self.month, 1) {
            Ok(first) => write!(f, "{}", first.strftime("%b %Y")),
            Err(_) => write!(f, "{}-{:02}", self.year, self.month),
        }
    }
}

impl Serialize for Month {
    /// For programs: `2027-07`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:04}-{:02}", self.year, self.month))
    }
}

impl Support {
    /// Whether Microsoft supports the minor for this cluster now.
    #[must_use]
    pub fn is_given(self) -> bool {
        match self {
            Self::Supported(_) | Self::LongTermSupport(_) => true,
            Self::PlatformSupport(_) | Self::Unsupported(_) | Self::Preview | Self::Unknown => false,
        }
    }

    /// A month to sort by, the most urgent first: over, then by its end, then what is not known.
    #[must_use]
    pub fn urgency(self) -> (u8, Option<Month>) {
        match self {
            Self::Unsupported(over) => (0, over.ended),
            Self::PlatformSupport(over) => (1, over.ended),
            Self::Supported(end) | Self::LongTermSupport(end) => {
                (if end.until.is_some() { 2 } else { 3 }, end.until)
            }
            Self::Preview => (4, None),
            Self::Unknown => (5, None),
        }
    }

    /// The whole of it in a sentence, where that is more than the short words say.
    #[must_use]
    pub fn explanation(self) -> Option<String> {
        let over = match self {
            Self::Supported(End { until: Some(until), passed: true })
            | Self::LongTermSupport(End { until: Some(until), passed: true }) => {
                return Some(format!(
                    "support was to end with {until}; Azure still lists the version, and may stop any day"
                ));
            }
            Self::PlatformSupport(over) | Self::Unsupported(over) => over,
            Self::Supported(_) | Self::LongTermSupport(_) | Self::Preview | Self::Unknown => return None,
        };
        let ended = over.ended.map(|ended| format!("support ended with {ended}"));
        let instead = over.long_term_support.map(|end| match end.until {
            Some(until) => format!("the long-term-support plan (tier Premium) lasts until {until}"),
            None => "the long-term-support plan (tier Premium) covers the version".to_owned(),
        });
        let words: Vec<String> = [ended, instead].into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

impl fmt::Display for Support {
    /// In a few words, for a column of a table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, end) = match self {
            Self::Supported(end) => ("", end),
            Self::LongTermSupport(end) => ("LTS ", end),
            Self::PlatformSupport(_) => return f.write_str("platform support only"),
            Self::Unsupported(_) => return f.write_str("out of support"),
            Self::Preview => return f.write_str("preview"),
            Self::Unknown => return f.write_str("unknown"),
        };
        match (end.until, end.passed) {
            (Some(until), false) => write!(f, "{plan}until {until}"),
            (Some(until), true) => write!(f, "{plan}until {until}, which has passed"),
            (None, _) => write!(f, "{plan}supported"),
        }
    }
}

#[cfg(test)]
mod tests;
