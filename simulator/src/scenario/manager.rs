//! Subscriptions, resource groups and locks: what Azure Resource Manager itself keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ScenarioError, invalid};

/// What there is to say about a subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubscriptionSpec {
    /// Its id.
    pub id: String,
    /// Its display name; the id when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// `Enabled`, `Warned`, `PastDue` or `Disabled`; the last one can only be read.
    #[serde(default = "default_state")]
    pub state: String,
    /// Resource groups; those of the clusters exist anyway.
    #[serde(default)]
    pub resource_groups: Vec<GroupSpec>,
}

/// A resource group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A management lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LockSpec {
    /// ARM id of a subscription, a resource group or a resource.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// What it forbids.
    pub level: LockLevel,
    /// Why it is there.
    #[serde(default)]
    pub notes: Option<String>,
}

/// What a management lock forbids ("Lock your Azure resources to protect your infrastructure").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockLevel {
    /// Deletion.
    CanNotDelete,
    /// Everything but reading.
    ReadOnly,
}

impl SubscriptionSpec {
    pub(super) fn check(&self, field: &str) -> Result<(), ScenarioError> {
        let states = ["Enabled", "Warned", "PastDue", "Disabled"];
        if !states.contains(&self.state.as_str()) {
            return Err(invalid(
                format!("{field}.state"),
                format!("{:?} is not one of {}", self.state, states.join(", ")),
            ));
        }
        if self.id.is_empty() || self.id.contains('/') {
            return Err(invalid(
                format!("{field}.id"),
                format!("{:?} is no subscription's id; give the id alone, without slashes", self.id),
            ));
        }
        Ok(())
    }
}

impl LockSpec {
    pub(super) fn check(&self, field: &str) -> Result<(), ScenarioError> {
        if self.scope == "/" {
            return Err(invalid(
                format!("{field}.scope"),
                "\"/\" cannot be locked; give a subscription, group or resource",
            ));
        }
        check_scope(&format!("{field}.scope"), &self.scope)
    }
}

/// Refuses what is neither `/` nor the beginning of an ARM id.
pub(super) fn check_scope(field: &str, scope: &str) -> Result<(), ScenarioError> {
    let lower = scope.to_lowercase();
    let below = lower.strip_prefix("/subscriptions/").is_some_and(|rest| !rest.is_empty());
    if scope == "/" || below && !scope.ends_with('/') {
        return Ok(());
    }
    Err(invalid(
        field,
        format!(
            "{scope:?} is no scope; give / or an ARM id such as /subscriptions/ID/resourceGroups/NAME without a slash \
             at its end"
        ),
    ))
}

fn default_state() -> String {
    "Enabled".to_owned()
}
