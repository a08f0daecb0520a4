//! What a plan's status says of its waves. Pure.

use crds::{AKSCluster, BudgetStatus, ClusterCounts, UpgradePlan, WaveApprovalsStatus, WaveStatus, WaveWait};
use engine::{MemberState, RolloutMember, RolloutRequest, Watching, Wave, WaveState};
use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    Progress,
    standing::{failed, named},
    upgrade_spec, waits,
};
use crate::{
    context::bounded,
    controller::cluster_upgrade::{Ahead, ahead},
};

/// How long a sentence about a wave may be, in bytes: a plan has up to 50, and its status stays small.
const SENTENCE: usize = 160;

/// What is looked at to tell of the waves.
pub(super) struct Shown<'a> {
    pub(super) plan: &'a UpgradePlan,
    pub(super) request: &'a RolloutRequest,
    pub(super) progress: &'a Progress,
    /// What a continuous plan waits for, when none runs.
    pub(super) watching: Option<&'a Watching>,
    pub(super) clusters: &'a [AKSCluster],
    pub(super) now: Timestamp,
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl<'a> Shown<'a> {
    /// What is told of one wave.
    pub(super) fn wave(&self, wave: &Wave, state: WaveState) -> WaveStatus {
        let approvals = self.approvals(wave, state);
        WaveStatus {
            name: wave.name.clone(),
            state: state.to_string(),
            clusters: counts(wave),
            soak_until: self.soak_until(wave).filter(|_| state == WaveState::Soaking),
            failure_budget: self.budget(wave),
            waiting_on: self.waiting_on(wave, state, approvals.as_ref()),
            approvals,
        }
    }

    pub(super) fn members(&self, wave: &Wave) -> impl Iterator<Item = &'a RolloutMember> {
        self.progress.members().filter(|member| member.wave == wave.name)
    }

    fn soak_until(&self, wave: &Wave) -> Option<Timestamp> {
        let soaking = self.members(wave).filter(|member| member.state() == MemberState::Soaking);
        soaking.filter_map(|member| member.ledger.soak_until).max()
    }

    fn budget(&self, wave: &Wave) -> Option<BudgetStatus> {
        let clusters = failed(wave, self.progress).into_iter().take(5).map(str::to_owned).collect();
        let status = BudgetStatus { allowed: count(wave.budget()), failed: count(wave.failed()), clusters };
        Some(status).filter(|status| status.allowed > 0 || status.failed > 0)
    }

    fn approvals(&self, wave: &Wave, state: WaveState) -> Option<WaveApprovalsStatus> {
        let asked = self.request.waves.iter().find(|asked| asked.name == wave.name)?;
        let (policy, judgement) = self.progress.judgement(self.request, asked, self.now)?;
        let starts = if state == WaveState::WaitingForApproval {
            self.starts(wave)
        } else {
            let starting = wave.count(MemberState::Waiting) + wave.count(MemberState::Claimed);
            format!("{starting} clusters{}, when the wave's turn has come", self.version())
        };
        Some(WaveApprovalsStatus {
            required: count(usize::try_from(policy.required).unwrap_or(usize::MAX)),
            given: count(judgement.counted.len()),
            by: judgement.counted.iter().take(10).map(|approval| bounded(&approval.approver, 64)).collect(),
            starts,
        })
    }

    fn version(&self) -> String {
        let target = self.progress.rollout.as_ref().and_then(|rollout| rollout.target.kubernetes.as_ref());
        target.map_or_else(String::new, |version| format!(" to {version}"))
    }

    /// What approving a wave starts, from what is known of its clusters now: not those that were left out, are not
    /// registered any more, or have an end already.
    fn starts(&self, wave: &Wave) -> String {
        let waiting = self.members(wave).filter(|member| member.state() == MemberState::Waiting);
        let names: Vec<&str> = waiting.map(|member| member.cluster.as_str()).collect();
        let later = match wave.count(MemberState::Claimed) {
            0 => String::new(),
            claimed => format!("; {claimed} more once older rollouts of other plans have ended there"),
        };
        let steps = names.iter().map(|name| Some(self.ahead(wave, name)?.steps.len()));
        let steps: Option<usize> = steps.sum();
        let steps = steps.map_or_else(String::new, |steps| format!(", {steps} steps in all"));
        let at_once = wave.max_concurrent.of(wave.size()).min(names.len());
        bounded(
            &format!(
                "{} clusters{}{steps}, at most {at_once} at once: {}{later}",
                names.len(),
                self.version(),
                if names.is_empty() { "none".to_owned() } else { named(&names) }
            ),
            400,
        )
    }

    /// What a cluster has before it; `None` when that is not known.
    pub(super) fn ahead(&self, wave: &Wave, name: &str) -> Option<Ahead<'a>> {
        let rollout = self.progress.rollout.as_ref()?;
        let cluster = self.clusters.iter().find(|cluster| cluster.name_any() == name)?;
        let status = cluster.status.as_ref()?;
        let spec = upgrade_spec(self.plan, &rollout.target, &rollout.id, &wave.name, name);
        ahead(&spec, status, self.now)
    }

    fn waiting_on(
        &self,
        wave: &Wave,
        state: WaveState,
        approvals: Option<&WaveApprovalsStatus>,
    ) -> Option<WaveWait> {
        let wait = |reason: &str, message: String| {
            Some(WaveWait { reason: reason.to_owned(), message: bounded(&message, SENTENCE) })
        };
        match state {
            WaveState::WaitingForApproval => {
                let (given, required) =
                    approvals.map_or((0, 0), |approvals| (approvals.given, approvals.required));
                wait("WaitingForApproval", format!("{given} of {required} approvals count"))
            }
            WaveState::Soaking => wait("Soaking", "workloads are watched for the soak time".to_owned()),
            WaveState::Stopped => {
                let message = format!("failed: {}", named(&failed(wave, self.progress)));
                wait(if wave.budget() == 0 { "Stopped" } else { "FailureBudgetExceeded" }, message)
            }
            WaveState::RollingOut => waits::of_wave(self.members(wave)),
            WaveState::Pending | WaveState::CompletedWithFailures | WaveState::Succeeded => None,
        }
    }
}

fn counts(wave: &Wave) -> ClusterCounts {
    let of = |state| count(wave.count(state));
    ClusterCounts {
        total: count(wave.members.len()),
        waiting: of(MemberState::Waiting),
        running: of(MemberState::Running),
        soaking: of(MemberState::Soaking),
        stopped: of(MemberState::Stopped),
        succeeded: of(MemberState::Succeeded),
        claimed: of(MemberState::Claimed),
        left: of(MemberState::Left),
        skipped: of(MemberState::Skipped),
    }
}

#[cfg(test)]
pub(super) mod tests;
