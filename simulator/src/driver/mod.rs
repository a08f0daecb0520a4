//! Carries out the world's effects on a real API server: nodes that come, go and are
//! reimaged, drains by real evictions, and a kubelet for every pod on them.
//!
//! Decides nothing about upgrades: the world says what happens when. Touches only the
//! API server of its own cluster: nodes with a node pool's label, their leases, the
//! pods bound to them, and events about them.

mod api;
mod container_status;
mod drain;
mod events;
mod heartbeat;
mod kubelet;
mod lanes;
pub(crate) mod node_object;
mod nodes;
mod pod_status;
mod refusal;
mod wall;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use engine::TimeScale;
use futures::FutureExt;
use k8s_openapi::api::core::v1 as core;
use kube::{Client, runtime::reflector};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    effects::{ClusterKey, Effect, EffectId, Outcome},
    scenario::workloads::WorkloadRule,
    target::{ControlPlaneHost, Target},
};
use api::{ApiError, Caller};

/// Effects that may wait to be looked at. The driver takes each one up at once, so
/// this is only a burst: a pool of a hundred nodes being created.
const EFFECTS_WAITING: usize = 256;
/// How long the API server's host may take, in real time; a restart takes seconds.
const RESTART_TIME: Duration = Duration::from_mins(5);
/// Pause between two looks at an API server that comes back at another version.
const READY_PAUSE: Duration = Duration::from_millis(200);

/// Starts the driver of one cluster; effects go in, and each is answered by exactly
/// one outcome unless `cancel` ends everything before.
///
/// Effects on the same node are carried out in the order in which they came, those on
/// different nodes at the same time. A later effect on a node ends a drain that is
/// still trying: the drain then answers [`Outcome::Failed`]. An API server that is
/// away, overloaded or restarting is waited for.
///
/// `target.client` must not retry by itself (`kube::Config { default_retry: false, .. }`):
/// kube would otherwise repeat an eviction that a disruption budget refuses for minutes
/// inside one call, past the drain's deadline, and hide which budget it was.
#[expect(
    clippy::disallowed_methods,
    reason = "the driver's one task; `cancel` ends it and all that it starts"
)]
pub fn spawn(
    key: ClusterKey,
    target: Target,
    rules: Vec<WorkloadRule>,
    clock: TimeScale,
    outcomes: mpsc::Sender<(EffectId, Outcome)>,
    cancel: CancellationToken,
) -> mpsc::Sender<(EffectId, Effect)> {
    let (sender, effects) = mpsc::channel(EFFECTS_WAITING);
    let (nodes, writer) = reflector::store();
    let Target { client, host, server: _, ca_pem: _ } = target;
    let driver = Arc::new(Driver {
        key,
        client,
        host,
        rules,
        clock,
        nodes,
        calls: Caller::new(),
        down: Down::default(),
    });
    tokio::spawn(async move {
        // A full channel means that every pod is about to be looked at anyway.
        let (changed, changes) = mpsc::channel(1);
        let parts = async {
            tokio::join!(
                lanes::run(Arc::clone(&driver), effects, outcomes),
                heartbeat::watch_nodes(&driver, writer, changed).boxed(),
                heartbeat::renew_leases(&driver).boxed(),
                kubelet::run(Arc::clone(&driver), changes).boxed(),
            )
        };
        cancel.run_until_cancelled(parts.boxed()).await;
        tracing::debug!(cluster = driver.key.0, "the node driver has ended");
    });
    sender
}

/// What all parts of one cluster's driver share.
struct Driver {
    key: ClusterKey,
    client: Client,
    host: Arc<dyn ControlPlaneHost>,
    rules: Vec<WorkloadRule>,
    clock: TimeScale,
    /// The cluster's nodes as last seen; only those of node pools.
    nodes: reflector::Store<core::Node>,
    calls: Caller,
    down: Down,
}

/// Nodes whose kubelet is silent because they are being reimaged or leave.
#[derive(Default)]
struct Down(std::sync::Mutex<BTreeSet<String>>);

impl Down {
    fn with<T>(&self, look: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn contains(&self, node: &str) -> bool {
        self.with(|down| down.contains(node))
    }

    /// Keeps the node down until the answer is dropped.
    fn take(&self, node: &str) -> KeptDown<'_> {
        self.with(|down| down.insert(node.to_owned()));
        KeptDown { down: self, node: node.to_owned() }
    }
}

struct KeptDown<'a> {
    down: &'a Down,
    node: String,
}

impl Drop for KeptDown<'_> {
    fn drop(&mut self) {
        self.down.with(|down| down.remove(&self.node));
    }
}

/// Carries out one effect.
async fn carry_out(driver: &Driver, effect: Effect) -> Outcome {
    match effect {
        Effect::CreateNode(node) => done(nodes::create(driver, &node).await),
        Effect::CordonNode { node } => done(nodes::cordon(driver, &node).await),
        Effect::UncordonNode { node } => done(nodes::uncordon(driver, &node).await),
        Effect::DrainNode { node, deadline, force } => drain::drain(driver, &node, deadline, force).await,
        // Having come to its node's lane it has ended the drain.
        Effect::StopDrain { node: _ } => Outcome::Done,
        Effect::ReimageNode(node) => done(nodes::reimage(driver, &node).await),
        Effect::QuarantineNode { node } => done(nodes::quarantine(driver, &node).await),
        Effect::DeleteNode { node } => done(nodes::delete(driver, &node).await),
        Effect::UpgradeControlPlane { version } => upgrade_control_plane(driver, &version).await,
    }
}

fn done(result: Result<(), ApiError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// Has the API server restarted at another version, and waits until it serves.
async fn upgrade_control_plane(driver: &Driver, version: &str) -> Outcome {
    match tokio::time::timeout(RESTART_TIME, driver.host.upgrade_to(version)).await {
        Ok(Ok(())) => {}
        Ok(Err(message)) => return Outcome::Failed(message),
        Err(_) => return Outcome::Failed(format!("no API server at {version} within {RESTART_TIME:?}")),
    }
    loop {
        match driver.calls.once(readyz(&driver.client)).await {
            Ok(()) => return Outcome::Done,
            Err(error) => tracing::debug!(cluster = driver.key.0, %error, "the API server is not ready yet"),
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
}

async fn readyz(client: &Client) -> Result<(), kube::Error> {
    let request = axum::http::Request::get("/readyz").body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await.map(drop)
}
