//! When steps may start.

use engine::Schedule;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, common::OBJECT_NAME};

/// When steps may start. A step in flight finishes, whatever it says here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleSpec {
    /// Windows, one of which must be open, for as long as the step will probably take; none: at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub windows: Vec<WindowReference>,
    /// What the clusters' own AKS maintenance configurations are to us.
    #[serde(default)]
    pub cluster_windows: ClusterWindows,
    /// Nothing starts before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<jiff::Timestamp>,
    /// How long a window must stay open for a step to start; by default as long as the step will probably
    /// take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_remaining: Option<Duration>,
}

/// A MaintenanceWindow of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowReference {
    /// Its name.
    #[schemars(regex(pattern = OBJECT_NAME), length(min = 1, max = 63))]
    pub name: String,
}

/// What a cluster's own AKS maintenance configurations are to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClusterWindows {
    /// Steps start only while they are open, too.
    #[default]
    Respect,
    /// They are for what AKS does by itself.
    Ignore,
}

/// What a schedule asks for, as far as it says that itself: windows and freezes are other objects.
#[must_use]
pub fn schedule_of(spec: Option<&ScheduleSpec>) -> Schedule {
    let ScheduleSpec { windows: _, cluster_windows, not_before, minimum_remaining } =
        spec.cloned().unwrap_or_default();
    Schedule {
        respects_cluster: cluster_windows == ClusterWindows::Respect,
        not_before,
        minimum_remaining: minimum_remaining.map(|remaining| remaining.0),
        ..Schedule::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_clusters_own_windows_are_respected_unless_somebody_says_otherwise() {
        assert!(schedule_of(None).respects_cluster);
        let spec: ScheduleSpec = serde_json::from_value(json!({
            "windows": [{"name": "weekend"}], "clusterWindows": "Ignore",
            "notBefore": "2026-12-01T00:00:00Z", "minimumRemaining": "1h30m"
        }))
        .unwrap();
        let schedule = schedule_of(Some(&spec));
        assert!(!schedule.respects_cluster);
        assert_eq!(schedule.not_before, Some("2026-12-01T00:00:00Z".parse().unwrap()));
        assert_eq!(schedule.minimum_remaining, Some(std::time::Duration::from_secs(5400)));
    }
}
