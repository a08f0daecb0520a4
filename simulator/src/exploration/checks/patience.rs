//! Rule 8: when nothing goes wrong any more, no upgrade stands on a reason for longer than that reason
//! promises; what needs a person says so.

use std::time::Duration;

use engine::Policy;

use super::{Checks, rules};
use crate::{
    effects::ClusterKey,
    exploration::{people::People, sim::State},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// More than any promise: a process that is stopped for half an hour, or a clock that is wrong by an hour,
/// right after the last record was written.
const SLACK: Duration = Duration::from_secs(2 * 3600);

/// Reasons that pass only when a person has looked at the upgrade, and asked for another try.
const FOR_PEOPLE: [&str; 8] = [
    "OperationFailed",
    "ExternalChange",
    "PreflightBlocked",
    "NodesNotUpdated",
    "Aborted",
    "RolledBack",
    "RollbackRefused",
    "WindowTooShort",
];

/// Of an upgrade whose cluster was deleted.
pub(in crate::exploration) const GONE: &str = "ClusterGone";

/// Whether a person is asked to do something about an upgrade that stands so.
pub(in crate::exploration) fn needs_a_person(reason: &str) -> bool {
    FOR_PEOPLE.contains(&reason)
}

/// For how long an upgrade may stand on a reason while Azure does nothing in its cluster, every API server
/// answers and no workload is broken. None: until a person has done something.
fn promise(reason: &str, policy: &Policy) -> Option<Duration> {
    let soaks = policy.order.iter().map(|rule| rule.soak).chain([policy.soak]);
    match reason {
        reason if needs_a_person(reason) => None,
        // Nobody makes a cluster again that was deleted.
        GONE => None,
        // It is looked at every half minute, or is one call away.
        "UpgradingControlPlane"
        | "UpgradingNodePool"
        | "UpgradingNodeImage"
        | "RollingBackNodePool"
        | "Aborting"
        | "SendingStep"
        | "StepTimeout"
        | "WaitingForCluster"
        | "AzureUnreachable"
        | "ChangingSettings"
        | "WaitingForWindow"
        | "Frozen"
        | "NotBefore"
        | "RestoringSettings" => Some(15 * MINUTE),
        // Its backoff ends at ten minutes, and blocked steps are tried again every thirty.
        "Retrying" | "GateInconclusive" | "GateFailed" | "Suspended" | "WaitingForWave" => Some(30 * MINUTE),
        "DrainBlocked" | "AbortFailed" => Some(HOUR),
        // Azure remembers for twelve hours who has used a deprecated API. Settings that went over that are put
        // back with a write which is an upgrade to Azure where the control plane is older than it shows.
        "OperationBlocked" | "RestoreFailed" => Some(13 * HOUR),
        // Nodes are given half an hour, workloads `progressDeadline`.
        "Verifying" => Some(HOUR.max(2 * policy.progress_deadline)),
        "Soaking" => Some(soaks.max().unwrap_or_default() + 15 * MINUTE),
        "WaitingForAzureLimit" => Some(6 * HOUR),
        // An image comes to every region within days.
        "WaitingForImage" => Some(72 * HOUR),
        // Whoever looks leaves to AKS what of its configurations is not understood.
        "InvalidSpec" => Some(HOUR),
        // Nothing in a case asks for it.
        _ => Some(Duration::ZERO),
    }
}

impl Checks {
    /// A record was written: how the upgrade stands, and since when.
    pub(super) fn note_standing(state: &mut State, index: usize) {
        let standing = state.hub.upgrades[index].record.standing.as_ref();
        let reason = standing.map(|(reason, _)| reason.clone());
        let watched = &mut state.checks.watched[index];
        let is_same = watched.stands.as_ref().map(|(known, _)| known) == reason.as_ref();
        if !is_same {
            watched.stands = reason.map(|reason| (reason, state.now));
        }
    }

    /// Time passes.
    pub(super) fn keeps_its_promise(state: &mut State, index: usize, key: &ClusterKey) {
        let is_excused = state.world.is_busy(key)
            || waits_for_others(state, index)
            || Self::nobody_runs(state)
            || People::holds(state, index)
            || Self::waits_rightly(state, index);
        let watched = &mut state.checks.watched[index];
        if is_excused {
            watched.idle_since = None;
            return;
        }
        let idle_since = *watched.idle_since.get_or_insert(state.now);
        let watched = &state.checks.watched[index];
        let Some((reason, since)) = &watched.stands else { return };
        let began = idle_since.max(*since).max(state.calm_from);
        // Most are nowhere near: what else there is to know is looked up only for those that are.
        if state.is_quiet() || state.now <= began + SLACK {
            return;
        }
        let upgrade = &state.hub.upgrades[index];
        let halts = upgrade.record.ledger.control.halt.is_some();
        let promise = promise(reason, &upgrade.request.policy).filter(|_| !halts);
        let Some(promise) = promise else { return };
        if upgrade.record.ledger.finished_at.is_none() && state.now > began + promise + SLACK {
            let (name, words) = (&upgrade.name, upgrade.record.standing.clone().unwrap_or_default().1);
            let what = format!("{name} stands on {reason} since {began}, and nothing is in its way: {words}");
            Self::violated(state, rules::PROMISE, what);
        }
    }
}

/// Whether an upgrade waits for its wave while the plan has a cluster that it has let start and that is
/// not done, or one that is gone, which counts as failed.
fn waits_for_others(state: &State, index: usize) -> bool {
    let reason = state.checks.watched[index].stands.as_ref().map(|(reason, _)| reason.as_str());
    reason == Some("WaitingForWave")
        && state.hub.upgrades.iter().enumerate().any(|(other, upgrade)| {
            let admitted = upgrade.place.is_some_and(|place| place.admitted);
            let stands = state.checks.watched[other].stands.as_ref();
            let holds = admitted || stands.is_some_and(|(reason, _)| reason == GONE);
            other != index && holds && upgrade.record.ledger.finished_at.is_none()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_either_for_people_or_has_an_end() {
        let policy = Policy { soak: 3 * HOUR, ..Policy::default() };
        assert_eq!(promise("OperationFailed", &policy), None);
        assert_eq!(promise("Soaking", &policy), Some(3 * HOUR + 15 * MINUTE));
        assert!(promise("DrainBlocked", &policy).is_some_and(|promise| promise < SLACK));
        assert_eq!(promise("SomethingNew", &policy), Some(Duration::ZERO), "a new reason needs a promise");
    }
}
