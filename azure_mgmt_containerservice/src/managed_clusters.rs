//! Calls on clusters.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    Accepted, Call, CallKind, Client, ClusterId, ClusterUpgradeProfile, Document, ETag, Error, Kubeconfig,
    ManagedCluster, View,
};

/// More pages than any subscription has: a link that leads in circles ends here.
const PAGE_LIMIT: usize = 1000;

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
        let path =
            ["subscriptions", subscription, "providers", "Microsoft.ContainerService", "managedClusters"];
        let call = Call::of_subscription(CallKind::ListClusters, subscription);
        list(self.client, call, self.client.url(path), "listing clusters").await
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
/// a concurrent write (`EtagMismatch`) says nothing about that, so it stays an error.
pub(crate) async fn abort(client: &Client, call: Call, url: url::Url) -> Result<Option<Accepted>, Error> {
    match client.post(call, url).await {
        Ok(answer) if answer.status == 204 => Ok(None),
        Ok(answer) => answer.accepted().map(Some),
        Err(Error::Api { error, .. })
            if error.status == Some(409) && error.code.as_deref() != Some("EtagMismatch") =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads a list to its end: `value` of each page, then its `nextLink`.
pub(crate) async fn list<V: View>(
    client: &Client,
    call: Call,
    first: url::Url,
    what: &'static str,
) -> Result<Vec<Document<V>>, Error> {
    let mut documents = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = Some(first);
    while let Some(url) = next {
        if seen.len() >= PAGE_LIMIT || !seen.insert(url.to_string()) {
            return Err(Error::Decode { what, problem: "its pages do not end".to_owned() });
        }
        let mut page = client.get(call.clone(), url).await?.object(what)?;
        next = match page.get("nextLink").and_then(Value::as_str) {
            None | Some("") => None,
            Some(link) => Some(client.link(link)?),
        };
        let items = match page.get_mut("value").map(Value::take) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) if items.iter().all(Value::is_object) => items,
            Some(_) => {
                return Err(Error::Decode { what, problem: "'value' is not a list of objects".to_owned() });
            }
        };
        documents.extend(items.into_iter().map(Document::from_value));
    }
    Ok(documents)
}
