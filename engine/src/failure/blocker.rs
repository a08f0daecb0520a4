//! What stands in the way of a step, in the words of whoever can remove it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that somebody must change before a step can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Blocker {
    /// A pod that could not be evicted.
    Pod {
        /// Its namespace; empty when Azure does not name it.
        #[schemars(length(max = 63))]
        namespace: String,
        /// Its name.
        #[schemars(length(max = 253))]
        name: String,
        /// The node that it holds up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 253))]
        node: Option<String>,
    },
    /// A disruption budget that allows no eviction.
    DisruptionBudget {
        /// Its namespace.
        #[schemars(length(max = 63))]
        namespace: String,
        /// Its name.
        #[schemars(length(max = 253))]
        name: String,
        /// Why, in Azure's words.
        #[schemars(length(max = 1024))]
        message: String,
    },
    /// Too little quota for the surge nodes.
    Quota {
        /// Which quota, for example `Total Regional Cores`; empty when Azure does not name it.
        #[schemars(length(max = 253))]
        name: String,
        /// How much there may be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<i64>,
        /// How much is used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        current: Option<i64>,
        /// How much more is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requested: Option<i64>,
    },
    /// Too few addresses in a subnet.
    Subnet {
        /// Its name; empty when Azure does not name it.
        #[schemars(length(max = 253))]
        name: String,
        /// How many are missing, in Azure's words.
        #[schemars(length(max = 1024))]
        message: String,
    },
    /// An API that the new version does not have was used in the last twelve hours.
    DeprecatedApi {
        /// The API, for example `flowcontrol.apiserver.k8s.io.flowschemas.v1beta1`.
        #[schemars(length(max = 253))]
        api: String,
        /// The first version without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 63))]
        removed_in: Option<String>,
        /// When it was last used, as Azure writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 63))]
        last_seen: Option<String>,
    },
    /// A lock on the cluster, its resource group or its subscription.
    Lock {
        /// The lock's resource id, or the locked scope.
        #[schemars(length(max = 1024))]
        scope: String,
    },
    /// An Azure Policy that refuses the change.
    Policy {
        /// The assignment; empty when Azure does not name it.
        #[schemars(length(max = 253))]
        name: String,
        /// What it says.
        #[schemars(length(max = 1024))]
        message: String,
    },
    /// A permission that an identity lacks.
    Authorization {
        /// The action, for example `Microsoft.ContainerService/managedClusters/write`.
        #[schemars(length(max = 253))]
        action: String,
        /// Where it is needed.
        #[schemars(length(max = 1024))]
        scope: String,
    },
    /// Something that only Azure's message describes.
    Other {
        /// The message.
        #[schemars(length(max = 1024))]
        message: String,
    },
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod { namespace, name, node } => {
                write!(f, "pod {}", qualified(namespace, name))?;
                node.as_ref().map_or(Ok(()), |node| write!(f, " on node {node}"))
            }
            Self::DisruptionBudget { namespace, name, message } => {
                write!(f, "disruption budget {} ({message})", qualified(namespace, name))
            }
            Self::Quota { name, limit, current, requested } => {
                write!(f, "quota {name}")?;
                for (label, number) in [("limit", limit), ("used", current), ("needed", requested)] {
                    if let Some(number) = number {
                        write!(f, ", {label} {number}")?;
                    }
                }
                Ok(())
            }
            Self::Subnet { name, message } => write!(f, "subnet {name}: {message}"),
            Self::DeprecatedApi { api, removed_in, last_seen } => {
                write!(f, "deprecated API {api}")?;
                if let Some(version) = removed_in {
                    write!(f, ", removed in {version}")?;
                }
                last_seen.as_ref().map_or(Ok(()), |at| write!(f, ", last used {at}"))
            }
            Self::Lock { scope } => write!(f, "lock {scope}"),
            Self::Policy { name, message } => write!(f, "policy {name}: {message}"),
            Self::Authorization { action, scope } => write!(f, "missing permission {action} on {scope}"),
            Self::Other { message } => f.write_str(message),
        }
    }
}

fn qualified(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}
