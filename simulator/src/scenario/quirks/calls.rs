//! Names of the calls, for rules and for the log.

use serde::{Deserialize, Serialize};

/// Declares the names with their texts, so that a new one cannot be left out of the list.
macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A kind of call on the management plane.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum CallName {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl CallName {
            /// Every kind of call.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// How scenarios write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

calls! {
    /// The clusters of a subscription or resource group.
    ListClusters = "listClusters",
    /// One cluster.
    GetCluster = "getCluster",
    /// Upgrade of a control plane, or a change of settings.
    PutCluster = "putCluster",
    /// New tags of a cluster.
    PatchCluster = "patchCluster",
    /// The end of a cluster.
    DeleteCluster = "deleteCluster",
    /// Stop the machines of a cluster.
    StopCluster = "stopCluster",
    /// Start them again.
    StartCluster = "startCluster",
    /// What a control plane is offered.
    ClusterUpgradeProfile = "clusterUpgradeProfile",
    /// The pools of a cluster.
    ListPools = "listPools",
    /// One pool.
    GetPool = "getPool",
    /// Upgrade of a pool, a rollback, or a change of settings.
    PutPool = "putPool",
    /// The end of a pool.
    DeletePool = "deletePool",
    /// The versions that a new pool may have.
    AvailablePoolVersions = "availablePoolVersions",
    /// The machines of a pool.
    ListMachines = "listMachines",
    /// One machine.
    GetMachine = "getMachine",
    /// What a pool is offered.
    PoolUpgradeProfile = "poolUpgradeProfile",
    /// The newest image for a pool.
    UpgradeNodeImage = "upgradeNodeImage",
    /// Stop what runs in a cluster.
    AbortCluster = "abortCluster",
    /// Stop what runs in a pool.
    AbortPool = "abortPool",
    /// The windows of a cluster.
    MaintenanceConfigurations = "maintenanceConfigurations",
    /// One of them.
    MaintenanceConfiguration = "maintenanceConfiguration",
    /// A new one, or a change.
    PutMaintenanceConfiguration = "putMaintenanceConfiguration",
    /// The end of one.
    DeleteMaintenanceConfiguration = "deleteMaintenanceConfiguration",
    /// A kubeconfig.
    UserCredential = "userCredential",
    /// A kubeconfig of an administrator.
    AdminCredential = "adminCredential",
    /// A kubeconfig for monitoring.
    MonitoringCredential = "monitoringCredential",
    /// The kubeconfig of a role, in the older form.
    AccessProfile = "accessProfile",
    /// What a region offers.
    KubernetesVersions = "kubernetesVersions",
    /// The node images of a region.
    NodeImageVersions = "nodeImageVersions",
    /// How an operation stands.
    Operation = "operation",
    /// What an operation left.
    OperationResult = "operationResult",
    /// The tenants of the caller.
    ListTenants = "listTenants",
    /// The subscriptions.
    ListSubscriptions = "listSubscriptions",
    /// One subscription.
    GetSubscription = "getSubscription",
    /// The regions of a subscription.
    ListLocations = "listLocations",
    /// The groups of a subscription.
    ListResourceGroups = "listResourceGroups",
    /// One group.
    GetResourceGroup = "getResourceGroup",
    /// Makes a group, or changes it.
    PutResourceGroup = "putResourceGroup",
    /// Deletes a group.
    DeleteResourceGroup = "deleteResourceGroup",
    /// The resource providers.
    ListProviders = "listProviders",
    /// One resource provider.
    GetProvider = "getProvider",
    /// Registers a resource provider.
    RegisterProvider = "registerProvider",
    /// Resources of every type.
    ListResources = "listResources",
    /// Management locks.
    ListLocks = "listLocks",
    /// One lock.
    GetLock = "getLock",
    /// Sets a lock.
    PutLock = "putLock",
    /// Takes a lock away.
    DeleteLock = "deleteLock",
    /// What the caller may do.
    Permissions = "permissions",
}

impl CallName {
    /// Whether it asks for a change.
    #[must_use]
    pub const fn is_mutation(self) -> bool {
        self.starts_operation()
            || matches!(
                self,
                Self::AbortCluster
                    | Self::AbortPool
                    | Self::PutMaintenanceConfiguration
                    | Self::DeleteMaintenanceConfiguration
                    | Self::PutResourceGroup
                    | Self::DeleteResourceGroup
                    | Self::RegisterProvider
                    | Self::PutLock
                    | Self::DeleteLock
            )
    }

    /// Whether it may carry If-Match.
    #[must_use]
    pub const fn is_conditional(self) -> bool {
        matches!(
            self,
            Self::PutCluster | Self::PatchCluster | Self::DeleteCluster | Self::PutPool | Self::DeletePool
        )
    }

    /// Whether the answer comes in pages.
    #[must_use]
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::ListClusters
                | Self::ListPools
                | Self::ListSubscriptions
                | Self::ListResourceGroups
                | Self::ListResources
        )
    }

    /// Whether it asks how an operation stands.
    #[must_use]
    pub const fn is_poll(self) -> bool {
        matches!(self, Self::Operation | Self::OperationResult)
    }

    /// Whether Azure Resource Manager answers it itself: no cluster is ever busy with it.
    #[must_use]
    pub const fn is_managers(self) -> bool {
        matches!(
            self,
            Self::ListTenants
                | Self::ListSubscriptions
                | Self::GetSubscription
                | Self::ListLocations
                | Self::ListResourceGroups
                | Self::GetResourceGroup
                | Self::PutResourceGroup
                | Self::DeleteResourceGroup
                | Self::ListProviders
                | Self::GetProvider
                | Self::RegisterProvider
                | Self::ListResources
                | Self::ListLocks
                | Self::GetLock
                | Self::PutLock
                | Self::DeleteLock
                | Self::Permissions
        )
    }

    /// Whether it starts an operation, other than an abort's.
    #[must_use]
    pub const fn starts_operation(self) -> bool {
        matches!(
            self,
            Self::PutCluster
                | Self::PatchCluster
                | Self::DeleteCluster
                | Self::StopCluster
                | Self::StartCluster
                | Self::PutPool
                | Self::DeletePool
                | Self::UpgradeNodeImage
        )
    }

    /// Whether the answer shows clusters or pools.
    #[must_use]
    pub const fn shows_documents(self) -> bool {
        matches!(
            self,
            Self::ListClusters
                | Self::GetCluster
                | Self::PutCluster
                | Self::PatchCluster
                | Self::ListPools
                | Self::GetPool
                | Self::PutPool
                | Self::UpgradeNodeImage
        )
    }

    /// Whether the answer is an upgrade profile.
    #[must_use]
    pub const fn is_profile(self) -> bool {
        matches!(self, Self::ClusterUpgradeProfile | Self::PoolUpgradeProfile)
    }
}
