//! What goes wrong in an upgrade because the scenario says so.

use serde::{Deserialize, Serialize};

use super::{ScenarioError, invalid};

/// Something that goes wrong in one upgrade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The pool whose upgrade it is; the control plane's when absent.
    #[serde(default)]
    pub pool: Option<String>,
    /// Which upgrade of it, counted from 1.
    #[serde(default = "default_upgrade")]
    pub upgrade: u32,
    /// How many nodes are done before it strikes.
    #[serde(default)]
    pub after_nodes: u32,
    /// The operation fails with this error.
    #[serde(default)]
    pub error: Option<FaultError>,
    /// AKS gets over the error: it shows in the operation's body, also when that succeeds.
    #[serde(default)]
    pub passing: bool,
    /// The next node's drain is blocked until its deadline by these pods
    /// (only without a driver: with one, real evictions decide).
    #[serde(default)]
    pub blocked_by: Vec<BlockedBy>,
    /// The upgrade is refused at once; the next one is the next.
    #[serde(default)]
    pub refuse: Option<RefuseSpec>,
}

/// The error that an operation fails with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultError {
    /// For example `OverconstrainedAllocationRequest`.
    pub code: String,
    /// For example `VMExtensionProvisioningError`.
    #[serde(default)]
    pub subcode: String,
    /// AKS's words.
    pub message: String,
}

/// How a call is refused at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefuseSpec {
    /// The HTTP status, for example 400.
    pub status: u16,
    /// For example `UnsatisfiablePDB`.
    pub code: String,
    /// A finer code; only the shape of AKS has it.
    #[serde(default)]
    pub subcode: String,
    /// The words.
    pub message: String,
    /// In the shape of Azure Resource Manager: below `error`, without a subcode.
    #[serde(default)]
    pub resource_manager: bool,
}

/// A pod that cannot be evicted, and the budget that refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlockedBy {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// The disruption budget's name.
    #[serde(default)]
    pub budget: Option<String>,
}

impl Fault {
    /// The error that the operation fails with.
    #[must_use]
    pub const fn lasting(&self) -> Option<&FaultError> {
        if self.passing { None } else { self.error.as_ref() }
    }

    /// The error that AKS gets over.
    #[must_use]
    pub const fn passing(&self) -> Option<&FaultError> {
        if self.passing { self.error.as_ref() } else { None }
    }

    pub(crate) fn check(&self, field: &str) -> Result<(), ScenarioError> {
        if self.upgrade == 0 {
            return Err(invalid(format!("{field}.upgrade"), "is 0; upgrades are counted from 1"));
        }
        if self.passing && self.error.is_none() {
            return Err(invalid(format!("{field}.passing"), "says nothing without error; give the error"));
        }
        if let Some(refuse) = &self.refuse
            && !(400..600).contains(&refuse.status)
        {
            let problem = format!("{} is no refusal; give a status from 400 to 599", refuse.status);
            return Err(invalid(format!("{field}.refuse.status"), problem));
        }
        if self.error.is_none() && self.blocked_by.is_empty() && self.refuse.is_none() {
            return Err(invalid(field, "does nothing; give error, blockedBy or refuse"));
        }
        Ok(())
    }
}

const fn default_upgrade() -> u32 {
    1
}
