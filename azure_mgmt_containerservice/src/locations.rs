//! Calls on regions.

use crate::{
    Call, CallKind, Client, Document, Error, KubernetesVersions, NodeImageVersion, View, paging::list,
};

/// The api-version of `nodeImageVersions`, which no stable one has (as of 2026-08-01).
const NODE_IMAGES_API_VERSION: &str = "2026-04-02-preview";

/// Calls on regions; see [`Client::locations`].
///
/// Every method ends with an [`Error`] when Azure refuses, cannot be reached, or answers with
/// something that the API does not promise.
#[derive(Debug)]
pub struct Locations<'a> {
    pub(crate) client: &'a Client,
}

impl Locations<'_> {
    /// Reads which Kubernetes versions a region offers, with their support plans.
    ///
    /// # Errors
    /// See [`Locations`].
    pub async fn kubernetes_versions(
        &self,
        subscription: &str,
        location: &str,
    ) -> Result<KubernetesVersions, Error> {
        let url = self.client.url(path(subscription, location, "kubernetesVersions"));
        let call = Call::of_subscription(CallKind::KubernetesVersions, subscription);
        let what = "reading a region's Kubernetes versions";
        let value = self.client.get(call, url).await?.object(what)?;
        if value.get("values").is_some_and(serde_json::Value::is_array) {
            return Ok(KubernetesVersions::read(&value));
        }
        Err(Error::Decode { what, problem: "it has no list 'values'".to_owned() })
    }

    /// Lists the newest node images of a region, unsorted as Azure gave them.
    ///
    /// A preview of the API, so a cloud may not have it: what a pool would get is certain only in its
    /// upgrade profile. Image families that ended stay in the list with their last version. Source:
    /// Azure SDK reference, "ContainerService - List Node Image Versions"; older previews answer under
    /// `values` instead of `value`, as Azure/karpenter-provider-azure reads them.
    ///
    /// # Errors
    /// See [`Locations`]; also when a page links to another origin, or in circles.
    pub async fn node_image_versions(
        &self,
        subscription: &str,
        location: &str,
    ) -> Result<Vec<NodeImageVersion>, Error> {
        let url =
            self.client.url_at(NODE_IMAGES_API_VERSION, path(subscription, location, "nodeImageVersions"));
        let call = Call::of_subscription(CallKind::NodeImageVersions, subscription);
        let images = list(self.client, call, url, "listing a region's node images").await?;
        Ok(images.into_iter().map(Document::into_view).collect())
    }
}

fn path<'a>(subscription: &'a str, location: &'a str, what: &'a str) -> [&'a str; 7] {
    let provider = "Microsoft.ContainerService";
    ["subscriptions", subscription, "providers", provider, "locations", location, what]
}
