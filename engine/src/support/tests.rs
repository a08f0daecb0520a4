use super::*;
use crate::{offers::RegionVersion, testing::version};

/// What a region offered in November 2026: `MINOR`, then `c` for community and `l` for long-term
/// support, `p` for a preview, `?` when Azure names no plan.
const NOVEMBER: &str = "1.32l 1.33l 1.34cl 1.35cl 1.36cl 1.37cl";
const DECEMBER: &str = "1.33l 1.34l 1.35cl 1.36cl 1.37cl 1.38p";

fn region(minors: &str) -> Offers {
    let entry = |text: &str| {
        let (minor, marks) = text.split_at(4);
        RegionVersion {
            version: version(&format!("{minor}.2")),
            preview: marks.contains('p'),
            support_plans: match (marks.contains('c'), marks.contains('l')) {
                (true, true) => Some(SupportPlans::Both),
                (true, false) => Some(SupportPlans::KubernetesOfficial),
                (false, true) => Some(SupportPlans::AKSLongTermSupport),
                (false, false) => None,
            },
            upgrades: Vec::new(),
        }
    };
    Offers { region: minors.split_whitespace().map(entry).collect(), ..Offers::default() }
}

fn told(minor: &str, long_term: bool, minors: &str, day: &str) -> Support {
    let now = format!("{day}T12:00:00Z").parse().unwrap();
    support(minor.parse().unwrap(), long_term, &region(minors), now)
}

#[test]
fn what_azure_lists_decides_and_the_calendar_names_the_month() {
    let (may, nov, dec) = ("2026-05-20", "2026-11-20", "2026-12-05");
    let cases = [
        // minor, on the long-term plan, region, day, words
        ("1.36", false, NOVEMBER, nov, "until Jun 2027"),
        ("1.34", false, NOVEMBER, nov, "until Nov 2026"),
        ("1.34", false, NOVEMBER, dec, "until Nov 2026, which has passed"),
        ("1.34", true, NOVEMBER, nov, "LTS until Nov 2027"),
        ("1.34", false, DECEMBER, dec, "platform support only"),
        ("1.34", true, DECEMBER, dec, "LTS until Nov 2027"),
        ("1.33", false, DECEMBER, dec, "out of support"),
        ("1.33", true, DECEMBER, dec, "LTS until Jul 2027"),
        ("1.32", true, DECEMBER, dec, "out of support"),
        ("1.38", false, DECEMBER, dec, "preview"),
        ("1.38", true, DECEMBER, dec, "preview"),
        // Azure still covers what the calendar had not expected, and the other way round.
        ("1.33", false, "1.33c 1.34c 1.35c", may, "until Jul 2026"),
        ("1.31", false, "1.31c 1.32c 1.33c", may, "supported"),
        ("1.40", false, "1.39cl 1.40c 1.41c", dec, "supported"),
        ("1.40", true, "1.40l 1.41cl", dec, "LTS supported"),
        // On the long-term plan, on a minor that it does not cover yet.
        ("1.36", true, "1.36c 1.37c", nov, "until Jun 2027"),
    ];
    for (minor, long_term, minors, day, words) in cases {
        let told = told(minor, long_term, minors, day);
        assert_eq!(told.to_string(), words, "{minor} in {minors}, long-term {long_term}, on {day}");
    }
}

#[test]
fn what_azure_does_not_say_is_unknown() {
    let day = "2026-11-20";
    for (minor, minors, why) in [
        ("1.36", "", "the region was not read"),
        ("1.36", "1.36? 1.37c", "no plan is named"),
        ("1.38", NOVEMBER, "newer than anything that the region has"),
        ("1.36", "1.35c 1.37c", "among the newest three, and yet not listed"),
        ("1.35", "1.33l 1.34l", "no minor with community support to count from"),
    ] {
        assert_eq!(told(minor, false, minors, day), Support::Unknown, "{why}");
    }
}

#[test]
fn previews_do_not_move_the_count() {
    let told = told("1.34", false, "1.35c 1.36c 1.37c 1.38p", "2026-12-05");
    assert!(matches!(told, Support::PlatformSupport(_)), "three behind 1.37, not four behind 1.38: {told:?}");
}

#[test]
fn a_month_lasts_until_its_last_day() {
    for (day, passed) in [("2026-11-30", false), ("2026-12-01", true), ("2027-01-01", true)] {
        let Support::Supported(end) = told("1.34", false, NOVEMBER, day) else { panic!() };
        assert_eq!(end.passed, passed, "{day}");
    }
}

#[test]
fn says_what_the_long_term_plan_would_give() {
    let explained = |minor, long_term, minors| told(minor, long_term, minors, "2026-12-05").explanation();
    let words = explained("1.34", false, DECEMBER).unwrap();
    assert_eq!(
        words,
        "support ended with Nov 2026; the long-term-support plan (tier Premium) lasts until Nov 2027"
    );
    let late = told("1.32", true, DECEMBER, "2027-05-01").explanation();
    assert_eq!(late.unwrap(), "support ended with Mar 2027");
    assert_eq!(explained("1.32", true, DECEMBER), None, "Azure was faster than the calendar");
    assert_eq!(explained("1.30", false, DECEMBER), None, "the calendar does not have it any more");
    assert!(explained("1.34", false, NOVEMBER).unwrap().contains("Azure still lists the version"));
    assert_eq!(explained("1.36", false, NOVEMBER), None);
}

#[test]
fn programs_get_stable_words_and_months() {
    let json = |minor, minors| serde_json::to_value(told(minor, false, minors, "2026-12-05")).unwrap();
    assert_eq!(
        json("1.36", NOVEMBER),
        serde_json::json!({"level": "Supported", "until": "2027-06", "passed": false})
    );
    assert_eq!(
        json("1.34", DECEMBER),
        serde_json::json!({"level": "PlatformSupport", "ended": "2026-11",
            "longTermSupport": {"until": "2027-11", "passed": false}})
    );
    assert_eq!(json("1.38", DECEMBER), serde_json::json!({"level": "Preview"}));
}

#[test]
fn the_most_urgent_comes_first() {
    let mut all = [
        told("1.36", false, DECEMBER, "2026-12-05"),
        told("1.40", false, "1.40c", "2026-12-05"),
        told("1.35", false, DECEMBER, "2026-12-05"),
        told("1.34", false, DECEMBER, "2026-12-05"),
        told("1.33", false, DECEMBER, "2026-12-05"),
        Support::Unknown,
    ];
    all.sort_by_key(|support| support.urgency());
    let words = all.map(|support| support.to_string());
    assert_eq!(
        words,
        [
            "out of support",
            "platform support only",
            "until Mar 2027",
            "until Jun 2027",
            "supported",
            "unknown"
        ]
    );
}

#[test]
fn the_calendar_gives_long_term_support_a_year_more() {
    for line in &CALENDAR {
        if let Some((year, month)) = line.community {
            assert_eq!((year + 1, month), line.long_term, "1.{}", line.minor);
        }
        assert!((1..=12).contains(&line.long_term.1));
    }
    assert!(CALENDAR.is_sorted_by_key(|line| (line.minor, line.long_term)));
}

#[test]
fn the_outlook_names_version_and_operating_systems() {
    let mut cluster = crate::testing::cluster("1.34.2");
    cluster.pools[1].os_sku = "AzureLinux".to_owned();
    let now = "2026-12-05T12:00:00Z".parse().unwrap();
    let told = outlook(&cluster, &region(DECEMBER), now);
    let begins: Vec<&str> = told.iter().filter_map(|words| words.split(&[',', ';']).next()).collect();
    assert_eq!(
        begins,
        [
            "Kubernetes 1.34: support ended with Nov 2026",
            "pool linux1 runs Ubuntu2204",
            "pool system runs Ubuntu2204",
            "pool win1 runs Windows2022"
        ]
    );
    cluster.pools.clear();
    cluster.version = version("1.36.2");
    assert!(outlook(&cluster, &region(DECEMBER), now).is_empty());
}
