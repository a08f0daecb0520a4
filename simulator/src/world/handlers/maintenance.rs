//! Calls on maintenance configurations; none of them starts an operation.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    effects::ClusterKey,
    world::{
        World,
        call::{Answer, Refusal},
        maintenance,
        resources::document,
    },
};

impl World {
    pub(in crate::world) fn maintenance_configurations(&self, key: &ClusterKey) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        Ok(Answer::new(200, cluster.maintenance.render_all(&cluster.place().id_of_children())))
    }

    pub(in crate::world) fn maintenance_configuration(
        &self,
        key: &ClusterKey,
        name: &str,
    ) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        let found = cluster.maintenance.render(&cluster.place().id_of_children(), name);
        let found = found.ok_or_else(|| {
            Refusal::not_found(
                "GetMaintenanceConfiguration_NotFound",
                "Maintenance configuration",
                format!(
                    "Could not find the maintenance configuration {name} in subscription: {}, resourceGroup: {}, \
                     clusterName: {}.",
                    cluster.subscription, cluster.resource_group, cluster.name
                ),
            )
        })?;
        Ok(Answer::new(200, found))
    }

    /// Makes or changes one at once: there is no operation to wait for.
    pub(in crate::world) fn put_maintenance_configuration(
        &mut self,
        now: Timestamp,
        key: &ClusterKey,
        name: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        self.cluster(key)?;
        let properties = document::object(body, "properties");
        maintenance::check(name, &Value::Object(properties.clone())).map_err(|(field, problem)| {
            Refusal::bad_request(
                "InvalidParameter",
                format!(
                    "The value of parameter maintenanceConfiguration.{field} is invalid. Error details: {field} \
                     {problem}."
                ),
            )
        })?;
        let cluster = self.clusters.get_mut(key).expect("the cluster was found above");
        let name = cluster.maintenance.put(now, name, properties);
        self.maintenance_configuration(key, &name)
    }

    /// 204 when there is none of that name.
    pub(in crate::world) fn delete_maintenance_configuration(
        &mut self,
        key: &ClusterKey,
        name: &str,
    ) -> Result<Answer, Refusal> {
        self.cluster(key)?;
        let cluster = self.clusters.get_mut(key).expect("the cluster was found above");
        let status = if cluster.maintenance.remove(name) { 200 } else { 204 };
        Ok(Answer::new(status, Value::Null))
    }
}
