//! Rule 10: a step counts as done when the nodes have really shown it, and rule 1 the other way round: it
//! counts as running when Azure really is at it.

use std::time::Duration;

use engine::{Ledger, Phase, Step, StepKind, StepRecord, StepState};
use jiff::Timestamp;

use super::{Checks, rules};
use crate::{
    effects::ClusterKey,
    exploration::{case::UpgradeCase, hub::Record, sim::State},
    world::World,
};

/// How long it takes from looking at nodes to recording what they show: in between lie calls to the cluster's
/// API server and, where the whole upgrade ends with it, live reads of Azure, each of which may take half a minute.
const LOOKED: Duration = Duration::from_secs(180);
/// How long ago Azure may have been at the step when that is recorded: slow calls to Azure lie in between.
const SEEN: Duration = Duration::from_secs(600);

/// From when on, and until when, something was so; the last time that it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) last: Option<(Timestamp, Timestamp)>,
    is_so: bool,
}

impl Stretch {
    pub(super) fn note(&mut self, now: Timestamp, is_so: bool) {
        self.last = match (self.last, is_so, self.is_so) {
            (Some((from, _)), _, true) => Some((from, now)),
            (_, true, _) => Some((now, now)),
            (last, false, false) | (last @ None, false, true) => last,
        };
        self.is_so = is_so;
    }

    fn was_so_since(&self, earliest: Timestamp) -> bool {
        self.last.is_some_and(|(_, until)| until >= earliest)
    }
}

impl Checks {
    /// Takes down how the step in flight really is.
    pub(super) fn look_at_nodes(state: &mut State, index: usize, key: &ClusterKey) {
        let Some(step) = &state.checks.watched[index].in_flight else { return };
        let (done, under_way) = (shows_it(state, key, step), is_under_way(&state.world, key, step));
        let (now, watched) = (state.now, &mut state.checks.watched[index]);
        watched.really.note(now, done);
        watched.under_way.note(now, under_way);
    }

    /// Another step is in flight: nothing was seen of it yet.
    pub(super) fn follow_step(state: &mut State, index: usize, after: &Record) {
        let watched = &mut state.checks.watched[index];
        let in_flight = after.ledger.current().map(|(_, record)| record.step.clone());
        if watched.in_flight != in_flight {
            (watched.really, watched.under_way) = (Stretch::default(), Stretch::default());
            watched.in_flight = in_flight;
        }
    }

    /// 10: what is recorded of a step that Azure is done with, its nodes have shown.
    pub(super) fn shows_in_the_nodes(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        let is_new = |record: &&StepRecord| is_verified(after, record) && !is_verified(before, record);
        let Some(StepRecord { id, step, .. }) = after.steps.iter().find(is_new) else { return };
        let Some(key) = state.checks.key_of(index) else { return };
        let is_so = shows_it(state, &key, step);
        let earliest = state.checks.earliest(state.now, LOOKED);
        let (now, busy, watched) = (state.now, state.world.is_busy(&key), &mut state.checks.watched[index]);
        let is_known = watched.in_flight.as_ref() == Some(step);
        if is_known {
            watched.really.note(now, is_so);
        }
        let began = watched.really.last.filter(|_| is_known).map_or(now, |(from, _)| from);
        watched.verified = Some((id.clone(), began.max(earliest)));
        // Found done without having been in flight before: nobody took down how it was a moment ago.
        let was_so = if is_known { watched.really.was_so_since(earliest) } else { is_so || busy };
        if !was_so {
            let last = watched.really.last;
            let what = format!("{id} is recorded as done, and the nodes have not shown it; last {last:?}");
            Self::violated(state, rules::NODES, what);
        }
    }

    /// 10: in the end every pool that was worked on has as many nodes as it should have.
    pub(super) fn has_all_nodes(state: &mut State, wanted: &UpgradeCase) {
        let is_excused =
            |pool: &String| state.checks.excused.contains(&(wanted.key.clone(), pool.to_owned()));
        let worked_on = wanted.arrival.renewed.iter().filter(|pool| !is_excused(pool));
        let missing = worked_on.into_iter().find_map(|pool| {
            let count = state.world.properties(&wanted.key, Some(pool))?.get("count")?.as_u64()?;
            let whole = state.world.nodes(&wanted.key, pool).filter(|node| node.ready && !node.surge).count();
            (u64::try_from(whole) != Ok(count)).then(|| format!("pool {pool} has {whole} nodes of {count}"))
        });
        if let Some(missing) = missing {
            Self::violated(state, rules::NODES, format!("{} is done, and {missing}", wanted.name));
        }
    }

    /// 1: what is recorded as running in Azure is this step, and no other's operation.
    pub(super) fn is_really_under_way(state: &mut State, index: usize, before: &Ledger, after: &Ledger) {
        let phase = |ledger: &Ledger| ledger.operation.as_ref().map(|operation| operation.phase);
        if phase(after) != Some(Phase::Submitted) || phase(before) == Some(Phase::Submitted) {
            return;
        }
        let Some((_, record)) = after.current() else { return };
        let Some(key) = state.checks.key_of(index) else { return };
        let earliest = state.checks.earliest(state.now, SEEN);
        let recently = state.checks.watched[index].under_way.was_so_since(earliest);
        if !recently && !is_under_way(&state.world, &key, &record.step) {
            let what = format!("{} is recorded as running, and Azure is not at it", record.id);
            Self::violated(state, rules::ONE_OPERATION, what);
        }
    }
}

const fn is_past_nodes(phase: Phase) -> bool {
    match phase {
        Phase::Gating | Phase::Soaking => true,
        Phase::Intent | Phase::Submitted | Phase::Verifying => false,
    }
}

/// Whether a record says that the nodes have shown a step.
fn is_verified(ledger: &Ledger, record: &StepRecord) -> bool {
    let in_flight = ledger.operation.as_ref().filter(|operation| operation.step_id == record.id);
    in_flight.map_or_else(|| is_done(ledger, &record.id), |operation| is_past_nodes(operation.phase))
}

/// Whether a record says that a step is done.
fn is_done(ledger: &Ledger, id: &str) -> bool {
    ledger.steps.iter().any(|record| record.id == id && record.state == StepState::Succeeded)
}

/// The step that a new record says is done, and the one before did not.
pub(super) fn newly_done<'a>(before: &Ledger, after: &'a Ledger) -> Option<&'a StepRecord> {
    let is_new = |record: &&StepRecord| is_done(after, &record.id) && !is_done(before, &record.id);
    after.steps.iter().find(is_new)
}

/// Whether a step is done, and its nodes show it to whoever looks into the cluster.
fn shows_it(state: &State, key: &ClusterKey, step: &Step) -> bool {
    is_really_done(&state.world, key, step) && !state.workloads.is_blemished(key, step, state.now, state.now)
}

/// Whether the control plane, or every node that the pool should have, really is where the step leads.
pub(super) fn is_really_done(world: &World, key: &ClusterKey, step: &Step) -> bool {
    let Some(shown) = world.properties(key, step.pool.as_deref()) else { return false };
    // While somebody upgrades the cluster all of its pools are Upgrading, whatever their nodes show.
    let state = shown.get("provisioningState").and_then(|state| state.as_str());
    if matches!(state, None | Some("Failed" | "Canceled")) {
        return false;
    }
    let Some(pool) = &step.pool else {
        return world.served_version(key).is_some_and(|served| served.to_string() == step.to);
    };
    let image = shown.get("nodeImageVersion").and_then(|image| image.as_str()).unwrap_or_default();
    let count = shown.get("count").and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX);
    let mut number = 0;
    let all = world.nodes(key, pool).all(|node| {
        number += 1;
        let there = match step.kind {
            StepKind::NodePoolImage => node.node_image != step.from,
            StepKind::ControlPlane | StepKind::NodePoolVersion => node.kubernetes_version == step.to,
            StepKind::NodePoolRollback => {
                node.kubernetes_version == step.version_after()
                    && step.image_after() == Some(&node.node_image)
            }
        };
        let whole = node.ready && !node.cordoned && !node.quarantined && !node.surge;
        there && whole && node.node_image == image
    });
    all && number == count
}

/// Whether Azure is at the step, or has done it.
fn is_under_way(world: &World, key: &ClusterKey, step: &Step) -> bool {
    let Some(shown) = world.properties(key, step.pool.as_deref()) else { return false };
    let text = |field: &str| shown.get(field).and_then(|value| value.as_str()).unwrap_or_default();
    match step.kind {
        StepKind::ControlPlane => text("kubernetesVersion") == step.to,
        StepKind::NodePoolVersion | StepKind::NodePoolRollback => {
            text("orchestratorVersion") == step.version_after()
        }
        StepKind::NodePoolImage => {
            text("provisioningState").starts_with("Upgrading") || text("nodeImageVersion") != step.from
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pool_with_fewer_nodes_than_it_should_have_is_not_done() {
        let subscription = "20000000-0000-4000-8000-000000000001";
        let world = |count: u32| {
            let image = "AKSUbuntu-2204gen2containerd-202610.01.0";
            let pool = json!({"name": "linux0", "mode": "System", "count": 2, "nodeImage": image,
                "extra": {"count": count}});
            let cluster = json!({"subscription": subscription, "resourceGroup": "rg", "name": "c",
                "kubernetesVersion": "1.35.1", "pools": [pool]});
            World::new(&serde_json::from_value(json!({ "clusters": [cluster] })).unwrap())
        };
        let key = ClusterKey(format!(
            "/subscriptions/{subscription}/resourcegroups/rg/providers/microsoft.containerservice/managedclusters/c"
        ));
        let step = |to: &str| Step {
            kind: StepKind::NodePoolVersion,
            pool: Some("linux0".to_owned()),
            from: "1.34.2".to_owned(),
            to: to.to_owned(),
        };
        assert!(is_really_done(&world(2), &key, &step("1.35.1")));
        assert!(!is_really_done(&world(3), &key, &step("1.35.1")), "one is missing");
        assert!(!is_really_done(&world(2), &key, &step("1.35.3")), "the nodes are old");
    }

    #[test]
    fn what_was_so_is_remembered_for_the_last_time_that_it_was() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut stretch = Stretch::default();
        stretch.note(at(1), false);
        assert!(!stretch.was_so_since(at(0)));
        for (second, is_so) in [(2, true), (4, true), (6, false), (8, false)] {
            stretch.note(at(second), is_so);
        }
        assert_eq!(stretch.last, Some((at(2), at(6))));
        assert!(stretch.was_so_since(at(6)) && !stretch.was_so_since(at(7)));
        stretch.note(at(9), true);
        assert_eq!(stretch.last, Some((at(9), at(9))));
    }
}
