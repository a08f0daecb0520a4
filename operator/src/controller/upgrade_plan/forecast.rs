//! When a rollout will probably have ended, from what is known of its clusters now. Nothing is decided by it.

use std::collections::BTreeMap;

use engine::{
    MemberState, Outlay, RolloutMember, Schedule, Stance, UpcomingWave, Wave, WaveState, end_of_rollout,
};
use jiff::Timestamp;
use kube::ResourceExt as _;

use super::waves::Shown;
use crate::{
    context::Context,
    controller::{Standing, cluster_upgrade::Ahead},
};

/// When steps of each cluster may start, by its name.
pub(super) type Schedules = BTreeMap<String, Schedule>;

/// When steps of the clusters that wait may start, as far as windows and freezes are known now.
///
/// # Errors
/// When the hub cannot be read.
pub(super) async fn schedules(context: &Context, shown: &Shown<'_>) -> Result<Schedules, kube::Error> {
    let waiting: Vec<&RolloutMember> = shown.progress.members().filter(|member| is_ahead(member)).collect();
    if waiting.is_empty() {
        return Ok(Schedules::new());
    }
    let namespace = shown.plan.namespace().unwrap_or_default();
    let schedule =
        context.timing.schedule(&context.hub, &namespace, shown.plan.spec.schedule.as_ref()).await?;
    let of = |member: &RolloutMember| {
        let cluster = shown.clusters.iter().find(|cluster| cluster.name_any() == member.cluster)?;
        Some((member.cluster.clone(), context.timing.of_cluster(schedule.clone(), cluster, shown.now)))
    };
    Ok(waiting.into_iter().filter_map(of).collect())
}

fn is_ahead(member: &RolloutMember) -> bool {
    matches!(member.state(), MemberState::Waiting | MemberState::Claimed)
}

/// When the rollout will probably have ended; `None` where that is not known, and where a person has to do something
/// first.
pub(super) fn eta(
    shown: &Shown<'_>,
    (waves, states): (&[Wave], &[WaveState]),
    standing: &Standing,
    schedules: &Schedules,
) -> Option<Timestamp> {
    let goes_on = matches!(standing.stance, Some(Stance::Parked | Stance::Working));
    let is_asked = states.contains(&WaveState::WaitingForApproval);
    if !goes_on || is_asked || shown.request.suspend || shown.progress.obstacle.is_some() {
        return None;
    }
    let members: Vec<Members<'_>> = waves
        .iter()
        .zip(states)
        .filter(|(_, state)| !state.is_done())
        .map(|(wave, _)| Members::of(shown, wave, schedules))
        .collect::<Option<_>>()?;
    let upcoming: Vec<UpcomingWave<'_>> = members.iter().map(Members::upcoming).collect();
    // A rollout that has no members yet would have ended now.
    (!upcoming.is_empty()).then(|| end_of_rollout(&upcoming, shown.now)).flatten()
}

/// The clusters of a wave that are not done.
struct Members<'a> {
    at_once: usize,
    running: Vec<Option<Timestamp>>,
    waiting: Vec<(Ahead<'a>, &'a Schedule)>,
}

impl<'a> Members<'a> {
    fn of(shown: &Shown<'a>, wave: &Wave, schedules: &'a Schedules) -> Option<Self> {
        let (mut running, mut waiting) = (Vec::new(), Vec::new());
        for member in shown.members(wave) {
            match member.state() {
                MemberState::Running | MemberState::Soaking => {
                    running.push(member.standing.as_ref().and_then(|standing| standing.eta));
                }
                MemberState::Waiting | MemberState::Claimed => {
                    let ahead = shown.ahead(wave, &member.cluster)?;
                    waiting.push((ahead, schedules.get(&member.cluster)?));
                }
                // Nobody waits for one that has failed within the budget.
                MemberState::Stopped | MemberState::Left | MemberState::Succeeded | MemberState::Skipped => {}
            }
        }
        Some(Self { at_once: wave.max_concurrent.of(wave.size()), running, waiting })
    }

    fn upcoming(&self) -> UpcomingWave<'_> {
        let waiting = self.waiting.iter().map(|(ahead, schedule)| Outlay {
            cluster: ahead.seen,
            policy: &ahead.policy,
            schedule,
            steps: &ahead.steps,
        });
        let soak = self.waiting.first().map(|(ahead, _)| ahead.policy.soak);
        UpcomingWave {
            at_once: self.at_once,
            running: self.running.clone(),
            waiting: waiting.collect(),
            soak: soak.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            member::tests::{stands, upgrade},
            request::rollout_request,
            standing::standing,
            waves::tests::{NOW, cluster, plan, progress},
        },
        *,
    };
    use serde_json::{Value, json};

    /// A control plane and a pool of three nodes, one at a time: 20 and 38 minutes.
    const ONE: i64 = 58;

    /// In how many minutes a rollout ends.
    fn ends(waves: &Value, upgrades: Vec<RolloutMember>, schedule: &Schedule) -> Option<i64> {
        let (plan, now) = (plan(waves), NOW.parse().unwrap());
        let clusters = ["a", "b", "c"].map(cluster);
        let progress = progress(upgrades);
        let request = rollout_request(&plan, &clusters).unwrap();
        let (waves, states) = (progress.waves(&request, now), progress.decide(&request, now).waves);
        let shown = Shown {
            plan: &plan,
            request: &request,
            progress: &progress,
            watching: None,
            clusters: &clusters,
            now,
        };
        let standing = standing(plan.spec.suspend, (&waves, &states), &progress, None);
        let schedules = clusters.iter().map(|cluster| (cluster.name_any(), schedule.clone())).collect();
        let eta = eta(&shown, (&waves, &states), &standing, &schedules)?;
        Some(eta.duration_since(now).as_mins())
    }

    fn running(name: &str, minutes: i64) -> RolloutMember {
        let eta = NOW.parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_mins(minutes);
        let mut status = stands("Working", "UpgradingNodePool");
        status["summary"]["eta"] = json!(eta);
        upgrade(name, true, &status)
    }

    fn waiting(name: &str) -> RolloutMember {
        upgrade(name, false, &stands("Parked", "WaitingForWave"))
    }

    #[test]
    fn clusters_that_wait_follow_those_that_run() {
        let wave =
            |at_once: i64| json!([{"name": "w", "clusters": {"selector": {}}, "maxConcurrent": at_once}]);
        let upgrades = || vec![running("a", 30), waiting("b"), waiting("c")];
        let free = Schedule::default();
        assert_eq!(ends(&wave(1), upgrades(), &free), Some(30 + ONE + ONE));
        assert_eq!(ends(&wave(2), upgrades(), &free), Some(30 + ONE));
        assert_eq!(ends(&wave(3), upgrades(), &free), Some(ONE));
        let now: Timestamp = NOW.parse().unwrap();
        let not_before = Some(now + jiff::SignedDuration::from_hours(5));
        let late = Schedule { not_before, ..Schedule::default() };
        assert_eq!(ends(&wave(3), upgrades(), &late), Some(5 * 60 + ONE));
        let unusable = Schedule { unusable: Some("no such window".to_owned()), ..Schedule::default() };
        assert_eq!(ends(&wave(3), upgrades(), &unusable), None);
    }

    #[test]
    fn nothing_is_promised_where_a_person_has_to_do_something() {
        let free = Schedule::default();
        let wave = json!([{"name": "w", "clusters": {"selector": {}}, "maxConcurrent": 3}]);
        let stopped = upgrade("a", true, &stands("Stopped", "DrainBlocked"));
        assert_eq!(ends(&wave, vec![stopped.clone(), waiting("b")], &free), None, "over the budget");
        let budget = json!([{"name": "w", "clusters": {"selector": {}}, "failureBudget": 1}]);
        assert_eq!(ends(&budget, vec![stopped, waiting("b")], &free), Some(ONE), "nobody waits for it");
        let approvals = json!([{"name": "w", "clusters": {"selector": {}}, "approvals": {"required": 1}}]);
        assert_eq!(ends(&approvals, vec![waiting("b")], &free), None);
        let unforeseen = upgrade("a", true, &stands("Working", "Verifying"));
        assert_eq!(ends(&wave, vec![unforeseen], &free), None, "what runs does not say when it ends");
        assert_eq!(ends(&wave, Vec::new(), &free), None);
    }
}
