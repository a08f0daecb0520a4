//! The controllers, and what they share.

pub(crate) mod aks_cluster;
pub(crate) mod cluster_upgrade;
pub(crate) mod maintenance_window;
pub(crate) mod upgrade_freeze;
pub(crate) mod upgrade_plan;

mod conditions;
mod watch;

pub(crate) use conditions::{SKIPPED, Standing, conditions_of};
pub(crate) use watch::{Controlled, Ended, changed_specs, drive, settled, woken_objects};

/// The operator's name as a field manager and in events.
pub(crate) const FIELD_MANAGER: &str = "tidegate";
