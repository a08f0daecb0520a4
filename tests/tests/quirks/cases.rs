//! The clusters: each has a quirk of its own, or some that go together, and is upgraded under it.

/// What is upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// The control plane, then both pools.
    Versions,
    /// The images of both pools.
    Images,
}

/// Who else acts on a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    Nobody,
    /// Aborts the first operation in Azure; a person retries.
    Aborts,
    /// Takes the rules away once the upgrade says that the step takes too long.
    Frees,
    /// The autoscaler changes the size of pool `apps` all the time.
    Autoscales,
    /// Retries once the upgrade has this reason.
    RetriesAt(&'static str),
}

/// A cluster and its quirks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// The cluster's name.
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// Rules, YAML, without `clusters`.
    pub(crate) rules: &'static [&'static str],
    /// More of the cluster in the scenario, YAML.
    pub(crate) cluster: &'static str,
    /// More of its pool `apps`.
    pub(crate) apps: &'static str,
    /// Changes that have to be made a second time.
    pub(crate) again: &'static [&'static str],
    /// Statuses with which changes may be refused on the way.
    pub(crate) refused: &'static [u16],
    /// Ends of the paths of fields that the quirk itself changes.
    pub(crate) touched: &'static [&'static str],
    pub(crate) actor: Actor,
}

const VERSIONS: Case = Case {
    name: "",
    work: Work::Versions,
    rules: &[],
    cluster: "",
    apps: "",
    again: &[],
    refused: &[],
    touched: &[],
    actor: Actor::Nobody,
};

const IMAGES: Case = Case { work: Work::Images, ..VERSIONS };

/// The first upgrade of this pool fails when its surge node is there.
const FAILS_ONCE: &str =
    "faults: [{pool: apps, error: {code: OverconstrainedAllocationRequest, message: No capacity.}}]";

const AUTOSCALED: &str = ", autoscale: {min: 1, max: 6}";

/// Rules about what is no single cluster's.
pub(crate) const SHARED: &[&str] = &[
    "{quirk: emptyPages, calls: [listClusters]}",
    "{quirk: smallPages, calls: [listClusters], size: 7}",
    "{quirk: failingReads, calls: [listClusters], every: 9, times: 4}",
    "{quirk: throttled, calls: [listClusters], seconds: 20, every: 31, times: 2}",
    "{quirk: cutRequests, calls: [listClusters], every: 37, times: 2}",
    "{quirk: failingReads, calls: [kubernetesVersions], times: 2}",
];

pub(crate) const CASES: &[Case] = &[
    Case { name: "plain", ..VERSIONS },
    Case { name: "null-arrays", rules: &["{quirk: nullArrays}"], ..VERSIONS },
    Case {
        name: "null-fields",
        rules: &["{quirk: nullFields, fields: [properties.powerState, properties.fqdn, \
                  properties.currentKubernetesVersion, properties.currentOrchestratorVersion, \
                  properties.agentPoolProfiles.powerState, \
                  properties.agentPoolProfiles.currentOrchestratorVersion]}"],
        ..VERSIONS
    },
    Case {
        name: "missing-fields",
        rules: &[
            "{quirk: missingFields, fields: [sku, properties.supportPlan, properties.nodeResourceGroup, \
                  properties.osSKU, properties.agentPoolProfiles.osSKU, properties.agentPoolProfiles.vmSize]}",
        ],
        ..VERSIONS
    },
    Case { name: "unsorted-upgrades", rules: &["{quirk: unsortedUpgrades}"], ..VERSIONS },
    Case { name: "other-case-ids", rules: &["{quirk: otherCaseIds}"], ..VERSIONS },
    Case { name: "missing-etags", rules: &["{quirk: missingETags}"], ..VERSIONS },
    Case { name: "missing-current-versions", rules: &["{quirk: missingCurrentVersions}"], ..VERSIONS },
    Case { name: "missing-power-state", rules: &["{quirk: missingPowerState}"], ..VERSIONS },
    Case { name: "unknown-fields", rules: &["{quirk: unknownFields}"], ..VERSIONS },
    Case {
        name: "unknown-words",
        rules: &["{quirk: unknownEnumWords}"],
        touched: &["/nodeOSUpgradeChannel", "/scaleDownMode"],
        ..VERSIONS
    },
    Case { name: "numbers-for-strings", rules: &["{quirk: numbersForStrings}"], ..VERSIONS },
    Case {
        name: "stale-reads",
        rules: &["{quirk: staleReads, seconds: 60}"],
        refused: &[409, 412],
        ..VERSIONS
    },
    Case {
        name: "failing-polls",
        rules: &["{quirk: failingPolls, times: 4}"],
        cluster: FAILS_ONCE,
        again: &["PUT pool apps"],
        ..VERSIONS
    },
    Case { name: "failing-reads", rules: &["{quirk: failingReads, probability: 0.3}"], ..VERSIONS },
    Case {
        name: "failing-writes",
        rules: &[
            "{quirk: failingWrites, calls: [putCluster], times: 2}",
            "{quirk: failingWrites, calls: [putPool], status: 500, every: 2, times: 1}",
        ],
        refused: &[500, 503],
        ..VERSIONS
    },
    Case {
        name: "gateway-timeouts",
        rules: &["{quirk: gatewayTimeouts, calls: [putCluster, putPool]}"],
        ..VERSIONS
    },
    Case {
        name: "cut-requests",
        rules: &[
            "{quirk: cutRequests, calls: [putCluster, putPool], times: 2}",
            "{quirk: cutRequests, calls: [getCluster, getPool, userCredential], probability: 0.25}",
        ],
        refused: &[503],
        ..VERSIONS
    },
    Case { name: "lost-answers", rules: &["{quirk: lostAnswers, calls: [putCluster, putPool]}"], ..VERSIONS },
    Case {
        name: "lost-reads",
        rules: &["{quirk: lostAnswers, calls: [getCluster, getPool], probability: 0.3}"],
        ..VERSIONS
    },
    Case { name: "delays", rules: &["{quirk: delays, seconds: 90, every: 2}"], ..VERSIONS },
    Case {
        name: "throttled",
        rules: &[
            "{quirk: throttled, calls: [putCluster, putPool], seconds: 40, times: 3}",
            "{quirk: throttled, calls: [getCluster, getPool], seconds: 20, probability: 0.3}",
        ],
        refused: &[429],
        ..VERSIONS
    },
    Case {
        name: "busy",
        rules: &["{quirk: busy, calls: [putCluster], times: 2}", "{quirk: busy, calls: [putPool], times: 2}"],
        refused: &[409],
        ..VERSIONS
    },
    Case {
        name: "precondition-failed",
        rules: &["{quirk: preconditionFailed, times: 3}"],
        refused: &[412],
        ..VERSIONS
    },
    Case { name: "error-in-succeeded", rules: &["{quirk: errorInSucceeded}"], ..VERSIONS },
    Case {
        name: "preemption",
        rules: &["{quirk: preemption, calls: [putPool], times: 1}"],
        again: &["PUT pool apps"],
        actor: Actor::RetriesAt("NodesNotUpdated"),
        ..VERSIONS
    },
    Case {
        name: "preempted-control-plane",
        rules: &["{quirk: preemption, calls: [putCluster], times: 1}"],
        again: &["PUT cluster"],
        actor: Actor::RetriesAt("NodesNotUpdated"),
        ..VERSIONS
    },
    Case {
        name: "expired-operations",
        rules: &["{quirk: expiredOperations}"],
        cluster: FAILS_ONCE,
        again: &["PUT pool apps"],
        ..VERSIONS
    },
    Case { name: "slow-operations", rules: &["{quirk: slowOperations, factor: 4}"], ..VERSIONS },
    Case {
        name: "stuck-operations",
        rules: &["{quirk: stuckOperations, calls: [putCluster]}"],
        actor: Actor::Frees,
        ..VERSIONS
    },
    Case { name: "aborted", again: &["PUT cluster"], actor: Actor::Aborts, ..VERSIONS },
    Case { name: "autoscaler", apps: AUTOSCALED, touched: &["/count"], actor: Actor::Autoscales, ..VERSIONS },
    Case { name: "images-plain", ..IMAGES },
    Case {
        name: "images-autoscaler",
        apps: AUTOSCALED,
        touched: &["/count"],
        actor: Actor::Autoscales,
        ..IMAGES
    },
    Case { name: "images-unknown-words", rules: &["{quirk: unknownEnumWords}"], ..IMAGES },
    Case {
        name: "images-stale-reads",
        rules: &["{quirk: staleReads, seconds: 60}"],
        refused: &[409],
        ..IMAGES
    },
    Case {
        name: "images-failing-polls",
        rules: &["{quirk: failingPolls, html: true, times: 3}"],
        cluster: FAILS_ONCE,
        again: &["POST pool apps upgradeNodeImageVersion"],
        ..IMAGES
    },
    Case {
        name: "images-failing-writes",
        rules: &["{quirk: failingWrites, times: 2, html: true}"],
        refused: &[503],
        ..IMAGES
    },
    Case { name: "images-gateway-timeouts", rules: &["{quirk: gatewayTimeouts, html: true}"], ..IMAGES },
    Case {
        name: "images-lost-answers",
        rules: &["{quirk: lostAnswers, calls: [upgradeNodeImage]}"],
        ..IMAGES
    },
    Case {
        name: "images-cut-requests",
        rules: &["{quirk: cutRequests, calls: [upgradeNodeImage], times: 2}"],
        refused: &[503],
        ..IMAGES
    },
    Case {
        name: "images-throttled",
        rules: &["{quirk: throttled, calls: [upgradeNodeImage, poolUpgradeProfile], seconds: 30, times: 4}"],
        refused: &[429],
        ..IMAGES
    },
    Case {
        name: "images-preemption",
        rules: &["{quirk: preemption, times: 1}"],
        again: &["POST pool apps upgradeNodeImageVersion"],
        ..IMAGES
    },
    Case { name: "images-busy", rules: &["{quirk: busy, times: 4}"], refused: &[409], ..IMAGES },
    Case { name: "images-null-arrays", rules: &["{quirk: nullArrays}", "{quirk: missingETags}"], ..IMAGES },
    Case {
        name: "images-expired-operations",
        rules: &["{quirk: expiredOperations}", "{quirk: errorInSucceeded}"],
        cluster: FAILS_ONCE,
        again: &["POST pool apps upgradeNodeImageVersion"],
        ..IMAGES
    },
];

impl Case {
    /// The cluster in the scenario.
    pub(crate) fn scenario(&self) -> String {
        let version = match self.work {
            Work::Versions => "1.34.4",
            Work::Images => "1.35.3",
        };
        format!(
            "
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: Quirks_{}
  name: {}
  kubernetesVersion: {version}
  tags: {{owner: payments}}
  extra: {{properties: {{futureProfile: {{list: [1, null, {{deep: true}}]}}}}}}
  pools:
  - {{name: system, mode: System, nodeImage: {OLD_IMAGE}, extra: {{futurePool: {{a: 1}}}}}}
  - {{name: apps, count: 2, maxSurge: '1', nodeImage: {OLD_IMAGE}, labels: {{team: shop}}{}}}
  {}",
            self.name.len() % 3,
            self.name,
            self.apps,
            self.cluster
        )
    }

    /// The changes that Azure is to accept, sorted.
    pub(crate) fn changes(&self) -> Vec<String> {
        let once: &[&str] = match self.work {
            Work::Versions => &["PUT cluster", "PUT pool apps", "PUT pool system"],
            Work::Images => {
                &["POST pool apps upgradeNodeImageVersion", "POST pool system upgradeNodeImageVersion"]
            }
        };
        let mut changes: Vec<String> =
            once.iter().chain(self.again).map(|change| (*change).to_owned()).collect();
        changes.sort();
        changes
    }

    /// The UpgradePlan that it belongs to.
    pub(crate) fn plan(&self) -> &'static str {
        match self.work {
            Work::Versions => "versions",
            Work::Images => "images",
        }
    }
}

pub(crate) const OLD_IMAGE: &str = "AKSUbuntu-2204gen2containerd-202609.01.0";
pub(crate) const NEW_IMAGE: &str = "AKSUbuntu-2204gen2containerd-202611.10.0";
pub(crate) const VERSION: &str = "1.35.3";
