//! Which calls change something, and what they are called. Pure.
//!
//! Not counted as changes, because nothing is decided by them: events, which tell what was done and may be
//! lost; the leader lease, which is renewed by the clock; and Azure's `list…Credential`, which reads by POST.

use std::fmt;

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// The hub's API server.
    Hub,
    /// Azure Resource Manager.
    Azure,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hub => "hub",
            Self::Azure => "azure",
        })
    }
}

/// What a call changes, in words that are the same in each run: `hub PUT upgradeplans/main/status`,
/// `azure PUT pool apps`. `None` when it changes nothing that counts.
pub(super) fn change(peer: Peer, method: &str, path: &str) -> Option<String> {
    if !["POST", "PUT", "PATCH", "DELETE"].contains(&method) {
        return None;
    }
    let what = match peer {
        Peer::Hub => on_hub(path)?,
        Peer::Azure => in_azure(path)?,
    };
    Some(format!("{peer} {method} {what}"))
}

fn on_hub(path: &str) -> Option<String> {
    let below = path.strip_prefix("/apis/tidegate.dev/v1alpha1/namespaces/");
    let Some(below) = below else {
        let counts = !["/apis/events.k8s.io/", "/apis/coordination.k8s.io/"]
            .iter()
            .any(|group| path.starts_with(group));
        return counts.then(|| path.to_owned());
    };
    Some(below.split_once('/').map_or(below, |(_, object)| object).to_owned())
}

fn in_azure(path: &str) -> Option<String> {
    let lower = path.to_lowercase();
    if lower.rsplit('/').next().is_some_and(|last| last.starts_with("list")) {
        return None;
    }
    let below = lower.find("/managedclusters/").and_then(|at| path[at + 1..].split_once('/'));
    let Some((_, below)) = below else { return Some(path.to_owned()) };
    Some(match below.split('/').collect::<Vec<_>>()[..] {
        [_] => "cluster".to_owned(),
        [_, "agentPools", pool] => format!("pool {pool}"),
        [_, "agentPools", pool, verb] => format!("pool {pool} {verb}"),
        _ => below.to_owned(),
    })
}

/// What belongs to no namespace, by its plural.
const OF_NO_NAMESPACE: [&str; 1] = ["upgradefreezes"];

/// The same place in one namespace, for lists and watches of Tidegate's objects in all of them.
pub(super) fn narrowed(path: &str, namespace: &str) -> Option<String> {
    let plural = path.strip_prefix("/apis/tidegate.dev/v1alpha1/")?;
    (!plural.is_empty() && !plural.contains('/') && !OF_NO_NAMESPACE.contains(&plural))
        .then(|| format!("/apis/tidegate.dev/v1alpha1/namespaces/{namespace}/{plural}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_names_and_the_rest_has_none() {
        const TIDEGATE: &str = "/apis/tidegate.dev/v1alpha1";
        const CLUSTER: &str =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/weu-1";
        let table = [
            (
                Peer::Hub,
                "PUT",
                format!("{TIDEGATE}/namespaces/n/upgradeplans/p/status"),
                Some("hub PUT upgradeplans/p/status"),
            ),
            (
                Peer::Hub,
                "POST",
                format!("{TIDEGATE}/namespaces/n/clusterupgrades"),
                Some("hub POST clusterupgrades"),
            ),
            (Peer::Hub, "GET", format!("{TIDEGATE}/namespaces/n/upgradeplans/p"), None),
            (Peer::Hub, "POST", "/apis/events.k8s.io/v1/namespaces/n/events".to_owned(), None),
            (Peer::Hub, "PUT", "/apis/coordination.k8s.io/v1/namespaces/n/leases/tidegate".to_owned(), None),
            (
                Peer::Hub,
                "DELETE",
                "/api/v1/namespaces/n/pods/p".to_owned(),
                Some("hub DELETE /api/v1/namespaces/n/pods/p"),
            ),
            (Peer::Azure, "PUT", CLUSTER.to_owned(), Some("azure PUT cluster")),
            (Peer::Azure, "PUT", format!("{CLUSTER}/agentPools/apps"), Some("azure PUT pool apps")),
            (
                Peer::Azure,
                "POST",
                format!("{CLUSTER}/agentPools/win/upgradeNodeImageVersion"),
                Some("azure POST pool win upgradeNodeImageVersion"),
            ),
            (Peer::Azure, "POST", format!("{CLUSTER}/listClusterUserCredential"), None),
            (Peer::Azure, "GET", CLUSTER.to_owned(), None),
        ];
        for (peer, method, path, words) in table {
            assert_eq!(change(peer, method, &path).as_deref(), words, "{method} {path}");
        }
    }

    #[test]
    fn only_lists_of_all_namespaces_are_narrowed() {
        let narrow = |path: &str| narrowed(&format!("/apis/tidegate.dev/v1alpha1{path}"), "n");
        assert_eq!(
            narrow("/upgradeplans").as_deref(),
            Some("/apis/tidegate.dev/v1alpha1/namespaces/n/upgradeplans")
        );
        assert_eq!((narrow(""), narrow("/"), narrow("/namespaces/m/upgradeplans")), (None, None, None));
        assert_eq!(narrow("/upgradefreezes"), None, "a freeze belongs to no namespace");
    }
}
