//! What the operator stands on gives way: the cluster's API server, its own node, objects that cannot be
//! read. It waits, goes on, and leaves alone what is not its own.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crds::{AKSCluster, ClusterUpgrade};
use engine::Phase;
use k8s_openapi::{
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{Node, ServiceAccount},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tests::stage::{PATIENCE, Setup, Stage, apply, check_done, gone, is, when};

fn upgrade(cluster: &str, rest: &str) -> String {
    format!(
        "
apiVersion: tidegate.dev/v1alpha1
kind: ClusterUpgrade
metadata: {{namespace: fleet, name: {cluster}}}
spec:
  clusterRef: {{name: {cluster}}}
  target: {{scope: NodePools, kubernetes: {{version: 1.35.3}}}}
{rest}"
    )
}

/// Waits for a step in flight, of that id, to be in this phase.
async fn in_phase(stage: &Stage, upgrade: &str, step: &str, phase: Phase) -> Result<()> {
    let there = |upgrade: &ClusterUpgrade| {
        let operation = upgrade.status.as_ref().and_then(|status| status.ledger.operation.as_ref());
        operation.is_some_and(|operation| operation.phase == phase && operation.step_id.starts_with(step))
    };
    when(&stage.upgrades("fleet"), upgrade, &format!("at {step} in phase {phase:?}"), there).await.map(drop)
}

const OUT_OF_REACH: &str = "
durations: {surgeCreate: 1m, reimageLinux: 1m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools:
  - {name: system, mode: System, kubernetesVersion: 1.34.4}
  - {name: others, count: 2}
";

/// Nothing is known of the cluster: that is no failure, and nothing is sent. The record can be deleted.
async fn check_inconclusive(stage: &Stage) -> Result<()> {
    let upgrade = stage.upgrade_reaches("fleet", "weu-1", "GateInconclusive").await?;
    let status = upgrade.status.context("a status")?;
    ensure!(is(&status.conditions, "Stalled", "False"), "{:?}", status.conditions);
    ensure!(status.ledger.steps.iter().all(|record| record.attempts <= 1), "{:?}", status.ledger.steps);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_r17_a_cluster_out_of_reach_is_waited_for_and_foreign_cordons_stay() -> Result<()> {
    Stage::run(Setup::new("out-of-reach", OUT_OF_REACH), async |stage| {
        stage.register("fleet", "weu-1", &[]).await?;
        let target = stage.target("weu-1");
        let cordoned = cordon(stage).await?;
        let soaking = upgrade(
            "weu-1",
            "  policy: {nodePools: {order: [{name: all, match: {mode: System}, soak: 10m}]}}\n",
        );

        target.plane().stop_api_server().await?;
        stage.apply(&soaking).await?;
        check_inconclusive(stage).await?;
        stage.upgrades("fleet").delete("weu-1", &DeleteParams::default()).await?;
        gone(&stage.upgrades("fleet"), "weu-1").await?;
        ensure!(stage.mutations("weu-1").is_empty(), "{:?}", stage.mutations("weu-1"));

        stage.apply(&soaking).await?;
        check_inconclusive(stage).await?;
        target.plane().start_api_server().await?;
        in_phase(stage, "weu-1", "pool-system", Phase::Soaking).await?;
        target.plane().stop_api_server().await?;
        check_inconclusive(stage).await?;
        target.plane().start_api_server().await?;

        let upgrade = stage.upgrade_reaches("fleet", "weu-1", "Succeeded").await?;
        check_done(&upgrade.status.context("a status")?.conditions)?;
        assert_eq!(stage.mutations("weu-1"), ["PUT pool system"]);
        let node = nodes(stage).get(&cordoned).await?;
        assert_eq!(node.spec.and_then(|spec| spec.unschedulable), Some(true), "{cordoned} is not ours");
        Ok(())
    })
    .await
}

fn nodes(stage: &Stage) -> Api<Node> {
    Api::all(stage.target("weu-1").client())
}

/// Somebody cordons a node of a pool that is not upgraded.
async fn cordon(stage: &Stage) -> Result<String> {
    let known = stage.target("weu-1").nodes().await?;
    let name = known["others"].keys().next().context("a node")?.clone();
    let patch = Patch::Merge(json!({"spec": {"unschedulable": true}}));
    nodes(stage).patch(&name, &PatchParams::default(), &patch).await?;
    Ok(name)
}

const OWN: &str = "
durations: {controlPlane: 2m, surgeCreate: 1m, reimageLinux: 8m, delete: 30s}
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: own
  kubernetesVersion: 1.34.4
  pools: [{name: system, mode: System}]
";

/// An account of the hub that may read what the operator looks at in a cluster.
const OWN_READER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: fleet, name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [''], resources: [nodes, pods], verbs: [get, list]}
- {apiGroups: [apps], resources: [deployments, statefulsets, daemonsets], verbs: [get, list]}
- {apiGroups: [batch], resources: [jobs], verbs: [get, list]}
- {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: fleet}]
";

/// Registers the hub as a cluster, with a kubeconfig of its own.
async fn register_own(stage: &Stage) -> Result<()> {
    stage.apply(OWN_READER).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(stage.hub(), "fleet");
    let request = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
    let token = accounts.create_token_request("reader", &PostParams::default(), &request).await?;
    let token = token.status.context("a token")?.token;
    let (server, ca) = (stage.hub_plane().url(), stage.hub_plane().ca_pem());
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "own",
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "reader"}}],
        "clusters": [{"name": "own", "cluster": {"server": server, "certificate-authority-data": base64(&ca)}}],
        "users": [{"name": "reader", "user": {"token": token}}],
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"namespace": "fleet", "name": "own"},
        "stringData": {"kubeconfig": kubeconfig.to_string()},
    });
    let cluster = json!({
        "apiVersion": "tidegate.dev/v1alpha1", "kind": "AKSCluster",
        "metadata": {"namespace": "fleet", "name": "own"},
        "spec": {
            "resourceId": stage.resource_id("own"),
            "access": {"kubeconfig": {"secretRef": {"name": "own"}}},
        },
    });
    apply(&stage.hub(), &secret.to_string()).await?;
    apply(&stage.hub(), &cluster.to_string()).await?;
    stage.observed_cluster("fleet", "own", PATIENCE).await.map(drop)
}

fn base64(text: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(text)
}

/// As a kubelet does with a container that has ended, and a scheduler with an evicted pod.
async fn keep_running(stage: &Stage) -> Result<()> {
    loop {
        stage.operator.ends().await?;
        stage.operator.begin().await?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_the_operator_upgrades_the_cluster_that_it_runs_on() -> Result<()> {
    let setup = Setup::new("own-cluster", OWN).own_cluster("own").kubeconfig_secrets("fleet", &["own"]);
    Stage::run(setup, async |stage| {
        // Its API server restarts while the control plane is upgraded: as long as that may take, and longer.
        stage.operator.excuse("the leader lease could not be renewed in time");
        stage.operator.excuse("the leader lease was lost");
        register_own(stage).await?;
        let story = async {
            stage.apply(&upgrade("own", "").replace("scope: NodePools, ", "")).await?;
            // A watch would miss it: the API server has just been away.
            let drained = async {
                while stage.mutations("own").len() < 2 {
                    tokio::time::sleep(LOOK).await;
                }
            };
            tokio::time::timeout(PATIENCE, drained).await.context("its node is never drained")?;
            stage.operator.evict()?;
            stage.upgrade_reaches("fleet", "own", "Succeeded").await
        };
        let upgrade = tokio::select! {
            failed = keep_running(stage) => return failed,
            upgrade = story => upgrade?,
        };
        stage.operator.leads().await?;
        let steps = upgrade.status.context("a status")?.ledger.steps;
        ensure!(steps.iter().all(|record| record.attempts == 1), "{steps:?}");
        assert_eq!(stage.mutations("own"), ["PUT cluster", "PUT pool system"]);
        let lives = stage.operator.log().iter().filter(|line| line.contains("serving health")).count();
        ensure!(lives >= 2, "it was started again after its eviction: {lives}");
        assert_eq!(stage.hub_plane().emulated_minor().await, Some(35));
        let nodes: Api<Node> = Api::all(stage.hub());
        let kubelets: Vec<String> = nodes
            .list(&kube::api::ListParams::default())
            .await?
            .iter()
            .filter_map(|node| Some(node.status.as_ref()?.node_info.as_ref()?.kubelet_version.clone()))
            .collect();
        assert_eq!(kubelets, ["v1.35.3"]);
        Ok(())
    })
    .await
}

const MALFORMED: &str = "
clusters:
- subscription: 20000000-0000-4000-8000-000000000001
  resourceGroup: shop
  name: weu-1
  kubernetesVersion: 1.35.3
  pools: [{name: system, mode: System, kubernetesVersion: 1.34.4}]
";

/// What an older version of a schema may have let in, or a newer one written.
const GARBAGE: [&str; 3] = [
    "{apiVersion: tidegate.dev/v1alpha1, kind: UpgradePlan, metadata: {namespace: fleet, name: garbage}, spec: {waves: [], target: 7}}",
    "{apiVersion: tidegate.dev/v1alpha1, kind: ClusterUpgrade, metadata: {namespace: fleet, name: garbage}, \
     spec: {clusterRef: {name: weu-1}, target: [1, 2]}}",
    "{apiVersion: tidegate.dev/v1alpha1, kind: AKSCluster, metadata: {namespace: fleet, name: garbage}, spec: 1}",
];

/// All but all that the API server takes of annotations on one object.
const ENORMOUS: usize = 250 << 10;
const LOOK: Duration = Duration::from_millis(100);

/// The definitions as they are, with schemas that take anything where `GARBAGE` puts it.
async fn loosen(stage: &Stage) -> Result<Vec<CustomResourceDefinition>> {
    let api: Api<CustomResourceDefinition> = Api::all(stage.hub());
    let mut before = Vec::new();
    for definition in crds::definitions() {
        let definition = api.get(&definition.name_any()).await?;
        before.push(definition.clone());
        let mut loose = definition;
        for version in &mut loose.spec.versions {
            let anything = JSONSchemaProps {
                x_kubernetes_preserve_unknown_fields: Some(true),
                ..JSONSchemaProps::default()
            };
            let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
            let schema = schema.context("a schema")?;
            // Rules of the whole object name fields of its specification.
            schema.x_kubernetes_validations = None;
            let fields = schema.properties.get_or_insert_default();
            let spec = fields.get_mut("spec").context("a specification")?;
            if version.selectable_fields.is_some() {
                // What is selected by keeps its type.
                spec.x_kubernetes_validations = None;
                spec.properties.get_or_insert_default().insert("target".to_owned(), anything);
            } else {
                *spec = anything;
            }
        }
        api.replace(&loose.name_any(), &PostParams::default(), &loose).await?;
    }
    Ok(before)
}

/// Applies what the API server takes once it has taken up the new schema.
async fn apply_once_taken(stage: &Stage, manifest: &str) -> Result<()> {
    let taken = async {
        while stage.apply(manifest).await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.with_context(|| format!("not taken: {manifest}"))
}

async fn restore(stage: &Stage, before: Vec<CustomResourceDefinition>) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(stage.hub());
    for mut definition in before {
        let name = definition.name_any();
        definition.metadata.resource_version = api.get(&name).await?.metadata.resource_version;
        api.replace(&name, &PostParams::default(), &definition).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r18_malformed_and_enormous_objects_stop_nobody_else() -> Result<()> {
    Stage::run(Setup::new("malformed", MALFORMED).without_api_servers(), async |stage| {
        let before = loosen(stage).await?;
        for manifest in GARBAGE {
            apply_once_taken(stage, manifest).await?;
        }
        restore(stage, before).await?;
        // A process that finds them when it starts has no other way around them.
        stage.operator.restart().await?;

        let long = "x".repeat(ENORMOUS);
        let annotated = |manifest: &str| manifest.replace("metadata: {", &format!("metadata: {{annotations: {{long: {long}}}, "));
        let cluster = format!(
            "{{apiVersion: tidegate.dev/v1alpha1, kind: AKSCluster, metadata: {{namespace: fleet, name: weu-1}}, \
             spec: {{resourceId: {}}}}}",
            stage.resource_id("weu-1")
        );
        stage.apply(&annotated(&cluster)).await?;
        stage.observed_cluster("fleet", "weu-1", PATIENCE).await?;
        let plan = "
apiVersion: tidegate.dev/v1alpha1
kind: UpgradePlan
metadata: {namespace: fleet, name: main}
spec:
  target: {scope: NodePools, kubernetes: {version: '1.35'}}
  waves: [{name: all, clusters: {names: [weu-1]}}]
";
        stage.apply(&annotated(plan)).await?;
        stage.plan_reaches("fleet", "main", "Succeeded").await?;
        assert_eq!(stage.mutations("weu-1"), ["PUT pool system"]);
        let warned = stage.operator.log().iter().filter(|line| line.contains("left alone")).count();
        ensure!(warned >= GARBAGE.len(), "{warned} warnings about objects that cannot be read");
        let large: AKSCluster = stage.clusters("fleet").get("weu-1").await?;
        ensure!(large.annotations().values().any(|value| value.len() == ENORMOUS), "it keeps what is not ours");
        Ok(())
    })
    .await
}
