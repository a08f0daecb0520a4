//! Plans over many clusters, whose upgrades are only played: which start, and when.
//!
//! The rollouts are the engine's, with its executor; hub, clusters and people are played here. What a cluster's
//! upgrade does in Azure is another matter, and explored elsewhere: here it takes its time, may stop for a
//! while or until somebody asks for another try, soaks and is done. So a seed takes a moment, and there is
//! room for twenty clusters, two plans that want the same, budgets, approvals and labels that change.

mod case;
mod checks;
mod people;
mod played;
mod store;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use engine::{Clock, Occasion, Proposal, ProposedWave, ResolvedTarget, Rollout, advance_rollout};
use jiff::Timestamp;

use super::{
    checks::{Violation, rules},
    tally::{Kind, Tally},
};
use case::{Case, PlanCase};
use played::{Upgrade, World};
use store::Store;

/// Everybody looks, and every cluster goes on, this often.
const ROUND: Duration = Duration::from_secs(20);
/// For so many rounds people do things.
const CHAOS: u32 = 600;
/// And by so many rounds after that all is done.
const CALM: u32 = 3000;

/// What came of a seed.
pub(super) struct Outcome {
    pub(super) violation: Option<Violation>,
    pub(super) timeline: Vec<String>,
    pub(super) met: Tally,
}

/// Plays a seed to its end or its first violation.
pub(super) fn run(seed: u64, keep_timeline: bool) -> Outcome {
    let case = Case::draw(seed);
    let mut met = Tally::default();
    case.drawn.iter().for_each(|name| met.add(Kind::Draw, name));
    let mut world = World::new(case, keep_timeline);
    for round in 0..CHAOS + CALM {
        world.now += ROUND;
        world.happens(round, CHAOS);
        for name in world.upgrades.keys().cloned().collect::<Vec<_>>() {
            world.work(&name);
        }
        for plan in 0..world.plans.len() {
            // A replica that is slow, or there is none.
            let is_there = round >= world.plans[plan].case.from;
            if is_there && (round >= CHAOS || world.dice.f64() > 0.2) {
                reconcile(&mut world, plan);
            }
        }
        let done = (0..world.plans.len()).all(|plan| is_done(&world, plan));
        if world.violation.is_some() || done && round >= CHAOS {
            return Outcome { violation: world.violation, timeline: world.timeline, met };
        }
    }
    let stuck: Vec<String> =
        world.upgrades.values().filter(|upgrade| !upgrade.is_over()).map(Upgrade::words).collect();
    let what = format!("not done in the end: {}", stuck.join("; "));
    world.violated(rules::END, what);
    Outcome { violation: world.violation, timeline: world.timeline, met }
}

/// One look of the operator at a plan. Nothing here really waits.
fn reconcile(world: &mut World, plan: usize) {
    let (request, rollout) = (world.request(plan), world.plans[plan].rollout.clone());
    let waves = world.selected(plan);
    let propose = |_: &Occasion| {
        let wave = |(name, clusters): &(String, Vec<String>)| ProposedWave {
            name: name.clone(),
            clusters: clusters.clone(),
        };
        let waves = waves.iter().map(wave).collect();
        Ok::<_, std::convert::Infallible>(Proposal { target: ResolvedTarget::default(), waves })
    };
    let now = Now(world.now);
    let mut store = Store::new(world, plan);
    let progress = {
        let run = pin!(advance_rollout(&request, rollout, propose, &mut store, &now));
        match run.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(progress) => progress,
            Poll::Pending => return,
        }
    };
    let Ok(progress) = progress else { return };
    if progress.obstacle.is_none() {
        let states = progress.decide(&request, now.0).waves;
        checks::states_are_true(world, plan, &states);
    }
}

/// Whether every wave of a plan is done, and nothing has failed.
fn is_done(world: &World, plan: usize) -> bool {
    let rollout = world.plans[plan].rollout.as_ref();
    let Some(rollout) = rollout.filter(|rollout| is_current(rollout, &world.plans[plan])) else {
        return false;
    };
    let members = world.upgrades.values().filter(|upgrade| upgrade.member.rollout == rollout.id);
    rollout.members_recorded && members.into_iter().all(Upgrade::is_over)
}

fn is_current(rollout: &Rollout, plan: &played::Plan) -> bool {
    rollout.plan_hash == plan.hash.to_string()
}

/// The time that the operator sees.
struct Now(Timestamp);

impl Clock for Now {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn may_act(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleets_are_upgraded_as_their_plans_say() {
        for seed in 0..60 {
            let Outcome { violation, .. } = run(seed, false);
            assert_eq!(violation, None, "seed {seed}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        assert_eq!(run(7, true).timeline, run(7, true).timeline);
        assert_ne!(run(7, true).timeline, run(8, true).timeline);
    }
}
