//! A target cluster: a real control plane that the simulator plays a cluster's nodes on.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use control_plane::{ControlPlane, EntraIssuer, Environment, Options};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, ResourceExt, api::ListParams};
use simulator::{ControlPlaneHost, Simulator, scenario::ClusterSpec};

use super::{
    apply,
    setup::{OBJECT_ID, Setup},
};

/// The audience of tokens for the API servers of AKS clusters.
const AKS_AUDIENCE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// What the operator may do in a target cluster: read.
const READER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: tidegate-reader}
rules:
- {apiGroups: [''], resources: [nodes, pods], verbs: [get, list]}
- {apiGroups: [apps], resources: [deployments, statefulsets, daemonsets], verbs: [get, list]}
- {apiGroups: [batch], resources: [jobs], verbs: [get, list]}
- {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: tidegate-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: tidegate-reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: OBJECT_ID}]
";

/// A target cluster.
pub struct Target {
    /// The cluster's name in the scenario.
    pub name: String,
    /// Its ARM id.
    pub resource_id: String,
    client: Client,
    plane: Arc<ControlPlane>,
}

/// What a node shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeFacts {
    /// The kubelet's version, without the leading v.
    pub kubelet: String,
    /// The label with its image.
    pub image: String,
    /// Ready and schedulable.
    pub usable: bool,
}

impl Target {
    pub(super) async fn start(
        environment: &Environment,
        simulator: &Simulator,
        cluster: &ClusterSpec,
        setup: &Setup,
    ) -> Result<Self> {
        let runs_workloads = setup.workloads.contains(&cluster.name);
        let minor = minor_of(&cluster.kubernetes_version).context("the version of a cluster")?;
        let issuer = EntraIssuer {
            issuer_url: simulator.ready().issuer.clone(),
            ca_pem: simulator.ready().ca_pem.clone(),
            audience: AKS_AUDIENCE.to_owned(),
        };
        let options = Options {
            controllers: runs_workloads,
            scheduler: runs_workloads,
            ..Options::new(cluster.name.clone()).emulating(minor).entra(issuer)
        };
        let plane = environment.control_plane(options).await?;
        let client = plane.client()?;
        apply(&client, &READER.replace("OBJECT_ID", OBJECT_ID)).await?;
        Ok(Self { name: cluster.name.clone(), resource_id: cluster.id(), client, plane: Arc::new(plane) })
    }

    /// What the simulator needs to play the cluster on its control plane.
    pub(super) fn attachment(&self) -> Result<simulator::Target> {
        attachment(&self.plane)
    }

    /// A client, as the cluster's administrator.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The control plane.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Applies manifests, several YAML documents.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        apply(&self.client, yaml).await
    }

    /// What the API server says of its nodes, by pool and name.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn nodes(&self) -> Result<BTreeMap<String, BTreeMap<String, NodeFacts>>> {
        let api: Api<Node> = Api::all(self.client.clone());
        let mut pools: BTreeMap<String, BTreeMap<String, NodeFacts>> = BTreeMap::new();
        for node in api.list(&ListParams::default()).await? {
            let pool = node.labels().get("kubernetes.azure.com/agentpool").cloned().unwrap_or_default();
            pools.entry(pool).or_default().insert(node.name_any(), facts(&node));
        }
        Ok(pools)
    }
}

/// What the simulator needs to play a cluster on this control plane.
pub(super) fn attachment(plane: &Arc<ControlPlane>) -> Result<simulator::Target> {
    Ok(simulator::Target {
        client: plane.client()?,
        server: plane.url(),
        ca_pem: plane.ca_pem(),
        host: Arc::new(Host(Arc::clone(plane))),
    })
}

fn facts(node: &Node) -> NodeFacts {
    let status = node.status.as_ref();
    let kubelet = status.and_then(|status| Some(status.node_info.as_ref()?.kubelet_version.clone()));
    let ready = status.and_then(|status| status.conditions.as_ref()).is_some_and(|conditions| {
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    });
    let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or_default();
    NodeFacts {
        kubelet: kubelet.unwrap_or_default().trim_start_matches('v').to_owned(),
        image: node.labels().get("kubernetes.azure.com/node-image-version").cloned().unwrap_or_default(),
        usable: ready && !cordoned,
    }
}

/// Restarts the API server at the version that the simulated upgrade brings.
struct Host(Arc<ControlPlane>);

#[async_trait]
impl ControlPlaneHost for Host {
    async fn upgrade_to(&self, version: &str) -> Result<(), String> {
        let minor = minor_of(version).map_err(|error| format!("{error:#}"))?;
        if self.0.emulated_minor().await == Some(minor) {
            return Ok(());
        }
        self.0.set_emulated_minor(minor).await.map_err(|error| format!("{error:#}"))
    }
}

pub(super) fn minor_of(version: &str) -> Result<u32> {
    let minor = version.split('.').nth(1).with_context(|| format!("{version:?} has no minor"))?;
    minor.parse().with_context(|| format!("the minor of {version:?}"))
}
