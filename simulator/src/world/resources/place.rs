//! Where a cluster is, and the names that follow from it.

use crate::{
    effects::ClusterKey,
    world::ids::{eight_digits, uuid_of},
};

/// Subscription, group, name and region of a cluster, as they were first written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) subscription: String,
    pub(crate) resource_group: String,
    pub(crate) name: String,
    pub(crate) location: String,
    pub(crate) tenant: String,
}

impl Place {
    /// The cluster's ARM id in the case in which AKS writes it.
    pub(crate) fn id(&self) -> String {
        let Self { subscription, resource_group, name, .. } = self;
        format!(
            "/subscriptions/{subscription}/resourcegroups/{resource_group}/providers/Microsoft.ContainerService/\
             managedClusters/{name}"
        )
    }

    /// The id in the other case, in which AKS writes it for machines and maintenance configurations.
    pub(crate) fn id_of_children(&self) -> String {
        self.id().replacen("/resourcegroups/", "/resourceGroups/", 1)
    }

    pub(crate) fn key(&self) -> ClusterKey {
        ClusterKey(self.id().to_lowercase())
    }

    /// The group of its scale sets, addresses and identities.
    pub(crate) fn node_resource_group(&self) -> String {
        format!("MC_{}_{}_{}", self.resource_group, self.name, self.location)
    }

    /// The start of ids in the group of its nodes.
    pub(crate) fn in_node_resource_group(&self, resource_groups: &str, rest: &str) -> String {
        format!(
            "/subscriptions/{}/{resource_groups}/{}/providers/{rest}",
            self.subscription,
            self.node_resource_group()
        )
    }

    /// An id that belongs to this cluster, the same whenever it is asked for.
    pub(crate) fn uuid(&self, what: &str) -> String {
        uuid_of(&format!("{} {what}", self.key().0))
    }

    pub(crate) fn digits(&self) -> u32 {
        eight_digits(&self.key().0)
    }
}
