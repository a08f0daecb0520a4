//! Who may ask for tokens, with which credentials, and what Azure Resource Manager lets them do.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{ScenarioError, invalid, manager::check_scope};

/// An application or managed identity of the tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The application's (client) id.
    pub client_id: String,
    /// The object id of its service principal: claim `oid`.
    pub object_id: String,
    /// A secret that it may present.
    #[serde(default)]
    pub secret: Option<String>,
    /// Certificates, PEM, with whose keys it may sign assertions.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// A federated credential that it may present.
    #[serde(default)]
    pub federated: Option<Federated>,
    /// Whether the metadata endpoint hands out its tokens, as to a machine that it is assigned to.
    #[serde(default)]
    pub managed: bool,
    /// Object ids of its groups: claim `groups`.
    #[serde(default)]
    pub groups: Vec<String>,
    /// How long its tokens are good for, in real time; an hour when absent.
    #[serde(default)]
    pub token_lifetime: Option<SignedDuration>,
    /// What it may do; everything when absent, nothing when empty.
    #[serde(default)]
    pub roles: Option<Vec<Role>>,
}

/// Whose tokens are accepted in place of a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Federated {
    /// Claim `iss` of the token.
    pub issuer: String,
    /// Claim `sub` of the token, for example `system:serviceaccount:tidegate:tidegate`.
    pub subject: String,
    /// Claim `aud` of the token.
    #[serde(default = "default_audience")]
    pub audience: String,
}

/// A role that is assigned: actions at a scope and below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// `/` or the ARM id of a subscription, a resource group or a resource.
    pub scope: String,
    /// For example `Microsoft.ContainerService/managedClusters/read`; `*` stands for anything.
    pub actions: Vec<String>,
    /// What the actions leave out.
    #[serde(default)]
    pub not_actions: Vec<String>,
}

impl Identity {
    pub(super) fn check(&self, field: &str) -> Result<(), ScenarioError> {
        for (index, certificate) in self.certificates.iter().enumerate() {
            if !certificate.contains("-----BEGIN CERTIFICATE-----") {
                return Err(invalid(
                    format!("{field}.certificates[{index}]"),
                    "is no certificate; give PEM that begins with -----BEGIN CERTIFICATE-----",
                ));
            }
        }
        if let Some(lifetime) = self.token_lifetime
            && lifetime.as_secs() < 1
        {
            return Err(invalid(
                format!("{field}.tokenLifetime"),
                format!("{lifetime:#} is less than a second; give a length such as 30s or 1h"),
            ));
        }
        for (index, role) in self.roles.iter().flatten().enumerate() {
            let field = format!("{field}.roles[{index}]");
            check_scope(&format!("{field}.scope"), &role.scope)?;
            for action in role.actions.iter().chain(&role.not_actions) {
                let known = action == "*" || action.contains('/');
                if !known {
                    return Err(invalid(
                        format!("{field}.actions"),
                        format!(
                            "{action:?} is no action; write Microsoft.ContainerService/managedClusters/read, with * \
                             for anything"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn default_audience() -> String {
    "api://AzureADTokenExchange".to_owned()
}
