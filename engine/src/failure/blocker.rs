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
        /// How much is left, where Azure says that instead of limit and use.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining: Option<i64>,
    },
    /// Too few addresses in a subnet.
    Subnet {
        /// Its name, id or address range; empty when Azure does not name it.
        #[schemars(length(max = 253))]
        name: String,
        /// How many addresses are needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needed: Option<i64>,
        /// How many there are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        available: Option<i64>,
        /// What Azure says.
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
        /// The locked scope: a resource id, or the name of a resource group.
        #[schemars(length(max = 1024))]
        scope: String,
        /// The lock's name; Azure's refusals rarely have it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 253))]
        name: Option<String>,
    },
    /// An Azure Policy that refuses the change.
    Policy {
        /// The assignment; empty when Azure does not name it.
        #[schemars(length(max = 253))]
        name: String,
        /// The definition that is assigned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 253))]
        definition: Option<String>,
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
        /// Who lacks it: the object id of Tidegate's identity, or of the cluster's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 253))]
        identity: Option<String>,
    },
    /// Something that only Azure's message describes.
    Other {
        /// The message.
        #[schemars(length(max = 1024))]
        message: String,
    },
}

impl Blocker {
    /// What a person can do about it, in one sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Pod { .. } => {
                "find out why the pod does not end (finalizers, a long grace period, a webhook)"
            }
            Self::DisruptionBudget { .. } => {
                "let the budget allow one eviction: more ready replicas, a higher maxUnavailable or a lower minAvailable"
            }
            Self::Quota { .. } => {
                "raise the quota in the region, or lower maxSurge so that fewer nodes are added"
            }
            Self::Subnet { .. } => {
                "free or add addresses in the subnet, or lower maxSurge or maxPods so that fewer are needed"
            }
            Self::DeprecatedApi { .. } => {
                "move whoever uses the API to a newer version of it; Azure looks at the last twelve hours"
            }
            Self::Lock { .. } => "remove the lock, or wait until it is removed",
            Self::Policy { .. } => "change the resource so that the policy allows it, or add an exemption",
            Self::Authorization { .. } => "give the identity a role with this action at this scope",
            Self::Other { .. } => "do what the message asks for",
        }
    }
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
            Self::Quota { name, limit, current, requested, remaining } => {
                write!(f, "quota{}", after_space(name))?;
                numbers(f, [("limit", limit), ("used", current), ("left", remaining), ("needed", requested)])
            }
            Self::Subnet { name, needed, available, message } => {
                write!(f, "subnet{}", after_space(name))?;
                if needed.is_none() || available.is_none() {
                    return write!(f, ": {message}");
                }
                numbers(f, [("addresses needed", needed), ("available", available)])
            }
            Self::DeprecatedApi { api, removed_in, last_seen } => {
                write!(f, "deprecated API {api}")?;
                if let Some(version) = removed_in {
                    write!(f, ", removed in {version}")?;
                }
                last_seen.as_ref().map_or(Ok(()), |at| write!(f, ", last used {at}"))
            }
            Self::Lock { scope, name } => {
                write!(f, "lock{} on {scope}", after_space(name.as_deref().unwrap_or_default()))
            }
            Self::Policy { name, definition, message } => match definition {
                Some(definition) => write!(f, "policy {name} (definition {definition})"),
                None => write!(f, "policy{}: {message}", after_space(name)),
            },
            Self::Authorization { action, scope, identity } => {
                write!(f, "missing permission {action} on {scope}")?;
                identity.as_ref().map_or(Ok(()), |identity| write!(f, " for identity {identity}"))
            }
            Self::Other { message } => f.write_str(message),
        }
    }
}

fn numbers<const N: usize>(f: &mut fmt::Formatter<'_>, known: [(&str, &Option<i64>); N]) -> fmt::Result {
    let mut known = known.into_iter().filter_map(|(label, number)| Some((label, (*number)?)));
    known.try_for_each(|(label, number)| write!(f, ", {label} {number}"))
}

fn after_space(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" {name}") }
}

fn qualified(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}
