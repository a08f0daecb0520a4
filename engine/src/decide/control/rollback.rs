//! Taking a node pool back to the version and image that it had before its last upgrade by this record.
//!
//! It is a step of its own: recorded with its intent, sent as one PUT together with the settings that the pool's
//! steps override, verified by the nodes and gated. Azure does it for seven days, to what it lists as recently
//! used, with automatic upgrades off ("Roll back node pool versions in AKS"). What it would refuse is refused here,
//! with the reason. Afterwards nothing goes on until `retry`.

use std::time::Duration;

use super::{may_be_on_its_way, new_token, refuse};
use crate::{
    cluster::{Cluster, NodePool, Power},
    control::{Control, Halt, HaltedAfter, RecentlyUsed, bounded},
    decide::{
        Decision, Stop, View, external::external_change, operation::Resource, operation::move_on, overrides,
        record, steps::operation_of,
    },
    instants::later,
    ledger::{Ledger, Phase, StepRecord, StepState},
    observation::Unreadable,
    planted::{PlantedBug, planted},
    policy::OnGateFailure,
    step::{Step, StepKind},
    version::allowed_skew,
    waiting::WaitingOn,
};

/// For how long Azure takes a pool back.
const WITHIN: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a person's new token asks for.
pub(super) fn asked(view: &View<'_>) -> Option<Decision> {
    let control = &view.ledger.control;
    let token = new_token(view.request.asked.rollback.as_ref(), control.rollback_token.as_ref())?;
    if control.skipped {
        return None;
    }
    let name = token.split('/').next().unwrap_or_default();
    let echo = |control: &mut Control| control.rollback_token = Some(token.clone());
    let refuse = |why: String| refuse(view, &format!("pool {name} was not rolled back: {why}"), echo);
    Some(match begin(view, name, None) {
        Ok(mut ledger) => {
            echo(&mut ledger.control);
            record(ledger)
        }
        Err(Obstacle::Refused(why)) => refuse(why),
        Err(Obstacle::Stop(stop)) => *stop,
    })
}

/// What follows when a gate fails after the step of a node pool: it is rolled back, where the policy says so and Azure
/// allows it; else `stop` as it is.
pub(in crate::decide) fn after_failed_gate(view: &View<'_>, step: &Step, stop: Decision) -> Decision {
    let Decision::Wait(WaitingOn::GateFailed(broken)) = &stop else { return stop };
    if step.is_rollback() {
        let halt = view.ledger.control.halt.clone();
        let broken = bounded(&broken.join("; "));
        let halt = halt.map(|halt| WaitingOn::Halted(Halt { because: Some(broken), ..halt }));
        return halt.map_or(stop, Decision::Wait);
    }
    let is_wanted = view.request.policy.on_gate_failure == OnGateFailure::RollbackNodePool;
    let tried = view.ledger.operation.as_ref().is_some_and(|operation| operation.policy_not_done.is_some());
    let pool = step.pool.as_ref().filter(|_| is_wanted && !tried);
    let Some(pool) = pool else { return stop };
    match begin(view, pool, Some(&broken.join("; "))) {
        Ok(ledger) => record(ledger),
        Err(Obstacle::Stop(other)) => *other,
        Err(Obstacle::Refused(why)) => {
            let mut ledger = view.ledger.clone();
            if let Some(operation) = &mut ledger.operation {
                operation.policy_not_done = Some(bounded(&format!("pool {pool} was not rolled back: {why}")));
            }
            record(ledger)
        }
    }
}

/// Why a rollback does not begin.
enum Obstacle {
    /// It cannot be done, and why.
    Refused(String),
    /// Something is to be read or waited for first.
    Stop(Stop),
}

impl From<Decision> for Obstacle {
    fn from(decision: Decision) -> Self {
        Self::Stop(Box::new(decision))
    }
}

impl From<String> for Obstacle {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

/// The record with the intent to take the pool back.
fn begin(view: &View<'_>, name: &str, because: Option<&str>) -> Result<Ledger, Obstacle> {
    let last = last_upgrade(view.ledger, name)?.clone();
    check_in_flight(view, name)?;
    let cluster = view.seen.cluster.as_ref().map_err(|why| Decision::Wait(WaitingOn::unreadable(why)))?;
    let pool = cluster.pool(name).ok_or_else(|| "it does not exist any more".to_owned())?;
    if let Some(busy) = cluster.busy_with() {
        return Err(Decision::Wait(WaitingOn::ClusterBusy(busy)).into());
    }
    if let (None, Some(decision)) = (&view.ledger.operation, overrides::restoring(view))
        && !view.ledger.control.halt.as_ref().is_some_and(is_refused)
    {
        return Err(decision.into());
    }
    let in_flight = view.ledger.current().map(|(_, record)| &record.step);
    if let Some(change) = external_change(view.ledger, cluster, in_flight) {
        return Err(change.into());
    }
    check_pool(cluster, pool)?;
    let recent = match &view.seen.recently_used {
        Ok(recent) => recent,
        Err(Unreadable::NotAsked) => return Err(Decision::ReadRecentlyUsed(name.to_owned()).into()),
        Err(why) => return Err(Decision::Wait(WaitingOn::unreadable(why)).into()),
    };
    let back = chosen(view, &last.step, recent)?;
    check_skew(cluster, back)?;
    let step = Step::rollback(name, (&pool.version, &pool.node_image), (&back.version, &back.image));
    Ok(begun(view, cluster, (step, last.nodes), because))
}

/// The last upgrade of the pool by this record that has begun.
fn last_upgrade<'a>(ledger: &'a Ledger, name: &str) -> Result<&'a StepRecord, String> {
    let is_upgrade = |record: &&StepRecord| match record.step.kind {
        StepKind::NodePoolVersion | StepKind::NodePoolImage => !record.repair,
        StepKind::ControlPlane | StepKind::NodePoolRollback => false,
    };
    let has_begun = |record: &&StepRecord| match record.state {
        StepState::Running | StepState::Failed | StepState::Succeeded => true,
        StepState::Planned | StepState::Dropped => false,
    };
    let mut upgraded = ledger.steps.iter().filter(is_upgrade).filter(has_begun);
    upgraded.clone().rfind(|record| record.step.pool.as_deref() == Some(name)).ok_or_else(|| {
        let names: Vec<&str> = upgraded.by_ref().filter_map(|record| record.step.pool.as_deref()).collect();
        match names.join(", ") {
            none if none.is_empty() => "this upgrade has upgraded no node pool yet".to_owned(),
            names => format!("this upgrade has not upgraded it; it has upgraded {names}"),
        }
    })
}

/// Whether what is in flight lets the pool be rolled back.
fn check_in_flight(view: &View<'_>, name: &str) -> Result<(), Obstacle> {
    if let (None, Some(other)) = (view.ledger.current(), &view.request.other_upgrade) {
        return Err(format!("ClusterUpgrade {other} works on the same cluster").into());
    }
    let Some((operation, current)) = view.ledger.current() else { return Ok(()) };
    let (step, subject) = (&current.step, current.step.subject());
    if step.pool.as_deref() != Some(name) {
        let why =
            format!("{subject} is being upgraded; ask again when that has ended, or was skipped or aborted");
        return Err(why.into());
    }
    if step.is_rollback() {
        return Err("it is being rolled back already".to_owned().into());
    }
    match operation.phase {
        Phase::Verifying | Phase::Gating | Phase::Soaking => Ok(()),
        Phase::Submitted => {
            Err("Azure is upgrading it; abort that first, or wait for its end".to_owned().into())
        }
        Phase::Intent if operation.claims == 0 => {
            Err("its upgrade was not sent to Azure yet".to_owned().into())
        }
        Phase::Intent => {
            let resource = Resource::seen(view, step).map_err(Obstacle::Stop)?;
            if resource.is_moving_to_target(step) {
                return Err(move_on(view, Phase::Submitted).into());
            }
            if may_be_on_its_way(operation, view.now) {
                return Err(Decision::Wait(WaitingOn::Sending(step.clone())).into());
            }
            Ok(())
        }
    }
}

/// Whether Azure would take it back at all, and leave it so.
fn check_pool(cluster: &Cluster, pool: &NodePool) -> Result<(), String> {
    if let Some(channel) = &cluster.auto_upgrade_channel {
        return Err(format!(
            "the auto-upgrade channel {channel} of the cluster is on: Azure takes no pool back meanwhile; turn it off (az aks update --auto-upgrade-channel none), then ask again"
        ));
    }
    if pool.power == Power::Stopped {
        return Err("it is stopped: start it (az aks nodepool start), then ask again".to_owned());
    }
    Ok(())
}

/// What the pool had before the step, as Azure lists it.
fn chosen<'a>(view: &View<'_>, step: &Step, recent: &'a [RecentlyUsed]) -> Result<&'a RecentlyUsed, String> {
    let was = |recent: &&RecentlyUsed| match step.kind {
        StepKind::NodePoolImage => recent.image == step.from,
        StepKind::ControlPlane | StepKind::NodePoolVersion | StepKind::NodePoolRollback => {
            recent.version.to_string() == step.from
        }
    };
    if planted(PlantedBug::RollBackToAny) {
        return recent.iter().min_by_key(|recent| recent.left_at).ok_or_else(String::new);
    }
    let in_time = |recent: &&RecentlyUsed| recent.left_at.is_none_or(|at| view.now <= later(at, WITHIN));
    if planted(PlantedBug::RollBackTooLate) {
        return recent.iter().find(was).ok_or_else(String::new);
    }
    let found = recent.iter().filter(was).filter(in_time).max_by_key(|recent| recent.left_at);
    found.ok_or_else(|| {
        format!(
            "Azure does not list {} among what it ran in the last seven days, and takes a pool back only within that time, and only to what it ran before its last upgrade",
            step.from
        )
    })
}

/// Whether the control plane has not gone too far on since.
fn check_skew(cluster: &Cluster, back: &RecentlyUsed) -> Result<(), String> {
    let control_plane = cluster.version.minor();
    let allowed = allowed_skew(control_plane);
    if control_plane.ahead_of(back.version.minor()) <= allowed {
        return Ok(());
    }
    Err(format!(
        "{} is more than {allowed} minor versions behind the control plane, which is at {}",
        back.version, cluster.version
    ))
}

fn begun(view: &View<'_>, cluster: &Cluster, (step, nodes): (Step, i32), because: Option<&str>) -> Ledger {
    let mut ledger = Ledger { soak_until: None, gates_failing_since: None, ..view.ledger.clone() };
    let id = step.id();
    ledger.steps.retain(|record| record.id != id);
    // What the upgrade before has moved is its own, also when that is not in flight any more.
    if let (Some(expected), Some(pool)) =
        (&mut ledger.expected, step.pool.as_ref().and_then(|name| cluster.pool(name)))
    {
        expected.pools.insert(pool.name.clone(), pool.version.clone());
    }
    let at = ledger.steps.iter().position(|record| record.state == StepState::Planned);
    let record = StepRecord {
        id: id.clone(),
        step: step.clone(),
        state: StepState::Running,
        started_at: Some(view.now),
        finished_at: None,
        attempts: 1,
        nodes,
        repair: false,
    };
    ledger.steps.insert(at.unwrap_or(ledger.steps.len()), record);
    ledger.operation = Some(operation_of(view, id));
    if !planted(PlantedBug::OverrideUnrecorded) {
        ledger.restore = overrides::planned(view, cluster, &step);
    }
    ledger.control.halt = Some(halt_after(&step, because));
    ledger.control.refused = None;
    ledger
}

/// Azure takes the pool back: what this upgrade had done to it counts no more.
pub(in crate::decide) fn taking_back(ledger: &mut Ledger) {
    let current = ledger.current().map(|(_, record)| &record.step).filter(|step| step.is_rollback());
    let Some((id, pool)) = current.map(|step| (step.id(), step.pool.clone())) else { return };
    let others = ledger.steps.iter_mut().filter(|record| record.step.pool == pool && record.id != id);
    for record in others.filter(|record| record.state != StepState::Planned) {
        record.state = StepState::Dropped;
    }
}

/// The record when the rollback in flight cannot be: nothing goes on until somebody has decided, and the pool
/// stays as it is. `None` when no rollback is in flight.
pub(in crate::decide) fn without_going_back(ledger: &Ledger, why: &str) -> Option<Ledger> {
    let (_, record) = ledger.current().filter(|(_, record)| record.step.is_rollback())?;
    let step = &record.step;
    let words = format!("{} was not rolled back to {}: {why}", step.subject(), step.to);
    let because = ledger.control.halt.as_ref().and_then(|halt| halt.because.as_deref());
    let halt = Halt::new(HaltedAfter::RefusedRollback, &words, because);
    let mut ledger = Ledger { operation: None, gates_failing_since: None, ..ledger.clone() };
    // Also the upgrade that was not brought to its end before.
    for record in ledger.steps.iter_mut().filter(|record| record.state == StepState::Running) {
        record.state = StepState::Failed;
    }
    ledger.control.halt = Some(halt);
    Some(ledger)
}

/// Whether the pool was not taken back: settings of the step before may be on it still, and it may be in state
/// Failed or Canceled.
pub(super) fn is_refused(halt: &Halt) -> bool {
    halt.after == HaltedAfter::RefusedRollback
}

/// What holds everything up once a rollback is done.
pub(in crate::decide) fn halt_after(step: &Step, because: Option<&str>) -> Halt {
    let words = format!("{} was rolled back to {}", step.subject(), step.to);
    Halt::new(HaltedAfter::Rollback, &words, because)
}
