//! Reads of a target cluster. Nothing is ever written there.

use std::fmt::Debug;

use engine::{Blocker, Node, Reading, ServerVersion, Unreadable, Workload, Workloads};
use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        batch::v1::Job,
        core::v1::{ContainerState, ContainerStatus, Node as KubeNode, Pod},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::ListParams,
    core::{NamespaceResourceScope, Selector},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::health;

const PAGE: u32 = 500;
/// For so many unhealthy workloads the pods are asked for the reason.
const EXPLAINED: usize = 5;

/// What `/version` tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionInfo {
    git_version: String,
    major: String,
    minor: String,
    emulation_minor: Option<String>,
}

/// A target cluster, or why it cannot be reached.
pub(crate) struct TargetCluster {
    client: Reading<Client>,
}

impl TargetCluster {
    /// Reads through this client.
    #[must_use]
    pub(crate) fn new(client: Reading<Client>) -> Self {
        Self { client }
    }

    fn client(&self) -> Reading<Client> {
        self.client.clone()
    }

    /// Whether everything that an upgrade looks at may be read. `/version` would not tell: everybody
    /// may read that.
    pub(crate) async fn readable(&self) -> Reading<()> {
        let client = self.client()?;
        let one = ListParams::default().limit(1);
        Api::<KubeNode>::all(client.clone()).list_metadata(&one).await.map_err(unreadable)?;
        Api::<Deployment>::all(client.clone()).list_metadata(&one).await.map_err(unreadable)?;
        Api::<StatefulSet>::all(client.clone()).list_metadata(&one).await.map_err(unreadable)?;
        Api::<DaemonSet>::all(client.clone()).list_metadata(&one).await.map_err(unreadable)?;
        Api::<Job>::all(client).list_metadata(&one).await.map_err(unreadable)?;
        Ok(())
    }
}

impl Workloads for TargetCluster {
    async fn server(&self) -> Reading<ServerVersion> {
        // Read raw: the typed answer has no emulated version.
        let request = http::Request::get("/version")
            .body(Vec::new())
            .map_err(|error| Unreadable::Failed(error.to_string()))?;
        let shown: VersionInfo = self.client()?.request(request).await.map_err(unreadable)?;
        // An API server that emulates an older version serves that version's API.
        let minor = shown.emulation_minor.filter(|minor| !minor.is_empty()).unwrap_or(shown.minor);
        let minor = format!("{}.{}", shown.major, minor.trim_end_matches('+')).parse();
        let minor = minor.map_err(|error| Unreadable::Failed(format!("{error}")))?;
        Ok(ServerVersion { minor, build: shown.git_version.trim_start_matches('v').parse().ok() })
    }

    async fn nodes(&self, pool: &str) -> Reading<Vec<Node>> {
        let api: Api<KubeNode> = Api::all(self.client()?);
        let params = ListParams::default().labels(&format!("kubernetes.azure.com/agentpool={pool}"));
        Ok(list(&api, params).await?.iter().map(node).collect())
    }

    async fn workloads(&self) -> Reading<Vec<Workload>> {
        let client = self.client()?;
        let mut found = Vec::new();
        for object in all::<Deployment>(&client).await? {
            found.push(found_one(
                "Deployment",
                &object,
                health::deployment(&object),
                object.spec.as_ref().map(|spec| &spec.selector),
            ));
        }
        for object in all::<StatefulSet>(&client).await? {
            found.push(found_one(
                "StatefulSet",
                &object,
                health::stateful_set(&object),
                object.spec.as_ref().map(|spec| &spec.selector),
            ));
        }
        for object in all::<DaemonSet>(&client).await? {
            found.push(found_one(
                "DaemonSet",
                &object,
                health::daemon_set(&object),
                object.spec.as_ref().map(|spec| &spec.selector),
            ));
        }
        for object in all::<Job>(&client).await? {
            found.push(found_one("Job", &object, health::job(&object), None));
        }
        let broken = found.iter_mut().filter(|(workload, _)| workload.problem.is_some());
        for (workload, selector) in broken.take(EXPLAINED) {
            if let (Some(problem), Some(reason)) =
                (&mut workload.problem, waiting_reason(&client, &workload.namespace, selector.as_ref()).await)
            {
                problem.push_str(&format!(" ({reason})"));
            }
        }
        Ok(found.into_iter().map(|(workload, _)| workload).collect())
    }

    async fn budgets_allow(&self, blockers: &[Blocker]) -> Option<bool> {
        let client = self.client().ok()?;
        let mut allow = None;
        for blocker in blockers {
            if let Blocker::DisruptionBudget { namespace, name, .. } = blocker {
                if namespace.is_empty() {
                    return None;
                }
                let api: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), namespace);
                let budget = api.get_opt(name).await.ok()?;
                let allows = budget
                    .is_none_or(|budget| budget.status.is_some_and(|status| status.disruptions_allowed > 0));
                allow = Some(allow.unwrap_or(true) && allows);
            }
        }
        allow
    }
}

fn node(object: &KubeNode) -> Node {
    let labels = object.labels();
    let label = |key: &str| labels.get(key).cloned().unwrap_or_default();
    let status = object.status.as_ref();
    let ready = status.and_then(|status| status.conditions.as_ref()).is_some_and(|conditions| {
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    });
    Node {
        name: object.name_any(),
        kubelet: status.and_then(|status| status.node_info.as_ref()?.kubelet_version.parse().ok()),
        image: label("kubernetes.azure.com/node-image-version"),
        ready,
        schedulable: !object.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false),
        quarantined: label("kubernetes.azure.com/upgrade-status") == "Quarantined",
        leaving: object.metadata.deletion_timestamp.is_some() || is_tainted_to_leave(object),
    }
}

/// Whether the cluster autoscaler is about to remove the node, or its machine is shut down: a pool that is
/// scaled down by deallocation keeps such nodes.
fn is_tainted_to_leave(object: &KubeNode) -> bool {
    const LEAVING: [&str; 2] =
        ["ToBeDeletedByClusterAutoscaler", "node.cloudprovider.kubernetes.io/shutdown"];
    let taints = object.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    taints.into_iter().flatten().any(|taint| LEAVING.contains(&taint.key.as_str()))
}

type Found = (Workload, Option<LabelSelector>);

fn found_one<K: Resource<DynamicType = ()>>(
    kind: &'static str,
    object: &K,
    problem: Option<&'static str>,
    selector: Option<&LabelSelector>,
) -> Found {
    let workload = Workload {
        kind,
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        created_at: object.creation_timestamp().map(|time| time.0),
        problem: problem.map(str::to_owned),
    };
    (workload, selector.filter(|_| problem.is_some()).cloned())
}

/// Why a container of these pods does not run, for example `CrashLoopBackOff`.
async fn waiting_reason(
    client: &Client,
    namespace: &str,
    selector: Option<&LabelSelector>,
) -> Option<String> {
    let selector = Selector::try_from(selector?.clone()).ok()?;
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pods = api.list(&ListParams::default().labels_from(&selector).limit(PAGE)).await.ok()?;
    let statuses = pods.iter().filter_map(|pod| pod.status.as_ref());
    let containers = statuses.flat_map(|status| {
        [&status.init_container_statuses, &status.container_statuses].into_iter().flatten().flatten()
    });
    containers.filter_map(container_reason).min().map(str::to_owned)
}

/// Why a container does not run. One word for as long as it lasts: a container that crashes again
/// and again runs in between, and a pull fails in two words by turns; a reason that changes with
/// each look would be written, and published, each time.
fn container_reason(container: &ContainerStatus) -> Option<&str> {
    let state = container.state.as_ref()?;
    let crashed = |state: &ContainerState| state.terminated.as_ref().is_some_and(|end| end.exit_code != 0);
    let crashed_before = container.last_state.as_ref().is_some_and(crashed);
    match state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref()) {
        Some("ErrImagePull") => Some("ImagePullBackOff"),
        None | Some("ContainerCreating" | "PodInitializing") => {
            (crashed(state) || (crashed_before && !container.ready)).then_some("CrashLoopBackOff")
        }
        reason @ Some(_) => reason,
    }
}

async fn all<K>(client: &Client) -> Reading<Vec<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    list(&Api::all(client.clone()), ListParams::default()).await
}

async fn list<K: Resource + Clone + Debug + DeserializeOwned>(
    api: &Api<K>,
    params: ListParams,
) -> Reading<Vec<K>> {
    let mut params = params.limit(PAGE);
    let mut items = Vec::new();
    loop {
        let page = api.list(&params).await.map_err(unreadable)?;
        items.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(items),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: kube::Error) -> Unreadable {
    if let kube::Error::Api(status) = &error {
        return Unreadable::Failed(format!("the cluster's API answers {}: {}", status.code, status.message));
    }
    Unreadable::Failed(format!("the cluster's API cannot be reached: {}", azure_fleet::with_causes(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn reason(mut status: Value) -> Option<String> {
        for (field, value) in
            [("name", json!("c")), ("image", json!("i")), ("imageID", json!("")), ("restartCount", json!(0))]
        {
            status[field] = value;
        }
        container_reason(&serde_json::from_value(status).unwrap()).map(str::to_owned)
    }

    #[test]
    fn one_word_for_as_long_as_a_container_crashes_or_its_image_cannot_be_pulled() {
        let crash = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
        for now in [json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"running": {}}), crash.clone()]
        {
            let found = reason(json!({"ready": false, "state": now, "lastState": crash}));
            assert_eq!(found.as_deref(), Some("CrashLoopBackOff"), "{now}");
        }
        for word in ["ErrImagePull", "ImagePullBackOff"] {
            let found = reason(json!({"ready": false, "state": {"waiting": {"reason": word}}}));
            assert_eq!(found.as_deref(), Some("ImagePullBackOff"));
        }
    }

    #[test]
    fn a_container_that_starts_or_runs_has_no_reason() {
        let starting = json!({"ready": false, "state": {"waiting": {"reason": "ContainerCreating"}}});
        assert_eq!(reason(starting), None);
        let recovered = json!({"ready": true, "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 137}}});
        assert_eq!(reason(recovered), None);
        assert_eq!(reason(json!({"ready": false, "state": {"terminated": {"exitCode": 0}}})), None);
        assert_eq!(reason(json!({"ready": false})), None);
    }

    fn shown(spec: &Value, labels: &Value, ready: &str) -> Node {
        let object = json!({
            "metadata": {"name": "n", "labels": labels}, "spec": spec,
            "status": {
                "conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": ready}],
                "nodeInfo": {"kubeletVersion": "v1.35.3", "architecture": "", "bootID": "",
                    "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "", "machineID": "",
                    "operatingSystem": "", "osImage": "", "systemUUID": ""}
            }
        });
        node(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn reads_a_node() {
        let good = shown(&json!({}), &json!({"kubernetes.azure.com/node-image-version": "i-1"}), "True");
        assert_eq!(good.kubelet.as_ref().map(ToString::to_string).as_deref(), Some("1.35.3"));
        assert!(good.ready && good.schedulable && !good.quarantined);
        assert_eq!(good.image, "i-1");
        assert!(!shown(&json!({}), &json!({}), "Unknown").ready);
        assert!(!shown(&json!({"unschedulable": true}), &json!({}), "True").schedulable);
        let held = shown(&json!({}), &json!({"kubernetes.azure.com/upgrade-status": "Quarantined"}), "True");
        assert!(held.quarantined);
        let tainted = |key: &str| json!({"taints": [{"key": key, "effect": "NoSchedule"}]});
        for (spec, leaving) in [
            (json!({}), false),
            (tainted("CriticalAddonsOnly"), false),
            (tainted("ToBeDeletedByClusterAutoscaler"), true),
            (tainted("node.cloudprovider.kubernetes.io/shutdown"), true),
        ] {
            assert_eq!(shown(&spec, &json!({}), "True").leaving, leaving, "{spec}");
        }
        let bare = node(&KubeNode::default());
        assert!(!bare.ready && bare.kubelet.is_none(), "nothing shown is nothing known");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_neither_healthy_nor_allowed() {
        let away = TargetCluster::new(Err(Unreadable::failed("away")));
        assert_eq!(away.workloads().await, Err(Unreadable::failed("away")));
        assert_eq!(away.readable().await, Err(Unreadable::failed("away")));
        let budget = |namespace: &str| Blocker::DisruptionBudget {
            namespace: namespace.to_owned(),
            name: "b".to_owned(),
            message: String::new(),
        };
        assert_eq!(away.budgets_allow(&[budget("shop")]).await, None);
        assert_eq!(away.budgets_allow(&[]).await, None);
    }
}
