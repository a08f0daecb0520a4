//! Kubeconfigs: where an API server is, and as whom to speak to it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    effects::ClusterKey,
    identity, kube_api,
    world::{
        World,
        call::{Answer, Refusal},
        resources::cluster::{Cluster, Endpoint},
    },
};

/// Whose kubeconfig it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Role {
    User,
    Admin,
    Monitoring,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "clusterUser",
            Self::Admin => "clusterAdmin",
            Self::Monitoring => "clusterMonitoringUser",
        }
    }
}

impl World {
    pub(in crate::world) fn credential(&self, key: &ClusterKey, role: Role) -> Result<Answer, Refusal> {
        let kubeconfig = self.kubeconfig(self.cluster(key)?, role)?;
        Ok(Answer::new(200, json!({ "kubeconfigs": [{ "name": role.name(), "value": kubeconfig }] })))
    }

    /// The older form, which some tools still ask for.
    pub(in crate::world) fn access_profile(&self, key: &ClusterKey, role: &str) -> Result<Answer, Refusal> {
        let cluster = self.cluster(key)?;
        let role =
            [Role::User, Role::Admin].into_iter().find(|known| known.name().eq_ignore_ascii_case(role));
        let role = role.ok_or_else(|| {
            Refusal::bad_request(
                "BadRequest",
                "The role of an access profile has to be clusterUser or clusterAdmin.",
            )
        })?;
        let kubeconfig = self.kubeconfig(cluster, role)?;
        Ok(Answer::new(
            200,
            json!({
                "id": format!("{}/accessProfiles/{}", cluster.id, role.name()),
                "name": role.name(),
                "type": "Microsoft.ContainerService/ManagedClusters/AccessProfiles",
                "location": cluster.location,
                "properties": { "kubeConfig": kubeconfig },
            }),
        ))
    }

    /// A kubeconfig, base64; with a token only where local accounts are on.
    fn kubeconfig(&self, cluster: &Cluster, role: Role) -> Result<String, Refusal> {
        let local_accounts = *cluster.property("disableLocalAccounts") != true;
        if role != Role::User && !local_accounts {
            return Err(Refusal::bad_request(
                "BadRequest",
                "Getting static credential is not allowed because this cluster is set to disable local accounts.",
            ));
        }
        let Endpoint { server, ca_pem } = self.endpoint(cluster);
        let user = format!("{}_{}_{}", role.name(), cluster.resource_group, cluster.name);
        let directory = cluster.property("aadProfile").is_object();
        let credential = if local_accounts && (role != Role::User || !directory) {
            json!({ "token": cluster.place().uuid(role.name()).replace('-', "") })
        } else {
            json!({ "exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": "kubelogin",
                "args": ["get-token", "--server-id", identity::API_SERVER_AUDIENCE],
                "provideClusterInfo": false,
            } })
        };
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": cluster.name,
                "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca_pem) },
            }],
            "users": [{ "name": user, "user": credential }],
            "contexts": [{ "name": cluster.name, "context": { "cluster": cluster.name, "user": user } }],
            "current-context": cluster.name,
        });
        Ok(STANDARD.encode(kubeconfig.to_string()))
    }

    /// Where the API server of the cluster is: the real one, the simulator's, or nowhere.
    fn endpoint(&self, cluster: &Cluster) -> Endpoint {
        let own =
            || Endpoint { server: format!("https://{}:443", cluster.text("fqdn")), ca_pem: String::new() };
        let served = || {
            let Endpoint { server, ca_pem } = self.api_servers.clone()?;
            let Cluster { subscription, resource_group, name, .. } = cluster;
            let server = kube_api::server_url(&server, subscription, resource_group, name);
            Some(Endpoint { server, ca_pem })
        };
        cluster.endpoint.clone().or_else(served).unwrap_or_else(own)
    }
}
