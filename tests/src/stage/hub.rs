//! The hub: Tidegate's chart on a real API server, and the identity that the operator has there.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use control_plane::{ControlPlane, Environment, Options};
use engine::TimeScale;
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::runtime::wait::Condition as _;
use kube::{
    Api, Client,
    api::{GetParams, PostParams},
    core::Request,
};
use serde_json::Value;
use simulator::{
    Ready,
    scenario::{Federated, Identity},
};

use super::{
    azure::role,
    manifests::ensure_namespace,
    operator::Command,
    setup::{CLIENT_ID, OBJECT_ID, Setup},
};

/// Where the chart is installed.
pub const NAMESPACE: &str = "tidegate-system";
/// The operator's account there, made by the chart.
pub const SERVICE_ACCOUNT: &str = "tidegate";
/// Who tokens are for that Entra takes in place of a secret.
const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";
const TOKEN_SECONDS: i64 = 3 * 3600;

pub(super) struct Hub {
    pub(super) client: Client,
    pub(super) plane: Arc<ControlPlane>,
}

/// The way from an operator to the hub and to Azure, and who it is there.
pub(super) struct Way<'a> {
    /// Where its files are.
    pub(super) folder: PathBuf,
    pub(super) hub_url: String,
    pub(super) hub_ca: String,
    pub(super) azure: &'a Ready,
    pub(super) azure_url: &'a str,
    /// Of what stands at `azure_url`, if that is not the simulator itself.
    pub(super) azure_ca: &'a str,
    pub(super) clock: TimeScale,
    pub(super) lease_namespace: &'a str,
    pub(super) replica: &'a str,
}

impl Hub {
    /// A hub of this minor version; the newest without one.
    pub(super) async fn start(environment: &Environment, minor: Option<u32>) -> Result<Self> {
        let options = Options { controllers: true, emulated_minor: minor, ..Options::new("hub") };
        let plane = environment.control_plane(options).await?;
        Ok(Self { client: plane.client()?, plane: Arc::new(plane) })
    }

    /// The operator's application in Entra: it trusts the service account of the hub.
    pub(super) fn identity(&self) -> Identity {
        Identity {
            client_id: CLIENT_ID.to_owned(),
            object_id: OBJECT_ID.to_owned(),
            secret: None,
            federated: Some(Federated {
                issuer: self.plane.url(),
                subject: format!("system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"),
                audience: EXCHANGE_AUDIENCE.to_owned(),
            }),
            certificates: Vec::new(),
            managed: false,
            groups: Vec::new(),
            token_lifetime: None,
            roles: Some(vec![role()]),
        }
    }

    /// The keys that service-account tokens are signed with.
    pub(super) async fn key_set(&self) -> Result<Value> {
        let request = Request::new("/openid/v1").get("jwks", &GetParams::default())?;
        self.client.request(request).await.context("reading the hub's keys")
    }

    /// Installs the chart: definitions, roles, the service account. Its Deployment has no replicas,
    /// as the hub has no nodes.
    pub(super) async fn install(&self, setup: &Setup, tenant: &str) -> Result<()> {
        for (namespace, _) in &setup.kubeconfig_secrets {
            ensure_namespace(&self.client, namespace).await?;
        }
        let secrets = setup.kubeconfig_secrets.iter();
        let secrets: Vec<Value> = secrets
            .map(|(namespace, names)| serde_json::json!({ "namespace": namespace, "names": names }))
            .collect();
        let mut helm = self.plane.helm();
        helm.args(["install", "tidegate"])
            .arg(repository().join("charts/tidegate"))
            .args(["--namespace", NAMESPACE, "--create-namespace"])
            .args(["--set", "replicas=0", "--set", "image.repository=example.org/tidegate"])
            .args(["--set", &format!("azure.tenantId={tenant}")])
            .args(["--set", &format!("azure.clientId={CLIENT_ID}")])
            .args(["--set-json", &format!("kubeconfigSecrets={}", Value::from(secrets))])
            .args(&setup.helm);
        let output = helm.output().await.context("running helm")?;
        ensure!(
            output.status.success(),
            "helm install: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        for definition in crds::definitions() {
            let name = definition.metadata.name.unwrap_or_default();
            let api = Api::all(self.client.clone());
            super::when(&api, &name, "established", |definition| {
                kube::runtime::conditions::is_crd_established().matches_object(Some(definition))
            })
            .await?;
        }
        Ok(())
    }

    /// How the operator is started: as the chart's service account, on the hub and in Azure.
    pub(super) async fn command(&self, environment: &Environment, way: &Way<'_>) -> Result<Command> {
        let folder = &way.folder;
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let (kubeconfig, assertion, ca) =
            (folder.join("operator.kubeconfig"), folder.join("federated-token"), folder.join("azure-ca.pem"));
        let token = self.token(None).await?;
        write(&kubeconfig, &kubeconfig_of(&way.hub_url, &way.hub_ca, &token))?;
        write(&assertion, &self.token(Some(EXCHANGE_AUDIENCE)).await?)?;
        // Entra and the clusters' own APIs are the simulator itself, whatever stands before the rest of it.
        let authorities = [way.azure.ca_pem.as_str(), way.azure_ca].join("\n");
        write(&ca, &authorities)?;
        let text = |path: PathBuf| path.display().to_string();
        let arguments = [
            ("--azure-endpoint", way.azure_url.to_owned()),
            ("--azure-audience", way.azure.endpoint.clone()),
            ("--azure-authority", way.azure.authority.clone()),
            ("--azure-ca-file", text(ca)),
            ("--azure-credential", "workload-identity".to_owned()),
            ("--azure-tenant-id", way.azure.tenant.clone()),
            ("--azure-client-id", CLIENT_ID.to_owned()),
            ("--azure-federated-token-file", text(assertion)),
            ("--clock", way.clock.to_string()),
            ("--listen", "127.0.0.1:0".to_owned()),
            ("--lease-namespace", way.lease_namespace.to_owned()),
            ("--replica", way.replica.to_owned()),
        ];
        Ok(Command {
            arguments: arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect(),
            kubeconfig,
            process_group: environment.process_group(),
        })
    }

    /// Straight to the hub and to Azure.
    pub(super) fn straight<'a>(&self, folder: PathBuf, azure: &'a Ready, clock: TimeScale) -> Way<'a> {
        Way {
            folder,
            hub_url: self.plane.url(),
            hub_ca: self.plane.ca_pem(),
            azure,
            azure_url: &azure.endpoint,
            azure_ca: "",
            clock,
            lease_namespace: NAMESPACE,
            // Like a container that starts again in its pod: it may go on with its own lease at once.
            replica: "tidegate-0",
        }
    }

    async fn token(&self, audience: Option<&str>) -> Result<String> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), NAMESPACE);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: audience.into_iter().map(str::to_owned).collect(),
                expiration_seconds: Some(TOKEN_SECONDS),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(SERVICE_ACCOUNT, &PostParams::default(), &request)
            .await
            .context("a token of the chart's service account")?;
        Ok(answer.status.context("a token request has a status")?.token)
    }
}

fn kubeconfig_of(server: &str, ca: &str, token: &str) -> String {
    let ca = BASE64_STANDARD.encode(ca);
    format!(
        "apiVersion: v1
kind: Config
current-context: hub
contexts: [{{name: hub, context: {{cluster: hub, user: operator}}}}]
clusters: [{{name: hub, cluster: {{server: '{server}', certificate-authority-data: {ca}}}}}]
users: [{{name: operator, user: {{token: {token}}}}}]
"
    )
}

/// The top of the checkout.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
