//! What stands in the way of operations from outside a cluster: quotas, a full subnet, policies,
//! deprecated API calls, and what AKS does with a write while another operation runs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ScenarioError, invalid};

/// How operations show themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OperationSpec {
    /// The name in the status body has the bytes of its first groups turned round, as AKS
    /// wrote it until the middle of 2023.
    pub mixed_endian_names: bool,
}

/// What becomes of a write while another operation runs in the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhenBusy {
    /// 409: `OperationNotAllowed` when it is about the same resource, else `EtagMismatch`.
    #[default]
    Refuse,
    /// 409, always `OperationNotAllowed`.
    OperationNotAllowed,
    /// 409, always `EtagMismatch`.
    EtagMismatch,
    /// A write to the same resource takes over; others are refused.
    Preempt,
}

/// The answer to an abort when nothing runs: Azure has both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AbortOfNothing {
    /// 409.
    #[default]
    Conflict,
    /// 204.
    NoContent,
}

/// Use of a deprecated API that AKS has seen in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeprecatedApi {
    /// For example `flowcontrol.apiserver.k8s.io.prioritylevelconfigurations.v1beta3`.
    pub api: String,
    /// The minor version that no longer has it, for example `1.36`.
    pub removed_in: String,
    /// When it was last used; all the time when absent.
    #[serde(default)]
    pub last_seen: Option<Timestamp>,
}

/// An Azure Policy that denies every write to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DenyPolicy {
    /// Name of the assignment.
    pub assignment: String,
    /// Name of the definition.
    pub definition: String,
}

/// The subnet of a cluster's nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subnet {
    /// Its name.
    pub name: String,
    /// Its address prefix, for example `10.1.0.0/28`.
    pub prefix: String,
    /// Addresses that new nodes can still get.
    pub free_addresses: u32,
}

/// How many virtual CPUs a subscription may use in a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    /// Id of the subscription.
    pub subscription: String,
    /// The region.
    pub location: String,
    /// Virtual CPUs of all clusters together.
    pub vcpus: u32,
}

impl DeprecatedApi {
    pub(super) fn check(&self, field: &str) -> Result<(), ScenarioError> {
        if self.removed_in_minor().is_none() {
            let problem = format!("{:?} is not a minor version; write it as 1.36", self.removed_in);
            return Err(invalid(format!("{field}.removedIn"), problem));
        }
        if self.api.matches('.').count() < 2 {
            let problem =
                format!("{:?} is not an API; write group, resource and version with dots between", self.api);
            return Err(invalid(format!("{field}.api"), problem));
        }
        Ok(())
    }

    /// The minor version that no longer has the API.
    #[must_use]
    pub fn removed_in_minor(&self) -> Option<u64> {
        self.removed_in.strip_prefix("1.")?.parse().ok()
    }
}

impl Quota {
    pub(super) fn check(&self, field: &str) -> Result<(), ScenarioError> {
        for (name, value) in [("subscription", &self.subscription), ("location", &self.location)] {
            if value.is_empty() {
                return Err(invalid(
                    format!("{field}.{name}"),
                    "is empty; name the one that the quota is for",
                ));
            }
        }
        Ok(())
    }
}

/// Everything of this that concerns one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    /// What becomes of a write while an operation runs.
    pub when_busy: WhenBusy,
    /// The answer to an abort when nothing runs.
    pub abort_of_nothing: AbortOfNothing,
    /// Use of deprecated APIs that AKS has seen.
    pub deprecated_apis: Vec<DeprecatedApi>,
    /// A policy that denies every write.
    pub policy: Option<DenyPolicy>,
    /// The subnet of its nodes.
    pub subnet: Option<Subnet>,
}

impl super::ClusterSpec {
    /// What stands in the way of operations on this cluster.
    #[must_use]
    pub fn constraints(&self) -> Constraints {
        Constraints {
            when_busy: self.when_busy,
            abort_of_nothing: self.abort_of_nothing,
            deprecated_apis: self.deprecated_apis.clone(),
            policy: self.policy.clone(),
            subnet: self.subnet.clone(),
        }
    }
}
