//! The calls that Azure Resource Manager answers itself.

use serde_json::Value;

use super::Scope;

/// A resource group: subscription and name in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey {
    /// Id of the subscription.
    pub subscription: String,
    /// Name of the group.
    pub name: String,
}

/// Which resources a list is to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceFilter {
    /// For example `microsoft.containerservice/managedclusters`.
    pub resource_type: Option<String>,
    /// Name of the resource.
    pub name: Option<String>,
    /// Name of the group.
    pub group: Option<String>,
    /// Region.
    pub location: Option<String>,
    /// Name of a tag, and its value.
    pub tag: Option<(String, Option<String>)>,
}

/// A call that no resource provider sees.
#[derive(Clone, Debug, PartialEq)]
pub enum ManagerCall {
    /// The tenants of the caller.
    ListTenants,
    /// The subscriptions, from the `skip`-th on.
    ListSubscriptions {
        /// How many come before this page.
        skip: usize,
    },
    /// One subscription.
    GetSubscription {
        /// Which.
        subscription: String,
    },
    /// The regions that a subscription may use.
    ListLocations {
        /// Which.
        subscription: String,
    },
    /// The groups of a subscription, from the `skip`-th on.
    ListGroups {
        /// Which.
        subscription: String,
        /// Only those with this tag, and this value of it.
        tag: Option<(String, Option<String>)>,
        /// How many come before this page.
        skip: usize,
    },
    /// One group.
    GetGroup {
        /// Which.
        group: GroupKey,
    },
    /// Makes a group, or changes its tags.
    PutGroup {
        /// Which.
        group: GroupKey,
        /// The document.
        body: Value,
    },
    /// Changes the tags of a group.
    PatchGroup {
        /// Which.
        group: GroupKey,
        /// What is to change.
        body: Value,
    },
    /// Deletes an empty group.
    DeleteGroup {
        /// Which.
        group: GroupKey,
    },
    /// The resource providers.
    ListProviders {
        /// The subscription in which they are registered.
        subscription: Option<String>,
    },
    /// One resource provider with its types, regions and api-versions.
    GetProvider {
        /// The subscription in which it is registered.
        subscription: Option<String>,
        /// Its namespace.
        namespace: String,
    },
    /// Registers a resource provider; all are.
    RegisterProvider {
        /// The subscription.
        subscription: Option<String>,
        /// Its namespace.
        namespace: String,
    },
    /// Resources of every type, from the `skip`-th on.
    ListResources {
        /// A subscription or a group.
        scope: Scope,
        /// Which of them.
        filter: ResourceFilter,
        /// How many come before this page.
        skip: usize,
    },
    /// The locks that have to do with a scope.
    ListLocks {
        /// Which.
        scope: Scope,
        /// Whether those below it are left out.
        at_scope: bool,
    },
    /// One lock.
    GetLock {
        /// What is locked.
        scope: Scope,
        /// Its name.
        name: String,
    },
    /// Sets a lock.
    PutLock {
        /// What is to be locked, and its id as the caller writes it.
        scope: (Scope, String),
        /// Its name.
        name: String,
        /// The document.
        body: Value,
    },
    /// Takes a lock away.
    DeleteLock {
        /// What is locked.
        scope: Scope,
        /// Its name.
        name: String,
    },
    /// What the caller may do.
    Permissions {
        /// Where.
        scope: Scope,
        /// The entries, which depend on the caller's roles.
        granted: Value,
    },
}

impl GroupKey {
    /// The key of a group, in whatever case it is written.
    #[must_use]
    pub fn new(subscription: &str, name: &str) -> Self {
        Self { subscription: subscription.to_lowercase(), name: name.to_lowercase() }
    }

    pub(super) fn scope(&self) -> Scope {
        Scope::new(&format!("/subscriptions/{}/resourcegroups/{}", self.subscription, self.name))
    }
}

impl ManagerCall {
    /// Whether the call asks for a change.
    #[must_use]
    pub const fn is_mutation(&self) -> bool {
        matches!(
            self,
            Self::PutGroup { .. }
                | Self::PatchGroup { .. }
                | Self::DeleteGroup { .. }
                | Self::RegisterProvider { .. }
                | Self::PutLock { .. }
                | Self::DeleteLock { .. }
        )
    }

    /// Which page of which list, where a list has several.
    pub(in crate::world) fn page(&self) -> Option<(String, usize)> {
        let (list, skip) = if let Self::ListSubscriptions { skip } = self {
            ("subscriptions".to_owned(), skip)
        } else if let Self::ListGroups { subscription, skip, .. } = self {
            (format!("groups {subscription}"), skip)
        } else if let Self::ListResources { scope, skip, .. } = self {
            (format!("resources {scope}"), skip)
        } else {
            return None;
        };
        Some((list, *skip))
    }

    /// What the call is about; everything for tenants and the list of subscriptions.
    pub(crate) fn scope(&self) -> Scope {
        let of = |subscription: &str| Scope::new(&format!("/subscriptions/{subscription}"));
        match self {
            Self::ListTenants | Self::ListSubscriptions { .. } => Scope::new("/"),
            Self::GetSubscription { subscription }
            | Self::ListLocations { subscription }
            | Self::ListGroups { subscription, .. } => of(subscription),
            Self::ListProviders { subscription }
            | Self::GetProvider { subscription, .. }
            | Self::RegisterProvider { subscription, .. } => {
                subscription.as_deref().map_or_else(|| Scope::new("/"), of)
            }
            Self::GetGroup { group }
            | Self::PutGroup { group, .. }
            | Self::PatchGroup { group, .. }
            | Self::DeleteGroup { group } => group.scope(),
            Self::PutLock { scope: (scope, _), .. }
            | Self::ListResources { scope, .. }
            | Self::ListLocks { scope, .. }
            | Self::GetLock { scope, .. }
            | Self::DeleteLock { scope, .. }
            | Self::Permissions { scope, .. } => scope.clone(),
        }
    }
}
