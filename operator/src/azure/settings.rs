//! Which Azure, and as whom: chosen explicitly by flags or the usual environment variables.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use azure_core::credentials::TokenCredential;
use azure_mgmt_containerservice::{Client, ClientOptions, Cloud, CredentialConfig, DEFAULT_API_VERSION};
use clap::{Args, ValueEnum};
use url::Url;

/// Flags about Azure.
#[derive(Args, Clone, Debug)]
pub(crate) struct AzureArgs {
    /// The cloud, which sets endpoint and authority.
    #[arg(long, env = "TIDEGATE_AZURE_CLOUD", value_enum, default_value_t = CloudName::Public)]
    azure_cloud: CloudName,
    /// Azure Resource Manager's address, if it is not the cloud's.
    #[arg(long, env = "TIDEGATE_AZURE_ENDPOINT")]
    azure_endpoint: Option<Url>,
    /// For whom tokens are asked (the resource, without /.default), if it is not the endpoint's cloud:
    /// for an endpoint of your own in front of a cloud's.
    #[arg(long, env = "TIDEGATE_AZURE_AUDIENCE")]
    azure_audience: Option<String>,
    /// Entra's address, if it is not the cloud's.
    #[arg(long, env = "AZURE_AUTHORITY_HOST")]
    azure_authority: Option<Url>,
    /// Certificates to trust besides the public ones, as PEM: for private endpoints and proxies.
    #[arg(long, env = "TIDEGATE_AZURE_CA_FILE")]
    azure_ca_file: Option<PathBuf>,
    /// The api-version of Microsoft.ContainerService.
    #[arg(long, env = "TIDEGATE_AZURE_API_VERSION", default_value = DEFAULT_API_VERSION)]
    azure_api_version: String,
    /// How to sign in.
    #[arg(long, env = "TIDEGATE_AZURE_CREDENTIAL", value_enum, default_value_t = CredentialName::WorkloadIdentity)]
    azure_credential: CredentialName,
    /// The Entra tenant.
    #[arg(long, env = "AZURE_TENANT_ID")]
    azure_tenant_id: Option<String>,
    /// The client id of the application or managed identity.
    #[arg(long, env = "AZURE_CLIENT_ID")]
    azure_client_id: Option<String>,
    /// The file with the federated token, for workload identity.
    #[arg(long, env = "AZURE_FEDERATED_TOKEN_FILE")]
    azure_federated_token_file: Option<PathBuf>,
    /// The file with the client secret.
    #[arg(long, env = "AZURE_CLIENT_SECRET_FILE")]
    azure_client_secret_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CloudName {
    Public,
    UsGovernment,
    China,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CredentialName {
    WorkloadIdentity,
    ManagedIdentity,
    ClientSecret,
    DeveloperTools,
}

/// Why Azure cannot be used with these settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidAzureSettings {
    /// A setting that the chosen credential needs.
    #[error("--azure-credential {credential} needs {flag} (or the environment variable {variable})")]
    Missing {
        /// The credential.
        credential: &'static str,
        /// The flag.
        flag: &'static str,
        /// The variable.
        variable: &'static str,
    },
    /// A file that cannot be read.
    #[error("{flag}: {path} cannot be read")]
    File {
        /// The flag.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file without the secret that should be in it.
    #[error("{flag}: {path} is empty; it should hold the value of the client secret and nothing else")]
    EmptySecret {
        /// The flag.
        flag: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The client refuses the settings.
    #[error("the Azure client cannot be set up")]
    Client(#[source] azure_mgmt_containerservice::Error),
}

/// The management client, and the credential for the clusters' own APIs.
///
/// # Errors
/// When a setting is missing or unusable, named by its flag.
pub(crate) fn connect(args: &AzureArgs) -> Result<(Client, Arc<dyn TokenCredential>), InvalidAzureSettings> {
    let cloud = match args.azure_cloud {
        CloudName::Public => Cloud::Public,
        CloudName::UsGovernment => Cloud::UsGovernment,
        CloudName::China => Cloud::China,
    };
    let ca = args.azure_ca_file.as_ref().map(|path| read("--azure-ca-file", path)).transpose()?;
    let credential = credential(args, cloud)?.build(ca.as_deref()).map_err(InvalidAzureSettings::Client)?;
    let mut options = ClientOptions::new(cloud);
    if let Some(endpoint) = &args.azure_endpoint {
        options.endpoint = endpoint.clone();
    }
    options.audience = given(&args.azure_audience);
    options.api_version.clone_from(&args.azure_api_version);
    options.extra_ca_pem = ca;
    let client = Client::new(options, credential.clone()).map_err(InvalidAzureSettings::Client)?;
    Ok((client, credential))
}

impl AzureArgs {
    /// Whether the endpoint is this machine: the only place for a scaled clock.
    #[must_use]
    pub(crate) fn endpoint_is_loopback(&self) -> bool {
        match self.azure_endpoint.as_ref().and_then(Url::host) {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }
}

fn credential(args: &AzureArgs, cloud: Cloud) -> Result<CredentialConfig, InvalidAzureSettings> {
    let authority = args.azure_authority.clone().unwrap_or_else(|| cloud.authority());
    let need = |value: &Option<String>, credential, flag, variable| {
        given(value).ok_or(InvalidAzureSettings::Missing { credential, flag, variable })
    };
    let tenant = |credential| need(&args.azure_tenant_id, credential, "--azure-tenant-id", "AZURE_TENANT_ID");
    let client = |credential| need(&args.azure_client_id, credential, "--azure-client-id", "AZURE_CLIENT_ID");
    Ok(match args.azure_credential {
        CredentialName::WorkloadIdentity => CredentialConfig::WorkloadIdentity {
            tenant_id: tenant("workload-identity")?,
            client_id: client("workload-identity")?,
            token_file: args.azure_federated_token_file.clone().filter(|path| is_given(path)).ok_or(
                InvalidAzureSettings::Missing {
                    credential: "workload-identity",
                    flag: "--azure-federated-token-file",
                    variable: "AZURE_FEDERATED_TOKEN_FILE",
                },
            )?,
            authority,
        },
        CredentialName::ManagedIdentity => {
            CredentialConfig::ManagedIdentity { client_id: given(&args.azure_client_id) }
        }
        CredentialName::ClientSecret => {
            let flag = "--azure-client-secret-file";
            let path = args.azure_client_secret_file.as_ref().filter(|path| is_given(path)).ok_or(
                InvalidAzureSettings::Missing {
                    credential: "client-secret",
                    flag,
                    variable: "AZURE_CLIENT_SECRET_FILE",
                },
            )?;
            let secret = String::from_utf8_lossy(&read(flag, path)?).trim().to_owned();
            if secret.is_empty() {
                return Err(InvalidAzureSettings::EmptySecret { flag, path: path.clone() });
            }
            CredentialConfig::ClientSecret {
                tenant_id: tenant("client-secret")?,
                client_id: client("client-secret")?,
                secret: secret.into(),
                authority,
            }
        }
        CredentialName::DeveloperTools => CredentialConfig::DeveloperTools,
    })
}

/// An empty environment variable says nothing.
fn given(value: &Option<String>) -> Option<String> {
    value.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn is_given(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

fn read(flag: &'static str, path: &PathBuf) -> Result<Vec<u8>, InvalidAzureSettings> {
    std::fs::read(path).map_err(|source| InvalidAzureSettings::File { flag, path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(azure_credential: CredentialName) -> AzureArgs {
        let id = |text: &str| Some(text.to_owned());
        AzureArgs {
            azure_cloud: CloudName::Public,
            azure_endpoint: None,
            azure_audience: None,
            azure_authority: None,
            azure_ca_file: None,
            azure_api_version: DEFAULT_API_VERSION.to_owned(),
            azure_credential,
            azure_tenant_id: id("00000000-0000-0000-0000-00000000000a"),
            azure_client_id: id("00000000-0000-0000-0000-00000000000b"),
            azure_federated_token_file: Some("/var/run/token".into()),
            azure_client_secret_file: None,
        }
    }

    #[test]
    fn one_block_of_settings_chooses_the_credential() {
        let (tenant, client) =
            ("tenant 00000000-0000-0000-0000-00000000000a", "client id 00000000-0000-0000-0000-00000000000b");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "hush\n").unwrap();
        let secret = AzureArgs { azure_client_secret_file: Some(file), ..args(CredentialName::ClientSecret) };
        let system =
            AzureArgs { azure_client_id: Some(" ".to_owned()), ..args(CredentialName::ManagedIdentity) };
        let table = [
            (
                args(CredentialName::WorkloadIdentity),
                format!("workload identity ({client}, {tenant}, token file /var/run/token)"),
            ),
            (args(CredentialName::ManagedIdentity), format!("managed identity ({client})")),
            (system, "managed identity (system-assigned)".to_owned()),
            (secret, format!("client secret ({client}, {tenant})")),
            (args(CredentialName::DeveloperTools), "developer tools (az or azd)".to_owned()),
        ];
        for (args, expected) in table {
            assert_eq!(credential(&args, Cloud::Public).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_missing_is_named_by_flag_and_variable() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        let none = Some(String::new());
        let workload = || args(CredentialName::WorkloadIdentity);
        let table = [
            (AzureArgs { azure_tenant_id: none.clone(), ..workload() }, "--azure-tenant-id"),
            (AzureArgs { azure_client_id: None, ..workload() }, "AZURE_CLIENT_ID"),
            (
                AzureArgs { azure_federated_token_file: Some("".into()), ..workload() },
                "AZURE_FEDERATED_TOKEN_FILE",
            ),
            (args(CredentialName::ClientSecret), "--azure-client-secret-file"),
            (
                AzureArgs {
                    azure_client_secret_file: Some(folder.path().join("none")),
                    ..args(CredentialName::ClientSecret)
                },
                "cannot be read",
            ),
            (
                AzureArgs { azure_client_secret_file: Some(empty), ..args(CredentialName::ClientSecret) },
                "is empty",
            ),
        ];
        for (args, problem) in table {
            let error = credential(&args, Cloud::Public).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        let plain = AzureArgs { azure_endpoint: Some("http://arm.example/".parse().unwrap()), ..workload() };
        assert!(matches!(connect(&plain), Err(InvalidAzureSettings::Client(_))));
    }
}
