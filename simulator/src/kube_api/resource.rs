//! The kinds that are served, and the discovery documents that say so.

use serde_json::{Value, json};

/// A kind that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// API group; empty for the core.
    pub(super) group: &'static str,
    /// All are served in version v1.
    pub(super) kind: &'static str,
    /// As in paths.
    pub(super) plural: &'static str,
    pub(super) namespaced: bool,
}

const fn namespaced(group: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource { group, kind, plural, namespaced: true }
}

/// What the operator's role in a target cluster lets it read.
const SERVED: [Resource; 7] = [
    Resource { group: "", kind: "Node", plural: "nodes", namespaced: false },
    namespaced("", "Pod", "pods"),
    namespaced("apps", "Deployment", "deployments"),
    namespaced("apps", "StatefulSet", "statefulsets"),
    namespaced("apps", "DaemonSet", "daemonsets"),
    namespaced("batch", "Job", "jobs"),
    namespaced("policy", "PodDisruptionBudget", "poddisruptionbudgets"),
];

const GROUPS: [&str; 3] = ["apps", "batch", "policy"];

impl Resource {
    /// The kind at this place, if it is served.
    pub(super) fn find(group: &str, plural: &str) -> Option<&'static Self> {
        SERVED.iter().find(|resource| (resource.group, resource.plural) == (group, plural))
    }

    pub(super) fn is_nodes(&self) -> bool {
        self.plural == "nodes"
    }

    /// `v1` or for example `apps/v1`.
    pub(super) fn api_version(&self) -> String {
        group_version(self.group)
    }
}

fn group_version(group: &str) -> String {
    if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") }
}

/// `/api`.
pub(super) fn core_versions() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

/// `/apis`.
pub(super) fn groups() -> Value {
    let groups = GROUPS.iter().map(|name| group_entry(name));
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups.collect::<Vec<_>>() })
}

/// `/apis/GROUP`.
pub(super) fn group(name: &str) -> Option<Value> {
    let known = GROUPS.iter().find(|known| **known == name)?;
    let mut group = group_entry(known);
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    Some(group)
}

fn group_entry(name: &str) -> Value {
    let version = json!({ "groupVersion": group_version(name), "version": "v1" });
    json!({ "name": name, "versions": [version], "preferredVersion": version })
}

/// `/api/v1` and `/apis/GROUP/v1`.
pub(super) fn resources(group: &str) -> Option<Value> {
    let served = SERVED.iter().filter(|resource| resource.group == group);
    let entries = served.map(|resource| {
        json!({
            "name": resource.plural,
            "singularName": resource.kind.to_lowercase(),
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": ["get", "list"],
        })
    });
    let entries = entries.collect::<Vec<_>>();
    let known = !entries.is_empty();
    known.then(|| {
        json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": group_version(group),
            "resources": entries,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_discovery_of_its_group() {
        for resource in SERVED {
            let list = resources(resource.group).unwrap();
            let listed = list["resources"].as_array().unwrap();
            assert!(listed.iter().any(|entry| entry["name"] == resource.plural), "{resource:?}");
            let core = resource.group.is_empty();
            assert!(core || group(resource.group).is_some(), "{resource:?}");
            assert_eq!(Resource::find(resource.group, resource.plural), Some(&resource));
        }
        assert_eq!(resources("nothing"), None);
        assert_eq!(group("nothing"), None);
    }
}
