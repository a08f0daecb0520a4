//! Which handler carries out which call.

use jiff::Timestamp;

use super::{
    World,
    call::{Answer, Call, Refusal},
    handlers::{self, credentials::Role},
    rules,
};

impl World {
    pub(super) fn dispatch(&mut self, now: Timestamp, call: Call) -> Result<Answer, Refusal> {
        if let (Some(key), Some((action, kind))) = (call.cluster(), call.child())
            && !self.clusters.contains_key(key)
        {
            return Err(handlers::reads::no_parent(key, action, kind));
        }
        if let Some(key) = call.cluster().filter(|_| call.is_mutation()) {
            self.auto_upgrade.touch(key);
        }
        if let Some(cluster) = call.cluster().and_then(|key| self.clusters.get(key)) {
            rules::check_policies(cluster, &call)?;
        }
        match call {
            Call::ListClusters { subscription, resource_group, skip } => {
                Ok(self.list_clusters(&subscription, resource_group.as_deref(), skip))
            }
            Call::GetCluster { cluster } => Ok(Answer::new(200, self.cluster(&cluster)?.render())),
            Call::PutCluster { cluster, body, if_match } => {
                self.put_or_create_cluster(now, &cluster, &body, if_match.as_deref())
            }
            Call::PatchCluster { cluster, body, if_match } => {
                self.patch_cluster(now, &cluster, &body, if_match.as_deref())
            }
            Call::DeleteCluster { cluster, if_match } => {
                self.delete_cluster(now, &cluster, if_match.as_deref())
            }
            Call::StopCluster { cluster } => self.switch_cluster(now, &cluster, true),
            Call::StartCluster { cluster } => self.switch_cluster(now, &cluster, false),
            Call::ClusterUpgradeProfile { cluster } => self.cluster_upgrade_profile(&cluster),
            Call::ListPools { cluster, skip } => self.list_pools(&cluster, skip),
            Call::AvailablePoolVersions { cluster } => self.available_pool_versions(&cluster),
            Call::GetPool { pool } => self.get_pool(&pool),
            Call::PutPool { pool, body, if_match } => {
                self.put_or_create_pool(now, &pool, &body, if_match.as_deref())
            }
            Call::DeletePool { pool, if_match } => self.delete_pool(now, &pool, if_match.as_deref()),
            Call::ListMachines { pool } => self.list_machines(&pool),
            Call::GetMachine { pool, machine } => self.get_machine(&pool, &machine),
            Call::PoolUpgradeProfile { pool } => self.pool_upgrade_profile(&pool),
            Call::UpgradeNodeImage { pool } => self.upgrade_node_image(now, &pool),
            Call::AbortCluster { cluster } => self.abort(now, &cluster, None),
            Call::AbortPool { pool } => self.abort(now, &pool.cluster, Some(&pool.name)),
            Call::MaintenanceConfigurations { cluster } => self.maintenance_configurations(&cluster),
            Call::MaintenanceConfiguration { cluster, name } => {
                self.maintenance_configuration(&cluster, &name)
            }
            Call::PutMaintenanceConfiguration { cluster, name, body } => {
                self.put_maintenance_configuration(now, &cluster, &name, &body)
            }
            Call::DeleteMaintenanceConfiguration { cluster, name } => {
                self.delete_maintenance_configuration(&cluster, &name)
            }
            Call::UserCredential { cluster } => self.credential(&cluster, Role::User),
            Call::AdminCredential { cluster } => self.credential(&cluster, Role::Admin),
            Call::MonitoringCredential { cluster } => self.credential(&cluster, Role::Monitoring),
            Call::AccessProfile { cluster, role } => self.access_profile(&cluster, &role),
            Call::KubernetesVersions { location, .. } => Ok(self.kubernetes_versions(&location)),
            Call::NodeImageVersions { location, .. } => Ok(self.node_image_versions(&location)),
            Call::Operation { subscription, location, id } => {
                self.operation(now, &subscription, &location, &id)
            }
            Call::OperationResult { subscription, location, id } => {
                self.operation_result(now, &subscription, &location, &id)
            }
            Call::Manager(call) => self.manage(call),
        }
    }
}
