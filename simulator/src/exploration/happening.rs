//! What happens without anybody here deciding it: processes that die, clocks that jump, and others who
//! change clusters in Azure.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

use super::{
    lease::Health,
    people::People,
    sim::{Event, State},
};
use crate::{
    effects::ClusterKey,
    scenario::{Fault, QuirkRule},
    world::{Call, PoolKey},
};

/// Somebody who is not the operator.
const SOMEBODY: &str = "terraform";

/// Something that happens at an instant.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A replica's process is gone; another takes its place after a while.
    Crash { replica: usize, back_after: Duration },
    /// The new process is there.
    Back { replica: usize },
    /// A process is stopped for a while, and goes on as if nothing had been.
    Freeze { replica: usize, length: Duration },
    /// It goes on.
    Thaw { replica: usize },
    /// A replica cannot reach the hub for a while.
    CutOff { replica: usize, length: Duration },
    /// It can again.
    Reconnect { replica: usize },
    /// A replica believes to lead for a while, whatever the hub says.
    Delude { replica: usize, length: Duration },
    /// A replica's clock jumps.
    ClockJump { replica: usize, to: SignedDuration },
    /// The lease may have become free.
    LeaseFree,
    /// Something happens right after a replica has next written a record.
    AfterNextWrite { replica: usize, then: Box<Happening> },
    /// Somebody does something in Azure.
    Somebody { cluster: ClusterKey, deed: Deed },
    /// Somebody does something right after the operator has next read the cluster.
    Ambush { cluster: ClusterKey, deed: Deed },
    /// Somebody suspends an upgrade.
    Suspend { upgrade: usize },
    /// Somebody lets a suspended upgrade go on.
    Resume { upgrade: usize },
    /// Somebody suspends the plan, or lets it go on.
    SuspendPlan { suspend: bool },
    /// Somebody asks an upgrade to try again.
    Retry { upgrade: usize },
    /// Azure itself changes.
    Azure(AzureChange),
}

/// What changes in Azure without anybody asking for it.
#[derive(Clone, Debug)]
pub(super) enum AzureChange {
    /// Something goes wrong in an upgrade from now on.
    Fault { cluster: ClusterKey, fault: Box<Fault> },
    /// It behaves oddly from now on.
    Quirk(Box<QuirkRule>),
    /// The quotas are as large as this.
    Quota(u32),
}

/// What somebody does to a cluster.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    UpgradeControlPlane { to: String },
    UpgradePool { pool: String, to: String },
    UpdateCluster,
    RefreshImage { pool: String },
    Abort { pool: Option<String> },
    Tag { value: String },
    Label { pool: String, value: String },
}

impl Happening {
    /// Makes it so. Gives replicas whose processes end, and one that begins to lead.
    pub(super) fn happen(self, state: &mut State) -> Effects {
        let mut effects = Effects::default();
        match self {
            Self::Crash { replica, back_after } => {
                state.tell(&name(replica), "crashes");
                set_health(state, replica, Health::Gone);
                state.schedule_in(back_after, Event::Happens(Self::Back { replica }));
                effects.ends = Some(replica);
            }
            Self::Back { replica } => {
                state.tell(&name(replica), "starts again");
                set_health(state, replica, Health::Well);
            }
            Self::Freeze { replica, length } => {
                if state.lease.health(replica) == Health::Well {
                    state.tell(&name(replica), "is stopped");
                    set_health(state, replica, Health::Paused);
                    state.schedule_in(length, Event::Happens(Self::Thaw { replica }));
                }
            }
            Self::Thaw { replica } => {
                if state.lease.health(replica) == Health::Paused {
                    state.tell(&name(replica), "goes on");
                    set_health(state, replica, Health::Well);
                }
            }
            Self::CutOff { replica, length } => {
                if state.lease.health(replica) == Health::Well {
                    state.tell(&name(replica), "is cut off from the hub");
                    set_health(state, replica, Health::CutOff);
                    state.schedule_in(length, Event::Happens(Self::Reconnect { replica }));
                }
            }
            Self::Reconnect { replica } => {
                if state.lease.health(replica) == Health::CutOff {
                    state.tell(&name(replica), "reaches the hub again");
                    set_health(state, replica, Health::Well);
                }
            }
            Self::Delude { replica, length } => {
                state.tell(&name(replica), "takes itself for the leader");
                let until = state.now + length;
                state.lease.delude(replica, until);
                effects.deluded = Some(replica);
            }
            Self::ClockJump { replica, to } => {
                state.tell(&name(replica), &format!("has a clock that is off by {to:#}"));
                state.clocks_jumped |= !to.is_zero();
                if let Some(error) = state.clock_errors.get_mut(replica) {
                    *error = to;
                }
            }
            Self::LeaseFree => {}
            Self::AfterNextWrite { replica, then } => state.after_write.push((replica, *then)),
            Self::Somebody { cluster, deed } => deed.carry_out(state, &cluster),
            Self::Ambush { cluster, deed } => state.ambushes.push((cluster, deed)),
            Self::Suspend { upgrade } => People::suspend(state, upgrade),
            Self::Resume { upgrade } => People::resume(state, upgrade),
            Self::SuspendPlan { suspend } => People::suspend_plan(state, suspend),
            Self::Retry { upgrade } => People::retry(state, upgrade),
            Self::Azure(change) => change.carry_out(state),
        }
        effects.leads = state.lease.settle(state.now);
        effects
    }
}

/// What a happening means for processes.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) ends: Option<usize>,
    pub(super) leads: Option<usize>,
    pub(super) deluded: Option<usize>,
}

/// How a replica is called in the timeline.
pub(super) fn name(replica: usize) -> String {
    format!("replica {replica}")
}

fn set_health(state: &mut State, replica: usize, health: Health) {
    let now = state.now;
    state.lease.set_health(now, replica, health);
    if let Some(at) = state.lease.free_at() {
        state.schedule(at, Event::Happens(Happening::LeaseFree));
    }
}

/// The operator has read a cluster: whoever lies in wait does something now.
pub(super) fn after_read(state: &mut State, cluster: &ClusterKey) {
    if let Some(place) = state.ambushes.iter().position(|(key, _)| key == cluster) {
        let (_, deed) = state.ambushes.remove(place);
        deed.carry_out(state, cluster);
    }
}

/// A replica has written a record: whatever waits for that happens before it does anything else.
pub(super) fn after_write(state: &mut State, replica: usize) {
    if let Some(place) = state.after_write.iter().position(|(of, _)| *of == replica) {
        let (_, happening) = state.after_write.remove(place);
        state.schedule(state.now, Event::Happens(happening));
    }
}

impl AzureChange {
    fn carry_out(self, state: &mut State) {
        match self {
            Self::Fault { cluster, fault } => {
                let added = state.world.add_fault(&cluster, *fault);
                debug_assert!(added.is_ok(), "cluster and pool were checked when the script was read");
            }
            Self::Quirk(rule) => {
                state.tell("azure", &format!("begins: {}", rule.quirk.name()));
                let added = state.world.add_quirk(*rule);
                debug_assert!(added.is_ok(), "the rule was checked when the script was read");
            }
            Self::Quota(vcpus) => {
                state.tell("azure", &format!("the quota is {vcpus} virtual CPUs from now on"));
                state.world.set_quotas(vcpus);
            }
        }
    }
}

impl Deed {
    fn words(&self, cluster: &ClusterKey) -> String {
        let name = cluster.0.rsplit('/').next().unwrap_or_default();
        match self {
            Self::UpgradeControlPlane { to } => format!("upgrades {name} control plane to {to}"),
            Self::UpdateCluster => format!("updates {name} without any change"),
            Self::UpgradePool { pool, to } => format!("upgrades {name} pool {pool} to {to}"),
            Self::RefreshImage { pool } => format!("upgrades {name} pool {pool} to the newest image"),
            Self::Abort { pool: None } => format!("aborts what runs in {name} control plane"),
            Self::Abort { pool: Some(pool) } => format!("aborts what runs in {name} pool {pool}"),
            Self::Tag { value } => format!("tags {name} with owner={value}"),
            Self::Label { pool, value } => format!("labels {name} pool {pool} with owner={value}"),
        }
    }

    fn carry_out(self, state: &mut State, cluster: &ClusterKey) {
        let words = self.words(cluster);
        let moved = self.moves();
        let Some(call) = self.call(state, cluster) else { return };
        let answer = state.world.call(state.now, SOMEBODY, call);
        state.tell("somebody", &format!("{words}: {}", answer.status));
        if answer.is_success() {
            if let Some((pool, to)) = moved {
                super::checks::Checks::moved_by_somebody(state, cluster, pool.as_deref(), &to);
            }
            super::checks::Checks::after_event(state);
        }
    }

    /// What it moves, a pool or the control plane, and to which version.
    fn moves(&self) -> Option<(Option<String>, String)> {
        match self {
            Self::UpgradeControlPlane { to } => Some((None, to.clone())),
            Self::UpgradePool { pool, to } => Some((Some(pool.clone()), to.clone())),
            Self::UpdateCluster
            | Self::RefreshImage { .. }
            | Self::Abort { .. }
            | Self::Tag { .. }
            | Self::Label { .. } => None,
        }
    }

    fn call(self, state: &State, cluster: &ClusterKey) -> Option<Call> {
        let document = state.world.document(cluster)?;
        let pool_key = |name: String| PoolKey { cluster: cluster.clone(), name };
        let body_of = |name: &str| {
            let pools = document["properties"]["agentPoolProfiles"].as_array()?;
            let found = pools.iter().find(|pool| pool["name"] == name)?;
            let mut properties = found.clone();
            properties.as_object_mut()?.remove("name");
            Some(serde_json::json!({ "name": name, "properties": properties }))
        };
        Some(match self {
            Self::UpgradeControlPlane { to } => {
                let mut body = document.clone();
                body["properties"]["kubernetesVersion"] = Value::from(to);
                Call::PutCluster { cluster: cluster.clone(), body, if_match: None }
            }
            Self::UpdateCluster => {
                Call::PutCluster { cluster: cluster.clone(), body: document.clone(), if_match: None }
            }
            Self::UpgradePool { pool, to } => {
                let mut body = body_of(&pool)?;
                body["properties"]["orchestratorVersion"] = Value::from(to);
                Call::PutPool { pool: pool_key(pool), body, if_match: None }
            }
            Self::RefreshImage { pool } => Call::UpgradeNodeImage { pool: pool_key(pool) },
            Self::Abort { pool: None } => Call::AbortCluster { cluster: cluster.clone() },
            Self::Abort { pool: Some(pool) } => Call::AbortPool { pool: pool_key(pool) },
            Self::Tag { value } => {
                let mut tags = document["tags"].clone();
                tags["owner"] = Value::from(value);
                let body = serde_json::json!({ "tags": tags });
                Call::PatchCluster { cluster: cluster.clone(), body, if_match: None }
            }
            Self::Label { pool, value } => {
                let mut body = body_of(&pool)?;
                body["properties"]["nodeLabels"]["owner"] = Value::from(value);
                Call::PutPool { pool: pool_key(pool), body, if_match: None }
            }
        })
    }
}
