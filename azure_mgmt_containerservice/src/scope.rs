//! Where something holds in Azure: in a subscription, in a resource group, or for one cluster. Pure.

use std::fmt;

use crate::ClusterId;

/// A scope of Azure Resource Manager, for permissions and locks.
///
/// Names are sent as path segments of their own, escaped where needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// A whole subscription, by its id.
    Subscription(&'a str),
    /// A resource group; a cluster's nodes have one of their own (`nodeResourceGroup`).
    ResourceGroup {
        /// The subscription's id.
        subscription: &'a str,
        /// The group's name.
        name: &'a str,
    },
    /// One cluster.
    Cluster(&'a ClusterId),
}

impl<'a> Scope<'a> {
    /// The segments of its path.
    pub(crate) fn segments(self) -> Vec<&'a str> {
        match self {
            Self::Subscription(id) => vec!["subscriptions", id],
            Self::ResourceGroup { subscription, name } => {
                vec!["subscriptions", subscription, "resourceGroups", name]
            }
            Self::Cluster(id) => vec![
                "subscriptions",
                id.subscription(),
                "resourceGroups",
                id.resource_group(),
                "providers",
                "Microsoft.ContainerService",
                "managedClusters",
                id.name(),
            ],
        }
    }
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments().into_iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}
