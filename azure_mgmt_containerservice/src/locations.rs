//! Calls on regions.

use crate::{Call, CallKind, Client, Error, KubernetesVersions, View};

/// Calls on regions; see [`Client::locations`].
#[derive(Debug)]
pub struct Locations<'a> {
    pub(crate) client: &'a Client,
}

impl Locations<'_> {
    /// Reads which Kubernetes versions a region offers, with their support plans.
    ///
    /// # Errors
    /// When Azure refuses, cannot be reached, or answers with something that the API does not promise.
    pub async fn kubernetes_versions(
        &self,
        subscription: &str,
        location: &str,
    ) -> Result<KubernetesVersions, Error> {
        let url = self.client.url([
            "subscriptions",
            subscription,
            "providers",
            "Microsoft.ContainerService",
            "locations",
            location,
            "kubernetesVersions",
        ]);
        let call = Call::of_subscription(CallKind::KubernetesVersions, subscription);
        let what = "reading a region's Kubernetes versions";
        let value = self.client.get(call, url).await?.object(what)?;
        if value.get("values").is_some_and(serde_json::Value::is_array) {
            return Ok(KubernetesVersions::read(&value));
        }
        Err(Error::Decode { what, problem: "it has no list 'values'".to_owned() })
    }
}
