//! `tidegate suspend|resume|retry|skip|abort|rollback`: plain edits of `spec.suspend` and of annotations, each
//! guarded by the version that was read. Says what it edits and what that does now; asks before it disrupts.

mod confirm;
mod edit;
#[cfg(test)]
mod tests;
mod words;
mod writing;

use std::process::ExitCode;

use crds::{ClusterUpgrade, UpgradePlan};
use kube::{
    Api,
    api::{Patch, PatchParams},
};

use super::{
    hub::{Hub, HubArgs},
    output::{complain, print},
    question, subject,
};
use crate::{clock::real_now, controller::FIELD_MANAGER};
use confirm::Course;
use edit::{Edit, Kind, Refusal, edits};
use subject::Known;
use writing::{Ended, Writing};

/// What a verb does, and to what.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// An UpgradePlan (not for `skip`), a ClusterUpgrade, or an AKSCluster, whose upgrade is meant then.
    name: String,
    #[command(flatten)]
    common: Common,
}

/// As [`Args`], with the pool that is meant.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct PoolArgs {
    /// A ClusterUpgrade, or an AKSCluster, whose upgrade is meant then.
    name: String,
    /// The node pool that returns to the version and image that it had before.
    pool: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Clone, Debug)]
struct Common {
    #[command(flatten)]
    hub: HubArgs,
    /// Says what would be edited and what that would do now, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask before something is disrupted.
    #[arg(short, long)]
    yes: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Suspend,
    Resume,
    Retry,
    Skip,
    Abort,
    Rollback { pool: String },
}

/// Carries out a verb that needs no more than a name.
pub(super) async fn run(verb: Verb, args: Args) -> anyhow::Result<ExitCode> {
    carry_out(&verb, &args.name, &args.common).await
}

/// Carries out a rollback.
pub(super) async fn rollback(args: PoolArgs) -> anyhow::Result<ExitCode> {
    carry_out(&Verb::Rollback { pool: args.pool }, &args.name, &args.common).await
}

async fn carry_out(verb: &Verb, name: &str, common: &Common) -> anyhow::Result<ExitCode> {
    let hub = common.hub.connect().await?;
    let token = real_now().to_string();
    let read = async || {
        let known = Known { plans: hub.plans().await?, upgrades: hub.upgrades().await? };
        anyhow::Ok(edits(verb, name, &token, (&known, &hub.namespace)))
    };
    let edits = match read().await? {
        Ok(edits) => edits,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    if let Some(end) = agree(&edits, common)? {
        return Ok(end);
    }
    let mut writing = Writing::of(edits);
    let ended = writing.carry_out(read, async |edit: &Edit| write(&hub, edit).await).await;
    let so_far = writing.so_far();
    let why = match ended {
        Ok(Ended::Written) => return Ok(ExitCode::SUCCESS),
        Ok(Ended::Changed) => {
            format!("{name} has changed meanwhile: look again (tidegate explain {name} -n {})", hub.namespace)
        }
        Ok(Ended::Refused(refusal)) => refusal.words,
        Ok(Ended::Busy) => format!("{name} changes all the time: try again"),
        Err(error) => return Err(error.context(so_far)),
    };
    complain(&format!("tidegate: {why}; {so_far}"));
    Ok(ExitCode::FAILURE)
}

fn refused(refusal: &Refusal) -> ExitCode {
    complain(&format!("tidegate: {}", refusal.words));
    if refusal.is_wrong_use { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// Says what is about to be edited, and asks where that disrupts. `Some` ends it there.
fn agree(edits: &[Edit], common: &Common) -> anyhow::Result<Option<ExitCode>> {
    let course = Course::of(edits, (common.dry_run, common.yes), question::is_possible());
    print(&course.announced(edits));
    let ended = match course {
        Course::Write => return Ok(None),
        Course::Ask if question::ask("Go on?")? => return Ok(None),
        Course::Ask => ExitCode::from(2),
        Course::Unasked => {
            complain(
                "tidegate: this disrupts what runs, and nobody can be asked without a terminal: add --yes, or look first with --dry-run",
            );
            ExitCode::from(2)
        }
        Course::Shown | Course::Done => ExitCode::SUCCESS,
    };
    print("nothing was changed\n");
    Ok(Some(ended))
}

/// Writes one edit, if its object is as it was read.
async fn write(hub: &Hub, edit: &Edit) -> Result<(), kube::Error> {
    let patch = Patch::Merge(edit.patch());
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match edit.kind {
        Kind::Plan => {
            let api: Api<UpgradePlan> = hub.api();
            api.patch(&edit.name, &params, &patch).await.map(|_| ())
        }
        Kind::Upgrade => {
            let api: Api<ClusterUpgrade> = hub.api();
            api.patch(&edit.name, &params, &patch).await.map(|_| ())
        }
    }
}
