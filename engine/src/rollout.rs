//! One run of a plan over its clusters: what is recorded of it, what is asked, what came of it.
//!
//! The record is small and guards everything: whoever starts clusters, lets them go on or clears away
//! writes it first, with the version that was read, and loses if anybody else wrote, or edited the plan,
//! meanwhile.

mod approval;
mod continuous;
mod executor;
mod history;
mod member;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ledger::Baseline,
    planted::{PlantedBug, planted},
    wave::{RolloutDecision, Share, Wave, decide_rollout},
};

pub use approval::{
    Approval, ApprovalPolicy, ApprovedWave, Approver, Judgement, NotCounted, judge_approvals,
};
pub use continuous::{Inventory, Left, Mode, Outlook, Wanted, Watching, watch};
pub use executor::advance_rollout;
pub use history::{Approved, FailedCluster, Outcome, RolloutRecord, remember};
pub use member::{MemberStanding, Place, RolloutMember};

/// One run of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// Names the rollout: the plan's name and a number.
    #[schemars(length(max = 63))]
    pub id: String,
    /// The number.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub number: i32,
    /// Hash of the specification that it carries out.
    #[schemars(length(max = 64))]
    pub plan_hash: String,
    /// What its target was resolved to.
    pub target: ResolvedTarget,
    /// When it started.
    pub started_at: Timestamp,
    /// Whether every ClusterUpgrade has been made: membership is fixed from then on.
    #[serde(default)]
    pub members_recorded: bool,
    /// How many clusters each wave has, in order, once they are recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(range(min = 0, max = 100_000)))]
    pub wave_sizes: Vec<i32>,
    /// Clusters start or go on, and what is left of earlier rollouts goes, only after counting here: a
    /// write that fails if anybody else has written, or changed the plan. Counts on over rollouts.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub admissions: i64,
    /// The last token of `tidegate.dev/retry` on the plan that was handed to its clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub retry_token: Option<String>,
    /// The waves that were let start by approvals, and whose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub approved: Vec<ApprovedWave>,
    /// When every wave was done: from then on it is over, whatever becomes of its ClusterUpgrades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// What a target was resolved to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResolvedTarget {
    /// The version, unless each cluster has its own (channel Patch) or none is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub kubernetes: Option<String>,
    /// The node image of each family for the whole rollout, when `nodeImage` is `Consistent`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::image::pins_schema")]
    pub images: BTreeMap<String, String>,
}

/// What a plan asks of its rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolloutRequest {
    /// Name of the plan.
    pub plan: String,
    /// Identifies what the plan says, but for `suspend`: another hash is another rollout.
    pub hash: String,
    /// Whether one rollout follows another.
    pub mode: Mode,
    /// Finish the steps in flight, start nothing new.
    pub suspend: bool,
    /// Its waves, in order.
    pub waves: Vec<RequestedWave>,
    /// A new token asks for another try of its clusters that have stopped.
    pub retry: Option<String>,
    /// Who has written it, as far as the API server vouches for it.
    pub authors: Vec<String>,
    /// Subscription and region of its clusters, by name, as far as they are known.
    pub places: BTreeMap<String, String>,
}

/// What a plan says of a wave whose clusters are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedWave {
    /// Its name.
    pub name: String,
    /// How many of its clusters may be worked on at once.
    pub max_concurrent: Share,
    /// How many of its clusters may fail before nothing starts any more.
    pub failure_budget: Share,
    /// What it needs before its first cluster starts.
    pub approvals: Option<ApprovalPolicy>,
    /// The clusters that start first, in this order; the others follow by name.
    pub order: Vec<String>,
}

/// What a plan is asked to propose a rollout for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// The target is to be resolved anew; else the rollout that has begun keeps what its was resolved to.
    pub target: Option<ResolvedTarget>,
    /// What the rollout before has left, when that is over and the plan a continuous one: nothing is
    /// proposed then unless something needs it.
    pub left: Option<Left>,
}

impl Occasion {
    /// Whether a new rollout would begin.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.target.is_none()
    }
}

/// What a rollout is to consist of, from a plan that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What the target was resolved to; taken for a new rollout only.
    pub target: ResolvedTarget,
    /// The waves, in order.
    pub waves: Vec<ProposedWave>,
}

impl Proposal {
    /// Whether no cluster is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waves.iter().all(|wave| wave.clusters.is_empty())
    }
}

/// The clusters of a wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedWave {
    /// Its name.
    pub name: String,
    /// Names of its clusters. No cluster is in two waves.
    pub clusters: Vec<String>,
}

/// A ClusterUpgrade that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMember {
    /// Its name.
    pub name: String,
    /// The cluster.
    pub cluster: String,
    /// Its wave.
    pub wave: String,
    /// What the plan says of it at first.
    pub place: Place,
    /// What was unhealthy before an earlier rollout began that did not come to its end here.
    pub baseline: Option<Baseline>,
}

/// What came of making a ClusterUpgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is there and of this very plan: made now, or before.
    Ours,
    /// Another object has its name.
    Taken,
}

/// What a plan waits on before its rollout can go on. `R` says why it cannot be carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Obstacle<R> {
    /// It cannot be carried out as it is.
    Refused(R),
    /// The rollout of an earlier version of the plan has a step in flight, in this ClusterUpgrade.
    EarlierRollout(Box<RolloutMember>),
    /// A ClusterUpgrade of this name is there and not the plan's: of a deleted plan of the same name,
    /// or made by hand.
    NameTaken(String),
    /// Another replica leads: what was seen here says nothing.
    NotLeading,
}

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutProgress<R> {
    /// The record, as saved.
    pub rollout: Option<Rollout>,
    /// Every ClusterUpgrade that the plan has made and that is there, of this rollout and earlier ones.
    pub upgrades: Vec<RolloutMember>,
    /// The approvals of the plan, if any of its waves still needs some.
    pub approvals: Vec<Approval>,
    /// What keeps it from going on.
    pub obstacle: Option<Obstacle<R>>,
}

impl<R> RolloutProgress<R> {
    /// The ClusterUpgrades of the present rollout.
    pub fn members(&self) -> impl Iterator<Item = &RolloutMember> {
        members_of(self.rollout.as_ref(), &self.upgrades)
    }

    /// The waves as their ClusterUpgrades show them, in the order in which clusters start.
    #[must_use]
    pub fn waves(&self, request: &RolloutRequest, now: Timestamp) -> Vec<Wave> {
        self.seen().waves(request, now)
    }

    /// How the waves stand, and what may start.
    #[must_use]
    pub fn decide(&self, request: &RolloutRequest, now: Timestamp) -> RolloutDecision {
        decide_rollout(&self.waves(request, now), request.suspend, now)
    }

    /// What the approvals of a wave come to; `None` when it needs none, or has started.
    #[must_use]
    pub fn judgement<'a>(
        &'a self,
        request: &RolloutRequest,
        wave: &'a RequestedWave,
        now: Timestamp,
    ) -> Option<(&'a ApprovalPolicy, Judgement<'a>)> {
        self.seen().judgement(request, wave, now)
    }

    fn seen(&self) -> Seen<'_> {
        Seen { rollout: self.rollout.as_ref(), upgrades: &self.upgrades, approvals: &self.approvals }
    }
}

/// What is known of a rollout.
#[derive(Clone, Copy)]
struct Seen<'a> {
    rollout: Option<&'a Rollout>,
    upgrades: &'a [RolloutMember],
    approvals: &'a [Approval],
}

impl<'a> Seen<'a> {
    /// The ClusterUpgrades of the present rollout.
    fn members(self) -> impl Iterator<Item = &'a RolloutMember> {
        members_of(self.rollout, self.upgrades)
    }

    fn waves(self, request: &RolloutRequest, now: Timestamp) -> Vec<Wave> {
        let is_over = self.rollout.is_some_and(|rollout| rollout.ended_at.is_some());
        let sizes = self.rollout.map_or(&[][..], |rollout| &rollout.wave_sizes);
        let sizes = sizes.iter().map(|size| usize::try_from(*size).unwrap_or(0)).chain(std::iter::repeat(0));
        let wave = |(wave, size): (&RequestedWave, usize)| {
            let order = |member: &RolloutMember| {
                wave.order.iter().position(|name| *name == member.cluster).unwrap_or(usize::MAX)
            };
            let mut members: Vec<&RolloutMember> = self.of_wave(&wave.name).collect();
            members.sort_by_key(|member| (order(member), &member.name));
            Wave {
                name: wave.name.clone(),
                max_concurrent: wave.max_concurrent,
                failure_budget: wave.failure_budget,
                lacks_approval: self.lacks_approval(request, wave, now),
                missing: if is_over { 0 } else { size.saturating_sub(members.len()) },
                members: members.into_iter().map(|member| member.of_wave(&request.places)).collect(),
            }
        };
        request.waves.iter().zip(sizes).map(wave).collect()
    }

    fn of_wave(self, wave: &str) -> impl Iterator<Item = &'a RolloutMember> {
        self.members().filter(move |member| member.wave == wave)
    }

    /// Whether a wave has let a cluster start: its approvals have done their service then.
    ///
    /// That it was recorded alone does not say so: whoever recorded it may have died right after, and an
    /// approval may be withdrawn meanwhile.
    fn has_started(self, wave: &RequestedWave) -> bool {
        self.of_wave(&wave.name).any(|member| member.place.admitted)
    }

    /// What the approvals of a wave come to; `None` when it needs none, or has started.
    fn judgement<'b>(
        self,
        request: &RolloutRequest,
        wave: &'b RequestedWave,
        now: Timestamp,
    ) -> Option<(&'b ApprovalPolicy, Judgement<'a>)> {
        let policy = wave.approvals.as_ref().filter(|_| !self.has_started(wave))?;
        let asked = (wave.name.as_str(), policy);
        Some((policy, judge_approvals(asked, self.rollout?, &request.authors, self.approvals, now)))
    }

    fn lacks_approval(self, request: &RolloutRequest, wave: &RequestedWave, now: Timestamp) -> bool {
        let judged = self.judgement(request, wave, now);
        judged.is_some_and(|(policy, judgement)| !judgement.suffices(policy))
            && !planted(PlantedBug::ForgetApproval)
    }
}

fn members_of<'a>(
    rollout: Option<&'a Rollout>,
    upgrades: &'a [RolloutMember],
) -> impl Iterator<Item = &'a RolloutMember> {
    upgrades.iter().filter(move |member| rollout.is_some_and(|rollout| member.rollout == rollout.id))
}

#[cfg(test)]
mod tests;
