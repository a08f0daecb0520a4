//! Calls that change nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    effects::ClusterKey,
    scenario::RegionSpec,
    world::{
        World,
        call::{Answer, PoolKey, Refusal},
        operations::operation::OperationState,
        region::catalog::Catalog,
        resources::{cluster::Cluster, pool::Pool},
        rules,
    },
};

impl World {
    pub(in crate::world) fn list_clusters(
        &self,
        subscription: &str,
        group: Option<&str>,
        skip: usize,
    ) -> Answer {
        let all = self.clusters.values().filter(|cluster| {
            cluster.subscription.eq_ignore_ascii_case(subscription)
                && group.is_none_or(|group| cluster.resource_group.eq_ignore_ascii_case(group))
        });
        self.page(all.collect(), skip, |cluster: &Cluster| cluster.render())
    }

    pub(in crate::world) fn list_pools(&self, key: &ClusterKey, skip: usize) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        let pools = cluster.pools.values().collect::<Vec<_>>();
        let mut page = self.page(pools, skip, |pool: &Pool| cluster.render_pool(pool));
        // Lists of pools end with an empty page (recorded).
        if page.next.is_none() && skip < cluster.pools.len() {
            page.next = Some(cluster.pools.len());
        }
        Ok(page)
    }

    fn page<T>(&self, all: Vec<&T>, skip: usize, render: impl Fn(&T) -> Value) -> Answer {
        let total = all.len();
        let values = all.into_iter().skip(skip).take(self.page_size).map(render).collect::<Vec<_>>();
        let next = skip + self.page_size;
        Answer { next: (next < total).then_some(next), ..Answer::new(200, json!({ "value": values })) }
    }

    pub(in crate::world) fn get_pool(&self, key: &PoolKey) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        Ok(Answer::new(200, cluster.render_pool(pool)))
    }

    pub(in crate::world) fn pool(&self, key: &PoolKey) -> Result<(&Cluster, &Pool), Refusal> {
        let cluster = self.cluster(&key.cluster)?;
        Ok((cluster, cluster.find_pool(&key.name)?))
    }

    pub(in crate::world) fn catalog(&self, cluster: &Cluster) -> &Catalog {
        self.catalogs
            .get(&cluster.location.to_lowercase())
            .expect("each cluster's region got its catalog in new()")
    }

    pub(in crate::world) fn cluster_upgrade_profile(&self, key: &ClusterKey) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        let version = cluster.shown_version();
        let mut upgrades = self.catalog(cluster).upgrades(&version, cluster.is_long_term());
        upgrades.reverse();
        let upgrades = upgrades.into_iter().map(|(version, preview)| {
            let mut upgrade = json!({ "kubernetesVersion": version.to_string() });
            if preview {
                upgrade["isPreview"] = json!(true);
            }
            upgrade
        });
        let upgrades = upgrades.collect::<Vec<_>>();
        let mut profile = json!({ "kubernetesVersion": version.to_string(), "osType": "Linux" });
        let minors = upgrades.iter().filter_map(|upgrade| minor(upgrade["kubernetesVersion"].as_str()?));
        let minors = minors.chain(minor(&version.to_string())).collect::<BTreeSet<_>>();
        profile["componentsByReleases"] = minors.into_iter().map(components).collect();
        if !upgrades.is_empty() {
            profile["upgrades"] = Value::from(upgrades);
        }
        Ok(Answer::new(
            200,
            json!({
                "id": format!("{}/upgradeprofiles/default", cluster.id),
                "name": "default",
                "type": "Microsoft.ContainerService/managedClusters/upgradeprofiles",
                "properties": { "controlPlaneProfile": profile, "agentPoolProfiles": null },
            }),
        ))
    }

    pub(in crate::world) fn pool_upgrade_profile(&self, key: &PoolKey) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        let catalog = self.catalog(cluster);
        let version = pool.version();
        let mut properties = json!({
            "kubernetesVersion": version.to_string(),
            "osType": pool.text("osType"),
            "latestNodeImageVersion": catalog.latest_image(pool.os_sku(), &version),
            "componentsByReleases": [
                { "kubernetesVersion": format!("{}.{}", version.major, version.minor), "components": [] },
            ],
        });
        let upgrades = catalog.pool_upgrades(&version, &cluster.version);
        if !upgrades.is_empty() {
            let upgrades = upgrades.iter().map(|version| json!({ "kubernetesVersion": version.to_string() }));
            properties["upgrades"] = upgrades.collect();
        }
        // What the region does not have any more, a pool cannot go back to.
        let recent =
            pool.recent.iter().filter(|recent| recent.version == version || catalog.offers(&recent.version));
        let recent: Vec<Value> = recent
            .map(|recent| {
                json!({
                    "orchestratorVersion": recent.version.to_string(),
                    "nodeImageVersion": recent.image,
                    "timestamp": recent.until.to_string(),
                })
            })
            .collect();
        if !recent.is_empty() {
            properties["recentlyUsedVersions"] = recent.into();
        }
        Ok(Answer::new(
            200,
            json!({
                "id": format!("{}/agentPools/{}/upgradeProfiles/default", cluster.id, pool.name),
                "name": "default",
                "type": "Microsoft.ContainerService/managedClusters/agentPools/upgradeProfiles",
                "properties": properties,
            }),
        ))
    }

    pub(in crate::world) fn kubernetes_versions(&self, location: &str) -> Answer {
        let location = location.to_lowercase();
        let body = match self.catalogs.get(&location) {
            Some(catalog) => catalog.answer(),
            None => Catalog::new(&RegionSpec::default()).answer(),
        };
        Answer::new(200, body)
    }

    /// The newest node images of a region; only previews have it.
    pub(in crate::world) fn node_image_versions(&self, location: &str) -> Answer {
        let unknown = Catalog::new(&RegionSpec::default());
        let catalog = self.catalogs.get(&location.to_lowercase()).unwrap_or(&unknown);
        let images = catalog.images().map(|image| {
            let (os, rest) = image.split_once('-').unwrap_or((image, ""));
            let (sku, version) = rest.rsplit_once('-').unwrap_or((rest, ""));
            json!({ "fullName": image, "os": os, "sku": sku, "version": version })
        });
        Answer::new(200, json!({ "value": images.collect::<Vec<_>>() }))
    }

    /// The versions that a new pool may have: none ahead of the control plane.
    pub(in crate::world) fn available_pool_versions(&self, key: &ClusterKey) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        let default = cluster.shown_version();
        let offered = self.catalog(cluster).versions();
        let fitting = offered.filter(|(version, _)| rules::check_skew(version, &cluster.version).is_ok());
        let versions = fitting.map(|(version, preview)| {
            let mut shown = json!({ "kubernetesVersion": version.to_string() });
            if preview {
                shown["isPreview"] = json!(true);
            }
            if *version == default {
                shown["default"] = json!(true);
            }
            shown
        });
        Ok(Answer::new(
            200,
            json!({
                "id": format!("{}/availableagentpoolversions", cluster.id),
                "name": "default",
                "type": "Microsoft.ContainerService/managedClusters/availableAgentpoolVersions",
                "properties": { "agentPoolVersions": versions.collect::<Vec<_>>() },
            }),
        ))
    }

    pub(in crate::world) fn operation(
        &self,
        now: Timestamp,
        subscription: &str,
        location: &str,
        id: &str,
    ) -> Result<Answer, Refusal> {
        let operation = self.operations.find(now, subscription, location, id);
        let operation = operation.ok_or_else(|| no_operation(id))?;
        Ok(Answer::new(200, self.operations.render(operation)))
    }

    pub(in crate::world) fn operation_result(
        &self,
        now: Timestamp,
        subscription: &str,
        location: &str,
        id: &str,
    ) -> Result<Answer, Refusal> {
        let operation = self.operations.find(now, subscription, location, id);
        let status = match operation.ok_or_else(|| no_operation(id))?.state {
            OperationState::Running(_) => 202,
            OperationState::Succeeded | OperationState::Failed(_) | OperationState::Canceled => 204,
        };
        Ok(Answer::new(status, Value::Null))
    }
}

impl Cluster {
    /// The pool, or AKS's words for one that is not there.
    pub(in crate::world) fn find_pool(&self, name: &str) -> Result<&Pool, Refusal> {
        self.pools.get(name).ok_or_else(|| {
            Refusal::not_found(
                "GetAgentPool_NotFound",
                "Agent pool",
                format!("Could not find the agent pool {name} of managed cluster {}.", self.name),
            )
        })
    }
}

/// The minor of a full version.
fn minor(version: &str) -> Option<(u64, u64)> {
    let version = semver::Version::parse(version).ok()?;
    Some((version.major, version.minor))
}

/// What the control plane of a minor brings along; breaking changes are not modelled.
fn components((major, minor): (u64, u64)) -> Value {
    // CoreDNS moved on about every other minor.
    let core_dns = format!("v1.{}.4", 9 + minor.saturating_sub(28) / 2);
    json!({
        "kubernetesVersion": format!("{major}.{minor}"),
        "components": [{ "name": "coredns", "version": core_dns, "hasBreakingChanges": false }],
    })
}

/// ARM's words for a cluster that is not there.
pub(in crate::world) fn no_cluster(key: &ClusterKey) -> Refusal {
    let parts = key.0.split('/').collect::<Vec<_>>();
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    Refusal::arm(
        404,
        "ResourceNotFound",
        format!(
            "The Resource 'Microsoft.ContainerService/managedClusters/{}' under resource group '{}' was not found. For \
             more details please go to https://aka.ms/ARMResourceNotFoundFix",
            part(8),
            part(4)
        ),
    )
}

/// ARM's words for something below a cluster that is not there.
pub(in crate::world) fn no_parent(key: &ClusterKey, action: &str, kind: &str) -> Refusal {
    Refusal::arm(
        404,
        "ParentResourceNotFound",
        format!(
            "Failed to perform '{action}' on resource(s) of type 'managedClusters/{kind}', because the parent resource \
             '{}' could not be found.",
            key.0
        ),
    )
}

fn no_operation(id: &str) -> Refusal {
    Refusal::aks(404, "NotFound", "GetOperation_NotFound", format!("The operation {id} was not found."))
}
