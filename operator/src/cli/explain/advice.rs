//! What a person can do about an upgrade that waits, in words and commands.

use crds::{ClusterUpgrade, LEAVE_SETTINGS_ANNOTATION, UpgradePlan};
use engine::{HaltedAfter, Ledger, Phase, StepRecord};
use kube::ResourceExt;

use crate::cli::{
    hold,
    standing::{is_halted, is_stopped},
    status::members,
    subject::called,
};

/// What removes the blockers, each way once; for drains the advice says it.
pub(super) fn remedies(reason: &str, blockers: &[engine::Blocker]) -> Vec<String> {
    let mut remedies: Vec<String> = Vec::new();
    for blocker in blockers.iter().filter(|_| reason != "DrainBlocked") {
        let remedy = blocker.remedy().to_owned();
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    remedies
}

/// What helps where an upgrade waits for this reason.
pub(super) fn advice(reason: &str, upgrade: &ClusterUpgrade, upgrades: &[ClusterUpgrade]) -> Vec<String> {
    let called = called(upgrade, upgrades);
    let annotate = |annotation: &str, effect: &str| {
        let (name, namespace) = (upgrade.name_any(), upgrade.namespace().unwrap_or_default());
        format!("kubectl annotate clusterupgrade {name} -n {namespace} --overwrite {annotation}   {effect}")
    };
    let verb = |verb: &str, pool: &str, effect: &str| {
        format!("tidegate {verb} {called}{pool} -n {}   {effect}", upgrade.namespace().unwrap_or_default())
    };
    let retry = || verb("retry", "", "goes on from the first unfinished step");
    let leave = || annotate(&format!("{LEAVE_SETTINGS_ANNOTATION}=true"), "leaves the settings as they are");
    let words = match reason {
        "GateFailed" if is_halted(upgrade) => {
            "find out what the workloads do not bear; when they do, go on with:"
        }
        "Aborted" => "nothing is undone: decide whether it is to go on, to go back, or to be left out:",
        "RolledBack" => "find out why the pool had to go back; when that is mended, upgrade it again with:",
        "RollbackRefused" => {
            "remove what the message names, and ask for the rollback once more; or leave the pool as it is, and go on with what is left:"
        }
        "AbortFailed" => {
            "remove what the message names: the abort is tried again every 30 minutes, and is over when the operation ends"
        }
        "Aborting" | "RollingBackNodePool" => "nothing: it takes its time, and then waits for you",
        "GateFailed" => {
            "repair the workload, or roll it back: the upgrade goes on by itself when it is available again"
        }
        "DrainBlocked" => "relax the disruption budget or scale the workload: the step goes on by itself",
        "OperationBlocked" => {
            "remove what stands in the way in Azure; it is tried again every 30 minutes, at once with:"
        }
        "OperationFailed" => "find out why Azure failed (az aks operation show-latest), then:",
        "ExternalChange" => "find out who changed it, then accept the versions as they are:",
        "InvalidSpec" | "PreflightBlocked" => {
            "change what the message names; it is looked at again by itself"
        }
        "StepTimeout" => {
            "look at the operation in Azure; nothing is aborted, and the upgrade goes on when it ends"
        }
        "NodesNotUpdated" => {
            "look at the nodes (kubectl get nodes): the upgrade goes on when they show the target; az aks nodepool upgrade --node-image-only replaces nodes that AKS takes for new; to send the step again:"
        }
        "RestoreFailed" if upgrade.metadata.deletion_timestamp.is_some() => {
            "remove what stands in the way in Azure: it is tried again every 30 minutes, at once with the first of these; or give the settings up with the second:"
        }
        "RestoreFailed" => {
            "remove what stands in the way in Azure: it is tried again every 30 minutes, at once with:"
        }
        "WaitingForAzureLimit" => {
            "nothing: it goes on when there is room; if that lasts, find out what else calls Azure in this subscription"
        }
        "Suspended" => "set spec.suspend to false, on the plan if there is one",
        "WaitingForWindow" => {
            "nothing: it goes on by itself; kubectl get maintenancewindows shows when windows of the plan open, az aks maintenanceconfiguration list when the cluster's own do, where the message names one"
        }
        "NotBefore" => "nothing: it goes on by itself at that instant",
        "Frozen" => "nothing, or ask who made the UpgradeFreeze to end it: kubectl get upgradefreezes",
        "WindowTooShort" => {
            "make the window longer, that of the plan or the cluster's own in Azure, whichever the message names; or change the plan: more surge, spec.schedule.minimumRemaining to let the step begin although it may go on after the window has closed, or spec.schedule.clusterWindows: Ignore to leave the cluster's own to AKS"
        }
        "AzureUnreachable" => {
            "check the operator's identity and role: it goes on by itself when Azure can be read again"
        }
        "GateInconclusive" => {
            "check the access to the cluster: spec.access of its AKSCluster, the network, the rights in the cluster; it goes on by itself. A pool whose nodes the message names can be excluded"
        }
        "ClusterGone" => {
            "delete its AKSCluster; register it again if it is there under another id; or leave it out of its plan, whose other clusters are stopped by it"
        }
        "Undecided" => {
            "report it with all of this: it is a mistake in Tidegate; it is tried again every 5 minutes"
        }
        "WaitingForOtherUpgrade" => {
            "nothing, its turn comes; or finish or delete the ClusterUpgrade that has the cluster"
        }
        _ => return Vec::new(),
    };
    let retry_helps = matches!(
        reason,
        "OperationBlocked"
            | "OperationFailed"
            | "ExternalChange"
            | "NodesNotUpdated"
            | "RestoreFailed"
            | "Aborted"
            | "RolledBack"
            | "RollbackRefused"
    ) || is_halted(upgrade);
    let is_leaving = upgrade.metadata.deletion_timestamp.is_some() && reason == "RestoreFailed";
    let commands = retry_helps.then(retry).into_iter().chain(is_leaving.then(leave));
    std::iter::once(words.to_owned()).chain(commands).chain(ways_out(upgrade, verb)).collect()
}

/// What helps where a plan waits for this reason.
pub(super) fn of_plan(reason: &str, plan: &UpgradePlan, upgrades: &[ClusterUpgrade]) -> Vec<String> {
    let (name, namespace) = (plan.name_any(), plan.namespace().unwrap_or_default());
    let words = match reason {
        "InvalidSpec" => "correct the field and apply the plan again".to_owned(),
        "WaitingForApproval" => hold::approve(plan),
        "FailureBudgetExceeded" | "CompletedWithFailures" => format!(
            "repair what the clusters below say, then try them all again: tidegate retry {name} -n {namespace}"
        ),
        "MemberMissing" => "change the plan: another rollout starts".to_owned(),
        "WaitingForInventory" => format!(
            "see what the AKSCluster says that the message names: tidegate inventory -n {namespace} -o wide"
        ),
        "WaitingForEarlierRollout" => {
            "nothing, unless the message says to delete a ClusterUpgrade".to_owned()
        }
        "LeftBehind" => format!(
            "nothing: what was skipped is in the next rollout; see which clusters they are: tidegate history {name} -n {namespace}"
        ),
        "WaitingForOtherUpgrade" => return hold::holders(&members(plan, upgrades), upgrades),
        "Frozen" => {
            "nothing, or ask who made the UpgradeFreeze to end it: kubectl get upgradefreezes".to_owned()
        }
        "" => "see whether the operator runs".to_owned(),
        _ => return Vec::new(),
    };
    vec![words]
}

/// The rollback that Azure does not do, while everything waits for somebody to decide.
fn refused_rollback(ledger: &Ledger) -> Option<&StepRecord> {
    let halt = ledger.control.halt.as_ref().filter(|halt| halt.after == HaltedAfter::RefusedRollback);
    ledger.steps.iter().rfind(|record| halt.is_some() && record.step.is_rollback())
}

/// What else a person can have done to a cluster whose upgrade has stopped.
fn ways_out(upgrade: &ClusterUpgrade, verb: impl Fn(&str, &str, &str) -> String) -> Vec<String> {
    if !is_stopped(upgrade) || upgrade.metadata.deletion_timestamp.is_some() {
        return Vec::new();
    }
    let current = upgrade.status.as_ref().and_then(|status| status.ledger.current());
    let runs = current.is_some_and(|(operation, _)| operation.phase == Phase::Submitted);
    let abort = runs.then(|| verb("abort", "", "stops the operation in Azure; nothing is undone"));
    // What can go back: the pool whose gate fails, or whose upgrade was aborted or has failed.
    let back =
        current.filter(|(operation, record)| !runs && operation.claims > 0 && !record.step.is_rollback());
    let refused = upgrade.status.as_ref().and_then(|status| refused_rollback(&status.ledger));
    let back = back.map(|(_, record)| record).or(refused);
    let back = back.and_then(|record| record.step.pool.as_ref());
    let back =
        back.map(|pool| verb("rollback", &format!(" {pool}"), "takes the pool back to what it had before"));
    let skip = verb("skip", "", "leaves this cluster out of the rollout");
    abort.into_iter().chain(back).chain([skip]).collect()
}
