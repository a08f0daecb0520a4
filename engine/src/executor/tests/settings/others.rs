//! Somebody else changes settings, too.

use super::*;

#[test]
fn what_was_forced_by_others_is_as_they_left_it() {
    let theirs: Settings = [(ForceUpgrade, "false"), (Until, "2026-01-01T00:00:00Z")].into();
    let mut request = control_plane("1.34.4");
    request.policy.force_until = Some("2026-12-01T00:00:00Z".parse().unwrap());
    let world = World::at("1.34.2");
    *world.state().settings(None) = theirs.clone();
    world.finish(&request);
    assert_eq!(*world.state().settings(None), theirs);
}

#[test]
fn what_somebody_else_changed_meanwhile_is_left_and_said() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    in_pool(&world, &request, "linux1");
    world.state().settings(Some("linux1")).0.insert(MaxSurge, "50%".to_owned());
    let ledger = world.finish(&request);
    assert_eq!(*world.state().settings(Some("linux1")), [(MaxSurge, "50%"), (MaxUnavailable, "0")].into());
    assert_eq!(ledger.left_to_others, ["maxSurge of pool linux1"]);
    assert!(ledger.restore.is_empty());
}

#[test]
fn what_somebody_else_changed_between_record_and_write_is_what_comes_back() {
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    world.state().after_write = Some(|state| {
        if state.stored.operation.as_ref().is_some_and(|operation| operation.step_id.contains("linux2")) {
            state.after_write = None;
            state.settings(Some("linux2")).0.insert(MaxSurge, "7".to_owned());
        }
    });
    world.finish(&request);
    assert_eq!(*world.state().settings(Some("linux2")), [(MaxSurge, "7")].into());
    assert!(world.state().stored.left_to_others.is_empty());
    world.state().assert_nothing_twice();
}

#[test]
fn what_is_sent_is_claimed_also_when_another_read_makes_it_something_else() {
    let world = world_at("1.34.4");
    let request = with(request(Scope::NodeImage, None), [(MaxSurge, "33%")].into());
    world.state().after_write = Some(|state| {
        if state.stored.operation.as_ref().is_some_and(|operation| operation.claims == 1) {
            state.after_write = None;
            // Somebody else has the same idea, so that there is nothing to override any more.
            state.settings(Some("linux1")).0.insert(MaxSurge, "33%".to_owned());
        }
    });
    in_pool(&world, &request, "linux1");
    let state = world.state();
    assert!(state.settings_sent.is_empty());
    assert!(
        state.log.ends_with(&["recheck", "save", "recheck", "freezes", "submit", "save"]),
        "{:?}",
        state.log
    );
    let claims: Vec<i32> =
        state.writes.iter().filter_map(|(ledger, _)| Some(ledger.operation.as_ref()?.claims)).collect();
    assert_eq!(claims, [1, 2, 2], "the override, then the step; then the answer");
}

#[test]
fn what_somebody_else_changes_while_it_is_being_put_back_is_left_and_said() {
    let theirs: Settings = [(MaxSurge, "50%"), (MaxUnavailable, "0")].into();
    // Between the claim and the write.
    let world = world_at("1.34.2");
    let request = with(full("1.34.4"), surge());
    world.state().after_write = Some(|state| {
        if state.stored.restore.iter().any(|known| known.attempts > 0) {
            state.after_write = None;
            state.settings(Some("linux1")).0.insert(MaxSurge, "50%".to_owned());
        }
    });
    let ledger = world.finish(&request);
    assert_eq!(*world.state().settings(Some("linux1")), theirs);
    assert_eq!(ledger.left_to_others, ["maxSurge of pool linux1"]);

    // While Azure does it.
    let world = world_at("1.34.2");
    world.until(&request, |_| !world.state().settings_sent.is_empty());
    world.state().settings(Some("linux1")).0.insert(MaxSurge, "50%".to_owned());
    let ledger = world.finish(&request);
    assert_eq!(*world.state().settings(Some("linux1")), theirs);
    assert_eq!(ledger.left_to_others, ["maxSurge of pool linux1"]);

    // Right after: that is nothing to us.
    let world = world_at("1.34.2");
    let is_back = |state: &State| !state.settings_sent.is_empty() && state.stored.restore.is_empty();
    world.until(&request, |_| is_back(&world.state()));
    world.state().settings(Some("linux1")).0.insert(MaxSurge, "50%".to_owned());
    let ledger = world.finish(&request);
    assert_eq!(*world.state().settings(Some("linux1")), theirs);
    assert!(ledger.left_to_others.is_empty());
}

#[test]
fn what_somebody_else_set_between_two_attempts_is_what_comes_back() {
    let world = world_at("1.34.2").answers([Answer::Accept, Answer::FailLater(timed_out())]);
    let request = with(full("1.34.4"), surge());
    world.until_reason(&request, "Retrying");
    world.state().settings(Some("linux1")).0.insert(MaxSurge, "50%".to_owned());
    in_pool(&world, &request, "linux1");
    assert_eq!(surge_of(&world, "linux1").as_deref(), Some("33%"), "for the step");
    let ledger = world.finish(&request);
    assert_eq!(*world.state().settings(Some("linux1")), [(MaxSurge, "50%"), (MaxUnavailable, "0")].into());
    assert!(ledger.left_to_others.is_empty());
}
