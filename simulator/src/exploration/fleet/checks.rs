//! What must hold whenever a cluster is let start, counted here once more from what the played hub has.

use std::{collections::BTreeSet, time::Duration};

use engine::{ApprovalPolicy, RequestedWave, Share, WaveState};

use super::{
    case::AUTHOR,
    played::{Upgrade, World},
    rules,
};

/// How far clusters of one place are apart, once more.
const APART: Duration = Duration::from_secs(60);

/// A cluster is let start; it has not been yet.
pub(super) fn admission(world: &mut World, name: &str) {
    let checks = [registered, older, budget, order, concurrent, apart, approved];
    for check in checks {
        if let Some((rule, what)) = check(world, name) {
            world.violated(rule, format!("{name} is let start, and {what}"));
        }
    }
}

type Found = Option<(&'static str, String)>;

/// The waves of the upgrade's plan.
fn waves<'a>(world: &'a World, of: &Upgrade) -> Vec<&'a RequestedWave> {
    world.plans[of.plan].case.waves.iter().map(|(wave, _)| wave).collect()
}

/// All upgrades of one wave of the same rollout.
fn of_wave<'a>(world: &'a World, of: &'a Upgrade, wave: &'a str) -> impl Iterator<Item = &'a Upgrade> {
    world.upgrades.values().filter(move |other| {
        other.plan == of.plan && other.member.rollout == of.member.rollout && other.member.wave == wave
    })
}

fn is_registered(world: &World, upgrade: &Upgrade) -> bool {
    world.clusters[&upgrade.member.cluster].registered
}

/// Whether it has failed: what was never begun on a cluster that is not registered any more has not.
fn failed(world: &World, upgrade: &Upgrade) -> bool {
    upgrade.has_failed() && (is_registered(world, upgrade) || upgrade.has_begun())
}

fn has_left(world: &World, upgrade: &Upgrade) -> bool {
    !is_registered(world, upgrade) && !upgrade.has_begun() && !upgrade.is_finished()
}

fn registered(world: &World, name: &str) -> Found {
    let gone = has_left(world, &world.upgrades[name]);
    gone.then(|| (rules::REGISTERED, "its cluster is not registered any more".to_owned()))
}

fn older(world: &World, name: &str) -> Found {
    let other = world.claimant(name)?;
    Some((rules::OLDER, format!("{other} of an older rollout has its cluster")))
}

fn budget(world: &World, name: &str) -> Found {
    let this = &world.upgrades[name];
    waves(world, this).into_iter().find_map(|wave| {
        let all = of_wave(world, this, &wave.name).count();
        let left = of_wave(world, this, &wave.name).filter(|upgrade| has_left(world, upgrade)).count();
        let failed = of_wave(world, this, &wave.name).filter(|upgrade| failed(world, upgrade)).count();
        let may = match wave.failure_budget {
            Share::Number(number) => number as usize,
            Share::Percent(percent) => all * percent as usize / 100,
        };
        let what = format!("of {all} clusters of {} have failed {failed}, of which {may} may", wave.name);
        (failed > may || failed > 0 && failed + left == all).then_some((rules::STOPPED, what))
    })
}

/// Every earlier wave is done: all have succeeded, left, or failed within its budget, which is looked at above.
fn order(world: &World, name: &str) -> Found {
    let this = &world.upgrades[name];
    let earlier = waves(world, this).into_iter().take_while(|wave| wave.name != this.member.wave);
    let mut unfinished = earlier.flat_map(|wave| {
        of_wave(world, this, &wave.name)
            .filter(|other| !other.is_finished() && !has_left(world, other) && !failed(world, other))
    });
    let other = unfinished.next()?;
    Some((rules::WAVES, format!("{} of the earlier {} is not done", other.member.name, other.member.wave)))
}

fn concurrent(world: &World, name: &str) -> Found {
    let this = &world.upgrades[name];
    let wave = waves(world, this).into_iter().find(|wave| wave.name == this.member.wave)?;
    let all = of_wave(world, this, &wave.name).count();
    let most = match wave.max_concurrent {
        Share::Number(number) => number.max(1) as usize,
        Share::Percent(percent) => (all * percent as usize / 100).max(1),
    };
    let works = |other: &&Upgrade| {
        let stopped = other.has_failed() && !other.in_azure();
        let begun = other.member.place.admitted && !other.is_finished() && !other.soaks();
        begun && !stopped && !has_left(world, other)
    };
    let working = of_wave(world, this, &wave.name).filter(works).count();
    (working >= most).then(|| (rules::CONCURRENT, format!("{working} of {most} are worked on already")))
}

fn apart(world: &World, name: &str) -> Found {
    let this = &world.upgrades[name];
    let place = |upgrade: &Upgrade| world.clusters[&upgrade.member.cluster].case.place.clone();
    let own = place(this)?;
    let near = world.upgrades.values().find(|other| {
        let same = other.plan == this.plan && other.member.rollout == this.member.rollout;
        let soon = other.admitted_at.is_some_and(|at| at + APART > world.now);
        same && soon && place(other).as_ref() == Some(&own)
    })?;
    Some((rules::SPREAD, format!("{} of {own} has just been", near.member.name)))
}

/// Whether an approval counts, once more.
fn people(world: &World, this: &Upgrade, policy: &ApprovalPolicy) -> BTreeSet<String> {
    let plan = &world.plans[this.plan];
    let counts = |approval: &&engine::Approval| {
        approval.wave == this.member.wave
            && approval.rollout == this.member.rollout
            && approval.plan_hash == plan.hash.to_string()
            && policy.expire_after.is_none_or(|length| approval.given_at + length > world.now)
            && !(policy.separate_author && approval.approver == AUTHOR)
    };
    plan.approvals.iter().filter(counts).map(|approval| approval.approver.clone()).collect()
}

fn approved(world: &World, name: &str) -> Found {
    let this = &world.upgrades[name];
    let wave = waves(world, this).into_iter().find(|wave| wave.name == this.member.wave)?;
    let policy = wave.approvals.as_ref()?;
    if of_wave(world, this, &wave.name).any(|other| other.member.place.admitted) {
        return None;
    }
    let people = people(world, this, policy);
    let rollout = world.plans[this.plan].rollout.as_ref()?;
    let recorded = rollout.approved.iter().find(|known| known.wave == wave.name);
    let recorded: BTreeSet<String> =
        recorded.iter().flat_map(|known| known.by.iter().map(|by| by.name.clone())).collect();
    if people.len() < policy.required as usize {
        let what = format!("{people:?} have approved {}, and {} have to", wave.name, policy.required);
        return Some((rules::APPROVED, what));
    }
    let what = format!("{people:?} have approved {}, and on record are {recorded:?}", wave.name);
    (recorded != people).then_some((rules::APPROVED, what))
}

/// The plan asks a cluster for another try.
pub(super) fn retry(world: &mut World, name: &str, token: &str) {
    let upgrade = &world.upgrades[name];
    let again = upgrade.member.retry.as_deref() == Some(token);
    if !upgrade.has_failed() || again {
        let why = if again { "has been asked before" } else { "has not stopped" };
        world.violated(rules::RETRIED, format!("{name} is asked for another try, and {why}"));
    }
}

/// What is told of the waves after a look.
pub(super) fn states_are_true(world: &mut World, plan: usize, states: &[WaveState]) {
    let Some(rollout) = world.plans[plan].rollout.clone() else { return };
    let waves: Vec<String> = world.plans[plan].case.waves.iter().map(|(wave, _)| wave.name.clone()).collect();
    for (wave, state) in waves.iter().zip(states) {
        let members = world.upgrades.values().filter(|upgrade| {
            upgrade.plan == plan && upgrade.member.rollout == rollout.id && upgrade.member.wave == *wave
        });
        let is_done = |upgrade: &Upgrade| upgrade.is_finished() || has_left(world, upgrade);
        let (done, all) =
            members.fold((0, 0), |(done, all), upgrade| (done + usize::from(is_done(upgrade)), all + 1));
        let wrong = match state {
            WaveState::Succeeded => done < all,
            WaveState::CompletedWithFailures => done == 0,
            WaveState::Pending
            | WaveState::WaitingForApproval
            | WaveState::RollingOut
            | WaveState::Soaking
            | WaveState::Stopped => false,
        };
        if wrong {
            let what = format!("{wave} is told to be {state}, and {done} of {all} clusters are done");
            return world.violated(rules::WAVES, what);
        }
    }
}
