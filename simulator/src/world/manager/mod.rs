//! What Azure Resource Manager keeps itself: tenants, subscriptions, resource groups, providers, locks.
//!
//! Decides which of them there are, and what is refused before a resource provider sees a call: a
//! subscription or group that does not exist, a subscription that can only be read, a lock.

mod call;
mod groups;
mod locations;
mod locks;
mod providers;
mod registry;
mod resources;
mod scope;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use call::{GroupKey, ManagerCall, ResourceFilter};
pub(crate) use locations::is_azure_region;
pub(crate) use registry::{Known, Namespace, ResourceType};
pub use scope::Scope;

use groups::Group;
use locks::Lock;
use subscriptions::Subscription;

use super::{
    Call, World,
    call::{Answer, Refusal},
    resources::cluster::Cluster,
};
use crate::{effects::ClusterKey, scenario::Scenario};

/// What Azure Resource Manager keeps.
#[derive(Debug)]
pub(crate) struct Manager {
    tenant: String,
    /// By id in lower case.
    subscriptions: BTreeMap<String, Subscription>,
    groups: BTreeMap<GroupKey, Group>,
    /// By scope and name in lower case.
    locks: BTreeMap<(Scope, String), Lock>,
}

impl Manager {
    /// What a scenario says, and what its clusters need: their subscriptions and groups.
    pub(crate) fn new(scenario: &Scenario, clusters: &BTreeMap<ClusterKey, Cluster>) -> Self {
        let mut manager = Self {
            tenant: scenario.tenant.clone(),
            subscriptions: BTreeMap::new(),
            groups: BTreeMap::new(),
            locks: BTreeMap::new(),
        };
        for spec in &scenario.subscriptions {
            manager.add_subscription(spec);
        }
        for cluster in clusters.values() {
            manager.add_cluster(cluster);
        }
        for lock in &scenario.locks {
            manager.add_lock(lock);
        }
        manager
    }

    /// Makes room for a cluster: its subscription, its group and the group of its nodes.
    pub(crate) fn add_cluster(&mut self, cluster: &Cluster) {
        let Cluster { subscription, resource_group, location, id, .. } = cluster;
        self.subscriptions
            .entry(subscription.to_lowercase())
            .or_insert_with(|| Subscription::new(subscription.clone()));
        let own = Group::new(resource_group.clone(), location.clone());
        self.groups.entry(GroupKey::new(subscription, resource_group)).or_insert(own);
        let nodes = cluster.text("nodeResourceGroup");
        let group = Group { managed_by: Some(id.clone()), ..Group::new(nodes.to_owned(), location.clone()) };
        self.groups.entry(GroupKey::new(subscription, nodes)).or_insert(group);
    }

    /// Removes the group of the nodes of a cluster that is gone.
    pub(crate) fn remove_cluster(&mut self, cluster: &Cluster) {
        self.groups.retain(|_, group| group.managed_by.as_ref() != Some(&cluster.id));
    }

    /// Refuses a call before anything else looks at it.
    pub(crate) fn admit(&self, call: &Call) -> Result<(), Refusal> {
        self.check_subscription(call)?;
        if !matches!(call, Call::Manager(ManagerCall::PutGroup { .. })) {
            self.check_group(call)?;
        }
        self.check_locks(call)
    }
}

impl World {
    pub(in crate::world) fn manage(&mut self, call: ManagerCall) -> Result<Answer, Refusal> {
        use ManagerCall as M;
        let Self { manager, clusters, page_size, .. } = self;
        let page = |skip: usize, all| page(*page_size, skip, all);
        match call {
            M::ListTenants => Ok(whole(manager.tenants())),
            M::ListSubscriptions { skip } => Ok(page(skip, manager.list_subscriptions())),
            M::GetSubscription { subscription } => manager.get_subscription(&subscription),
            M::ListLocations { subscription } => Ok(whole(locations::list(&subscription))),
            M::ListGroups { subscription, tag, skip } => {
                Ok(page(skip, manager.list_groups(&subscription, tag.as_ref())))
            }
            M::GetGroup { group } => manager.get_group(&group),
            M::PutGroup { group, body } => manager.put_group(&group, &body),
            M::PatchGroup { group, body } => manager.patch_group(&group, &body),
            M::DeleteGroup { group } => manager.delete_group(&group, clusters),
            M::ListProviders { subscription } => Ok(whole(providers::list(subscription.as_deref()))),
            M::GetProvider { subscription, namespace } | M::RegisterProvider { subscription, namespace } => {
                providers::get(subscription.as_deref(), &namespace)
            }
            M::ListResources { scope, filter, skip } => {
                Ok(page(skip, resources::list(clusters.values(), &scope, &filter)))
            }
            M::ListLocks { scope, at_scope } => Ok(whole(manager.list_locks(&scope, at_scope))),
            M::GetLock { scope, name } => manager.get_lock(&scope, &name),
            M::PutLock { scope, name, body } => manager.put_lock(&scope, &name, &body),
            M::DeleteLock { scope, name } => Ok(manager.delete_lock(&scope, &name)),
            M::Permissions { scope: _, granted } => Ok(Answer::new(200, json!({ "value": granted }))),
        }
    }
}

/// A list that is always short.
fn whole(all: Vec<Value>) -> Answer {
    Answer::new(200, json!({ "value": all }))
}

/// A page of a list.
fn page(size: usize, skip: usize, all: Vec<Value>) -> Answer {
    let total = all.len();
    let value = all.into_iter().skip(skip).take(size).collect::<Vec<_>>();
    let next = skip + size;
    Answer { next: (next < total).then_some(next), ..Answer::new(200, json!({ "value": value })) }
}
