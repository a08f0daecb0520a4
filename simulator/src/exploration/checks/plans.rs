//! Rules about which clusters may be worked on at once.

use std::time::Duration;

use engine::Share;

use super::{Checks, rules};
use crate::exploration::sim::State;

/// A cluster that has stopped for so long must have been seen by whoever starts others.
const SEEN: Duration = Duration::from_secs(120);

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
        let stopped = state.hub.upgrades.iter().find(|upgrade| {
            let since = upgrade.stopped_since.filter(|_| upgrade.record.ledger.finished_at.is_none());
            since.is_some_and(|since| state.now > since + SEEN)
        });
        if let Some(stopped) = stopped.map(|upgrade| upgrade.name.clone()) {
            let what = format!("{name} starts although {stopped} has stopped");
            Self::violated(state, rules::STOPPED, what);
        }
    }

    /// 1: at most so many clusters of a wave at once.
    fn keeps_to_its_share(state: &mut State, index: usize) {
        let Some(plan) = &state.hub.plan else { return };
        let wave = &state.hub.upgrades[index].wave;
        let of_wave = state.hub.upgrades.iter().filter(|upgrade| upgrade.wave == *wave);
        let size = of_wave.clone().count();
        let most = plan.request.waves.iter().find(|asked| asked.name == *wave);
        let most = most.map_or(0, |asked| allowed(asked.max_concurrent, size));
        let working = of_wave.filter(|upgrade| {
            let soaking = !upgrade.record.ledger.in_flight() && upgrade.record.ledger.soak_until.is_some();
            let admitted = upgrade.place.is_some_and(|place| place.admitted);
            admitted && upgrade.record.ledger.finished_at.is_none() && !soaking
        });
        let working = working.count();
        if working > most {
            let what = format!("{working} clusters of wave {wave} are worked on, allowed are {most}");
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
            earlier.contains(&upgrade.wave.as_str()) && upgrade.record.ledger.finished_at.is_none()
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
