//! Writes how a plan stands, from its ClusterUpgrades.

use crds::{ClusterCounts, ClusterUpgrade, PlanSummary, UpgradePlan, UpgradePlanStatus, WaveStatus};
use engine::{Clock as _, MemberState, Stance, Wave, WaveState, decide_rollout};
use kube::{Api, Resource, ResourceExt, api::PostParams};

use super::{
    Error, Hindrance,
    member::{is_stopped, member},
    observe::Observed,
};
use crate::{
    context::{Context, bounded},
    controller::{FIELD_MANAGER, Standing, conditions_of},
};

/// Writes the status if anything in it has changed.
pub(super) async fn record(
    context: &Context,
    observed: &Observed,
    hindrance: Option<&Hindrance>,
) -> Result<(), Error> {
    let before = observed.plan.status.clone().unwrap_or_default();
    let waves = observed.waves();
    let states = decide_rollout(&waves, observed.plan.spec.suspend).waves;
    let standing = standing(observed, &waves, &states, hindrance);
    let status = next_status(context, &observed.plan, &before, &waves, &states, &standing);
    let (namespace, name) = (observed.plan.namespace().unwrap_or_default(), observed.plan.name_any());
    context.metrics.standing("UpgradePlan", format!("{namespace}/{name}"), Some(&standing.reason));
    if observed.plan.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let api: Api<UpgradePlan> = Api::namespaced(context.hub.clone(), &namespace);
    let next = UpgradePlan { status: Some(status.clone()), ..observed.plan.clone() };
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    api.replace_status(&name, &params, &next).await.map_err(Error::write("the status of the plan"))?;
    tell(context, &observed.plan, &before, &status).await;
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
            context.publish(&about, wave.state == "Stopped", &format!("Wave{}", wave.state), &note).await;
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

fn standing(
    observed: &Observed,
    waves: &[Wave],
    states: &[WaveState],
    hindrance: Option<&Hindrance>,
) -> Standing {
    let stands = |stance, reason: &str, message: String| Standing {
        stance,
        reason: reason.to_owned(),
        message: bounded(&message, 4000),
    };
    match hindrance {
        Some(Hindrance::Invalid(fields)) => {
            let words: Vec<String> = fields.iter().take(5).map(ToString::to_string).collect();
            return stands(Some(Stance::Stopped), "InvalidSpec", words.join("; "));
        }
        Some(Hindrance::Inventory(clusters)) => {
            let few: Vec<&str> = clusters.iter().take(5).map(String::as_str).collect();
            let message = format!("what Azure offers is not known yet for {}", few.join(", "));
            return stands(Some(Stance::Working), "WaitingForInventory", message);
        }
        Some(Hindrance::EarlierRollout(upgrade)) => {
            let message = format!(
                "the plan was changed: ClusterUpgrade {} finishes its step first",
                upgrade.name_any()
            );
            return match upgrade.status.as_ref().and_then(|status| status.summary.as_ref()) {
                Some(summary) if is_stopped(upgrade) => stands(
                    Some(Stance::Stopped),
                    &summary.reason,
                    format!("{message}, which has stopped: {}", summary.message),
                ),
                Some(_) | None => stands(Some(Stance::Working), "WaitingForEarlierRollout", message),
            };
        }
        Some(Hindrance::Taken(name)) => {
            let message = format!(
                "ClusterUpgrade {name} is there and not of this plan: it goes by itself if it is left of a deleted plan of the same name, else delete it"
            );
            return stands(Some(Stance::Working), "WaitingForEarlierRollout", message);
        }
        Some(Hindrance::NotLeading) | None => {}
    }
    if !observed.rollout().is_some_and(|rollout| rollout.members_recorded) {
        return stands(Some(Stance::Working), "Initializing", "the rollout is being prepared".to_owned());
    }
    if let Some(stopped) = first_stopped(observed) {
        let summary = stopped.status.as_ref().and_then(|status| status.summary.as_ref());
        let (reason, message) =
            summary.map_or(("Stopped", ""), |summary| (&summary.reason, &summary.message));
        let cluster = &stopped.spec.cluster_ref.name;
        return stands(Some(Stance::Stopped), reason, format!("cluster {cluster}: {message}"));
    }
    if let Some(wave) = waves.iter().find(|wave| wave.missing > 0) {
        let message = format!(
            "a ClusterUpgrade of wave {} was deleted or cannot be read, and what became of its cluster is not known: change the plan (leave the cluster out, or rename a wave) to start another rollout",
            wave.name
        );
        return stands(Some(Stance::Stopped), "MemberMissing", message);
    }
    let present = states.iter().position(|state| *state != WaveState::Succeeded);
    match present {
        None => stands(None, "Succeeded", "every cluster is at its target".to_owned()),
        Some(_) if observed.plan.spec.suspend => {
            stands(Some(Stance::Parked), "Suspended", "suspended: spec.suspend is true".to_owned())
        }
        Some(index) if states[index] == WaveState::Soaking => stands(
            Some(Stance::Parked),
            "Soaking",
            format!("wave {} is watched for its soak time", waves[index].name),
        ),
        Some(index) => stands(
            Some(Stance::Working),
            "RollingOut",
            format!("wave {} is being upgraded", waves[index].name),
        ),
    }
}

fn first_stopped(observed: &Observed) -> Option<&ClusterUpgrade> {
    observed
        .members()
        .filter(|upgrade| member(upgrade).state == MemberState::Stopped)
        .min_by_key(|upgrade| upgrade.name_any())
}

fn next_status(
    context: &Context,
    plan: &UpgradePlan,
    before: &UpgradePlanStatus,
    waves: &[Wave],
    states: &[WaveState],
    standing: &Standing,
) -> UpgradePlanStatus {
    let started = before.rollout.as_ref().is_some_and(|rollout| rollout.members_recorded);
    let (done, all) = waves.iter().fold((0, 0), |(done, all), wave| {
        (done + wave.count(MemberState::Succeeded), all + wave.members.len())
    });
    let present = states.iter().position(|state| *state != WaveState::Succeeded);
    let phase = match standing.stance {
        Some(Stance::Working) if standing.reason == "RollingOut" => "RollingOut",
        Some(_) | None => standing.phase(),
    };
    UpgradePlanStatus {
        observed_generation: plan.metadata.generation,
        rollout: before.rollout.clone(),
        waves: if started { waves.iter().zip(states).map(wave_status).collect() } else { Vec::new() },
        summary: Some(PlanSummary {
            phase: phase.to_owned(),
            reason: standing.reason.clone(),
            message: standing.message.clone(),
            progress: format!("{done}/{all}"),
            wave: present
                .and_then(|index| waves.get(index))
                .map(|wave| wave.name.clone())
                .unwrap_or_default(),
        }),
        conditions: conditions_of(&before.conditions, standing, plan.metadata.generation, context.now()),
    }
}

fn wave_status((wave, state): (&Wave, &WaveState)) -> WaveStatus {
    let count = |state| i32::try_from(wave.count(state)).unwrap_or(i32::MAX);
    WaveStatus {
        name: wave.name.clone(),
        state: state.to_string(),
        clusters: ClusterCounts {
            total: i32::try_from(wave.members.len()).unwrap_or(i32::MAX),
            waiting: count(MemberState::Waiting),
            running: count(MemberState::Running),
            soaking: count(MemberState::Soaking),
            stopped: count(MemberState::Stopped),
            succeeded: count(MemberState::Succeeded),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::member::tests::{stands, upgrade},
        *,
    };
    use engine::{Member, Share};
    use serde_json::{Value, json};

    fn observed(members_recorded: bool, upgrades: Vec<ClusterUpgrade>) -> Observed {
        let plan = json!({
            "apiVersion": "tidegate.dev/v1alpha1", "kind": "UpgradePlan", "metadata": {"name": "p"},
            "spec": {"target": {"scope": "NodeImage"}, "waves": [{"name": "w", "clusters": {"names": ["a"]}}]},
            "status": {"rollout": {"id": "p-1", "number": 1, "planHash": "0", "target": {},
                "startedAt": "2026-12-05T22:00:00Z", "membersRecorded": members_recorded}}
        });
        Observed { plan: serde_json::from_value(plan).unwrap(), clusters: Vec::new(), upgrades }
    }

    fn told(observed: &Observed, hindrance: Option<&Hindrance>) -> (&'static str, String, String) {
        let waves = observed.waves();
        let states = decide_rollout(&waves, observed.plan.spec.suspend).waves;
        let standing = standing(observed, &waves, &states, hindrance);
        (standing.phase(), standing.reason, standing.message)
    }

    #[test]
    fn how_a_plan_stands() {
        let (phase, reason, _) = told(&observed(false, Vec::new()), None);
        assert_eq!((phase, reason.as_str()), ("Working", "Initializing"), "no members yet is not all done");
        let running = vec![upgrade("a", true, &json!({}))];
        assert_eq!(told(&observed(true, running), None).1, "RollingOut");
        let soaking = vec![upgrade("a", true, &stands("Parked", "Soaking"))];
        assert_eq!(told(&observed(true, soaking), None).0, "Parked");
        let stopped = ["b", "a"].map(|name| upgrade(name, true, &stands("Stopped", "DrainBlocked")));
        let (phase, reason, message) = told(&observed(true, stopped.into()), None);
        assert_eq!(
            (phase, reason.as_str(), message.as_str()),
            ("Stopped", "DrainBlocked", "cluster a: because")
        );
        let done = vec![upgrade("a", true, &json!({"finishedAt": "2026-12-05T23:00:00Z"}))];
        assert_eq!(told(&observed(true, done), None).0, "Succeeded");
        let mut suspended = observed(true, vec![upgrade("a", false, &json!({}))]);
        suspended.plan.spec.suspend = true;
        assert_eq!(told(&suspended, None).1, "Suspended");
    }

    #[test]
    fn what_hinders_a_plan_comes_first() {
        let observed = observed(true, Vec::new());
        let earlier = |status: &Value| Hindrance::EarlierRollout(Box::new(upgrade("a", true, status)));
        let (phase, reason, _) = told(&observed, Some(&earlier(&json!({}))));
        assert_eq!((phase, reason.as_str()), ("Working", "WaitingForEarlierRollout"));
        let (phase, reason, message) = told(&observed, Some(&earlier(&stands("Stopped", "GateFailed"))));
        assert_eq!((phase, reason.as_str()), ("Stopped", "GateFailed"), "it would wait for ever: {message}");
        assert_eq!(told(&observed, Some(&Hindrance::Taken("p-1-a".to_owned()))).0, "Working");
        let unknown = Hindrance::Inventory(vec!["a".to_owned()]);
        assert_eq!(told(&observed, Some(&unknown)).1, "WaitingForInventory");
    }

    #[test]
    fn a_wave_counts_its_clusters() {
        let members = [MemberState::Running, MemberState::Stopped, MemberState::Stopped];
        let wave = Wave {
            missing: 0,
            name: "w".to_owned(),
            max_concurrent: Share::Number(1),
            members: members.map(|state| Member { name: String::new(), state }).into(),
        };
        let ClusterCounts { total, waiting, running, soaking, stopped, succeeded } =
            wave_status((&wave, &WaveState::Stopped)).clusters;
        assert_eq!((total, waiting, running, soaking, stopped, succeeded), (3, 0, 1, 0, 2, 0));
    }
}
