//! What people change of their own upgrades, and how they take one back.

use std::time::Duration;

use engine::{KubernetesRequest, OrderRule, Request, Settings};

use crate::exploration::{checks::Checks, sim::State};

/// Another wish.
#[derive(Clone, Debug)]
pub(in crate::exploration) enum Edit {
    Retries(u32),
    Soak(Duration),
    Order(Vec<OrderRule>),
    StepTimeout(Duration),
    UpgradeSettings(Settings),
    /// Nothing is left out any more.
    IncludeAll,
    /// Another version.
    Target(KubernetesRequest),
    /// Another ClusterUpgrade has the say on the cluster, or has not any more.
    OtherUpgrade(Option<String>),
}

impl Edit {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Retries(_) => "other retries",
            Self::Soak(_) => "other soak",
            Self::Order(_) => "other order",
            Self::StepTimeout(_) => "other step timeout",
            Self::UpgradeSettings(_) => "other upgrade settings",
            Self::IncludeAll => "nothing left out",
            Self::Target(_) => "another target",
            Self::OtherUpgrade(_) => "another upgrade",
        }
    }

    pub(super) fn make(self, state: &mut State, upgrade: usize) {
        if state.hub.upgrades[upgrade].is_over() {
            return;
        }
        let name = state.hub.upgrades[upgrade].name.clone();
        state.tell("person", &format!("edits {name}: {}", self.name()));
        let tasks = state.hub.edit(upgrade, |request| self.apply(request));
        tasks.into_iter().for_each(|task| state.wake(task));
    }

    fn apply(self, request: &mut Request) {
        let policy = &mut request.policy;
        match self {
            Self::Retries(retries) => policy.retries = retries,
            Self::Soak(soak) => policy.soak = soak,
            Self::Order(order) => policy.order = order,
            Self::StepTimeout(timeout) => policy.step_timeout = timeout,
            Self::UpgradeSettings(settings) => policy.upgrade_settings = settings,
            Self::IncludeAll => policy.exclude.clear(),
            Self::Target(target) => request.kubernetes = Some(target),
            Self::OtherUpgrade(other) => request.other_upgrade = other,
        }
    }
}

/// Somebody deletes an upgrade: it starts nothing any more, and is gone when all is as it was.
pub(super) fn delete(state: &mut State, upgrade: usize) {
    let of = &state.hub.upgrades[upgrade];
    if of.record.ledger.finished_at.is_some() {
        return;
    }
    let name = of.name.clone();
    state.tell("person", &format!("deletes {name}"));
    let tasks = state.hub.edit(upgrade, |request| request.abandoned = true);
    Checks::after_suspend(state, upgrade, true);
    tasks.into_iter().for_each(|task| state.wake(task));
}
