//! The stories that are told again and again, each time with the operator stopped somewhere else.

/// A cluster `weu-1` and what becomes of it.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// What there is in Azure, YAML.
    pub(crate) scenario: &'static str,
    /// The plan, YAML: `main`, in namespace NAMESPACE.
    pub(crate) plan: &'static str,
    /// What is asked of Azure to change, each once.
    pub(crate) changes: &'static [&'static str],
    /// Whether a step fails on the way. If the answer that told of the operation was lost with its reader,
    /// Azure's reason is lost, too, and the failure counts as an attempt: so attempts may differ.
    pub(crate) fails: bool,
}

/// Each pool has settings of its own, some of which the plan overrides for its step: they have to be there at
/// the end as they were.
const VERSIONS: Story = Story {
    name: "versions",
    scenario: "
durations: {controlPlane: 2m, surgeCreate: 1m, reimageLinux: 1m, reimageWindows: 2m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.34.4
  pools:
  - {name: system, mode: System}
  - {name: apps, count: 2, maxSurge: 50%, drainTimeoutInMinutes: 45}
  - {name: batch, osSku: AzureLinux3, maxSurge: '1', nodeSoakDurationInMinutes: 1}
  - {name: win, osType: Windows, osSku: Windows2022, undrainableNodeBehavior: Cordon}
",
    plan: "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: NAMESPACE, name: main}
spec:
  target: {kubernetes: {version: '1.35'}}
  waves: [{name: all, clusters: {names: [weu-1]}}]
  nodePools: {upgradeSettings: {maxSurge: 25%, drainTimeout: 1h}}
",
    // The step of a pool, and the way back of its settings.
    changes: &[
        "PUT cluster",
        "PUT pool apps",
        "PUT pool apps",
        "PUT pool batch",
        "PUT pool batch",
        "PUT pool system",
        "PUT pool system",
        "PUT pool win",
        "PUT pool win",
    ],
    fails: false,
};

const IMAGES: Story = Story {
    name: "images",
    scenario: "
durations: {surgeCreate: 1m, reimageLinux: 1m, reimageWindows: 2m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools:
  - {name: system, mode: System}
  - {name: apps, count: 2, maxSurge: 50%, nodeImage: AKSUbuntu-2204gen2containerd-202609.01.0}
  - {name: win, osType: Windows, osSku: Windows2022, nodeImage: AKSWindows-2022-containerd-20348.4052.250902}
",
    plan: "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: NAMESPACE, name: main}
spec:
  target: {scope: NodeImage}
  waves: [{name: all, clusters: {names: [weu-1]}}]
",
    changes: &["POST pool apps upgradeNodeImageVersion", "POST pool win upgradeNodeImageVersion"],
    fails: false,
};

/// A budget stops the drain of the second node; once it is gone, the same step goes on.
const DRAIN: Story = Story {
    name: "drain",
    scenario: "
durations: {surgeCreate: 1m, reimageLinux: 1m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools:
  - {name: system, mode: System, kubernetesVersion: 1.34.4}
  - {name: apps, count: 3, drainTimeoutInMinutes: 5, kubernetesVersion: 1.34.4}
  faults:
  - {pool: apps, afterNodes: 1, blockedBy: [{namespace: shop, pod: db-0, budget: db}]}
",
    plan: "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: NAMESPACE, name: main}
spec:
  target: {scope: NodePools, kubernetes: {version: '1.35'}}
  waves: [{name: all, clusters: {names: [weu-1]}}]
",
    changes: &["PUT pool apps", "PUT pool apps", "PUT pool system"],
    fails: true,
};

pub(crate) const STORIES: [&Story; 3] = [&VERSIONS, &IMAGES, &DRAIN];
