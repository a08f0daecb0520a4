//! Calls on a cluster's own maintenance windows.

use crate::{Call, CallKind, Client, ClusterId, Document, Error, MaintenanceConfiguration, paging::list};

/// Calls on maintenance configurations; see [`Client::maintenance_configurations`].
///
/// Every method ends with an [`Error`] when Azure refuses, cannot be reached, or answers with
/// something that the API does not promise.
#[derive(Debug)]
pub struct MaintenanceConfigurations<'a> {
    pub(crate) client: &'a Client,
}

impl MaintenanceConfigurations<'_> {
    /// Lists the cluster's maintenance configurations; a cluster without any has an empty list.
    ///
    /// AKS knows three by name: `default` (weekly releases of AKS), `aksManagedAutoUpgradeSchedule` and
    /// `aksManagedNodeOSUpgradeSchedule`. Source: Microsoft Learn, "Use planned maintenance".
    ///
    /// # Errors
    /// See [`MaintenanceConfigurations`].
    pub async fn list(&self, cluster: &ClusterId) -> Result<Vec<Document<MaintenanceConfiguration>>, Error> {
        let url = self.client.cluster_url(cluster, &["maintenanceConfigurations"]);
        let call = Call::of_cluster(CallKind::ListMaintenanceConfigurations, cluster);
        list(self.client, call, url, "listing maintenance configurations").await
    }

    /// Reads one of them.
    ///
    /// # Errors
    /// See [`MaintenanceConfigurations`]; 404 when there is none of that name.
    pub async fn get(
        &self,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<Document<MaintenanceConfiguration>, Error> {
        let url = self.client.cluster_url(cluster, &["maintenanceConfigurations", name]);
        let call = Call::of_cluster(CallKind::GetMaintenanceConfiguration, cluster);
        let answer = self.client.get(call, url).await?;
        let value = answer.object("reading a maintenance configuration")?;
        Ok(Document::from_response(value, &answer.headers))
    }
}
