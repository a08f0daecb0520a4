//! `tidegate get-upgrades`: what runs, what Azure offers, and why nothing where there is nothing.

use std::process::ExitCode;

use super::{
    output::{Format, print},
    selection::Selection,
};
use crate::clock::real_now;

mod answer;
mod render;

use answer::ClusterAnswer;

/// Arguments of `get-upgrades`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// How the answer looks; the table has the newest patch of each minor, the others have all.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let now = real_now();
    let found = args.selection.find().await?;
    let answers: Vec<ClusterAnswer> = found.iter().map(|found| ClusterAnswer::of(found, now)).collect();
    let title =
        |answer: &ClusterAnswer| args.selection.title(&answer.standing.namespace, &answer.standing.name);
    match args.output.render(&answers)? {
        Some(text) => print(&text),
        // The selection has said so.
        None if answers.is_empty() => {}
        None => print(&render::table(&answers, title, args.output == Format::Wide)),
    }
    let known = answers.iter().all(|answer| !answer.standing.is_stale());
    Ok(if known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests;
