//! R12: steps start inside their windows, under no freeze, and where they fit; also those that are sent again.

use jiff::{SignedDuration, Timestamp, civil::Weekday};

use super::*;
use crate::{
    Configured, Freeze, Ledger, Maintenance, NodeImagePolicy, Schedule, Unreadable, Window,
    calendar::InvalidWindow,
    testing::{
        freeze, weekly,
        world::{Answer, World, start},
    },
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Saturday 22:00 to 04:00 in Berlin: 21:00 to 03:00 in UTC. The world begins on the Friday before.
fn on_saturdays(request: Request) -> Request {
    let windows = vec![weekly("weekend", &[Weekday::Saturday], "22:00", 6)];
    Request { schedule: Schedule { windows, ..Schedule::default() }, ..request }
}

fn frozen(request: &Request, freezes: Vec<Freeze>) -> Request {
    let schedule = Schedule { freezes, ..request.schedule.clone() };
    Request { schedule, ..request.clone() }
}

/// When each intent was claimed for the last time before it was sent.
fn starts(ledger: &Ledger) -> Vec<Timestamp> {
    ledger.steps.iter().filter_map(|record| record.started_at).collect()
}

#[test]
fn r12_every_step_starts_inside_the_window_and_what_is_left_waits_for_the_next() {
    let world = World::at("1.34.4");
    // Each pool takes three hours.
    world.state().takes = 180 * MINUTE;
    let request = on_saturdays(full("1.35"));
    let waiting = world.until_reason(&request, "WaitingForWindow");
    assert_eq!(waiting.to_string(), "waits until window weekend opens at 2026-11-21T21:00:00Z");
    assert_eq!(waiting.stance(), crate::Stance::Parked);
    assert!(world.state().stored.baseline.is_none(), "what is healthy is looked at when it begins");
    assert!(!world.state().log.contains(&"workloads"), "nor before");
    let ledger = world.finish(&request);
    let starts = starts(&ledger);
    assert_eq!(starts.len(), 5);
    let open = |start: &Timestamp| {
        let weeks = (0..8).map(|week| at("2026-11-21T21:00:00Z") + SignedDuration::from_hours(168 * week));
        weeks.into_iter().any(|opens| opens <= *start && *start < opens + SignedDuration::from_hours(6))
    };
    assert!(starts.iter().all(open), "{starts:?}");
    assert!(starts.last() > Some(&at("2026-11-28T00:00:00Z")), "not all in one night: {starts:?}");
}

#[test]
fn r12_a_step_in_flight_finishes_after_its_window_has_closed_and_nothing_new_starts() {
    let world = World::at("1.34.4");
    world.state().takes = 60 * 12 * MINUTE;
    let request = on_saturdays(full("1.35"));
    world.until(&request, is_operation);
    let waiting = world.until_reason(&request, "WaitingForWindow");
    assert_eq!(waiting.to_string(), "waits until window weekend opens at 2026-11-28T21:00:00Z");
    let state = world.state();
    assert_eq!(state.sent, ["cp-1.35.2"]);
    assert_eq!(state.stored.progress().0, 1, "it was seen to be done meanwhile");
}

#[test]
fn r12_what_does_not_fit_waits_for_the_next_opening_and_what_never_fits_says_so_before_anything_begins() {
    let world = World::at("1.34.4");
    let mut request = on_saturdays(full("1.35"));
    world.state().now = at("2026-11-22T02:30:00Z");
    request.schedule.minimum_remaining = Some(60 * MINUTE);
    let waiting = world.until_reason(&request, "WaitingForWindow");
    assert_eq!(
        waiting.to_string(),
        "control plane does not fit into what remains: it waits until window weekend opens at 2026-11-28T21:00:00Z"
    );
    // The control plane would fit, and one of the pools does not.
    request.schedule.minimum_remaining = None;
    request.schedule.estimates.pools.insert("win1".to_owned(), 3 * 3600);
    let waiting = world.until_reason(&request, "WindowTooShort");
    assert_eq!(waiting.stance(), crate::Stance::Stopped);
    assert_eq!(
        waiting.to_string(),
        "pool win1 needs a window of 11h15m, and the longest is 6h: a longer window, more surge, or spec.schedule.minimumRemaining"
    );
    assert!(world.state().sent.is_empty());
}

#[test]
fn r12_a_step_that_needs_all_of_a_window_starts_although_its_settings_are_changed_first() {
    let world = World::at("1.34.4");
    let mut request = on_saturdays(request(Scope::NodeImage, None));
    request.policy.upgrade_settings = [(crate::Setting::MaxSurge, "33%")].into();
    request.schedule.minimum_remaining = Some(6 * 60 * MINUTE);
    world.state().now = at("2026-11-21T21:00:20Z");
    world.until_reason(&request, "ChangingSettings");
    world.until_reason(&request, "UpgradingNodeImage");
    assert_eq!(world.state().settings_sent, ["override linux1"]);
}

#[test]
fn r12_what_the_last_step_took_counts_for_the_next_at_once() {
    let world = World::at("1.33.8");
    // A control plane is expected to take 20 minutes, and takes three hours: another would end two hours too late.
    world.state().takes = 180 * MINUTE;
    let request = on_saturdays(control_plane("1.35.2"));
    world.until(&request, is_operation);
    let waiting = world.until_reason(&request, "WaitingForWindow");
    assert!(waiting.to_string().starts_with("control plane does not fit into what remains"), "{waiting}");
    assert_eq!(world.state().sent.len(), 1);
}

#[test]
fn r12_a_step_that_failed_is_sent_again_inside_a_window_only_and_its_deadline_does_not_pass_meanwhile() {
    let world = World::at("1.34.2").answers([
        Answer::Refuse(failure(Some(503), "ServiceUnavailable", "try later"), Some(240 * MINUTE)),
        Answer::Refuse(failure(Some(503), "ServiceUnavailable", "try later"), None),
    ]);
    let mut request = on_saturdays(control_plane("1.34.4"));
    // Azure asks for a pause that goes beyond the end of the window.
    world.state().now = at("2026-11-22T00:00:00Z");
    request.schedule.minimum_remaining = Some(90 * MINUTE);
    world.until_reason(&request, "Retrying");
    let waiting = world.until_reason(&request, "WaitingForWindow");
    assert!(waiting.to_string().contains("2026-11-28T21:00:00Z"), "{waiting}");
    assert_eq!(world.state().sent.len(), 1);
    // A week later it is long past its deadline, and yet one more such failure is none to stop for.
    world.finish(&request);
    assert_eq!(world.state().sent.len(), 3);
}

#[test]
fn r12_a_pool_that_is_half_done_waits_for_the_next_window_too_and_gets_its_settings_back_where_it_may() {
    let world = World::at("1.34.2").answers([Answer::Accept, Answer::FailLater(timed_out())]);
    world.state().takes = 200 * MINUTE;
    let mut request = on_saturdays(full("1.34.4"));
    request.schedule.minimum_remaining = Some(60 * MINUTE);
    world.until(&request, |waiting| waiting.to_string().starts_with("pool "));
    let waiting = world.until_reason(&request, "WaitingForWindow");
    assert!(waiting.to_string().contains("2026-11-28T21:00:00Z"), "{waiting}");
    let sent = world.state().sent.clone();
    assert_eq!(sent, ["cp-1.34.4", "pool-linux1-1.34.4"]);
    world.finish(&request);
}

#[test]
fn r12_a_freeze_stops_new_steps_and_lets_the_one_in_flight_finish() {
    let world = World::at("1.34.4");
    let request = full("1.35");
    world.until(&request, is_operation);
    let incident = freeze("incident", "2026-11-20T22:05:00Z", None);
    let held = frozen(&request, vec![incident.clone()]);
    world.state().freezes = vec![incident];
    let waiting = world.until_reason(&held, "Frozen");
    assert_eq!(waiting.to_string(), "frozen by UpgradeFreeze incident: an incident");
    assert_eq!(world.state().stored.progress().0, 1, "what was in flight is done");
    assert_eq!(world.state().sent, ["cp-1.35.2"]);
    world.state().freezes.clear();
    world.finish(&request);
}

#[test]
fn r12_a_freeze_that_is_made_while_a_step_is_claimed_stops_it() {
    let world = World::at("1.34.2");
    let request = control_plane("1.34.4");
    // The request was read before; the last look finds it.
    world.state().after_write = Some(|state| {
        if state.stored.operation.as_ref().is_some_and(|operation| operation.claims > 0) {
            state.freezes = vec![freeze("incident", "2026-11-20T21:00:00Z", Some("2026-11-20T23:30:00Z"))];
        }
    });
    let waiting = world.advance(&request).unwrap().waiting.unwrap();
    assert_eq!(waiting.reason(), "Frozen");
    assert!(world.state().sent.is_empty());
    let log = world.state().log.clone();
    assert_eq!(log.last(), Some(&"save"), "{log:?}");
    world.state().after_write = None;
    let freezes = world.state().freezes.clone();
    world.until_reason(&frozen(&request, freezes), "Frozen");
    world.state().now = at("2026-11-20T23:30:00Z");
    world.finish(&request);
    assert_eq!(world.state().sent, ["cp-1.34.4"]);
}

#[test]
fn r12_settings_come_back_while_nothing_may_start() {
    let world = World::at("1.34.2");
    let mut request = full("1.34.4");
    request.policy.upgrade_settings = [(crate::Setting::MaxSurge, "2")].into();
    let incident = freeze("incident", "2026-11-20T22:15:00Z", None);
    world.until(&request, |waiting| is_operation(waiting) && waiting.to_string().contains("pool"));
    world.state().freezes = vec![incident.clone()];
    world.until_reason(&frozen(&request, vec![incident]), "Frozen");
    let state = world.state();
    assert!(state.stored.restore.is_empty());
    assert!(state.cluster.pools.iter().all(|pool| pool.upgrade_settings.is_empty()));
}

#[test]
fn r12_the_clusters_own_windows_are_read_before_something_starts_and_not_known_is_no_pass() {
    let world = World::at("1.34.2");
    let mut request = on_saturdays(control_plane("1.34.4"));
    request.schedule.respects_cluster = true;
    let own = weekly("aksManagedAutoUpgradeSchedule", &[Weekday::Sunday], "01:00", 4);
    world.state().maintenance = Err(Unreadable::failed("503"));
    world.until_reason(&request, "WaitingForWindow");
    let waiting = world.until_reason(&request, "AzureUnreachable");
    assert_eq!(world.state().now, at("2026-11-21T21:00:00Z"), "{waiting}");
    world.state().maintenance = Ok(Maintenance { versions: Some(Ok(own)), ..Maintenance::default() });
    let waiting = world.until_reason(&request, "WaitingForWindow");
    assert_eq!(
        waiting.to_string(),
        "waits until 2026-11-22T00:00:00Z, when window weekend and the cluster's own aksManagedAutoUpgradeSchedule are open"
    );
    let ledger = world.finish(&request);
    assert!(starts(&ledger)[0] >= at("2026-11-22T00:00:00Z"));
}

/// A cluster that has this window of its own for versions, and nothing else.
fn for_versions(window: Window) -> Maintenance {
    Maintenance { versions: Some(Ok(window)), ..Maintenance::default() }
}

fn respecting(request: Request) -> Request {
    let schedule = Schedule { respects_cluster: true, ..request.schedule };
    Request { schedule, ..request }
}

const OWN: &str = "aksManagedAutoUpgradeSchedule";

#[test]
fn r12_where_the_clusters_own_window_is_waited_for_it_is_named_and_so_is_one_that_never_overlaps() {
    let world = World::at("1.34.2");
    world.state().maintenance = Ok(for_versions(weekly(OWN, &[Weekday::Sunday], "01:00", 4)));
    let request = respecting(control_plane("1.34.4"));
    let waiting = world.until_reason(&request, "WaitingForWindow");
    assert_eq!(
        waiting.to_string(),
        "waits until the cluster's own aksManagedAutoUpgradeSchedule opens at 2026-11-22T00:00:00Z"
    );
    world.state().maintenance = Ok(for_versions(weekly(OWN, &[Weekday::Tuesday], "01:00", 8)));
    let request = respecting(on_saturdays(control_plane("1.34.4")));
    let waiting = world.until_reason(&request, "WindowTooShort");
    assert_eq!(waiting.stance(), crate::Stance::Stopped);
    assert_eq!(
        waiting.to_string(),
        "control plane cannot start: spec.schedule.windows and the cluster's own aksManagedAutoUpgradeSchedule never overlap: change one of them, or set spec.schedule.clusterWindows: Ignore"
    );
    assert!(world.state().sent.is_empty());
    let mut ignoring = request.clone();
    ignoring.schedule.respects_cluster = false;
    world.finish(&ignoring);
}

#[test]
fn r12_what_never_fits_the_clusters_own_window_says_so_before_anything_begins() {
    let world = World::at("1.34.4");
    world.state().maintenance = Ok(for_versions(weekly(OWN, &[Weekday::Saturday], "22:00", 4)));
    let mut request = respecting(full("1.35"));
    // The control plane would fit, and one of the pools does not.
    request.schedule.estimates.pools.insert("win1".to_owned(), 3 * 3600);
    let waiting = world.until_reason(&request, "WindowTooShort");
    assert_eq!(
        waiting.to_string(),
        "pool win1 needs 11h15m, and the cluster's own aksManagedAutoUpgradeSchedule opens for 4h at most: a longer one, more surge, spec.schedule.minimumRemaining, or clusterWindows: Ignore"
    );
    assert!(world.state().sent.is_empty(), "half an upgrade helps nobody");
    assert!(world.state().stored.steps.is_empty());
    // A window for images binds none of these steps.
    let images = Maintenance {
        images: Some(Ok(weekly("x", &[Weekday::Monday], "01:00", 1))),
        ..Maintenance::default()
    };
    world.state().maintenance = Ok(images);
    world.finish(&request);
}

/// A configuration that is there, and not understood.
fn misread() -> Configured {
    let problem = "its schedule is in a resource of its own, which Tidegate does not read".to_owned();
    Err(InvalidWindow { field: "maintenanceWindowId".to_owned(), problem })
}

#[test]
fn r12_what_never_fits_the_clusters_own_window_is_told_while_the_plans_are_closed_too() {
    let world = World::at("1.34.2");
    world.state().maintenance = Ok(for_versions(weekly(OWN, &[Weekday::Tuesday], "01:00", 8)));
    let request = respecting(on_saturdays(control_plane("1.34.4")));
    for hours in [0, 24, 24, 24] {
        world.pass(hours * 60 * MINUTE);
        let waiting = world.until_reason(&request, "WindowTooShort");
        assert!(waiting.to_string().contains("never overlap"), "{waiting}");
    }
    let looks = world.advance(&request).unwrap().waiting.unwrap().look_again(world.state().now);
    assert!(looks >= 5 * MINUTE, "each look is a call");
}

#[test]
fn r12_a_configuration_that_is_not_understood_stops_what_it_binds_and_nothing_else() {
    let world = World::at("1.34.4");
    let mut request = respecting(full("1.35"));
    request.node_image = NodeImagePolicy::Skip;
    world.state().maintenance = Ok(Maintenance { general: Some(misread()), ..Maintenance::default() });
    let waiting = world.until_reason(&request, "InvalidSpec");
    assert_eq!(waiting.stance(), crate::Stance::Stopped);
    assert!(waiting.look_again(world.state().now) >= 5 * MINUTE, "each look is a call");
    assert_eq!(
        waiting.to_string(),
        "the cluster's own default: maintenanceWindowId: its schedule is in a resource of its own, which Tidegate does not read; mend it or set spec.schedule.clusterWindows: Ignore"
    );
    assert!(world.state().sent.is_empty());
    // One that is for images alone says nothing of versions.
    world.state().maintenance = Ok(Maintenance { images: Some(misread()), ..Maintenance::default() });
    world.finish(&request);
    let world = World::at("1.34.4");
    world.state().maintenance = Ok(Maintenance { versions: Some(misread()), ..Maintenance::default() });
    world.until_reason(&request, "InvalidSpec");
    request.schedule.respects_cluster = false;
    world.finish(&request);
}

#[test]
fn a_listing_that_is_late_stops_nothing_by_a_configuration_that_is_not_understood() {
    let world = World::at("1.34.4");
    let before = World::at("1.34.2").state().cluster.clone();
    {
        let mut state = world.state();
        state.maintenance = Ok(Maintenance { versions: Some(misread()), ..Maintenance::default() });
        state.listing = Some((start(), before));
        state.listing_every = 24 * 60 * MINUTE;
    }
    world.finish(&respecting(control_plane("1.34.4")));
    let stopped = |(_, reason): &(_, Option<String>)| reason.as_deref() == Some("InvalidSpec");
    let state = world.state();
    assert!(!state.writes.iter().any(stopped), "nothing is left to do: {:?}", state.writes);
}

#[test]
fn r12_a_window_that_cannot_be_used_stops_new_steps_and_no_step_in_flight() {
    let world = World::at("1.34.4");
    let request = full("1.35");
    world.until(&request, is_operation);
    let mut without = request.clone();
    without.schedule.unusable =
        Some("spec.policy.schedule.windows[0].name: there is no MaintenanceWindow x".to_owned());
    let waiting = world.until_reason(&without, "InvalidSpec");
    assert!(waiting.to_string().starts_with("spec.policy.schedule.windows[0].name: "), "{waiting}");
    assert_eq!(world.state().stored.progress().0, 1);
    assert_eq!(world.state().sent, ["cp-1.35.2"]);
    world.finish(&request);
}

#[test]
fn r12_r9_what_somebody_moves_is_told_while_no_window_is_open() {
    let world = World::at("1.34.2");
    let request = on_saturdays(full("1.34.4"));
    world.state().takes = 150 * MINUTE;
    world.until(&request, is_operation);
    world.until_reason(&request, "WaitingForWindow");
    {
        let mut state = world.state();
        state.cluster.pools[3].version = "1.34.4".parse().unwrap();
    }
    let waiting = world.until_reason(&request, "ExternalChange");
    assert!(
        world.state().now < at("2026-11-28T21:00:00Z"),
        "a person has time until the next window: {waiting}"
    );
}
