//! Typed views: the fields that decisions are made of, and nothing more.
//!
//! Open enumerations stay text. Absent, null and oddly typed fields are `None` (see [`crate::View`]).

mod agent_pool;
mod authorization;
mod machine;
mod maintenance;
mod managed_cluster;
#[cfg(test)]
mod tests;
mod upgrade_profiles;
mod versions;

pub use agent_pool::{AgentPool, UpgradeSettings};
pub use authorization::{Lock, Permission};
pub use machine::Machine;
pub use maintenance::{DateSpan, HourSlots, MaintenanceConfiguration, MaintenanceWindow, Schedule, TimeSpan};
pub use managed_cluster::{AutoUpgradeProfile, ManagedCluster, OverrideSettings, Sku};
pub use upgrade_profiles::{
    AgentPoolUpgradeProfile, ClusterUpgradeProfile, OfferedUpgrade, PoolUpgrades, RecentlyUsedVersion,
};
pub use versions::{
    AvailableAgentPoolVersions, AvailableVersion, KubernetesVersions, MinorVersion, NodeImageVersion,
    PatchVersion,
};

use std::str::FromStr;

use serde_json::Value;

use crate::ApiError;

/// The text at a JSON pointer; empty text counts as absent.
fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The text at a JSON pointer, or a number there as text (`maxSurge: 1`).
fn text_or_number(value: &Value, pointer: &str) -> Option<String> {
    text(value, pointer).or_else(|| Some(value.pointer(pointer)?.as_number()?.to_string()))
}

/// The text at a JSON pointer as what it stands for; what cannot be read is not known.
fn parsed<T: FromStr>(value: &Value, pointer: &str) -> Option<T> {
    text(value, pointer)?.parse().ok()
}

/// The error at a JSON pointer, if it says anything.
fn error(value: &Value, pointer: &str) -> Option<ApiError> {
    let error = ApiError::from_value(value.pointer(pointer).filter(|error| error.is_object())?);
    (error != ApiError::default()).then_some(error)
}

fn integer(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer)?.as_i64()
}

fn boolean(value: &Value, pointer: &str) -> Option<bool> {
    value.pointer(pointer)?.as_bool()
}

/// The objects in the list at a JSON pointer; a missing or null list is empty.
fn objects<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter(|item| item.is_object())
}

/// The texts in the list at a JSON pointer; a missing or null list is empty.
fn texts(value: &Value, pointer: &str) -> Vec<String> {
    let items = value.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}
