//! The simulator as a whole: the world's task, the servers in front of it, the drivers behind it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum_server::{Handle, tls_rustls::RustlsConfig};
use engine::TimeScale;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    arm, clock, control, driver,
    effects::ClusterKey,
    hold::{Hold, Holds},
    identity::{self, Tenant, TenantError},
    kube_api,
    log::{Log, LogEntry},
    runtime::{self, SimulatedClock, Stopped, WorldHandle},
    scenario::{QuirkRule, Scenario, ScenarioError, workloads::WorkloadRule},
    supervisor::Supervisor,
    target::Target,
    tls::{self, TlsError},
    world::{ClusterView, Endpoint, NotScaled, OperationView, QuirkView, World},
};

/// How long open connections may go on after a stop.
const GRACE: Duration = Duration::from_millis(500);

/// What the HTTP handlers share.
pub(crate) struct Shared {
    pub(crate) world: WorldHandle,
    pub(crate) tenant: Tenant,
    pub(crate) signer: arm::Signer,
    pub(crate) log: Log,
    /// Calls on the Kubernetes API of clusters.
    pub(crate) kube_log: Log,
    pub(crate) clock: SimulatedClock,
    pub(crate) holds: Holds,
    pub(crate) supervisor: Supervisor,
    pub(crate) request_ids: arm::RequestIds,
    /// `https://127.0.0.1:PORT`
    pub(crate) endpoint: String,
    /// The real instant of the start.
    pub(crate) started: Timestamp,
}

/// How a simulator starts.
#[derive(Debug)]
pub struct StartOptions {
    /// Where Azure Resource Manager and Entra listen; port 0 for any free one.
    pub listen: SocketAddr,
    /// Where the control port listens; port 0 for any free one.
    pub control: SocketAddr,
    /// Simulated time.
    pub clock: TimeScale,
    /// The real clock.
    pub real_now: fn() -> Timestamp,
    /// API servers that are there from the start; others are attached later.
    pub targets: BTreeMap<ClusterKey, Target>,
}

impl Default for StartOptions {
    /// Any free ports, real time, no API servers.
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: any,
            control: any,
            clock: TimeScale::real(),
            real_now: clock::now,
            targets: BTreeMap::new(),
        }
    }
}

/// What clients of a running simulator need to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Base URL of Azure Resource Manager.
    pub endpoint: String,
    /// Base URL of the token authority; the same server.
    pub authority: String,
    /// Issuer of the tokens: where API servers find the discovery document.
    pub issuer: String,
    /// The certificate authority of both, PEM.
    pub ca_pem: String,
    /// The tenant.
    pub tenant: String,
    /// The subscriptions that there are.
    pub subscriptions: Vec<String>,
    /// Base URL of the control port.
    pub control: String,
    /// Where managed identities get their tokens, as on a virtual machine.
    pub managed_identity: String,
    /// Simulated time, in the text form of a time scale.
    pub clock: String,
}

/// Why a simulator does not start, or does not do what it is asked to.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// An address is not on this machine's loopback interface.
    #[error("{0} is not a loopback address; the simulator serves this machine only, for example 127.0.0.1:0")]
    NotLoopback(SocketAddr),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No tenant.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// No such cluster.
    #[error("{0} is not a cluster of the scenario", cluster.0)]
    NoCluster {
        /// Which.
        cluster: ClusterKey,
    },
    /// The autoscaler cannot do that.
    #[error(transparent)]
    NotScaled(#[from] NotScaled),
    /// It has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A running simulator.
pub struct Simulator {
    shared: Arc<Shared>,
    ready: Ready,
    rules: BTreeMap<ClusterKey, Vec<WorkloadRule>>,
    handles: [Handle<SocketAddr>; 2],
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("ready", &self.ready).finish_non_exhaustive()
    }
}

impl Simulator {
    /// Starts serving a scenario.
    ///
    /// # Errors
    /// When the scenario is wrong, or an address cannot be used.
    pub async fn start(scenario: Scenario, options: StartOptions) -> Result<Self, SimulatorError> {
        scenario.check()?;
        let StartOptions { listen, control, clock, real_now, targets } = options;
        let (listener, address) = bind(listen)?;
        let (control_listener, control_address) = bind(control)?;
        let server = tls::create()?;
        let endpoint = format!("https://{address}");
        let tenant = Tenant::new(scenario.tenant.clone(), endpoint.clone(), scenario.identities.clone())?;
        let clock = SimulatedClock { scale: clock, real_now };
        let subscriptions: BTreeSet<_> = scenario
            .subscriptions
            .iter()
            .map(|subscription| &subscription.id)
            .chain(scenario.clusters.iter().map(|cluster| &cluster.subscription))
            .collect();
        let ready = Ready {
            endpoint: endpoint.clone(),
            authority: endpoint.clone(),
            issuer: tenant.issuer.clone(),
            ca_pem: server.ca_pem,
            tenant: scenario.tenant.clone(),
            subscriptions: subscriptions.into_iter().cloned().collect(),
            control: format!("http://{control_address}"),
            managed_identity: format!("http://{control_address}/metadata/identity/oauth2/token"),
            clock: clock.scale.to_string(),
        };
        let supervisor = Supervisor::default();
        let api_servers = Endpoint { server: endpoint.clone(), ca_pem: ready.ca_pem.clone() };
        let world = World::new(&scenario).with_api_servers(api_servers);
        let world = runtime::start(world, clock, &supervisor);
        let signer = arm::Signer::new(server.secret);
        let shared = Arc::new(Shared {
            world,
            tenant,
            signer,
            log: Log::default(),
            kube_log: Log::default(),
            clock,
            holds: Holds::default(),
            supervisor,
            request_ids: arm::RequestIds::default(),
            endpoint,
            started: real_now(),
        });

        let handles = [Handle::new(), Handle::new()];
        let front =
            arm::routes().merge(identity::routes()).merge(kube_api::routes()).with_state(Arc::clone(&shared));
        let front = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(server.config))
            .map_err(|source| SimulatorError::Listen { address, source })?
            .handle(handles[0].clone())
            .serve(front.into_make_service());
        let side = axum_server::from_tcp(control_listener)
            .map_err(|source| SimulatorError::Listen { address: control_address, source })?
            .handle(handles[1].clone())
            .serve(control::routes().with_state(Arc::clone(&shared)).into_make_service());
        shared.supervisor.start(serve(front));
        shared.supervisor.start(serve(side));

        let rules = scenario.clusters.into_iter().map(|cluster| (cluster.key(), cluster.workloads)).collect();
        let simulator = Self { shared, ready, rules, handles };
        for (key, target) in targets {
            simulator.attach(key, target).await?;
        }
        Ok(simulator)
    }

    /// What clients need to know.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Makes a real API server play a cluster's: its nodes are created there.
    ///
    /// # Errors
    /// When the scenario has no such cluster, or the simulator has stopped.
    pub async fn attach(&self, key: ClusterKey, target: Target) -> Result<(), SimulatorError> {
        let Some(rules) = self.rules.get(&key) else {
            return Err(SimulatorError::NoCluster { cluster: key });
        };
        let endpoint = Endpoint { server: target.server.clone(), ca_pem: target.ca_pem.clone() };
        let driver = driver::spawn(
            key.clone(),
            target,
            rules.clone(),
            self.shared.clock.scale,
            self.shared.world.outcomes.clone(),
            self.shared.supervisor.token().child_token(),
        );
        let (effects, mut queued) = mpsc::unbounded_channel();
        self.shared.supervisor.start(async move {
            while let Some(effect) = queued.recv().await {
                if driver.send(effect).await.is_err() {
                    return;
                }
            }
        });
        self.shared.world.attach(key, endpoint, effects).await?;
        Ok(())
    }

    /// From now on federated tokens of `issuer` must be signed with a key of this set.
    ///
    /// # Errors
    /// When `jwks` is not a set of JSON web keys.
    pub fn trust_issuer(&self, issuer: &str, jwks: Value) -> Result<(), SimulatorError> {
        Ok(self.shared.tenant.trust(issuer, jwks)?)
    }

    /// From now on calls that change something wait there, until another hold is set.
    pub fn hold(&self, hold: Hold) {
        self.shared.holds.set(hold);
    }

    /// Returns when exactly so many calls are held up.
    pub async fn until_held(&self, calls: usize) {
        self.shared.holds.until_waiting(calls).await;
    }

    /// Every call on the management plane so far, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.log.entries()
    }

    /// Every call on the Kubernetes API of a cluster that no real API server plays, oldest first.
    #[must_use]
    pub fn kube_log(&self) -> Vec<LogEntry> {
        self.shared.kube_log.entries()
    }

    /// The world's own truth.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub async fn clusters(&self) -> Result<Vec<ClusterView>, SimulatorError> {
        Ok(self.shared.world.with(|world, _| world.view()).await?)
    }

    /// Switches a quirk on; the number of its rule.
    ///
    /// # Errors
    /// When the rule could never strike as it is meant, or the simulator has stopped.
    pub async fn add_quirk(&self, rule: QuirkRule) -> Result<u64, SimulatorError> {
        Ok(self.shared.world.with(move |world, _| world.add_quirk(rule)).await??)
    }

    /// Switches a quirk off; false when there is no rule of that number.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub async fn remove_quirk(&self, id: u64) -> Result<bool, SimulatorError> {
        Ok(self.shared.world.with(move |world, _| world.remove_quirk(id)).await?)
    }

    /// Lets the cluster autoscaler change the number of a pool's nodes, as far as the operation under
    /// way leaves it to; `cluster` is an ARM id.
    ///
    /// # Errors
    /// When the pool is not the autoscaler's, `count` is out of its bounds, or the simulator has
    /// stopped.
    pub async fn autoscale(&self, cluster: &str, pool: &str, count: u64) -> Result<(), SimulatorError> {
        let (key, pool) = (ClusterKey(cluster.to_lowercase()), pool.to_owned());
        Ok(self.shared.world.with(move |world, now| world.autoscale(now, &key, &pool, count)).await??)
    }

    /// The rules of quirks, and how often each has struck.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub async fn quirks(&self) -> Result<Vec<QuirkView>, SimulatorError> {
        Ok(self.shared.world.with(|world, _| world.quirks()).await?)
    }

    /// Every operation so far, as it really went.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub async fn operations(&self) -> Result<Vec<OperationView>, SimulatorError> {
        Ok(self.shared.world.with(|world, _| world.operations()).await?)
    }

    /// The simulated instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Stops the servers, the drivers and the world.
    pub async fn stop(self) {
        for handle in &self.handles {
            handle.graceful_shutdown(Some(GRACE));
        }
        self.shared.supervisor.stop().await;
    }
}

impl Drop for Simulator {
    /// A simulator that is dropped without [`Self::stop`] stops serving at once.
    fn drop(&mut self) {
        self.shared.supervisor.token().cancel();
        for handle in &self.handles {
            handle.shutdown();
        }
    }
}

async fn serve(server: impl Future<Output = io::Result<()>>) {
    if let Err(error) = server.await {
        tracing::error!(%error, "a server of the simulator ended");
    }
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SimulatorError> {
    if !address.ip().is_loopback() {
        return Err(SimulatorError::NotLoopback(address));
    }
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    listen().map_err(|source| SimulatorError::Listen { address, source })
}

#[cfg(test)]
mod tests;
