//! Rules about which clusters may start, and which may be worked on at once.

use std::time::Duration;

use engine::{Ledger, Share, StepKind};

use jiff::Timestamp;

use super::{Checks, rules};
use crate::exploration::{hub::Upgrade, plan::AUTHOR, sim::State};

/// A cluster that has stopped for so long must have been seen by whoever starts others.
const SEEN: Duration = Duration::from_secs(120);

/// Clocks jump by up to an hour each.
const CLOCKS: Duration = Duration::from_secs(2 * 3600);

/// Whether it has failed, or had when whoever acts now looked: it takes no place then, and a wave may be done
/// without it.
pub(super) fn has_failed(upgrade: &Upgrade, now: Timestamp) -> bool {
    upgrade.stopped_since.is_some() || upgrade.stopped_until.is_some_and(|until| until + SEEN > now)
}

/// How many clusters a wave of this size may be worked on at once, counted here once more.
fn allowed(share: Share, size: usize) -> usize {
    match share {
        Share::Number(number) => number.max(1) as usize,
        Share::Percent(percent) => (size * percent as usize / 100).max(1),
    }
}

impl Checks {
    /// A cluster was let start.
    pub(in crate::exploration) fn after_admission(state: &mut State, index: usize) {
        let name = state.hub.upgrades[index].name.clone();
        state.tell("plan", &format!("lets {name} start"));
        Self::keeps_to_its_share(state, index);
        Self::keeps_the_order(state, index);
        Self::keeps_to_its_budget(state, index);
        Self::has_its_approvals(state, index);
    }

    /// Nothing starts in the plan when more clusters of a wave have failed than may, or all.
    fn keeps_to_its_budget(state: &mut State, index: usize) {
        let Some(plan) = &state.hub.plan else { return };
        let rollout = &state.hub.upgrades[index].rollout;
        let of_rollout = || state.hub.upgrades.iter().filter(|upgrade| upgrade.rollout == *rollout);
        let mut over = None;
        for wave in &plan.request.waves {
            let of_wave = || of_rollout().filter(|upgrade| upgrade.wave == wave.name);
            let failed = of_wave().filter(|upgrade| {
                let since = upgrade.stopped_since.filter(|_| upgrade.record.ledger.finished_at.is_none());
                since.is_some_and(|since| state.now > since + SEEN)
            });
            let (failed, all) = (failed.count(), of_wave().count());
            let may = match wave.failure_budget {
                Share::Number(number) => number as usize,
                Share::Percent(percent) => all * percent as usize / 100,
            };
            if failed > may || failed > 0 && failed == all {
                over = Some(format!("{failed} of {all} clusters of {} have failed, {may} may", wave.name));
            }
        }
        if let Some(over) = over {
            let what = format!("{} starts although {over}", state.hub.upgrades[index].name);
            Self::violated(state, rules::STOPPED, what);
        }
    }

    /// The first cluster of a wave starts with approvals of as many people as it needs, none of them too old.
    fn has_its_approvals(state: &mut State, index: usize) {
        let Some(plan) = &state.hub.plan else { return };
        let Upgrade { wave, rollout, .. } = &state.hub.upgrades[index];
        let asked = plan.request.waves.iter().find(|asked| asked.name == *wave);
        let Some(policy) = asked.and_then(|asked| asked.approvals.as_ref()) else { return };
        let others = state.hub.upgrades.iter().enumerate().filter(|(other, _)| *other != index);
        let started = others.filter(|(_, other)| other.wave == *wave && other.rollout == *rollout);
        if started.clone().any(|(_, other)| other.place.is_some_and(|place| place.admitted)) {
            return;
        }
        // Clocks differ: by a jump of up to an hour, while there are any.
        let slack = if state.clocks_jumped { CLOCKS } else { SEEN };
        let fresh = |given: jiff::Timestamp| {
            policy.expire_after.is_none_or(|length| given + length + slack > state.now)
        };
        let people: std::collections::BTreeSet<&str> = plan
            .approvals
            .iter()
            .filter(|approval| approval.wave == *wave && approval.rollout == *rollout)
            .filter(|approval| fresh(approval.given_at))
            .map(|approval| approval.approver.as_str())
            .filter(|approver| *approver != AUTHOR)
            .collect();
        if people.len() < policy.required as usize {
            let what =
                format!("{wave} starts with the approvals of {people:?}, {} are needed", policy.required);
            Self::violated(state, rules::APPROVED, what);
        }
    }

    /// The plan asks a cluster for another try.
    pub(in crate::exploration) fn after_plan_retry(state: &mut State, index: usize, token: &str) {
        let upgrade = &state.hub.upgrades[index];
        let (name, stopped) = (upgrade.name.clone(), upgrade.record.stopped);
        let again = upgrade.request.retry.as_deref() == Some(token);
        state.tell("plan", &format!("asks {name} for another try"));
        if !stopped || again {
            let why = if again { "asked before" } else { "not stopped" };
            Self::violated(state, rules::RETRIED, format!("{name} is asked for another try, and was {why}"));
        }
    }

    /// 1: at most so many clusters of a wave at once.
    fn keeps_to_its_share(state: &mut State, index: usize) {
        let Some(plan) = &state.hub.plan else { return };
        let now = state.now;
        let wave = &state.hub.upgrades[index].wave;
        let rollout = &state.hub.upgrades[index].rollout;
        let of_wave =
            state.hub.upgrades.iter().filter(|upgrade| upgrade.wave == *wave && upgrade.rollout == *rollout);
        let size = of_wave.clone().count();
        let most = plan.request.waves.iter().find(|asked| asked.name == *wave);
        let most = most.map_or(0, |asked| allowed(asked.max_concurrent, size));
        let working = of_wave.filter(|upgrade| {
            let soaking = !upgrade.record.ledger.in_flight() && upgrade.record.ledger.soak_until.is_some();
            let admitted = upgrade.place.is_some_and(|place| place.admitted);
            admitted && upgrade.record.ledger.finished_at.is_none() && !soaking && !has_failed(upgrade, now)
        });
        let working = working.count();
        if working > most {
            let what = format!("{working} clusters of wave {wave} are worked on, allowed are {most}");
            Self::violated(state, rules::CONCURRENT, what);
        }
    }

    /// 1: a cluster that soaks has given its place in the wave away. It begins nothing by itself any more, but for
    /// what others have broken, or made, meanwhile.
    pub(super) fn begins_nothing_while_it_soaks(
        state: &mut State,
        index: usize,
        before: &Ledger,
        after: &Ledger,
    ) {
        if before.soak_until.is_none() || before.in_flight() {
            return;
        }
        let Some((_, begun)) = after.current() else { return };
        let touched = |state: &State| {
            state.checks.key_of(index).is_some_and(|cluster| state.checks.touched.contains(&cluster))
        };
        let is_for_others = begun.repair || begun.step.is_rollback() || touched(state);
        if begun.step.kind == StepKind::NodePoolImage || !is_for_others {
            let what = format!("{} begins {} while it soaks", state.hub.upgrades[index].name, begun.id);
            Self::violated(state, rules::CONCURRENT, what);
        }
    }

    /// A wave starts when the one before it is done.
    fn keeps_the_order(state: &mut State, index: usize) {
        let Some(plan) = &state.hub.plan else { return };
        let wave = &state.hub.upgrades[index].wave;
        let earlier: Vec<&str> = plan.request.waves.iter().map(|asked| asked.name.as_str()).collect();
        let earlier = earlier.split(|name| name == wave).next().unwrap_or_default();
        let unfinished = state.hub.upgrades.iter().find(|upgrade| {
            let of_it = upgrade.rollout == state.hub.upgrades[index].rollout;
            let unfinished = upgrade.record.ledger.finished_at.is_none();
            of_it && earlier.contains(&upgrade.wave.as_str()) && unfinished && !has_failed(upgrade, state.now)
        });
        if let Some(unfinished) = unfinished.map(|upgrade| upgrade.name.clone()) {
            let what = format!("wave {wave} starts before {unfinished} of an earlier one is done");
            Self::violated(state, rules::WAVES, what);
        }
    }

    /// A record was deleted: this plan never changes, so that nothing of it is ever left over.
    pub(in crate::exploration) fn after_deletion(state: &mut State, name: &str) {
        Self::violated(state, rules::RECORDS, format!("{name} was deleted"));
    }
}
