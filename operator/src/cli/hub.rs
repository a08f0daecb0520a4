//! What the command line reads from the hub.

use std::fmt::Debug;

use anyhow::Context as _;
use clap::Args;
use crds::{AKSCluster, ClusterUpgrade, UpgradeApproval, UpgradePlan};
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::ListParams,
    config::KubeConfigOptions,
    core::{DeserializeGuard, NamespaceResourceScope},
};
use serde::de::DeserializeOwned;

/// Which hub and namespace.
#[derive(Args, Clone, Debug)]
pub(super) struct HubArgs {
    /// The namespace; by default that of the kubeconfig's context.
    #[arg(short, long)]
    namespace: Option<String>,
    /// The context of the kubeconfig.
    #[arg(long)]
    context: Option<String>,
}

/// A hub, seen from one namespace.
pub(super) struct Hub {
    pub(super) client: Client,
    pub(super) namespace: String,
}

/// An AKSCluster, or why it cannot be read.
pub(super) struct Found {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) cluster: Result<AKSCluster, String>,
}

impl Found {
    fn new(guard: DeserializeGuard<AKSCluster>) -> Self {
        let (namespace, name) = (guard.namespace().unwrap_or_default(), guard.name_any());
        Self { namespace, name, cluster: guard.0.map_err(|invalid| invalid.error) }
    }
}

impl HubArgs {
    /// The namespace that is asked for.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(super) async fn connect(&self) -> anyhow::Result<Hub> {
        self.connect_for(None).await
    }

    /// For a file that may name its namespace.
    pub(super) async fn connect_for(&self, of_file: Option<&str>) -> anyhow::Result<Hub> {
        let mut config = match &self.context {
            None => Config::infer().await.context("no Kubernetes cluster: set KUBECONFIG, or --context")?,
            Some(context) => {
                let options =
                    KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
                Config::from_kubeconfig(&options).await.with_context(|| format!("--context {context}"))?
            }
        };
        config.read_timeout = Some(std::time::Duration::from_secs(295));
        let namespace = choose_namespace(self.namespace.as_deref(), of_file, &config.default_namespace)?;
        let client = Client::try_from(config).context("the Kubernetes client cannot be set up")?;
        Ok(Hub { client, namespace })
    }
}

/// As kubectl does: the one that is asked for, else that of the file, else the context's.
fn choose_namespace(asked: Option<&str>, of_file: Option<&str>, usual: &str) -> anyhow::Result<String> {
    if let (Some(asked), Some(of_file)) = (asked, of_file) {
        anyhow::ensure!(
            asked == of_file,
            "metadata.namespace of the file is {of_file}, and --namespace is {asked}: leave --namespace out, or change the file"
        );
    }
    Ok(asked.or(of_file).unwrap_or(usual).to_owned())
}

impl Hub {
    pub(super) fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) async fn clusters(&self) -> anyhow::Result<Vec<AKSCluster>> {
        self.list("AKSClusters").await
    }

    pub(super) async fn plans(&self) -> anyhow::Result<Vec<UpgradePlan>> {
        self.list("UpgradePlans").await
    }

    pub(super) async fn upgrades(&self) -> anyhow::Result<Vec<ClusterUpgrade>> {
        self.list("ClusterUpgrades").await
    }

    pub(super) async fn approvals(&self) -> anyhow::Result<Vec<UpgradeApproval>> {
        self.list("UpgradeApprovals").await
    }

    /// The AKSClusters of the namespace, or of all, that have the labels, by namespace and name.
    /// One that cannot be read stands in its place, with the reason.
    pub(super) async fn find_clusters(
        &self,
        labels: Option<&str>,
        all_namespaces: bool,
    ) -> anyhow::Result<Vec<Found>> {
        let (api, place): (Api<DeserializeGuard<AKSCluster>>, String) = if all_namespaces {
            (Api::all(self.client.clone()), "the hub".to_owned())
        } else {
            (Api::namespaced(self.client.clone(), &self.namespace), format!("namespace {}", self.namespace))
        };
        let params = labels.map_or_else(ListParams::default, |labels| ListParams::default().labels(labels));
        let found = match (api.list(&params).await, labels) {
            (Err(kube::Error::Api(refused)), Some(labels)) if refused.code == 400 => {
                anyhow::bail!(
                    "--selector {labels:?}: {}: write it like ring=canary,tier!=free",
                    refused.message
                )
            }
            (found, _) => found.with_context(|| format!("the AKSClusters of {place} cannot be listed"))?,
        };
        let mut found: Vec<Found> = found.items.into_iter().map(Found::new).collect();
        found.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        Ok(found)
    }

    /// All of a kind, by name; those that cannot be read are left out.
    async fn list<K>(&self, what: &str) -> anyhow::Result<Vec<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<DeserializeGuard<K>> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = api
            .list(&ListParams::default())
            .await
            .with_context(|| format!("the {what} of namespace {} cannot be listed", self.namespace))?;
        let mut items: Vec<K> = found.items.into_iter().filter_map(|item| item.0.ok()).collect();
        items.sort_by_key(ResourceExt::name_any);
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_say_on_its_namespace() {
        let choose = |asked, of_file| choose_namespace(asked, of_file, "default").unwrap();
        assert_eq!(choose(None, None), "default");
        assert_eq!(choose(Some("fleet"), None), "fleet");
        assert_eq!(choose(None, Some("platform")), "platform");
        assert_eq!(choose(Some("platform"), Some("platform")), "platform");
        let error = choose_namespace(Some("fleet"), Some("platform"), "default").unwrap_err().to_string();
        assert!(error.contains("is platform, and --namespace is fleet: leave --namespace out"), "{error}");
    }
}
