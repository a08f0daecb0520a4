//! The command line. Exit codes: 0 done or healthy, 1 failed or stopped, 2 wrong use,
//! 3 still in progress (with `--exit-code`).

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{
    api_words,
    supervisor::{self, ControllerArgs},
};

mod approve;
mod control;
mod crds;
mod explain;
#[cfg(test)]
mod fixtures;
mod history;
mod hold;
mod hub;
mod image;
mod inventory;
mod output;
mod plan;
mod question;
mod selection;
mod standing;
mod status;
mod subject;
mod upgrades;

/// Keeps fleets of AKS clusters upgraded.
#[derive(Parser)]
#[command(name = "tidegate", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the operator.
    Controller(Box<ControllerArgs>),
    /// Prints the custom resource definitions as YAML.
    Crds,
    /// Shows the versions and images that Azure offers each cluster, and why none where there is none.
    GetUpgrades(upgrades::Args),
    /// Shows what runs: versions and how long they are supported, node pools, images and their age.
    Inventory(inventory::Args),
    /// Shows every step that a plan would run, in order, with the reason. Changes nothing.
    Plan(plan::Args),
    /// Shows how plans stand, or one plan with all its clusters.
    Status(status::Args),
    /// Shows what rollouts and upgrades did: from what to what, how long it took, what failed.
    History(history::Args),
    /// Tells why a cluster or a plan waits, and what can be done.
    Explain(explain::Args),
    /// Lets steps in flight end, and nothing new start: of a plan, or of one cluster.
    Suspend(control::Args),
    /// Lets what was suspended go on.
    Resume(control::Args),
    /// Lets what has stopped go on: one cluster, or all of a plan that have stopped.
    Retry(control::Args),
    /// Leaves a cluster out of the rollout.
    Skip(control::Args),
    /// Aborts what Azure does for an upgrade, or for all of a plan; nothing is undone.
    Abort(control::Args),
    /// Takes a node pool back to the version and image that it had before its last upgrade.
    Rollback(control::PoolArgs),
    /// Approves a wave of a plan, after showing what that starts.
    Approve(approve::Args),
}

/// Runs a command.
#[must_use]
pub fn main() -> ExitCode {
    // Two rustls providers in one process panic at the first connection: ours is chosen first thing.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return ExitCode::FAILURE;
    }
    let arguments = Arguments::parse();
    let outcome = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(run(arguments.command)),
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| {
        output::complain(&format!("tidegate: {}", api_words::chain(&error)));
        ExitCode::FAILURE
    })
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Controller(args) => supervisor::run(*args).await.map(|()| ExitCode::SUCCESS),
        Command::Crds => crds::print().map(|()| ExitCode::SUCCESS),
        Command::GetUpgrades(args) => upgrades::run(args).await,
        Command::Inventory(args) => inventory::run(args).await,
        Command::Plan(args) => plan::run(args).await,
        Command::Status(args) => Box::pin(status::run(args)).await,
        Command::History(args) => history::run(args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Suspend(args) => Box::pin(control::run(control::Verb::Suspend, args)).await,
        Command::Resume(args) => Box::pin(control::run(control::Verb::Resume, args)).await,
        Command::Retry(args) => Box::pin(control::run(control::Verb::Retry, args)).await,
        Command::Skip(args) => Box::pin(control::run(control::Verb::Skip, args)).await,
        Command::Abort(args) => Box::pin(control::run(control::Verb::Abort, args)).await,
        Command::Rollback(args) => Box::pin(control::rollback(args)).await,
        Command::Approve(args) => approve::run(args).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, error::ErrorKind};

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
        let parse = |words: &str| Arguments::try_parse_from(words.split_whitespace());
        assert!(parse("tidegate status autumn --exit-code -o yaml -n platform").is_ok());
        assert!(parse("tidegate status --watch").is_ok());
        for words in ["tidegate status --watch -o json", "tidegate status --watch --exit-code"] {
            let error = parse(words).err().unwrap();
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::ArgumentConflict, 2), "{words}");
        }
        assert!(parse("tidegate inventory weu-1 weu-2 -o wide -n platform --sort image").is_ok());
        assert!(parse("tidegate get-upgrades -A -l ring=canary -o wide").is_ok());
        for words in ["status -o wide", "history -o wide", "plan FILE -o wide", "explain weu-1 -o wide"] {
            let error = parse(&format!("tidegate {words}")).err().unwrap();
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::InvalidValue, 2), "{words}");
            assert!(error.to_string().contains("table, json, yaml"), "{error}");
        }
        let error = parse("tidegate inventory -A -n platform").err().unwrap();
        assert_eq!((error.kind(), error.exit_code()), (ErrorKind::ArgumentConflict, 2));
        assert!(parse("tidegate abort weu-1 --dry-run -n platform").is_ok());
        assert!(parse("tidegate rollback weu-1 apps --yes").is_ok());
        assert_eq!(parse("tidegate rollback weu-1").err().unwrap().exit_code(), 2, "which pool?");
        assert_eq!(parse("tidegate plan").err().unwrap().exit_code(), 2);
        assert!(parse("tidegate approve autumn --wave prod --reason CHG-1 --dry-run -n platform").is_ok());
        assert_eq!(parse("tidegate approve autumn").err().unwrap().exit_code(), 2, "a reason is needed");
    }
}
