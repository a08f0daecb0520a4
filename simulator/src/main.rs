//! `tidegate-simulator`: serves a scenario until it is told to stop, or explores what random ones come to.

mod ca_file;
mod explore;
mod hints;

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use ca_file::CaFile;
use clap::{Parser, Subcommand};
use engine::TimeScale;
use simulator::{Scenario, Simulator, StartOptions, clock};
use tokio::signal::unix::{SignalKind, signal};

/// A model of AKS for tests and demo.
#[derive(Debug, Parser)]
#[command(name = "tidegate-simulator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a scenario; prints one line of JSON when ready.
    Serve(Serve),
    /// Run random fleets under random misfortune in virtual time, and check what must always hold.
    Explore(explore::Explore),
    /// Run one seed again, or a script, and tell what happened.
    Replay(explore::Replay),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// The scenario, YAML.
    #[arg(long)]
    scenario: PathBuf,
    /// Where Azure Resource Manager and Entra listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the control port listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Simulated time as START,REAL_START,RATE; the scenario's own by default.
    #[arg(long)]
    clock: Option<TimeScale>,
    /// Where the certificate authority is written to, PEM; a temporary file by default.
    #[arg(long)]
    ca_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(serve) => run(serve).map(|()| ExitCode::SUCCESS),
        Command::Explore(explore) => explore.run(),
        Command::Replay(replay) => replay.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(serve: Serve) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
    let Serve { scenario: file, listen, control, clock: scale, ca_file } = serve;
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let scenario = Scenario::parse(&text).with_context(|| format!("in {}", file.display()))?;
    for oddity in scenario.oddities() {
        tracing::warn!("in {}: {oddity}", file.display());
    }
    let scale = match (scale, &scenario.clock) {
        (Some(scale), _) => scale,
        (None, Some(spec)) => TimeScale::new(spec.start, clock::now(), spec.rate)?,
        (None, None) => TimeScale::real(),
    };
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;

    let options = StartOptions { listen, control, clock: scale, ..StartOptions::default() };
    let described = scenario.clone();
    let simulator = Simulator::start(scenario, options).await?;
    let ca_file = CaFile::write(ca_file, &simulator.ready().ca_pem)?;
    let mut ready = serde_json::to_value(simulator.ready())?;
    ready["caFile"] = serde_json::to_value(ca_file.path())?;
    if tracing::enabled!(tracing::Level::INFO) {
        eprintln!("{}", hints::text(simulator.ready(), &described, ca_file.path()));
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{ready}")?;
    stdout.flush()?;
    drop(stdout);

    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    tracing::info!("stopping");
    simulator.stop().await;
    Ok(())
}
