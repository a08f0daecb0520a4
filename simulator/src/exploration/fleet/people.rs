//! What people do: suspend, edit, retry, approve, withdraw, label, deregister.

use engine::Approval;

use super::{
    case::{Deed, Wrong},
    played::World,
};

/// In calm times somebody sees to what is left every so many rounds.
const ROUND: u32 = 30;

impl World {
    /// What happens in a round.
    pub(super) fn happens(&mut self, round: u32, calm_from: u32) {
        while self.deeds.first().is_some_and(|(at, _)| *at <= round) {
            let (_, deed) = self.deeds.remove(0);
            self.does(deed);
        }
        if round >= calm_from && round.is_multiple_of(ROUND) {
            self.sees_to_it();
        }
    }

    fn does(&mut self, deed: Deed) {
        self.tell(&format!("somebody: {deed:?}"));
        match deed {
            Deed::Suspend { plan, suspend } => {
                self.plans[plan].suspend = suspend;
                self.plans[plan].version += 1;
            }
            Deed::Edit { plan } => {
                self.plans[plan].hash += 1;
                self.plans[plan].version += 1;
            }
            Deed::Retry { plan } => self.retry(plan),
            Deed::Relabel { cluster, ring } => {
                if let Some(cluster) = self.clusters.values_mut().nth(cluster) {
                    cluster.ring = ring;
                }
            }
            Deed::Register { cluster, registered } => {
                if let Some(cluster) = self.clusters.values_mut().nth(cluster) {
                    cluster.registered = registered;
                }
            }
            Deed::Approve { plan, wave, approver, wrong } => self.approve(plan, wave, approver, wrong),
            Deed::Withdraw { plan } => self.withdraw(plan),
        }
    }

    fn retry(&mut self, plan: usize) {
        let token = self.event().to_string();
        self.plans[plan].retry = Some(token);
        self.plans[plan].version += 1;
    }

    fn approve(&mut self, plan: usize, wave: usize, approver: &str, wrong: Option<Wrong>) {
        let (given_at, name) = (self.now, format!("approval-{}", self.event()));
        let plan = &mut self.plans[plan];
        let (Some(rollout), Some((asked, _))) = (&plan.rollout, plan.case.waves.get(wave)) else { return };
        plan.approvals.push(Approval {
            name,
            wave: asked.name.clone(),
            rollout: if wrong == Some(Wrong::Rollout) { "other".to_owned() } else { rollout.id.clone() },
            plan_hash: if wrong == Some(Wrong::Plan) { "0".to_owned() } else { rollout.plan_hash.clone() },
            approver: approver.to_owned(),
            reason: "as planned".to_owned(),
            given_at,
        });
    }

    /// Takes the newest approval of a plan back.
    pub(super) fn withdraw(&mut self, plan: usize) {
        if let Some(gone) = self.plans[plan].approvals.pop() {
            self.tell(&format!("somebody withdraws {} of {}", gone.name, gone.approver));
        }
    }

    /// Everything that only people can do.
    fn sees_to_it(&mut self) {
        self.clusters.values_mut().for_each(|cluster| cluster.registered = true);
        for plan in 0..self.plans.len() {
            if self.plans[plan].suspend {
                self.does(Deed::Suspend { plan, suspend: false });
            }
            for wave in 0..self.plans[plan].case.waves.len() {
                for approver in ["ann", "bea", "cem"] {
                    self.approve(plan, wave, approver, None);
                }
            }
            self.retry(plan);
        }
    }
}
