//! Calls that change nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    World,
    call::{Answer, PoolKey, Refusal},
    catalog::Catalog,
    cluster::{Cluster, Endpoint},
    operation::OperationState,
    pool::Pool,
};
use crate::{effects::ClusterKey, kube_api, scenario::RegionSpec};

impl World {
    pub(super) fn list_clusters(&self, subscription: &str, group: Option<&str>, skip: usize) -> Answer {
        let all = self.clusters.values().filter(|cluster| {
            cluster.subscription.eq_ignore_ascii_case(subscription)
                && group.is_none_or(|group| cluster.resource_group.eq_ignore_ascii_case(group))
        });
        self.page(all.collect(), skip, |cluster: &Cluster| cluster.render())
    }

    pub(super) fn list_pools(&self, key: &ClusterKey, skip: usize) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        let pools = cluster.pools.values().collect::<Vec<_>>();
        Ok(self.page(pools, skip, |pool: &Pool| cluster.render_pool(pool)))
    }

    fn page<T>(&self, all: Vec<&T>, skip: usize, render: impl Fn(&T) -> Value) -> Answer {
        let total = all.len();
        let values = all.into_iter().skip(skip).take(self.page_size).map(render).collect::<Vec<_>>();
        let next = skip + self.page_size;
        Answer { next: (next < total).then_some(next), ..Answer::new(200, json!({ "value": values })) }
    }

    pub(super) fn get_pool(&self, key: &PoolKey) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        Ok(Answer::new(200, cluster.render_pool(pool)))
    }

    pub(super) fn pool(&self, key: &PoolKey) -> Result<(&Cluster, &Pool), Refusal> {
        let cluster = self.cluster(&key.cluster)?;
        let pool = cluster.pools.get(&key.name).ok_or_else(|| {
            Refusal::aks(
                404,
                "NotFound",
                "GetAgentPool_NotFound",
                format!("Could not find the agent pool {} of managed cluster {}.", key.name, cluster.name),
            )
        })?;
        Ok((cluster, pool))
    }

    pub(super) fn catalog(&self, cluster: &Cluster) -> &Catalog {
        self.catalogs
            .get(&cluster.location.to_lowercase())
            .expect("each cluster's region got its catalog in new()")
    }

    pub(super) fn cluster_upgrade_profile(&self, key: &ClusterKey) -> Result<Answer, Refusal> {
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

    pub(super) fn pool_upgrade_profile(&self, key: &PoolKey) -> Result<Answer, Refusal> {
        let (cluster, pool) = self.pool(key)?;
        let catalog = self.catalog(cluster);
        let version = pool.version();
        let mut properties = json!({
            "kubernetesVersion": version.to_string(),
            "osType": pool.text("osType"),
            "latestNodeImageVersion": catalog.latest_image(pool.os_sku(), &version),
        });
        let upgrades = catalog.pool_upgrades(&version, &cluster.version);
        if !upgrades.is_empty() {
            let upgrades = upgrades.iter().map(|version| json!({ "kubernetesVersion": version.to_string() }));
            properties["upgrades"] = upgrades.collect();
        }
        if !pool.recent.is_empty() {
            let recent = pool.recent.iter().map(|recent| {
                json!({
                    "orchestratorVersion": recent.version.to_string(),
                    "nodeImageVersion": recent.image,
                    "timestamp": recent.until.to_string(),
                })
            });
            properties["recentlyUsedVersions"] = recent.collect();
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

    pub(super) fn kubernetes_versions(&self, location: &str) -> Answer {
        let location = location.to_lowercase();
        let body = match self.catalogs.get(&location) {
            Some(catalog) => catalog.answer(),
            None => Catalog::new(&RegionSpec::default()).answer(),
        };
        Answer::new(200, body)
    }

    /// A kubeconfig with the API server's address, and no credential: like a cluster whose local
    /// accounts are disabled.
    pub(super) fn user_credential(&self, key: &ClusterKey) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        let own =
            || Endpoint { server: format!("https://{}:443", cluster.text("fqdn")), ca_pem: String::new() };
        let served = || {
            let Endpoint { server, ca_pem } = self.api_servers.clone()?;
            let Cluster { subscription, resource_group, name, .. } = cluster;
            Some(Endpoint {
                server: kube_api::server_url(&server, subscription, resource_group, name),
                ca_pem,
            })
        };
        let Endpoint { server, ca_pem } = cluster.endpoint.clone().or_else(served).unwrap_or_else(own);
        let user = format!("clusterUser_{}_{}", cluster.resource_group, cluster.name);
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": cluster.name,
                "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca_pem) },
            }],
            "users": [{
                "name": user,
                "user": { "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1beta1",
                    "command": "kubelogin",
                    "args": ["get-token", "--server-id", crate::identity::API_SERVER_AUDIENCE],
                    "provideClusterInfo": false,
                } },
            }],
            "contexts": [{ "name": cluster.name, "context": { "cluster": cluster.name, "user": user } }],
            "current-context": cluster.name,
        });
        let value = STANDARD.encode(kubeconfig.to_string());
        Ok(Answer::new(200, json!({ "kubeconfigs": [{ "name": "clusterUser", "value": value }] })))
    }

    pub(super) fn operation(
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

    pub(super) fn operation_result(
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

/// ARM's words for a cluster that is not there.
pub(super) fn no_cluster(key: &ClusterKey) -> Refusal {
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

fn no_operation(id: &str) -> Refusal {
    Refusal::aks(404, "NotFound", "GetOperation_NotFound", format!("The operation {id} was not found."))
}
