//! Calls on clusters.

use serde_json::Value;

use crate::{
    Accepted, AvailableAgentPoolVersions, Call, CallKind, Client, ClusterId, ClusterUpgradeProfile, Document,
    ETag, Error, Kubeconfig, ManagedCluster, Scope, paging::list,
};

/// Calls on clusters; see [`Client::managed_clusters`].
///
/// Every method ends with an [`Error`] when Azure refuses, cannot be reached, or answers with
/// something that the API does not promise.
#[derive(Debug)]
pub struct ManagedClusters<'a> {
    pub(crate) client: &'a Client,
}

impl ManagedClusters<'_> {
    /// Reads a cluster, its node pools inline.
    ///
    /// # Errors
    /// See [`ManagedClusters`].
    pub async fn get(&self, id: &ClusterId) -> Result<Document<ManagedCluster>, Error> {
        let answer = self
            .client
            .get(Call::of_cluster(CallKind::GetCluster, id), self.client.cluster_url(id, &[]))
            .await?;
        Ok(Document::from_response(answer.object("reading a cluster")?, &answer.headers))
    }

    /// Lists every cluster of a subscription, following the pages to the end.
    ///
    /// The timeout applies to each page.
    ///
    /// # Errors
    /// See [`ManagedClusters`]; also when a page links to another origin, or in circles.
    pub async fn list(&self, subscription: &str) -> Result<Vec<Document<ManagedCluster>>, Error> {
        self.list_in(&Scope::Subscription(subscription)).await
    }

    /// Lists every cluster of a resource group, like [`Self::list`]; another, smaller limit applies.
    ///
    /// # Errors
    /// See [`Self::list`].
    pub async fn list_by_resource_group(
        &self,
        subscription: &str,
        resource_group: &str,
    ) -> Result<Vec<Document<ManagedCluster>>, Error> {
        self.list_in(&Scope::ResourceGroup { subscription, name: resource_group }).await
    }

    async fn list_in(&self, scope: &Scope<'_>) -> Result<Vec<Document<ManagedCluster>>, Error> {
        let path = ["providers", "Microsoft.ContainerService", "managedClusters"];
        let url = self.client.url(scope.segments().into_iter().chain(path));
        list(self.client, Call::of_scope(CallKind::ListClusters, scope), url, "listing clusters").await
    }

    /// Writes a cluster; `body` comes from [`crate::writes`].
    ///
    /// # Errors
    /// See [`ManagedClusters`]; 412 when `if_match` is no longer the cluster's eTag.
    pub async fn put(
        &self,
        id: &ClusterId,
        body: &Value,
        if_match: Option<&ETag>,
    ) -> Result<Accepted, Error> {
        let call = Call::of_cluster(CallKind::PutCluster, id);
        self.client.put(call, self.client.cluster_url(id, &[]), body, if_match).await
    }

    /// Reads which versions Azure offers the control plane.
    ///
    /// # Errors
    /// See [`ManagedClusters`].
    pub async fn upgrade_profile(&self, id: &ClusterId) -> Result<Document<ClusterUpgradeProfile>, Error> {
        let url = self.client.cluster_url(id, &["upgradeProfiles", "default"]);
        let call = Call::of_cluster(CallKind::ClusterUpgradeProfile, id);
        let answer = self.client.get(call, url).await?;
        Ok(Document::from_response(answer.object("reading a cluster's upgrade profile")?, &answer.headers))
    }

    /// Reads which versions new node pools of the cluster can have: never newer than its control plane.
    ///
    /// # Errors
    /// See [`ManagedClusters`].
    pub async fn available_agent_pool_versions(
        &self,
        id: &ClusterId,
    ) -> Result<Document<AvailableAgentPoolVersions>, Error> {
        let url = self.client.cluster_url(id, &["availableAgentPoolVersions"]);
        let call = Call::of_cluster(CallKind::AvailablePoolVersions, id);
        let answer = self.client.get(call, url).await?;
        let value = answer.object("reading the versions for node pools")?;
        Ok(Document::from_response(value, &answer.headers))
    }

    /// Reads where the cluster's API server is, and its certificate authority.
    ///
    /// The credentials in the answer are not read: tokens are the caller's own.
    ///
    /// # Errors
    /// See [`ManagedClusters`].
    pub async fn user_credential(&self, id: &ClusterId) -> Result<Kubeconfig, Error> {
        let url = self.client.cluster_url(id, &["listClusterUserCredential"]);
        let call = Call::of_cluster(CallKind::UserCredential, id);
        let answer = self.client.post(call, url).await?;
        Kubeconfig::from_answer(&answer.object("reading a kubeconfig")?)
    }

    /// Stops what is running on the cluster; nothing is undone. `None`: nothing was running any more.
    ///
    /// # Errors
    /// See [`ManagedClusters`].
    pub async fn abort(&self, id: &ClusterId) -> Result<Option<Accepted>, Error> {
        let call = Call::of_cluster(CallKind::AbortCluster, id);
        abort(self.client, call, self.client.cluster_url(id, &["abort"])).await
    }
}

/// Posts an abort: 202 when it was accepted, 204 or 409 when there is nothing left to stop.
///
/// Source: Microsoft Learn, "Terminate a long running operation on an AKS cluster". A 409 because of
/// a concurrent write (`EtagMismatch`) or of a lock (`ScopeLocked`) says nothing about that, so it stays an error.
pub(crate) async fn abort(client: &Client, call: Call, url: url::Url) -> Result<Option<Accepted>, Error> {
    match client.post(call, url).await {
        Ok(answer) if answer.status == 204 => Ok(None),
        Ok(answer) => answer.accepted().map(Some),
        Err(Error::Api { error, .. })
            if error.status == Some(409)
                && !matches!(error.code.as_deref(), Some("EtagMismatch" | "ScopeLocked")) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
