//! Starts everything, and stops it in order: the only place that spawns tasks.

use std::{hash::BuildHasher, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Args;
use engine::TimeScale;
use kube::{
    Client, Config,
    runtime::events::{Recorder, Reporter},
};
use tokio_util::sync::CancellationToken;

use crate::{
    azure::{AzureArgs, Limiter, Sweeper, Urgency, WakeUps, connect},
    clock::WallClock,
    context::Context,
    controller::{
        FIELD_MANAGER, aks_cluster, cluster_upgrade, maintenance_window, upgrade_freeze, upgrade_plan,
    },
    leader::{Election, Leadership, lead},
    target::TargetAccess,
    telemetry::{Health, LogFormat, Metrics, init_logs, serve},
    timing::Timing,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one answer of the hub's API server: long for a list of thousands of objects.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// `tidegate controller`: runs the operator.
#[derive(Args, Clone, Debug)]
pub(crate) struct ControllerArgs {
    #[command(flatten)]
    azure: AzureArgs,
    /// Where health and metrics are served.
    #[arg(long, env = "TIDEGATE_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Runs without electing a leader: for a single replica on a workstation.
    #[arg(long)]
    no_leader_election: bool,
    /// Namespace of the leader lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "tidegate-system")]
    lease_namespace: String,
    /// Name of this replica.
    #[arg(long, env = "POD_NAME")]
    replica: Option<String>,
    /// How log lines look.
    #[arg(long, env = "TIDEGATE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// A scaled clock, shared with the simulator: START,REAL_START,RATE. Only with an Azure
    /// endpoint on this machine.
    #[arg(long, env = "TIDEGATE_CLOCK")]
    clock: Option<TimeScale>,
}

/// Runs the operator until a signal, or until the lease is lost.
///
/// # Errors
/// When it cannot start, or lost the lease.
pub(crate) async fn run(args: ControllerArgs) -> anyhow::Result<()> {
    init_logs(args.log_format);
    let scale = args.clock.unwrap_or_else(TimeScale::real);
    anyhow::ensure!(
        !scale.is_scaled() || args.azure.endpoint_is_loopback(),
        "--clock needs --azure-endpoint to be a loopback address: real clusters live in real time"
    );
    let (hub, watches) = (hub_client(Some(READ_TIMEOUT)).await?, hub_client(None).await?);
    let (metrics, health, stop) = (Metrics::default(), Health::default(), CancellationToken::new());
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("--listen {}: health and metrics cannot be served there", args.listen))?;
    let server = serve(listener, health.clone(), metrics.clone(), stop.clone().cancelled_owned());
    #[expect(clippy::disallowed_methods, reason = "this is the supervisor")]
    let server = tokio::spawn(server);
    stop_on_signal(stop.clone())?;
    let hubs = Hubs { hub: hub.clone(), watches };
    let work = work(args.clone(), hubs, WallClock::new(scale), metrics.clone(), stop.clone())?;
    health.ready();
    let outcome = if args.no_leader_election {
        work(Leadership::always()).await;
        Ok(())
    } else {
        let election = Election {
            namespace: args.lease_namespace.clone(),
            name: "tidegate".to_owned(),
            identity: args.replica.clone().unwrap_or_else(unique_identity),
        };
        lead(hub, election, metrics, stop.clone(), work).await
    };
    stop.cancel();
    server.await.context("the health server ended badly")?.context("health and metrics cannot be served")?;
    Ok(outcome?)
}

/// Process ids say nothing across containers, where each is 1: two replicas of one name would both lead.
fn unique_identity() -> String {
    let random = std::hash::RandomState::new().hash_one(std::process::id());
    format!("tidegate-{random:016x}")
}

/// Clients of the hub.
struct Hubs {
    /// For single calls, which have a timeout.
    hub: Client,
    /// For watches, which are silent for minutes: the watcher has its own timeout.
    watches: Client,
}

async fn hub_client(read_timeout: Option<Duration>) -> anyhow::Result<Client> {
    let mut config =
        Config::infer().await.context("no Kubernetes cluster: neither in-cluster nor a kubeconfig")?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = read_timeout;
    config.write_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    // Decisions are made anew instead: a retried write could act on old knowledge.
    config.default_retry = false;
    Client::try_from(config).context("the Kubernetes client cannot be set up")
}

/// The controllers, to be run while leading.
fn work(
    args: ControllerArgs,
    hubs: Hubs,
    clock: WallClock,
    metrics: Metrics,
    stop: CancellationToken,
) -> anyhow::Result<impl FnOnce(Leadership) -> futures::future::BoxFuture<'static, ()>> {
    let (azure, credential) = connect(&args.azure)?;
    let limiter = Limiter::new(clock, metrics.azure.clone());
    let inventory = azure.with_governor(limiter.governor(Urgency::Inventory));
    let azure = azure.with_governor(limiter.governor(Urgency::Upgrade));
    Ok(move |leadership| {
        let Hubs { hub, watches } = hubs;
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: args.replica };
        let (timing, changes) = Timing::new();
        let (sweeper, WakeUps { upgrades, clusters }) = Sweeper::new(azure.clone(), clock);
        let context = Arc::new(Context {
            sweeper: sweeper.clone(),
            timing,
            access: TargetAccess::new(hub.clone(), credential),
            recorder: Recorder::new(hub.clone(), reporter),
            offers: Arc::<azure_fleet::OfferCache>::default(),
            hub,
            watches,
            azure,
            inventory,
            clock,
            leadership,
            metrics,
        });
        let controllers = async move {
            tokio::join!(
                sweeper.run(stop.clone()),
                aks_cluster::run(context.clone(), clusters, stop.clone()),
                cluster_upgrade::run(context.clone(), (upgrades, changes), stop.clone()),
                upgrade_freeze::run(context.clone(), stop.clone()),
                maintenance_window::run(context.clone(), stop.clone()),
                upgrade_plan::run(context, stop),
            );
        };
        Box::pin(controllers) as futures::future::BoxFuture<'static, ()>
    })
}

fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    #[expect(clippy::disallowed_methods, reason = "this is the supervisor")]
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stop.cancelled() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
    });
    Ok(())
}
