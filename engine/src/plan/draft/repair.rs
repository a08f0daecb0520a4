//! Steps that send what Azure shows already: pools whose operation failed, and what is found to run
//! something older than is shown.

use super::{Draft, Moving, pool_step};
use crate::{
    cluster::{NodePool, ProvisioningState},
    lag::Lag,
    observation::ServerVersion,
    plan::PlannedStep,
    refusal::Refusal,
    step::{Step, StepKind},
    target::Target,
    version::KubernetesVersion,
};

/// Why a pool is sent the version that it shows.
pub(super) enum Trouble {
    /// It is in state Failed.
    Failed,
    /// Its oldest node runs this.
    Older(KubernetesVersion),
}

impl Trouble {
    pub(super) fn of(pool: &NodePool, target: &Target, lag: &Lag) -> Option<Self> {
        if pool.provisioning_state == ProvisioningState::Failed {
            return Some(Self::Failed);
        }
        // What runs is as new as is wanted: then Azure may show what it likes.
        let wanted = target.kubernetes.as_ref().filter(|_| target.scope.has_pool_versions())?;
        lag.pools.get(&pool.name).filter(|runs| runs.is_older_than(wanted)).cloned().map(Self::Older)
    }

    /// What a step of the pool does about it.
    pub(super) fn words(&self, shown: &KubernetesVersion) -> String {
        match self {
            Self::Failed => "repairs its failed operation".to_owned(),
            Self::Older(runs) => format!("repairs that Azure shows {shown} and nodes run {runs}"),
        }
    }
}

impl<'a> Draft<'a> {
    /// What the control plane really runs, when that is too old for what is wanted, or for what a pool
    /// is to be sent once more, and the upgrade may do something about it.
    pub(super) fn control_plane_behind(&self) -> Option<&'a ServerVersion> {
        let runs = self.lag.control_plane.as_ref().filter(|_| self.target.scope.has_control_plane())?;
        let too_old = |version: &KubernetesVersion| runs.is_older_than(version);
        let for_pools = self.moving.iter().any(|moving| moving.trouble.is_some() && too_old(&moving.at));
        (self.target.kubernetes.as_ref().is_some_and(too_old) || for_pools).then_some(runs)
    }

    /// Sends the version that the control plane shows again. A write to the cluster takes up what pools
    /// have left undone, so they come first, as far as AKS takes their version from this control plane.
    pub(super) fn repair_control_plane(&mut self, runs: &ServerVersion) {
        for index in 0..self.moving.len() {
            let Moving { at, trouble, .. } = &self.moving[index];
            if trouble.is_some() && !runs.is_older_than(at) {
                self.repair(index, " before the control plane moves");
            }
        }
        let shown = self.cluster.version.to_string();
        let why = format!("repairs that Azure shows {shown} and the API server runs {runs}");
        let step = Step { kind: StepKind::ControlPlane, pool: None, from: runs.to_string(), to: shown };
        self.plan.steps.push(PlannedStep { step, why, nodes: 0, repair: true });
    }

    /// With the control plane out of scope, pools cannot become newer than what it really runs.
    pub(super) fn check_pools_follow(&mut self) {
        let Some(runs) = self.lag.control_plane.as_ref().filter(|_| !self.target.scope.has_control_plane())
        else {
            return;
        };
        let to_newer = |planned: &PlannedStep| {
            planned.step.kind == StepKind::NodePoolVersion
                && planned.step.to.parse().is_ok_and(|to| runs.is_older_than(&to))
        };
        if self.plan.steps.iter().any(to_newer) {
            let (shown, runs) = (self.cluster.version.clone(), runs.to_string());
            self.refusals.push(Refusal::ControlPlaneBehind { shown, runs });
        }
    }

    /// Sends the version that the pool shows again, which finishes what an operation began.
    pub(super) fn repair(&mut self, index: usize, when: &str) {
        let Moving { pool, at, trouble } = &mut self.moving[index];
        let Some(trouble) = trouble.take() else { return };
        let from = match &trouble {
            Trouble::Failed => &*at,
            Trouble::Older(runs) => runs,
        };
        let (pool, step, why) = (*pool, pool_step(pool, from, at), format!("{}{when}", trouble.words(at)));
        self.push(pool, step, why, true);
    }

    /// Whether a step of the plan sends the pool the version that it shows.
    pub(super) fn has_repaired(&self, pool: &NodePool) -> bool {
        let repairs =
            |planned: &PlannedStep| planned.repair && planned.step.pool.as_ref() == Some(&pool.name);
        self.plan.steps.iter().any(repairs)
    }
}
