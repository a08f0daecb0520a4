//! What the test stands on: a control plane with a driver, and ways to wait for what
//! real controllers do. Every wait is a watch with a deadline.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::{Arc, atomic::AtomicI32, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use control_plane::ControlPlane;
use engine::TimeScale;
use futures::StreamExt;
use jiff::ToSpan;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        coordination::v1::Lease,
        core::v1::{Event, Namespace, Node, Pod},
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use simulator::{
    clock, driver,
    effects::{self, ClusterKey, Effect, EffectId, Outcome},
    target::{ControlPlaneHost, Target},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long anything may take that should happen by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// A minute of the simulated clock passes in a real second.
const RATE: f64 = 60.0;

/// A control plane with a driver.
pub(crate) struct Bench {
    pub(crate) client: Client,
    plane: Arc<ControlPlane>,
    clock: TimeScale,
    effects: mpsc::Sender<(EffectId, Effect)>,
    outcomes: mpsc::Receiver<(EffectId, Outcome)>,
    answered: BTreeMap<EffectId, Outcome>,
    sent: u64,
    cancel: CancellationToken,
}

/// What the nodes of a pool have in common.
#[derive(Clone, Copy)]
pub(crate) struct Pool {
    pub(crate) name: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) taints: &'static [&'static str],
}

/// Restarts the API server as a host of targets does.
struct Host(Arc<ControlPlane>);

#[async_trait]
impl ControlPlaneHost for Host {
    async fn upgrade_to(&self, version: &str) -> Result<(), String> {
        let minor = version.split('.').nth(1).and_then(|minor| minor.parse().ok()).ok_or("no minor")?;
        self.0.set_emulated_minor(minor).await.map_err(|error| format!("{error:#}"))
    }
}

type Ends = (mpsc::Sender<(EffectId, Effect)>, mpsc::Receiver<(EffectId, Outcome)>, CancellationToken);

fn start_driver(plane: &Arc<ControlPlane>, rules: &str, clock: TimeScale) -> Ends {
    let target = Target {
        client: plane.client().unwrap(),
        server: plane.url(),
        ca_pem: plane.ca_pem(),
        host: Arc::new(Host(Arc::clone(plane))),
    };
    let (sender, outcomes) = mpsc::channel(16);
    let cancel = CancellationToken::new();
    let rules = serde_saphyr::from_str(rules).unwrap();
    let key = ClusterKey("/subscriptions/s/cluster".into());
    (driver::spawn(key, target, rules, clock, sender, cancel.clone()), outcomes, cancel)
}

impl Bench {
    pub(crate) fn start(plane: ControlPlane, rules: &str) -> Self {
        let plane = Arc::new(plane);
        let client = plane.client().unwrap();
        let clock = TimeScale::new("2026-12-05T22:00:00Z".parse().unwrap(), clock::now(), RATE).unwrap();
        let (effects, outcomes, cancel) = start_driver(&plane, rules, clock);
        Self { client, plane, clock, effects, outcomes, answered: BTreeMap::new(), sent: 0, cancel }
    }

    /// Ends the driver and sees that it ends.
    pub(crate) async fn stop(&mut self) {
        self.cancel.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(5), self.outcomes.recv()).await;
        assert_eq!(ended.expect("the driver ends promptly"), None);
    }

    /// Ends the driver and starts another, which knows only what the API server holds.
    pub(crate) async fn replace_driver(&mut self, rules: &str) {
        self.stop().await;
        (self.effects, self.outcomes, self.cancel) = start_driver(&self.plane, rules, self.clock);
    }

    pub(crate) async fn send(&mut self, effect: Effect) -> EffectId {
        self.sent += 1;
        self.effects.send((EffectId(self.sent), effect)).await.unwrap();
        EffectId(self.sent)
    }

    pub(crate) async fn outcome(&mut self, id: EffectId) -> Outcome {
        while !self.answered.contains_key(&id) {
            let received = tokio::time::timeout(PATIENCE, self.outcomes.recv()).await;
            let (id, outcome) = received.unwrap_or_else(|_| panic!("no outcome of {id:?}")).unwrap();
            assert_eq!(self.answered.insert(id, outcome), None, "answered twice");
        }
        self.answered[&id].clone()
    }

    pub(crate) async fn run(&mut self, effect: Effect) -> Outcome {
        let id = self.send(effect).await;
        self.outcome(id).await
    }

    pub(crate) async fn run_all<const N: usize>(&mut self, effects: [Effect; N]) -> Vec<Outcome> {
        let mut ids = Vec::new();
        for effect in effects {
            ids.push(self.send(effect).await);
        }
        let mut outcomes = Vec::new();
        for id in ids {
            outcomes.push(self.outcome(id).await);
        }
        outcomes
    }

    /// A drain with a deadline so many simulated minutes from now.
    pub(crate) fn drain(&self, node: &str, minutes: i64) -> Effect {
        let deadline = self.clock.at(clock::now()) + minutes.minutes();
        Effect::DrainNode { node: node.into(), deadline, force: false }
    }

    /// A client that repeats refused calls by itself, as kube's do unless told otherwise.
    pub(crate) fn retrying_client(&self) -> Client {
        let mut config = self.plane.config_as("admin", &["system:masters"]).unwrap();
        config.default_retry = true;
        Client::try_from(config).unwrap()
    }

    pub(crate) fn nodes(&self) -> Api<Node> {
        Api::all(self.client.clone())
    }

    pub(crate) async fn has_lease(&self, node: &str) -> bool {
        let leases = Api::<Lease>::namespaced(self.client.clone(), "kube-node-lease");
        leases.get_opt(node).await.unwrap().is_some()
    }

    /// Reasons of the events about a node.
    pub(crate) async fn reasons(&self, node: &str) -> BTreeSet<String> {
        let params =
            ListParams::default().fields(&format!("involvedObject.kind=Node,involvedObject.name={node}"));
        let events = Api::<Event>::namespaced(self.client.clone(), "default").list(&params).await.unwrap();
        events.into_iter().filter_map(|event| event.reason).collect()
    }

    pub(crate) async fn namespace(&self, name: &str) {
        let namespace = json!({ "metadata": { "name": name } });
        let namespaces = Api::<Namespace>::all(self.client.clone());
        namespaces.create(&PostParams::default(), &serde_json::from_value(namespace).unwrap()).await.unwrap();
        self.wait_for::<k8s_openapi::api::core::v1::ServiceAccount>(name, "default", "made", |_| true).await;
    }

    pub(crate) async fn apply<K>(&self, object: Value)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + serde::Serialize,
    {
        let object: K = serde_json::from_value(object).unwrap();
        let api = Api::<K>::namespaced(self.client.clone(), &object.namespace().unwrap());
        api.create(&PostParams::default(), &object).await.unwrap();
    }

    pub(crate) async fn delete<K>(&self, namespace: &str, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// A disruption budget for the pods of the workload of that name.
    pub(crate) async fn budget(&self, namespace: &str, name: &str, allowance: Value) {
        let mut budget = json!({
            "metadata": { "namespace": namespace, "name": name },
            "spec": { "selector": { "matchLabels": { "app": name } } },
        });
        for (key, value) in allowance.as_object().unwrap() {
            budget["spec"][key] = value.clone();
        }
        self.apply::<PodDisruptionBudget>(budget).await;
    }

    /// Waits until the controller has counted the one healthy pod of a budget.
    pub(crate) async fn budget_counts(&self, namespace: &str, name: &str) {
        self.wait_for::<PodDisruptionBudget>(namespace, name, "counted", |budget| {
            budget.status.as_ref().is_some_and(|status| status.current_healthy == 1)
        })
        .await;
    }

    pub(crate) async fn available(&self, namespace: &str, name: &str, replicas: i32) {
        self.wait_for::<Deployment>(namespace, name, "available", |deployment| {
            let status = deployment.status.as_ref();
            status.and_then(|status| status.available_replicas) == Some(replicas)
        })
        .await;
    }

    /// Follows how many replicas are available, until it is stopped.
    #[expect(clippy::disallowed_methods, reason = "the test stops it")]
    pub(crate) fn least_available(&self, namespace: &str, name: &str) -> Least {
        let api = Api::<Deployment>::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let least = Arc::new(AtomicI32::new(i32::MAX));
        let seen = Arc::clone(&least);
        let task = tokio::spawn(watcher(api, config).applied_objects().for_each(move |deployment| {
            let available = deployment.unwrap().status.and_then(|status| status.available_replicas);
            seen.fetch_min(available.unwrap_or_default(), Ordering::Relaxed);
            std::future::ready(())
        }));
        Least { least, task }
    }

    pub(crate) async fn node_when(&self, name: &str, what: &str, holds: impl Fn(&Node) -> bool) -> Node {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        first(self.nodes(), config, &format!("node {name} {what}"), holds).await
    }

    /// Waits for an object of that name to be as wanted.
    pub(crate) async fn wait_for<K>(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        holds: impl Fn(&K) -> bool,
    ) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        first(api, config, &format!("{} {name} {what}", K::kind(&())), holds).await
    }

    /// Waits for any pod of the workload to be as wanted.
    pub(crate) async fn pod_when(
        &self,
        namespace: &str,
        app: &str,
        what: &str,
        holds: impl Fn(&Pod) -> bool,
    ) -> Pod {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().labels(&format!("app={app}"));
        first(api, config, &format!("a pod of {app} {what}"), holds).await
    }

    pub(crate) async fn pod(&self, namespace: &str, app: &str) -> Pod {
        self.pod_when(namespace, app, "exists", |_| true).await
    }

    pub(crate) async fn pods_on(&self, node: &str) -> Vec<Pod> {
        let params = ListParams::default().fields(&format!("spec.nodeName={node}"));
        Api::<Pod>::all(self.client.clone()).list(&params).await.unwrap().items
    }

    /// The ready pod of the DaemonSet on the node.
    pub(crate) async fn daemon_on(&self, node: &str) -> Pod {
        let of_node = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node);
        self.pod_when("shop", "agent", "Ready", |pod| of_node(pod) && is_pod_ready(pod)).await
    }
}

/// The least number of available replicas so far.
pub(crate) struct Least {
    least: Arc<AtomicI32>,
    task: tokio::task::JoinHandle<()>,
}

impl Least {
    pub(crate) async fn stop(self) -> i32 {
        self.task.abort();
        // A watch that failed is no proof.
        assert!(self.task.await.is_err_and(|end| end.is_cancelled()));
        self.least.load(Ordering::Relaxed)
    }
}

async fn first<K>(api: Api<K>, config: watcher::Config, what: &str, holds: impl Fn(&K) -> bool) -> K
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut objects = watcher(api, config).default_backoff().applied_objects().boxed();
    let mut last = None;
    let search = async {
        while let Some(object) = objects.next().await {
            match object {
                Ok(object) if holds(&object) => return Some(object),
                Ok(object) => last = Some(object),
                Err(error) => eprintln!("waiting for {what}: {error}"),
            }
        }
        None
    };
    match tokio::time::timeout(PATIENCE, search).await {
        Ok(Some(object)) => object,
        _ => panic!("not in {PATIENCE:?}: {what}; last seen: {last:#?}"),
    }
}

/// A node as the world describes it.
pub(crate) fn node(name: &str, pool: Pool, version: &str) -> effects::Node {
    effects::Node {
        name: name.into(),
        pool: pool.name.into(),
        mode: pool.mode.into(),
        os_type: "Linux".into(),
        os_sku: "Ubuntu2204".into(),
        vm_size: "Standard_D8s_v5".into(),
        location: "westeurope".into(),
        kubernetes_version: version.into(),
        node_image: format!("AKSUbuntu-2204gen2containerd-{version}"),
        provider_id: format!("azure:///subscriptions/s/resourceGroups/MC_g_c_westeurope/providers/{name}"),
        labels: BTreeMap::new(),
        taints: pool.taints.iter().map(|taint| (*taint).to_owned()).collect(),
    }
}

/// A workload of pods with the label `app`.
pub(crate) fn workload(kind: &str, namespace: &str, name: &str, replicas: i32, selector: Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": { "namespace": namespace, "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "nodeSelector": selector,
                    "containers": [{ "name": "main", "image": "example.test/main:1" }],
                },
            },
        },
    })
}

pub(crate) fn labelled(mut workload: Value, key: &str, value: &str) -> Value {
    workload["spec"]["template"]["metadata"]["labels"][key] = json!(value);
    workload
}

pub(crate) fn daemon_set(namespace: &str, name: &str) -> Value {
    let mut object = workload("DaemonSet", namespace, name, 1, json!({}));
    object["spec"].as_object_mut().unwrap().remove("replicas");
    object["spec"]["template"]["spec"]["tolerations"] = json!([{ "operator": "Exists" }]);
    object
}

pub(crate) fn job(namespace: &str, name: &str) -> Value {
    json!({
        "metadata": { "namespace": namespace, "name": name },
        "spec": { "template": { "spec": {
            "restartPolicy": "Never",
            "nodeSelector": { "kubernetes.io/hostname": "apps-0" },
            "containers": [{ "name": "main", "image": "example.test/main:1" }],
        } } },
    })
}

pub(crate) fn is_ready(node: &Node) -> bool {
    let mut conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

pub(crate) fn is_cordoned(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or_default()
}

pub(crate) fn taints(node: &Node) -> BTreeSet<String> {
    node.spec.iter().flat_map(|spec| spec.taints.iter().flatten()).map(|taint| taint.key.clone()).collect()
}

pub(crate) fn kubelet_version(node: &Node) -> &str {
    &node.status.as_ref().unwrap().node_info.as_ref().unwrap().kubelet_version
}

pub(crate) fn is_pod_ready(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

pub(crate) fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref());
    statuses.unwrap_or_default().iter().map(|status| status.restart_count).sum()
}

pub(crate) fn waiting_reason(pod: &Pod) -> Option<&str> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    status.state.as_ref()?.waiting.as_ref()?.reason.as_deref()
}
