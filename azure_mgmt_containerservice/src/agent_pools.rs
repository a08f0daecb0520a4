//! Calls on node pools (agent pools, in the API's words).

use serde_json::Value;

use crate::{
    Accepted, AgentPool, AgentPoolUpgradeProfile, Call, CallKind, Client, ClusterId, Document, ETag, Error,
    Machine, managed_clusters::abort, paging::list,
};

/// Calls on node pools; see [`Client::agent_pools`].
///
/// Every method ends with an [`Error`] when Azure refuses, cannot be reached, or answers with
/// something that the API does not promise.
#[derive(Debug)]
pub struct AgentPools<'a> {
    pub(crate) client: &'a Client,
}

impl AgentPools<'_> {
    /// Reads a pool.
    ///
    /// # Errors
    /// See [`AgentPools`].
    pub async fn get(&self, cluster: &ClusterId, pool: &str) -> Result<Document<AgentPool>, Error> {
        let answer = self
            .client
            .get(Call::of_pool(CallKind::GetPool, cluster, pool), self.url(cluster, pool, &[]))
            .await?;
        Ok(Document::from_response(answer.object("reading a node pool")?, &answer.headers))
    }

    /// Lists the pools of a cluster, following the pages to the end.
    ///
    /// # Errors
    /// See [`AgentPools`]; also when a page links to another origin, or in circles.
    pub async fn list(&self, cluster: &ClusterId) -> Result<Vec<Document<AgentPool>>, Error> {
        let call = Call::of_cluster(CallKind::ListPools, cluster);
        list(self.client, call, self.client.cluster_url(cluster, &["agentPools"]), "listing node pools").await
    }

    /// Writes a pool; `body` comes from [`crate::writes`].
    ///
    /// # Errors
    /// See [`AgentPools`]; 412 when `if_match` is no longer the pool's eTag.
    pub async fn put(
        &self,
        cluster: &ClusterId,
        pool: &str,
        body: &Value,
        if_match: Option<&ETag>,
    ) -> Result<Accepted, Error> {
        let call = Call::of_pool(CallKind::PutPool, cluster, pool);
        self.client.put(call, self.url(cluster, pool, &[]), body, if_match).await
    }

    /// Reads the newest image for a pool, and the versions that it can go back to.
    ///
    /// # Errors
    /// See [`AgentPools`].
    pub async fn upgrade_profile(
        &self,
        cluster: &ClusterId,
        pool: &str,
    ) -> Result<Document<AgentPoolUpgradeProfile>, Error> {
        let call = Call::of_pool(CallKind::PoolUpgradeProfile, cluster, pool);
        let answer = self.client.get(call, self.url(cluster, pool, &["upgradeProfiles", "default"])).await?;
        Ok(Document::from_response(answer.object("reading a node pool's upgrade profile")?, &answer.headers))
    }

    /// Moves a pool to the newest node image of its version.
    ///
    /// # Errors
    /// See [`AgentPools`].
    pub async fn upgrade_node_image(&self, cluster: &ClusterId, pool: &str) -> Result<Accepted, Error> {
        let call = Call::of_pool(CallKind::UpgradeNodeImage, cluster, pool);
        self.client.post(call, self.url(cluster, pool, &["upgradeNodeImageVersion"])).await?.accepted()
    }

    /// Stops what is running on the pool; nothing is undone. `None`: nothing was running any more.
    ///
    /// # Errors
    /// See [`AgentPools`].
    pub async fn abort(&self, cluster: &ClusterId, pool: &str) -> Result<Option<Accepted>, Error> {
        let call = Call::of_pool(CallKind::AbortPool, cluster, pool);
        abort(self.client, call, self.url(cluster, pool, &["abort"])).await
    }

    /// Lists the pool's machines, which are its nodes as Azure sees them.
    ///
    /// # Errors
    /// See [`AgentPools`]; also when a page links to another origin, or in circles.
    pub async fn machines(&self, cluster: &ClusterId, pool: &str) -> Result<Vec<Document<Machine>>, Error> {
        let call = Call::of_pool(CallKind::ListMachines, cluster, pool);
        list(self.client, call, self.url(cluster, pool, &["machines"]), "listing machines").await
    }

    /// Reads one machine, by the name of its node.
    ///
    /// # Errors
    /// See [`AgentPools`].
    pub async fn machine(
        &self,
        cluster: &ClusterId,
        pool: &str,
        name: &str,
    ) -> Result<Document<Machine>, Error> {
        let call = Call::of_pool(CallKind::GetMachine, cluster, pool);
        let answer = self.client.get(call, self.url(cluster, pool, &["machines", name])).await?;
        Ok(Document::from_response(answer.object("reading a machine")?, &answer.headers))
    }

    fn url(&self, cluster: &ClusterId, pool: &str, below: &[&str]) -> url::Url {
        let path: Vec<&str> = ["agentPools", pool].into_iter().chain(below.iter().copied()).collect();
        self.client.cluster_url(cluster, &path)
    }
}
