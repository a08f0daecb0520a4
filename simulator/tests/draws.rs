//! What the simulation promises to meet is met: everything that seeds draw, everything that others do,
//! and every reason why an upgrade waits, within so many seeds.
//!
//! What is met and is not in these lists fails the test, too: a new reason needs a world that shows it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use simulator::exploration::{self, Kind, Tally};

/// Whatever is not met in so many seeds is not met at all.
const SEEDS: u64 = 300;
/// Runs at a time.
const THREADS: usize = 2;

const DRAWS: &[&str] = &[
    "Azure's own throttling",
    "a channel as the target",
    "a cluster that is deleted",
    "a cluster that gets another label",
    "a cluster that is deregistered",
    "a cluster that is registered late",
    "a continuous plan",
    "a deprecated API in use",
    "a drain that is blocked",
    "a freeze without an end",
    "a failure budget",
    "a lock",
    "a maintenance configuration that is not understood",
    "a minor as the target",
    "a node that is not Ready",
    "a node that is not there",
    "a node that somebody has cordoned",
    "a node with an old image",
    "a node with an old kubelet",
    "a plan with waves",
    "a policy that denies",
    "a pool in state Failed",
    "a pool that is left out",
    "a pool with a snapshot",
    "a pool with the autoscaler",
    "a quota that is used up",
    "a rollback that Azure refuses",
    "a rollback that comes too late",
    "a stopped pool",
    "a version from which only the whole cluster goes on",
    "a version out of support",
    "a version that Azure does not have",
    "a wave of which every cluster stops",
    "a wave that needs approvals",
    "a way of four or five minors",
    "a window by cron",
    "a window by the month",
    "a window that is short",
    "a window that opens once",
    "a window with a time in which it stays closed",
    "a window with days on which it stays closed",
    "an abort of what others do",
    "an abort that comes too late is no content",
    "an abort while the cluster is locked",
    "an approval of another plan",
    "an approval of another rollout",
    "an approval that is withdrawn",
    "an auto-upgrade channel",
    "an inventory that cannot be read",
    "an order by mode",
    "an order by name",
    "an upgrade of somebody's that is pushed aside",
    "an upgrade that fails",
    "an upgrade that stops",
    "approvals of others than the author",
    "approvals that expire",
    "busy",
    "changes of settings that take no time",
    "control planes only",
    "cutRequests",
    "delays",
    "emptyPages",
    "errorInSucceeded",
    "expiredOperations",
    "failingPolls",
    "failingReads",
    "failingWrites",
    "forced upgrades",
    "freezes",
    "gatewayTimeouts",
    "images are skipped",
    "long-term support",
    "lostAnswers",
    "missingCurrentVersions",
    "missingETags",
    "missingPowerState",
    "no capacity",
    "no process runs after a change",
    "node images only",
    "node pools only",
    "not before",
    "nullArrays",
    "otherCaseIds",
    "one image for all clusters",
    "operations are aborted when a gate fails",
    "our own limiter",
    "pools go back when a gate fails",
    "preconditionFailed",
    "preemption",
    "refused as busy",
    "refused as not permitted",
    "refused by a policy",
    "refused for a disruption budget",
    "settings that are overridden",
    "slowOperations",
    "staleReads",
    "the cluster's own windows",
    "the cluster's own windows are ignored",
    "the cluster's own windows are short",
    "the newest minor",
    "throttled",
    "two plans that want the same clusters",
    "unsortedUpgrades",
    "what must remain of a window",
    "windows",
    "waves that overlap",
];

const HAPPENINGS: &[&str] = &[
    "abort",
    "abort of what others do",
    "abort under a lock",
    "another target",
    "another upgrade",
    "approval",
    "back",
    "clock jump",
    "crash",
    "cut off",
    "deletion",
    "fault",
    "freeze",
    "freeze lifted",
    "lease",
    "locked",
    "no process runs",
    "nothing left out",
    "other order",
    "other retries",
    "other soak",
    "other step timeout",
    "other upgrade settings",
    "pause",
    "policy denies",
    "policy lifted",
    "quota raised",
    "reconnect",
    "retried plan",
    "retry",
    "right after a change",
    "right after a claim",
    "right after a read",
    "right after a write",
    "rollback",
    "skip",
    "somebody",
    "somebody is pushed aside",
    "somebody mends",
    "suspend",
    "suspended for a week",
    "suspended plan",
    "thaw",
    "two leaders",
    "unlocked",
    "while a change is on its way",
];

const DEEDS: &[&str] = &[
    "aborts",
    "adds a pool",
    "deletes a pool",
    "deletes the cluster",
    "labels",
    "renews an image",
    "rolls a pool back",
    "sets upgrade settings",
    "starts a pool",
    "stops a pool",
    "tags",
    "takes a pool off its snapshot",
    "turns the channel off",
    "updates the cluster",
    "upgrades a pool",
    "upgrades everything",
    "upgrades the control plane",
];

/// Of `WaitingOn::reason`.
const REASONS: &[&str] = &[
    "AbortFailed",
    "Aborted",
    "Aborting",
    "AzureUnreachable",
    "ChangingSettings",
    "ClusterGone",
    "DrainBlocked",
    "ExternalChange",
    "Frozen",
    "GateFailed",
    "GateInconclusive",
    "InvalidSpec",
    "NodesNotUpdated",
    "NotBefore",
    "OperationBlocked",
    "OperationFailed",
    "PreflightBlocked",
    "RestoreFailed",
    "RestoringSettings",
    "Retrying",
    "RollbackRefused",
    "RolledBack",
    "RollingBackNodePool",
    "SendingStep",
    "Soaking",
    "StepTimeout",
    "Suspended",
    "UpgradingControlPlane",
    "UpgradingNodeImage",
    "UpgradingNodePool",
    "Verifying",
    "WaitingForAzureLimit",
    "WaitingForCluster",
    "WaitingForImage",
    "WaitingForOtherUpgrade",
    "WaitingForWave",
    "WaitingForWindow",
    "WindowTooShort",
];

fn expected(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Draw => DRAWS,
        Kind::Happening => HAPPENINGS,
        Kind::Deed => DEEDS,
        Kind::Reason => REASONS,
    }
}

fn missing(met: &Tally) -> Vec<(Kind, &'static str)> {
    let of = |kind: Kind| expected(kind).iter().map(move |name| (kind, *name));
    Kind::ALL.into_iter().flat_map(of).filter(|(kind, name)| met.of(*kind, name) == 0).collect()
}

#[test]
fn all_that_can_be_drawn_done_and_waited_on_is_met() {
    let (next, done, met) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Tally::default()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    let run = exploration::run(seed, false);
                    let mut met = met.lock().unwrap();
                    met.add_seed(&run.met);
                    done.store(missing(&met).is_empty(), Ordering::Relaxed);
                }
            });
        }
    });
    let met = met.into_inner().unwrap();
    let missing = missing(&met);
    assert!(missing.is_empty(), "not met in {SEEDS} seeds: {missing:?}");
    for kind in Kind::ALL {
        for (name, _) in met.of_kind(kind) {
            assert!(
                expected(kind).contains(&name),
                "{kind:?} {name:?} is met: it belongs into the list of this test"
            );
        }
    }
}
