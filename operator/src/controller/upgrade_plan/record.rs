//! Writes how a plan stands, from its ClusterUpgrades.

use crds::{PlanSummary, UpgradePlan, UpgradePlanStatus};
use engine::{MemberState, RolloutMember, RolloutRecord, Stance, Wave, WaveState, remember};
use kube::{Api, Resource, ResourceExt, api::PostParams};

use super::{
    Error,
    forecast::{self, Schedules},
    membership::membership,
    standing::standing,
    waits,
    waves::Shown,
};
use crate::{
    context::Context,
    controller::{FIELD_MANAGER, Standing, conditions_of},
};

/// How long a summary's message may be, in bytes.
const MESSAGE: usize = 2000;

/// Writes the status if anything in it has changed.
pub(super) async fn record(context: &Context, shown: &Shown<'_>, schedules: &Schedules) -> Result<(), Error> {
    let plan = shown.plan;
    let before = plan.status.clone().unwrap_or_default();
    let waves = shown.progress.waves(shown.request, shown.now);
    let states = shown.progress.decide(shown.request, shown.now).waves;
    let standing = standing(plan.spec.suspend, (&waves, &states), shown.progress, shown.watching);
    let mut status = next_status(&before, shown, (&waves, &states), &standing);
    if let Some(summary) = &mut status.summary {
        let eta = forecast::eta(shown, (&waves, &states), &standing, schedules);
        let known = before.summary.as_ref().and_then(|summary| summary.eta);
        summary.eta = engine::steady_eta(known, eta, shown.now);
        let watched = shown.watching.and_then(|watching| watching.next);
        summary.next_attempt = watched.or_else(|| waits::next_attempt(shown.progress));
    }
    if let Some(rollout) = &before.rollout {
        remember(&mut status.history, RolloutRecord::of(rollout, &shown.progress.upgrades, None));
    }
    let (namespace, name) = (plan.namespace().unwrap_or_default(), plan.name_any());
    context.metrics.standing("UpgradePlan", format!("{namespace}/{name}"), Some(&standing.reason));
    if plan.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let api: Api<UpgradePlan> = Api::namespaced(context.hub.clone(), &namespace);
    let next = UpgradePlan { status: Some(status.clone()), ..plan.clone() };
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    api.replace_status(&name, &params, &next).await.map_err(Error::write("the status of the plan"))?;
    tell(context, plan, &before, &status).await;
    Ok(())
}

async fn tell(context: &Context, plan: &UpgradePlan, before: &UpgradePlanStatus, after: &UpgradePlanStatus) {
    let about = plan.object_ref(&());
    for wave in &after.waves {
        let was = before.waves.iter().find(|known| known.name == wave.name).map(|known| &known.state);
        if was != Some(&wave.state) && wave.state != "Pending" {
            let note = format!(
                "wave {}: {} of {} clusters done",
                wave.name, wave.clusters.succeeded, wave.clusters.total
            );
            let warning = matches!(wave.state.as_str(), "Stopped" | "CompletedWithFailures");
            context.publish(&about, warning, &format!("Wave{}", wave.state), &note).await;
        }
    }
    let words = |status: &UpgradePlanStatus| {
        status.summary.as_ref().map(|summary| (summary.reason.clone(), summary.message.clone()))
    };
    if let (true, Some((reason, message))) = (words(before) != words(after), words(after)) {
        let stopped = after.summary.as_ref().is_some_and(|summary| summary.phase == "Stopped");
        tracing::info!(plan = %plan.name_any(), %reason, "{message}");
        context.publish(&about, stopped, &reason, &message).await;
    }
}

fn next_status(
    before: &UpgradePlanStatus,
    shown: &Shown<'_>,
    (waves, states): (&[Wave], &[WaveState]),
    standing: &Standing,
) -> UpgradePlanStatus {
    let plan = shown.plan;
    let started = before.rollout.as_ref().is_some_and(|rollout| rollout.members_recorded);
    let (done, all) = waves.iter().fold((0, 0), |(done, all), wave| {
        let left = wave.count(MemberState::Left);
        (done + wave.count(MemberState::Succeeded), all + wave.members.len() - left)
    });
    let present = states.iter().position(|state| !state.is_done());
    let phase = match standing.stance {
        Some(Stance::Working) if standing.reason == "RollingOut" => "RollingOut",
        Some(_) | None => standing.phase(),
    };
    let members: Vec<&RolloutMember> = shown.progress.members().collect();
    UpgradePlanStatus {
        observed_generation: plan.metadata.generation,
        rollout: before.rollout.clone(),
        waves: match started {
            true => waves.iter().zip(states).map(|(wave, state)| shown.wave(wave, *state)).collect(),
            false => Vec::new(),
        },
        membership: membership(plan, shown.clusters, &members).filter(|_| started),
        summary: Some(PlanSummary {
            phase: phase.to_owned(),
            reason: standing.reason.clone(),
            message: standing.in_words(MESSAGE),
            progress: format!("{done}/{all}"),
            wave: present
                .and_then(|index| waves.get(index))
                .map(|wave| wave.name.clone())
                .unwrap_or_default(),
            next_attempt: None,
            eta: None,
        }),
        history: before.history.clone(),
        conditions: conditions_of(&before.conditions, standing, plan.metadata.generation, shown.now),
    }
}
