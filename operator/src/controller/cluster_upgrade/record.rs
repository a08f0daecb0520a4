//! Writes the ledger and how it stands, guarded by the version that was read; publishes what changed.

use azure_mgmt_containerservice::ClusterId;
use crds::{AKSCluster, ClusterUpgrade, ClusterUpgradeStatus, LEAVE_SETTINGS_ANNOTATION, Summary};
use engine::{
    Clock as _, Freeze, Journal, Ledger, Outlay, Restore, Schedule, Stance, StepRecord, StepState, WaitingOn,
};
use kube::{Api, Resource, ResourceExt, api::PostParams};

use super::{Ahead, CONTROLLED, ahead, estimates};
use crate::{
    context::Context,
    controller::{FIELD_MANAGER, SKIPPED, Standing, conditions_of},
    timing,
};

/// The reason of a step that is about to be sent.
const SENDING: &str = "SendingStep";
/// How long `status.summary.message` may be, in bytes.
const MESSAGE_LIMIT: usize = 4000;

/// Keeps the ledger in the status of a ClusterUpgrade.
pub(super) struct StatusJournal<'a> {
    context: &'a Context,
    /// As last read or written: its resourceVersion guards the next write.
    stored: ClusterUpgrade,
    /// The cluster in Azure, where it is known.
    cluster: Option<ClusterId>,
    /// Its registration, where a step may be sent.
    registration: Option<AKSCluster>,
    /// When its steps may start, where it is told when it will have ended.
    schedule: Option<Schedule>,
    /// Whether only what was changed is put back, since the upgrade or its AKSCluster is deleted.
    leaving: bool,
}

impl<'a> StatusJournal<'a> {
    pub(super) fn new(context: &'a Context, upgrade: &ClusterUpgrade) -> Self {
        Self {
            context,
            stored: upgrade.clone(),
            cluster: None,
            registration: None,
            schedule: None,
            leaving: false,
        }
    }

    /// Of an upgrade that begins on this cluster, or has.
    pub(super) fn on(self, cluster: &ClusterId, registration: Option<&AKSCluster>) -> Self {
        Self { cluster: Some(cluster.clone()), registration: registration.cloned(), ..self }
    }

    /// Tells when it will probably have ended.
    pub(super) fn forecasting(self, schedule: &Schedule) -> Self {
        Self { schedule: Some(schedule.clone()), ..self }
    }

    /// Of an upgrade that only puts back what it has changed: it, or its AKSCluster, is deleted.
    pub(super) fn leaving(context: &'a Context, upgrade: &ClusterUpgrade) -> Self {
        Self { leaving: true, ..Self::new(context, upgrade) }
    }

    /// The upgrade as last read or written.
    pub(super) fn upgrade(&self) -> &ClusterUpgrade {
        &self.stored
    }

    /// Writes if anything differs from what is stored.
    pub(super) async fn record(
        &mut self,
        ledger: &Ledger,
        waiting: Option<&WaitingOn>,
    ) -> Result<(), kube::Error> {
        let before = self.stored.status.clone().unwrap_or_default();
        let standing = if self.leaving { leaving(waiting) } else { standing(ledger, waiting) };
        let mut status = next_status(&self.stored, &before, ledger, &standing, self.context.now());
        if let Some(summary) = &mut status.summary {
            let shown = before.summary.as_ref().and_then(|summary| summary.eta);
            let now = self.context.now();
            summary.eta = engine::steady_eta(shown, self.eta(ledger, waiting, now), now);
            summary.next_attempt = next_attempt(waiting);
        }
        if ledger.started_at.is_some() && status.azure_cluster.is_none() {
            status.azure_cluster = self.cluster.as_ref().map(super::validate::short_name);
        }
        if self.stored.status.as_ref() == Some(&status) {
            // A process that has just started knows of no standing yet.
            self.count();
            return Ok(());
        }
        let name = self.stored.name_any();
        let api: Api<ClusterUpgrade> =
            Api::namespaced(self.context.hub.clone(), &self.stored.namespace().unwrap_or_default());
        let mut next = self.stored.clone();
        next.status = Some(status);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        self.stored = api.replace_status(&name, &params, &next).await?;
        let after = next.status.unwrap_or_default();
        self.tell(&before, &after).await;
        if let Some(registration) = &self.registration {
            estimates::learn(self.context, &self.stored, registration, (&before.ledger, &after.ledger)).await;
        }
        Ok(())
    }

    /// When it will probably have ended, by what its cluster looked like last.
    fn eta(
        &self,
        ledger: &Ledger,
        waiting: Option<&WaitingOn>,
        now: jiff::Timestamp,
    ) -> Option<jiff::Timestamp> {
        let (schedule, registration) = (self.schedule.as_ref()?, self.registration.as_ref()?);
        let Ahead { seen: cluster, policy, steps } =
            ahead(&self.stored.spec, registration.status.as_ref()?, now)?;
        let outlay = Outlay { cluster, policy: &policy, schedule, steps: &steps };
        outlay.end_of_upgrade(ledger, waiting, now)
    }

    /// Counts the upgrade by what it waits on, as stored.
    pub(super) fn count(&self) {
        let object = format!("{}/{}", self.stored.namespace().unwrap_or_default(), self.stored.name_any());
        let summary = self.stored.status.as_ref().and_then(|status| status.summary.as_ref());
        let reason = summary.map(|summary| summary.reason.as_str());
        self.context.metrics.standing(CONTROLLED.kind, object, reason);
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
        let refused = after.ledger.control.refused.as_ref();
        if let Some(refused) = refused.filter(|_| before.ledger.control.refused.as_ref() != refused) {
            tracing::info!(upgrade = %self.stored.name_any(), "{refused}");
            self.context.publish(&about, true, "NotDone", refused).await;
        }
        for (warning, reason, note) in settings_events(&before.ledger, &after.ledger) {
            tracing::info!(upgrade = %self.stored.name_any(), "{note}");
            self.context.publish(&about, warning, reason, &note).await;
        }
        self.count();
        let (Some(now), was) = (&after.summary, &before.summary) else { return };
        if was.as_ref().is_none_or(|was| (&was.reason, &was.message) != (&now.reason, &now.message)) {
            tracing::info!(upgrade = %self.stored.name_any(), reason = %now.reason, "{}", now.message);
            // That a step begins has an event of its own.
            if now.reason != SENDING {
                self.context.publish(&about, now.phase == "Stopped", &now.reason, &now.message).await;
            }
        }
    }
}

impl Journal for StatusJournal<'_> {
    type Error = kube::Error;

    async fn save(&mut self, ledger: &Ledger, waiting: Option<&WaitingOn>) -> Result<(), kube::Error> {
        self.record(ledger, waiting).await
    }

    async fn freezes(&mut self) -> Result<Vec<Freeze>, kube::Error> {
        match &self.registration {
            Some(cluster) => timing::freezes(&self.context.hub, cluster, self.context.now()).await,
            // Only what was changed is put back.
            None => Ok(Vec::new()),
        }
    }
}

fn next_status(
    upgrade: &ClusterUpgrade,
    before: &ClusterUpgradeStatus,
    ledger: &Ledger,
    standing: &Standing,
    now: jiff::Timestamp,
) -> ClusterUpgradeStatus {
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
            message: standing.in_words(MESSAGE_LIMIT),
            progress: format!("{done}/{all}"),
            since,
            next_attempt: None,
            eta: None,
        }),
        azure_cluster: before.azure_cluster.clone(),
        ledger: ledger.clone(),
        conditions: conditions_of(&before.conditions, standing, upgrade.metadata.generation, now),
    }
}

/// When a wait passes by itself. Not of calls that are held back: they are let through in seconds, and each look would
/// be a write.
fn next_attempt(waiting: Option<&WaitingOn>) -> Option<jiff::Timestamp> {
    waiting.filter(|waiting| !matches!(waiting, WaitingOn::HeldBack { .. }))?.passes_at()
}

/// How an upgrade stands, from what it waits on.
fn standing(ledger: &Ledger, waiting: Option<&WaitingOn>) -> Standing {
    let (stance, reason, message) = match waiting {
        Some(waiting) => (Some(waiting.stance()), waiting.reason(), waiting.to_string()),
        None if ledger.is_skipped() => {
            let message = "left out of the rollout as asked for (annotation tidegate.dev/skip)";
            (None, SKIPPED, message.to_owned())
        }
        None if ledger.finished_at.is_some() => {
            let message =
                if ledger.steps.is_empty() { "there was nothing to do" } else { "all steps are done" };
            (None, "Succeeded", message.to_owned())
        }
        None => (Some(Stance::Working), "Initializing", "the first decision is being made".to_owned()),
    };
    let is_restoring = matches!(waiting, Some(WaitingOn::RestoringSettings { .. }));
    let kept = if stance == Some(Stance::Stopped) && !is_restoring { kept(ledger) } else { String::new() };
    let besides = [kept, not_done(ledger)].into_iter().filter(|words| !words.is_empty());
    Standing { stance, reason: reason.to_owned(), message, besides: besides.collect::<Vec<_>>().join("; ") }
}

/// How an upgrade stands that puts back what it has changed, and does nothing else any more.
fn leaving(waiting: Option<&WaitingOn>) -> Standing {
    match waiting {
        Some(waiting) => Standing {
            stance: Some(waiting.stance()),
            reason: waiting.reason().to_owned(),
            message: waiting.to_string(),
            besides: format!(
                "the deletion waits for settings to be put back, unless annotated {LEAVE_SETTINGS_ANNOTATION}=true"
            ),
        },
        None => Standing {
            stance: Some(Stance::Working),
            reason: "Deleted".to_owned(),
            message: "nothing is left to put back: it is let go".to_owned(),
            besides: String::new(),
        },
    }
}

/// What somebody, or the failure policy, has asked for in vain.
fn not_done(ledger: &Ledger) -> String {
    let policy = ledger.operation.as_ref().and_then(|operation| operation.policy_not_done.as_ref());
    ledger.control.refused.as_ref().or(policy).cloned().unwrap_or_default()
}

/// Which settings a step that has stopped still has, and for how long.
fn kept(ledger: &Ledger) -> String {
    let kept = ledger.restore.iter().map(|record| {
        let settings = record.ours.0.iter().map(|(setting, value)| format!("{}={value}", setting.name()));
        format!("{} keeps {}", record.subject(), settings.collect::<Vec<_>>().join(" "))
    });
    match kept.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        kept => format!("{kept} until its step has ended or this is deleted"),
    }
}

/// Settings that were changed, given back, or left to somebody else between two records.
fn settings_events(before: &Ledger, after: &Ledger) -> Vec<(bool, &'static str, String)> {
    let is_in = |ledger: &Ledger, record: &Restore| {
        ledger.restore.iter().any(|known| (&known.pool, &known.ours) == (&record.pool, &record.ours))
    };
    let begun = after.restore.iter().filter(|record| !is_in(before, record));
    let ended = before.restore.iter().filter(|record| !is_in(after, record));
    let left = after.left_to_others.iter().filter(|setting| !before.left_to_others.contains(setting));
    let begun = begun.map(|record| (false, "SettingsOverridden", overridden(record)));
    let ended = ended.map(|record| {
        (false, "SettingsRestored", format!("{} has no settings of this upgrade any more", record.subject()))
    });
    let left = left.map(|setting| {
        (
            true,
            "SettingsLeft",
            format!("{setting} was changed by somebody else meanwhile: it is left as it is"),
        )
    });
    begun.chain(ended).chain(left).collect()
}

/// What is changed for a step, and what it was before.
pub(crate) fn overridden(record: &Restore) -> String {
    let setting = |(setting, value): (&engine::Setting, &String)| {
        let before = record.before.0.get(setting).map_or("not set", String::as_str);
        format!("{} {value} ({before} before)", setting.name())
    };
    let settings: Vec<String> = record.ours.0.iter().map(setting).collect();
    format!("{} has for its step {}", record.subject(), settings.join(", "))
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
            let what = record.words();
            match record.state {
                StepState::Planned | StepState::Dropped => None,
                StepState::Running => {
                    let verb = if record.step.is_rollback() { "takes back" } else { "upgrades" };
                    Some((record, None, "StepStarted", format!("{verb} {what}")))
                }
                StepState::Succeeded => {
                    let verb = if record.step.is_rollback() { "took back" } else { "upgraded" };
                    Some((record, Some("succeeded"), "StepSucceeded", format!("{verb} {what}")))
                }
                StepState::Failed => {
                    let verb = record.step.verb();
                    Some((record, Some("failed"), "StepFailed", format!("could not {verb} {what}")))
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> jiff::Timestamp {
        text.parse().unwrap()
    }

    fn ledger(states: &[(&str, &str)]) -> Ledger {
        let steps: Vec<_> = states
            .iter()
            .map(|(pool, state)| json!({"pool": pool, "from": "1.34.4", "to": "1.35.3", "state": state}))
            .collect();
        serde_json::from_value(json!({ "steps": steps })).unwrap()
    }

    #[test]
    fn how_an_upgrade_stands() {
        let words = |ledger: &Ledger, waiting: Option<&WaitingOn>| {
            let standing = standing(ledger, waiting);
            let message = standing.in_words(MESSAGE_LIMIT);
            (standing.phase(), standing.reason, message)
        };
        let (phase, reason, message) = words(&Ledger::default(), Some(&WaitingOn::Suspended));
        assert_eq!(
            (phase, reason.as_str(), message.as_str()),
            ("Parked", "Suspended", "suspended: spec.suspend is true")
        );
        assert_eq!(words(&Ledger::default(), None).1, "Initializing");
        let finished_at = Some(at("2026-12-05T22:00:00Z"));
        let idle = words(&Ledger { finished_at, ..Ledger::default() }, None);
        assert_eq!((idle.0, idle.2.as_str()), ("Succeeded", "there was nothing to do"));
        let done = words(&Ledger { finished_at, ..ledger(&[("a", "Succeeded")]) }, None);
        assert_eq!(done.2, "all steps are done");
        let long = WaitingOn::InvalidSpec("ä".repeat(9000));
        assert!(words(&Ledger::default(), Some(&long)).2.len() <= 4000, "the schema allows no more");
    }

    #[test]
    fn the_same_standing_later_is_the_same_status() {
        let upgrade = ClusterUpgrade::new(
            "u",
            serde_json::from_value(json!({"clusterRef": {"name": "weu-1"}, "target": {}})).unwrap(),
        );
        let (early, late) = (at("2026-12-05T22:00:00Z"), at("2026-12-05T23:00:00Z"));
        let ledger = ledger(&[("a", "Succeeded"), ("b", "Running")]);
        let status = |before: &ClusterUpgradeStatus, waiting: &WaitingOn, now| {
            next_status(&upgrade, before, &ledger, &standing(&ledger, Some(waiting)), now)
        };
        let before = status(&ClusterUpgradeStatus::default(), &WaitingOn::Suspended, early);
        assert_eq!(status(&before, &WaitingOn::Suspended, late), before, "nothing is written for a poll");
        let soaking = |until| WaitingOn::Soaking(at(until));
        let first = status(&before, &soaking("2026-12-06T00:00:00Z"), late);
        let summary = first.summary.clone().unwrap();
        assert_eq!((summary.progress.as_str(), summary.since), ("1/2", late));
        assert_eq!(status(&first, &soaking("2026-12-06T01:00:00Z"), late), first, "no clock in the message");
    }

    #[test]
    fn a_step_that_has_stopped_says_which_settings_it_keeps_and_how_long() {
        let mut ledger = ledger(&[("apps", "Failed")]);
        let failure = engine::Failure::new(None, Some("UpgradeFailed"), None, "drain timed out");
        let waiting = WaitingOn::OperationFailed { step: ledger.steps[0].step.clone(), failure };
        let failed = "Azure failed to upgrade pool apps: drain timed out";
        assert_eq!(standing(&ledger, Some(&waiting)).in_words(256), failed);
        let restore = json!([
            {"pool": "apps", "ours": {"maxSurge": "33%", "drainTimeoutInMinutes": "45"}},
            {"ours": {"forceUpgrade": "true"}}
        ]);
        ledger.restore = serde_json::from_value(restore).unwrap();
        let kept = "pool apps keeps maxSurge=33% drainTimeoutInMinutes=45, the cluster keeps forceUpgrade=true \
            until its step has ended or this is deleted";
        assert_eq!(standing(&ledger, Some(&waiting)).in_words(256), format!("{failed}; {kept}"));
        let soaking = WaitingOn::Soaking(at("2026-12-05T22:00:00Z"));
        assert!(standing(&ledger, Some(&soaking)).besides.is_empty(), "only where a person is waited for");
        let restoring = WaitingOn::restoring(&ledger.restore[0]);
        assert!(
            leaving(Some(&restoring)).in_words(256).ends_with("annotated tidegate.dev/leave-settings=true")
        );
    }

    #[test]
    fn events_tell_of_settings() {
        let none = Ledger::default();
        let record = json!({"pool": "apps", "ours": {"maxSurge": "33%", "drainTimeoutInMinutes": "45"},
            "before": {"maxSurge": "10%"}});
        let changed: Ledger = serde_json::from_value(json!({ "restore": [record] })).unwrap();
        assert_eq!(
            settings_events(&none, &changed),
            [(
                false,
                "SettingsOverridden",
                "pool apps has for its step maxSurge 33% (10% before), drainTimeoutInMinutes 45 (not set before)"
                    .to_owned()
            )]
        );
        let mut sent = changed.clone();
        sent.restore[0].sent_at = Some(at("2026-12-05T22:00:00Z"));
        assert!(settings_events(&changed, &sent).is_empty());
        let left = Ledger { left_to_others: vec!["maxSurge of pool apps".to_owned()], ..Ledger::default() };
        let reasons: Vec<_> = settings_events(&sent, &left).into_iter().map(|event| event.1).collect();
        assert_eq!(reasons, ["SettingsRestored", "SettingsLeft"]);
    }

    #[test]
    fn events_tell_what_changed_between_two_records() {
        let reasons = |before: &[(&str, &str)], after: &[(&str, &str)]| -> Vec<(String, Option<&str>)> {
            let after = ledger(after);
            let events = step_events(&ledger(before), &after).into_iter();
            events.map(|(_, outcome, reason, note)| (format!("{reason}: {note}"), outcome)).collect()
        };
        assert!(reasons(&[], &[("a", "Planned")]).is_empty(), "a plan is no event");
        assert!(reasons(&[("a", "Running")], &[("a", "Running"), ("b", "Planned")]).is_empty());
        assert_eq!(
            reasons(&[("a", "Running"), ("b", "Planned")], &[("a", "Succeeded"), ("b", "Running")]),
            [
                ("StepSucceeded: upgraded pool a from 1.34.4 to 1.35.3".to_owned(), Some("succeeded")),
                ("StepStarted: upgrades pool b from 1.34.4 to 1.35.3".to_owned(), None),
            ]
        );
        let failed = reasons(&[("a", "Running")], &[("a", "Failed")]);
        assert_eq!(
            failed,
            [("StepFailed: could not upgrade pool a from 1.34.4 to 1.35.3".to_owned(), Some("failed"))]
        );
        assert_eq!(reasons(&[("a", "Failed")], &[("a", "Running")])[0].1, None, "a retry starts it again");
    }
}
