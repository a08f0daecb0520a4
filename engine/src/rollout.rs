//! One run of a plan over its clusters: what is recorded of it, what is asked, what came of it.
//!
//! The record is small and guards everything: whoever starts clusters, lets them go on or clears away
//! writes it first, with the version that was read, and loses if anybody else wrote, or edited the plan,
//! meanwhile.

mod executor;
mod member;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ledger::Baseline,
    wave::{Share, Wave},
};

pub use executor::advance_rollout;
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
}

/// What a target was resolved to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResolvedTarget {
    /// The version, unless each cluster has its own (channel Patch) or none is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub kubernetes: Option<String>,
}

/// What a plan asks of its rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutRequest {
    /// Name of the plan.
    pub plan: String,
    /// Identifies what the plan says, but for `suspend`: another hash is another rollout.
    pub hash: String,
    /// Finish the steps in flight, start nothing new.
    pub suspend: bool,
    /// Its waves, in order.
    pub waves: Vec<RequestedWave>,
}

/// What a plan says of a wave whose clusters are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedWave {
    /// Its name.
    pub name: String,
    /// How many of its clusters may be worked on at once.
    pub max_concurrent: Share,
    /// The clusters that start first, in this order; the others follow by name.
    pub order: Vec<String>,
}

/// What a rollout is to consist of, from a plan that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What the target was resolved to; taken for a new rollout only.
    pub target: ResolvedTarget,
    /// The waves, in order.
    pub waves: Vec<ProposedWave>,
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
    pub fn waves(&self, request: &RolloutRequest) -> Vec<Wave> {
        waves_of(request, self.rollout.as_ref(), &self.upgrades)
    }
}

fn members_of<'a>(
    rollout: Option<&'a Rollout>,
    upgrades: &'a [RolloutMember],
) -> impl Iterator<Item = &'a RolloutMember> {
    upgrades.iter().filter(move |member| rollout.is_some_and(|rollout| member.rollout == rollout.id))
}

fn waves_of(request: &RolloutRequest, rollout: Option<&Rollout>, upgrades: &[RolloutMember]) -> Vec<Wave> {
    let sizes = rollout.map_or(&[][..], |rollout| &rollout.wave_sizes);
    let sizes = sizes.iter().map(|size| usize::try_from(*size).unwrap_or(0)).chain(std::iter::repeat(0));
    let wave = |(wave, size): (&RequestedWave, usize)| {
        let place = |member: &RolloutMember| {
            wave.order.iter().position(|name| *name == member.cluster).unwrap_or(usize::MAX)
        };
        let mut members: Vec<&RolloutMember> =
            members_of(rollout, upgrades).filter(|member| member.wave == wave.name).collect();
        members.sort_by_key(|member| (place(member), &member.name));
        Wave {
            name: wave.name.clone(),
            max_concurrent: wave.max_concurrent,
            missing: size.saturating_sub(members.len()),
            members: members.into_iter().map(RolloutMember::of_wave).collect(),
        }
    };
    request.waves.iter().zip(sizes).map(wave).collect()
}

#[cfg(test)]
mod tests;
