//! Writes how a plan stands, from its ClusterUpgrades.

use crds::{ClusterCounts, PlanSummary, UpgradePlan, UpgradePlanStatus, WaveStatus};
use engine::{Clock as _, MemberState, Obstacle, RolloutMember, Stance, Wave, WaveState, decide_rollout};
use kube::{Api, Resource, ResourceExt, api::PostParams};

use super::{Error, Invalid, Progress};
use crate::{
    context::{Context, bounded},
    controller::{FIELD_MANAGER, Standing, conditions_of},
};

/// Writes the status if anything in it has changed.
pub(super) async fn record(
    context: &Context,
    plan: &UpgradePlan,
    waves: &[Wave],
    progress: &Progress,
) -> Result<(), Error> {
    let before = plan.status.clone().unwrap_or_default();
    let states = decide_rollout(waves, plan.spec.suspend).waves;
    let standing = standing(plan.spec.suspend, waves, &states, progress);
    let status = next_status(context, plan, &before, waves, &states, &standing);
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

fn standing(suspend: bool, waves: &[Wave], states: &[WaveState], progress: &Progress) -> Standing {
    if let Some(obstacle) = &progress.obstacle {
        return hindered(obstacle);
    }
    if !progress.rollout.as_ref().is_some_and(|rollout| rollout.members_recorded) {
        return stands(Some(Stance::Working), "Initializing", "the rollout is being prepared");
    }
    if let Some(stopped) = first_stopped(progress) {
        let standing = stopped.standing.as_ref();
        let (reason, message) =
            standing.map_or(("Stopped", ""), |standing| (&standing.reason, &standing.message));
        let cluster = &stopped.cluster;
        return stands(Some(Stance::Stopped), reason, &format!("cluster {cluster}: {message}"));
    }
    if let Some(wave) = waves.iter().find(|wave| wave.missing > 0) {
        let message = format!(
            "a ClusterUpgrade of wave {} was deleted or cannot be read, and what became of its cluster is not known: change the plan (leave the cluster out, or rename a wave) to start another rollout",
            wave.name
        );
        return stands(Some(Stance::Stopped), "MemberMissing", &message);
    }
    let present = states.iter().position(|state| *state != WaveState::Succeeded);
    match present {
        None => stands(None, "Succeeded", "every cluster is at its target"),
        Some(_) if suspend => stands(Some(Stance::Parked), "Suspended", "suspended: spec.suspend is true"),
        Some(index) if states[index] == WaveState::Soaking => {
            let message = format!("wave {} is watched for its soak time", waves[index].name);
            stands(Some(Stance::Parked), "Soaking", &message)
        }
        Some(index) => {
            let message = format!("wave {} is being upgraded", waves[index].name);
            stands(Some(Stance::Working), "RollingOut", &message)
        }
    }
}

fn stands(stance: Option<Stance>, reason: &str, message: &str) -> Standing {
    Standing { stance, reason: reason.to_owned(), message: bounded(message, 4000), besides: String::new() }
}

fn hindered(obstacle: &Obstacle<Invalid>) -> Standing {
    let working = |reason, message: &str| stands(Some(Stance::Working), reason, message);
    match obstacle {
        Obstacle::Refused(Invalid::Spec(fields)) => {
            let words: Vec<String> = fields.iter().take(5).map(ToString::to_string).collect();
            stands(Some(Stance::Stopped), "InvalidSpec", &words.join("; "))
        }
        Obstacle::Refused(Invalid::Unobserved(clusters)) => {
            let few: Vec<&str> = clusters.iter().take(5).map(String::as_str).collect();
            let message = format!("what Azure offers is not known yet for {}", few.join(", "));
            working("WaitingForInventory", &message)
        }
        Obstacle::EarlierRollout(upgrade) => {
            let message =
                format!("the plan was changed: ClusterUpgrade {} finishes its step first", upgrade.name);
            match upgrade.standing.as_ref().filter(|standing| standing.stopped) {
                Some(standing) => {
                    let message = format!("{message}, which has stopped: {}", standing.message);
                    stands(Some(Stance::Stopped), &standing.reason, &message)
                }
                None => working("WaitingForEarlierRollout", &message),
            }
        }
        Obstacle::NameTaken(name) => {
            let message = format!(
                "ClusterUpgrade {name} is there and not of this plan: it goes by itself if it is left of a deleted plan of the same name, else delete it"
            );
            working("WaitingForEarlierRollout", &message)
        }
        Obstacle::NotLeading => working("NotLeading", "another replica leads"),
    }
}

fn first_stopped(progress: &Progress) -> Option<&RolloutMember> {
    let stopped = progress.members().filter(|member| member.state() == MemberState::Stopped);
    stopped.min_by_key(|member| &member.name)
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
    use engine::{Member, RequestedWave, RolloutRequest, Share};
    use serde_json::{Value, json};

    fn progress(members_recorded: bool, upgrades: Vec<RolloutMember>) -> Progress {
        let rollout = json!({"id": "p-1", "number": 1, "planHash": "0", "target": {},
            "startedAt": "2026-12-05T22:00:00Z", "membersRecorded": members_recorded});
        let rollout = Some(serde_json::from_value(rollout).unwrap());
        Progress { rollout, upgrades, obstacle: None }
    }

    fn told(suspend: bool, progress: &Progress) -> (&'static str, String, String) {
        let wave =
            RequestedWave { name: "w".to_owned(), max_concurrent: Share::Number(1), order: Vec::new() };
        let request =
            RolloutRequest { plan: "p".to_owned(), hash: "0".to_owned(), suspend, waves: vec![wave] };
        let waves = progress.waves(&request);
        let states = decide_rollout(&waves, suspend).waves;
        let standing = standing(suspend, &waves, &states, progress);
        (standing.phase(), standing.reason, standing.message)
    }

    #[test]
    fn how_a_plan_stands() {
        let (phase, reason, _) = told(false, &progress(false, Vec::new()));
        assert_eq!((phase, reason.as_str()), ("Working", "Initializing"), "no members yet is not all done");
        let running = vec![upgrade("a", true, &json!({}))];
        assert_eq!(told(false, &progress(true, running)).1, "RollingOut");
        let soaking = vec![upgrade("a", true, &stands("Parked", "Soaking"))];
        assert_eq!(told(false, &progress(true, soaking)).0, "Parked");
        let stopped = ["b", "a"].map(|name| upgrade(name, true, &stands("Stopped", "DrainBlocked")));
        let (phase, reason, message) = told(false, &progress(true, stopped.into()));
        assert_eq!(
            (phase, reason.as_str(), message.as_str()),
            ("Stopped", "DrainBlocked", "cluster a: because")
        );
        let done = vec![upgrade("a", true, &json!({"finishedAt": "2026-12-05T23:00:00Z"}))];
        assert_eq!(told(false, &progress(true, done)).0, "Succeeded");
        let suspended = progress(true, vec![upgrade("a", false, &json!({}))]);
        assert_eq!(told(true, &suspended).1, "Suspended");
    }

    #[test]
    fn what_hinders_a_plan_comes_first() {
        let hindered =
            |obstacle| told(false, &Progress { obstacle: Some(obstacle), ..progress(true, Vec::new()) });
        let earlier =
            |status: &Value| hindered(Obstacle::EarlierRollout(Box::new(upgrade("a", true, status))));
        let (phase, reason, _) = earlier(&json!({}));
        assert_eq!((phase, reason.as_str()), ("Working", "WaitingForEarlierRollout"));
        let (phase, reason, message) = earlier(&stands("Stopped", "GateFailed"));
        assert_eq!((phase, reason.as_str()), ("Stopped", "GateFailed"), "it would wait for ever: {message}");
        assert_eq!(hindered(Obstacle::NameTaken("p-1-a".to_owned())).0, "Working");
        let unknown = Invalid::Unobserved(vec!["a".to_owned()]);
        assert_eq!(hindered(Obstacle::Refused(unknown)).1, "WaitingForInventory");
        let field = crds::InvalidField { field: "spec.waves".to_owned(), problem: "is empty".to_owned() };
        let (phase, _, message) = hindered(Obstacle::Refused(Invalid::Spec(vec![field])));
        assert_eq!((phase, message.as_str()), ("Stopped", "spec.waves: is empty"));
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
