//! `tidegate inventory`: what runs in the fleet, how long it is supported, how old its images are.

use std::process::ExitCode;

use super::{
    output::{Format, print},
    selection::Selection,
};
use crate::clock::real_now;

mod answer;
mod render;

use answer::ClusterAnswer;

/// Arguments of `inventory`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// What comes first.
    #[arg(long, value_enum, default_value_t)]
    sort: Sort,
    /// How the answer looks.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// In which order clusters are shown; by name among equals, what is not known last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// By namespace and name.
    #[default]
    Name,
    /// By Azure region.
    Region,
    /// The oldest control plane first.
    Version,
    /// The one whose support ends first.
    Support,
    /// The one with the oldest node image first.
    Image,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let now = real_now();
    let found = args.selection.find().await?;
    let mut answers: Vec<ClusterAnswer> = found.iter().map(|found| ClusterAnswer::of(found, now)).collect();
    sort(&mut answers, args.sort);
    match args.output.render(&answers)? {
        Some(text) => print(&text),
        // The selection has said so.
        None if answers.is_empty() => {}
        None if args.output == Format::Wide => print(&render::wide(&answers)),
        None => {
            print(&render::table(&answers, |answer| {
                args.selection.title(&answer.standing.namespace, &answer.standing.name)
            }));
            render::warn(&answers);
        }
    }
    let whole = answers.iter().all(|answer| answer.standing.is_ready());
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn sort(answers: &mut [ClusterAnswer], by: Sort) {
    match by {
        Sort::Name => {}
        Sort::Region => sort_by(answers, |seen| Some(seen.location.clone())),
        Sort::Version => sort_by(answers, |seen| Some(seen.version.clone())),
        Sort::Support => sort_by(answers, |seen| Some(seen.support.urgency())),
        Sort::Image => sort_by(answers, |seen| {
            seen.oldest_image.as_ref().map(|oldest| std::cmp::Reverse(oldest.age_days))
        }),
    }
}

/// Stable, so that names decide among equals; what has no key comes last.
fn sort_by<K: Ord>(answers: &mut [ClusterAnswer], key: impl Fn(&answer::Observed) -> Option<K>) {
    answers.sort_by_cached_key(|answer| {
        let key = answer.observed.as_ref().and_then(&key);
        (key.is_none(), key)
    });
}

#[cfg(test)]
mod tests;
