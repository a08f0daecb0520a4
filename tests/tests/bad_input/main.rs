//! Bad input is refused at admission or stalls, names the field and what would be right, and stops
//! nobody else.

mod windows;

use anyhow::{Context as _, Result};
use crds::{AKSCluster, UpgradePlan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tests::stage::{Setup, Shared, Stage, is, refusal, when, would_take};

static STAGE: Shared =
    Shared::new(|| Setup::new("bad-input", SCENARIO).kubeconfig_secrets("secrets", &["weu-2-kubeconfig"]));

const SCENARIO: &str = "
durations: {surgeCreate: 1m, reimageLinux: 1m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools: [{name: system, mode: System, kubernetesVersion: 1.34.4}]
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-2
  kubernetesVersion: 1.35.3
  pools: [{name: system, mode: System, kubernetesVersion: 1.34.4}]
";

const GOOD_WAVES: &str = "[{name: all, clusters: {names: [weu-2]}}]";

fn plan(name: &str, target: &str, waves: &str) -> String {
    format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {{namespace: bad, name: {name}}}
spec: {{target: {target}, waves: {waves}}}
"
    )
}

/// What the API server says contains all of these.
async fn refused(stage: &Stage, manifest: &str, words: &[&str]) -> Result<()> {
    let message = refusal(&stage.hub(), manifest).await?;
    for word in words {
        assert!(message.contains(word), "{word:?} is missing in {message:?}");
    }
    Ok(())
}

#[test]
fn what_one_object_can_tell_about_itself_is_refused_at_admission() -> Result<()> {
    STAGE.run(async |stage| {
        let target = "{kubernetes: {version: '1.35'}}";
        let wave = |concurrent: &str| {
            format!("[{{name: all, clusters: {{names: [weu-2]}}, maxConcurrent: {concurrent}}}]")
        };
        for concurrent in ["'0%'", "'101%'", "0", "-1", "'5'", "'half'"] {
            let manifest = plan("bad", target, &wave(concurrent));
            refused(stage, &manifest, &["spec.waves[0].maxConcurrent"]).await?;
        }
        let cases: [(&str, &str, &[&str]); 13] = [
            (
                "{kubernetes: {version: '1.35', channel: Stable}}",
                GOOD_WAVES,
                &["spec.target.kubernetes", "exactly one of", "version", "channel"],
            ),
            ("{kubernetes: {}}", GOOD_WAVES, &["spec.target.kubernetes", "exactly one of"]),
            ("{}", GOOD_WAVES, &["spec.target.kubernetes is needed"]),
            ("{kubernetes: {version: newest}}", GOOD_WAVES, &["spec.target.kubernetes.version", "newest"]),
            (
                "{scope: NodeImage, kubernetes: {version: '1.35'}}",
                GOOD_WAVES,
                &["spec.target.kubernetes", "NodeImage, which must not have it"],
            ),
            (
                "{scope: NodeImage, nodeImage: Skip}",
                GOOD_WAVES,
                &["spec.target.nodeImage must be Latest or Consistent"],
            ),
            (
                "{scope: ControlPlane, kubernetes: {version: '1.35'}, maxImageAge: 30d}",
                GOOD_WAVES,
                &["spec.target.maxImageAge needs images"],
            ),
            (
                "{kubernetes: {version: '1.35'}, nodeImage: Skip, maxImageAge: 30d}",
                GOOD_WAVES,
                &["spec.target.maxImageAge needs images"],
            ),
            (
                "{scope: NodeImage, images: {AKSUbuntu-2204gen2containerd: AKSUbuntu-2204gen2containerd-202611.10.0}}",
                GOOD_WAVES,
                &["spec.target.images belongs to nodeImage Consistent"],
            ),
            (
                "{scope: NodeImage, nodeImage: Consistent, images: {AKSUbuntu-2204gen2containerd: AKSUbuntu-2204gen2containerd-202611.10.0}}",
                GOOD_WAVES,
                &["spec.target.images is for ClusterUpgrades"],
            ),
            (target, "[]", &["spec.waves", "at least 1 item"]),
            (
                target,
                "[{name: a, clusters: {names: [weu-1]}}, {name: a, clusters: {names: [weu-2]}}]",
                &["spec.waves[1]", "Duplicate value"],
            ),
            (
                target,
                "[{name: a, clusters: {names: [weu-1], selector: {}}}]",
                &["spec.waves[0].clusters", "exactly one of"],
            ),
        ];
        for (target, waves, words) in cases {
            refused(stage, &plan("bad", target, waves), words).await?;
        }
        refused_waves(stage).await?;
        let always = plan("bad", target, GOOD_WAVES).replace("spec: {", "spec: {mode: Always, ");
        refused(stage, &always, &["spec.mode", "Always", "Continuous"]).await?;
        refused_settings(stage).await?;
        refused_gates(stage).await?;
        let cluster = "
apiVersion: tidegate.dev/v1alpha1
kind: AKSCluster
metadata: {namespace: bad, name: weu-9}
spec: {resourceId: /subscriptions/nonsense/managedClusters/weu-9}
";
        refused(stage, cluster, &["spec.resourceId", "/[pP]roviders/"]).await
    })
}

/// Failure budgets and approvals that mean nothing.
async fn refused_waves(stage: &Stage) -> Result<()> {
    let cases: [(&str, &[&str]); 11] = [
        ("failureBudget: '101%'", &["spec.waves[0].failureBudget", "101%"]),
        ("failureBudget: '5'", &["spec.waves[0].failureBudget", "5"]),
        ("failureBudget: '1.5%'", &["spec.waves[0].failureBudget", "1.5%"]),
        ("failureBudget: -1", &["spec.waves[0].failureBudget", "greater than or equal to 0"]),
        ("approvals: {}", &["spec.waves[0].approvals.required", "Required value"]),
        ("approvals: {required: 0}", &["spec.waves[0].approvals.required", "greater than or equal to 1"]),
        ("approvals: {required: 11}", &["spec.waves[0].approvals.required", "less than or equal to 10"]),
        ("approvals: {required: two}", &["spec.waves[0].approvals.required", "integer"]),
        ("approvals: {required: 1, expireAfter: soon}", &["spec.waves[0].approvals.expireAfter", "soon"]),
        ("approvals: {required: 1, expireAfter: -1h}", &["spec.waves[0].approvals.expireAfter", "-1h"]),
        ("approvals: {required: 1, separateAuthor: true}", &["tidegate.dev/authors", "must have a line"]),
    ];
    for (wave, words) in cases {
        let waves = format!("[{{name: all, clusters: {{names: [weu-2]}}, {wave}}}]");
        let manifest = plan("bad", "{kubernetes: {version: '1.35'}}", &waves);
        refused(stage, &manifest, words).await?;
    }
    let approval = |spec: &str| {
        format!(
            "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradeApproval
metadata: {{namespace: bad, name: mine}}
spec: {spec}
"
        )
    };
    let cases: [(&str, &[&str]); 3] = [
        ("{plan: p, rollout: p-1, planHash: '0', wave: w, approver: a}", &["spec.reason", "Required value"]),
        ("{plan: p, rollout: p-1, planHash: '0', wave: w, approver: a, reason: ''}", &["spec.reason"]),
        (
            "{plan: p, rollout: p-1, planHash: '0', wave: w, approver: a, reason: b}",
            &["spec.approver must be"],
        ),
    ];
    for (spec, words) in cases {
        refused(stage, &approval(spec), words).await?;
    }
    Ok(())
}

/// Two deadlines for the same workloads; for a plan and for the upgrade of one cluster.
async fn refused_gates(stage: &Stage) -> Result<()> {
    let gate = |name: &str| format!("{{name: {name}, workloads: {{progressDeadline: 5m}}}}");
    let two = format!("gates: [{}, {{name: b, workloads: {{}}}}, {}]", gate("a"), gate("c"));
    let one = format!("gates: [{}, {{name: b, workloads: {{}}}}]", gate("a"));
    let target = "{scope: NodePools, kubernetes: {version: '1.35'}}";
    let plan = |gates: &str| {
        let plan = plan("gates", target, GOOD_WAVES);
        plan.trim_end().trim_end_matches('}').to_owned() + &format!(", {gates}}}\n")
    };
    let upgrade = |gates: &str| {
        format!(
            "
apiVersion: tidegate.dev/v1alpha1
kind: ClusterUpgrade
metadata: {{namespace: bad, name: gates}}
spec: {{clusterRef: {{name: weu-2}}, target: {target}, policy: {{{gates}}}}}
"
        )
    };
    let words = "workloads.progressDeadline may be set by one of the gates";
    refused(stage, &plan(&two), &["spec.gates", words]).await?;
    refused(stage, &upgrade(&two), &["spec.policy.gates", words]).await?;
    for manifest in [plan(&one), upgrade(&one)] {
        would_take(&stage.hub(), &manifest).await?;
    }
    Ok(())
}

/// Settings beyond what Azure takes; for the whole plan and for a rule of the order.
async fn refused_settings(stage: &Stage) -> Result<()> {
    let cases: [(&str, &str, &[&str]); 14] = [
        ("maxSurge: '0%'", ".maxSurge", &["0%"]),
        ("maxSurge: '101%'", ".maxSurge", &["101%"]),
        ("maxSurge: '5'", ".maxSurge", &["5"]),
        ("maxSurge: 0", ".maxSurge", &["greater than or equal to 1"]),
        ("maxUnavailable: -1", ".maxUnavailable", &["greater than or equal to 1"]),
        ("maxSurge: 1, maxUnavailable: 1", "", &["only one of maxSurge and maxUnavailable"]),
        ("drainTimeout: 4m", ".drainTimeout", &["from 5m to 24h"]),
        ("drainTimeout: 24h1m", ".drainTimeout", &["from 5m to 24h"]),
        ("drainTimeout: 300s", ".drainTimeout", &["300s"]),
        ("drainTimeout: 1d", ".drainTimeout", &["1d"]),
        ("nodeSoak: 31m", ".nodeSoak", &["at most 30m"]),
        ("nodeSoak: banana", ".nodeSoak", &["banana"]),
        ("undrainableNodes: Delete", ".undrainableNodes", &["Delete"]),
        ("", "", &["at least one of"]),
    ];
    let plan = |node_pools: &str| {
        let plan = plan("bad", "{kubernetes: {version: '1.35'}}", GOOD_WAVES);
        plan.trim_end().trim_end_matches('}').to_owned() + &format!(", {node_pools}}}\n")
    };
    for (settings, field, words) in cases {
        let path = format!("spec.nodePools.upgradeSettings{field}");
        let manifest = plan(&format!("nodePools: {{upgradeSettings: {{{settings}}}}}"));
        refused(stage, &manifest, &[&[path.as_str()], words].concat()).await?;
        let path = format!("spec.nodePools.order[0].upgradeSettings{field}");
        let rule = format!("{{name: a, match: {{mode: User}}, upgradeSettings: {{{settings}}}}}");
        let manifest = plan(&format!("nodePools: {{order: [{rule}]}}"));
        refused(stage, &manifest, &[&[path.as_str()], words].concat()).await?;
    }
    refused(stage, &plan("forceUpgrade: {}"), &["spec.forceUpgrade.until", "Required"]).await?;
    refused(stage, &plan("forceUpgrade: {until: tomorrow}"), &["spec.forceUpgrade.until", "tomorrow"]).await
}

/// Waits until the plan is Stalled for its specification; its message contains all of these.
async fn stalls(stage: &Stage, name: &str, words: &[&str]) -> Result<()> {
    let plan: UpgradePlan = stage.plan_reaches("bad", name, "InvalidSpec").await?;
    let conditions = plan.status.context("a status")?.conditions;
    assert!(is(&conditions, "Stalled", "True"), "{conditions:?}");
    contains(&conditions, "Stalled", words)
}

fn contains(conditions: &[Condition], type_: &str, words: &[&str]) -> Result<()> {
    let condition = conditions.iter().find(|condition| condition.type_ == type_).context("the condition")?;
    for word in words {
        assert!(condition.message.contains(word), "{word:?} is missing in {:?}", condition.message);
    }
    Ok(())
}

#[test]
fn what_only_the_clusters_can_tell_stalls_and_other_plans_go_on() -> Result<()> {
    STAGE.run(async |stage| {
        for cluster in ["weu-1", "weu-2"] {
            stage.register("bad", cluster, &[]).await?;
        }
        let version = |version: &str| format!("{{kubernetes: {{version: '{version}'}}}}");
        let cases: [(&str, &str, &str, &[&str]); 6] = [
            (
                "unknown-minor",
                "1.99",
                GOOD_WAVES,
                &["spec.target.kubernetes.version", "is 1.99", "offered", "1.36.2"],
            ),
            (
                "unknown-patch",
                "1.35.77",
                GOOD_WAVES,
                &["spec.target.kubernetes.version", "1.35.77", "1.35.3"],
            ),
            (
                "downgrade",
                "1.34",
                GOOD_WAVES,
                &[
                    "spec.target.kubernetes.version",
                    "weu-2 runs 1.35.3",
                    "cannot downgrade",
                    "1.35.3 or newer",
                ],
            ),
            (
                "unknown-cluster",
                "1.35",
                "[{name: all, clusters: {names: [weu-2, weu-7]}}]",
                &["spec.waves[0].clusters.names[1]", "no AKSCluster weu-7", "registered: weu-1, weu-2"],
            ),
            (
                "no-time",
                "1.35",
                "[{name: all, clusters: {names: [weu-2]}, approvals: {required: 1, expireAfter: 0s}}]",
                &["spec.waves[0].approvals.expireAfter", "must be longer than 0s"],
            ),
            (
                "empty-selection",
                "1.35",
                "[{name: all, clusters: {selector: {matchLabels: {ring: none}}}}]",
                &["spec.waves[0].clusters.selector", "matches no AKSCluster", "check the labels"],
            ),
        ];
        for (name, wanted, waves, _) in cases {
            stage.apply(&plan(name, &version(wanted), waves)).await?;
        }
        stage
            .apply(&plan(
                "good",
                "{scope: NodePools, kubernetes: {version: '1.35'}}",
                "[{name: all, clusters: {names: [weu-1]}}]",
            ))
            .await?;
        for (name, _, _, words) in cases {
            stalls(stage, name, words).await?;
        }
        stage.plan_reaches("bad", "good", "Succeeded").await?;
        assert_eq!(stage.mutations("weu-1"), ["PUT pool system"]);
        assert!(stage.mutations("weu-2").is_empty());

        // It goes on once the plan is mended.
        stage
            .change_plan(
                "bad",
                "unknown-minor",
                serde_json::json!({"target": {"kubernetes": {"version": "1.35"}}}),
            )
            .await?;
        stage.plan_reaches("bad", "unknown-minor", "Succeeded").await.map(drop)
    })
}

/// Would run a program in the operator's container.
const KUBECONFIG: &str = "
apiVersion: v1
kind: Secret
metadata: {namespace: secrets, name: weu-2-kubeconfig}
stringData:
  kubeconfig: |
    apiVersion: v1
    kind: Config
    current-context: c
    contexts: [{name: c, context: {cluster: c, user: u}}]
    clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]
    users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh}}}]
";

#[test]
fn a_kubeconfig_that_would_run_a_program_is_refused_by_its_field() -> Result<()> {
    STAGE.run(async |stage| {
        let words = ["Secret weu-2-kubeconfig", "users[0].user.exec", "is not allowed", "use token"];
        stage.apply(KUBECONFIG).await?;
        let manifests = "
apiVersion: tidegate.dev/v1alpha1
kind: AKSCluster
metadata: {namespace: secrets, name: weu-2}
spec:
  resourceId: RESOURCE_ID
  access: {kubeconfig: {secretRef: {name: weu-2-kubeconfig}}}
---
apiVersion: tidegate.dev/v1alpha1
kind: ClusterUpgrade
metadata: {namespace: secrets, name: weu-2}
spec:
  clusterRef: {name: weu-2}
  target: {scope: NodePools, kubernetes: {version: '1.35'}}
";
        stage.apply(&manifests.replace("RESOURCE_ID", &stage.target("weu-2").resource_id)).await?;
        let refused = |cluster: &AKSCluster| {
            cluster.status.as_ref().is_some_and(|status| is(&status.conditions, "Ready", "False"))
        };
        let cluster = when(&stage.clusters("secrets"), "weu-2", "refused", refused).await?;
        contains(&cluster.status.context("a status")?.conditions, "Ready", &words)?;
        let upgrade = stage.upgrade_reaches("secrets", "weu-2", "InvalidSpec").await?;
        contains(&upgrade.status.context("a status")?.conditions, "Stalled", &words)
    })
}
