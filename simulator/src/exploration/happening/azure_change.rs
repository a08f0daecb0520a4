//! What changes in Azure without anybody asking for it there.

use std::time::Duration;

use serde_json::json;

use super::{Deed, Happening};

use crate::{
    effects::ClusterKey,
    exploration::sim::{Event, State},
    scenario::{DenyPolicy, Fault, QuirkName, QuirkRule},
    world::{Call, ManagerCall, Scope},
};

/// Whoever may do that.
const ADMINISTRATOR: &str = "administrator";
const LOCK: &str = "freeze";
/// What Azure did not take is asked for again after this.
const AGAIN: Duration = Duration::from_secs(60);

/// What changes in Azure without anybody asking for it.
#[derive(Clone, Debug)]
pub(in crate::exploration) enum AzureChange {
    /// Something goes wrong in an upgrade from now on.
    Fault { cluster: ClusterKey, fault: Box<Fault> },
    /// It behaves oddly from now on.
    Quirk(Box<QuirkRule>),
    /// The quotas are as large as this.
    Quota(u32),
    /// A cluster is locked against all changes, or not any more.
    Lock { cluster: ClusterKey, locked: bool },
    /// A policy denies changes of a cluster, or does not any more.
    Policy { cluster: ClusterKey, denies: bool },
}

/// Somebody begins something, and Azure calls it done when a part of it is (Azure/AKS#3558).
pub(super) fn push_aside(state: &mut State, cluster: &ClusterKey, deed: Deed) {
    let rule = QuirkRule { clusters: vec![cluster.0.clone()], ..QuirkRule::new(QuirkName::Preemption) };
    // There is nothing to push aside where somebody has deleted the cluster.
    let Ok(rule) = state.world.add_quirk(rule) else { return };
    deed.carry_out(state, cluster);
    state.world.remove_quirk(rule);
}

impl AzureChange {
    pub(super) fn carry_out(self, state: &mut State) {
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
            Self::Lock { cluster, locked } => {
                let words = if locked { "is locked" } else { "is not locked any more" };
                state.tell("azure", &format!("{} {words}", short(&cluster)));
                let (scope, name) = (Scope::new(&cluster.0), LOCK.to_owned());
                let call = if locked {
                    let body = json!({ "properties": { "level": "ReadOnly" } });
                    ManagerCall::PutLock { scope: (scope, cluster.0.clone()), name, body }
                } else {
                    ManagerCall::DeleteLock { scope, name }
                };
                let answer = state.world.call(state.now, ADMINISTRATOR, Call::Manager(call));
                if !locked && !answer.is_success() {
                    let again = Happening::Azure(Self::Lock { cluster, locked });
                    state.schedule_in(AGAIN, Event::Happens(again));
                }
            }
            Self::Policy { cluster, denies } => {
                let words = if denies { "is under a policy that denies" } else { "is under no such policy" };
                state.tell("azure", &format!("{} {words}", short(&cluster)));
                let policy = denies.then(|| DenyPolicy {
                    assignment: "change-freeze".to_owned(),
                    definition: "deny-all-writes".to_owned(),
                });
                state.world.set_policy(&cluster, policy);
            }
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Fault { .. } => "fault",
            Self::Quirk(_) => "quirk",
            Self::Quota(_) => "quota raised",
            Self::Lock { locked: true, .. } => "locked",
            Self::Lock { locked: false, .. } => "unlocked",
            Self::Policy { denies: true, .. } => "policy denies",
            Self::Policy { denies: false, .. } => "policy lifted",
        }
    }
}

fn short(cluster: &ClusterKey) -> &str {
    cluster.0.rsplit('/').next().unwrap_or_default()
}
