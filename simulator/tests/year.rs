//! A fleet of 30 clusters under one continuous plan with a window each weekend, for a year of Azure's own rhythm of
//! releases: nothing is ever without support, no image gets older than its limit and one window, no step starts
//! outside a window, the clusters' own included, and pools are rolled little more often than they must be.
//!
//! `SEED=7 cargo test -p simulator --test year -- --nocapture` plays another year.

use simulator::exploration;

/// What the plan says: `maxImageAge: 45d`. Windows images come monthly, and are up to six weeks old when the next
/// is there.
const LIMIT: u32 = 45;
/// From the end of one weekend to the end of the next: what the promise adds to the limit.
const WINDOW: u32 = 7;

#[test]
fn a_year_of_a_continuous_plan() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let year = exploration::year(seed, 30, LIMIT);
    println!(
        "30 clusters, 90 node pools, 365 days, seed {seed}: {} rollouts, {} changes asked of Azure, {} control plane \
         upgrades, {} pool rollings (the least possible: {}), oldest image {} days (limit {LIMIT}), {} cluster days behind the \
         channel of {}; targets {}; {} events",
        year.rollouts,
        year.steps,
        year.hops,
        year.rollings,
        year.least,
        year.oldest_image,
        year.behind,
        30 * 365,
        year.targets.join(", "),
        year.events
    );
    assert_eq!(year.violation, None);
    assert!(year.unsupported.is_empty(), "{:?}", year.unsupported);
    assert!(year.oldest_image <= LIMIT + WINDOW, "an image of {} days", year.oldest_image);
    assert!(year.targets.len() > 8 && year.rollouts > 8, "patches come monthly: {year:?}");
    assert!(year.rollings >= year.least && year.rollings * 100 <= year.least * 120, "{year:?}");
}
