//! Writes the ledger and how it stands, guarded by the version that was read; publishes what changed.

use crds::{ClusterUpgrade, ClusterUpgradeStatus, Summary};
use engine::{Clock as _, Journal, Ledger, Stance, StepRecord, StepState, WaitingOn};
use kube::{Api, Resource, ResourceExt, api::PostParams};

use crate::{
    context::{Context, bounded},
    controller::{FIELD_MANAGER, Standing, conditions_of},
};

/// Keeps the ledger in the status of a ClusterUpgrade.
pub(super) struct StatusJournal<'a> {
    context: &'a Context,
    /// As last read or written: its resourceVersion guards the next write.
    stored: ClusterUpgrade,
}

impl<'a> StatusJournal<'a> {
    pub(super) fn new(context: &'a Context, upgrade: &ClusterUpgrade) -> Self {
        Self { context, stored: upgrade.clone() }
    }

    /// Writes if anything differs from what is stored.
    pub(super) async fn record(
        &mut self,
        ledger: &Ledger,
        waiting: Option<&WaitingOn>,
    ) -> Result<(), kube::Error> {
        let before = self.stored.status.clone().unwrap_or_default();
        let status = next_status(&self.stored, &before, ledger, waiting, self.context.now());
        if self.stored.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let name = self.stored.name_any();
        let api: Api<ClusterUpgrade> =
            Api::namespaced(self.context.hub.clone(), &self.stored.namespace().unwrap_or_default());
        let mut next = self.stored.clone();
        next.status = Some(status);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        self.stored = api.replace_status(&name, &params, &next).await?;
        self.tell(&before, &next.status.unwrap_or_default()).await;
        Ok(())
    }

    /// Events that read like a diary, metrics and a log line, for what has changed.
    async fn tell(&self, before: &ClusterUpgradeStatus, after: &ClusterUpgradeStatus) {
        let about = self.stored.object_ref(&());
        for (record, outcome, reason, note) in step_events(&before.ledger, &after.ledger) {
            tracing::info!(upgrade = %self.stored.name_any(), step = %record.id, "{note}");
            self.context.publish(&about, outcome == Some("failed"), reason, &note).await;
            if let Some(outcome) = outcome {
                self.context.metrics.step(record.step.kind, outcome);
            }
        }
        let (Some(now), was) = (&after.summary, &before.summary) else { return };
        let object = format!("{}/{}", self.stored.namespace().unwrap_or_default(), self.stored.name_any());
        self.context.metrics.standing("ClusterUpgrade", object, Some(&now.reason));
        if was.as_ref().is_none_or(|was| (&was.reason, &was.message) != (&now.reason, &now.message)) {
            tracing::info!(upgrade = %self.stored.name_any(), reason = %now.reason, "{}", now.message);
            self.context.publish(&about, now.phase == "Stopped", &now.reason, &now.message).await;
        }
    }
}

impl Journal for StatusJournal<'_> {
    type Error = kube::Error;

    async fn save(&mut self, ledger: &Ledger, waiting: Option<&WaitingOn>) -> Result<(), kube::Error> {
        self.record(ledger, waiting).await
    }
}

fn next_status(
    upgrade: &ClusterUpgrade,
    before: &ClusterUpgradeStatus,
    ledger: &Ledger,
    waiting: Option<&WaitingOn>,
    now: jiff::Timestamp,
) -> ClusterUpgradeStatus {
    let standing = standing(ledger, waiting);
    let (done, all) = ledger.progress();
    let since = match &before.summary {
        Some(summary) if summary.reason == standing.reason => summary.since,
        Some(_) | None => now,
    };
    ClusterUpgradeStatus {
        observed_generation: upgrade.metadata.generation,
        summary: Some(Summary {
            phase: standing.phase().to_owned(),
            reason: standing.reason.clone(),
            message: standing.message.clone(),
            progress: format!("{done}/{all}"),
            since,
        }),
        ledger: ledger.clone(),
        conditions: conditions_of(&before.conditions, &standing, upgrade.metadata.generation, now),
    }
}

/// How an upgrade stands, from what it waits on.
fn standing(ledger: &Ledger, waiting: Option<&WaitingOn>) -> Standing {
    match waiting {
        Some(waiting) => Standing {
            stance: Some(waiting.stance()),
            reason: waiting.reason().to_owned(),
            message: bounded(&waiting.to_string(), 4000),
        },
        None if ledger.finished_at.is_some() => {
            let message =
                if ledger.steps.is_empty() { "there was nothing to do" } else { "all steps are done" };
            Standing { stance: None, reason: "Succeeded".to_owned(), message: message.to_owned() }
        }
        None => Standing {
            stance: Some(Stance::Working),
            reason: "Initializing".to_owned(),
            message: "the first decision is being made".to_owned(),
        },
    }
}

type StepEvent<'a> = (&'a StepRecord, Option<&'static str>, &'static str, String);

/// Steps that began, succeeded or failed between two records.
fn step_events<'a>(before: &Ledger, after: &'a Ledger) -> Vec<StepEvent<'a>> {
    let state_before = |id: &str| {
        before.steps.iter().find(|record| record.id == id).map_or(StepState::Planned, |record| record.state)
    };
    after
        .steps
        .iter()
        .filter(|record| record.state != state_before(&record.id))
        .filter_map(|record| {
            let step = &record.step;
            let what = format!("{} from {} to {}", step.subject(), step.from, step.to);
            match record.state {
                StepState::Planned => None,
                StepState::Running => Some((record, None, "StepStarted", format!("upgrades {what}"))),
                StepState::Succeeded => {
                    Some((record, Some("succeeded"), "StepSucceeded", format!("upgraded {what}")))
                }
                StepState::Failed => {
                    Some((record, Some("failed"), "StepFailed", format!("could not upgrade {what}")))
                }
            }
        })
        .collect()
}
