//! Where the client connects to, and how long it waits.

use std::{fmt, str::FromStr, time::Duration};

use url::Url;

/// The API version that is used when nothing else is configured.
///
/// Node pool rollback needs at least 2026-04-01; sovereign clouds may lag behind.
pub const DEFAULT_API_VERSION: &str = "2026-05-01";

/// How long one request may take, token included, when nothing else is configured.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// An Azure cloud: its management endpoint and its identity authority.
///
/// Source: the cloud definitions of the Azure SDKs and of the Azure CLI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// Azure in most regions.
    #[default]
    Public,
    /// Azure for the US government.
    UsGovernment,
    /// Azure operated by 21Vianet in China.
    China,
}

impl Cloud {
    /// The endpoint of Azure Resource Manager.
    #[must_use]
    pub fn endpoint(self) -> Url {
        let text = match self {
            Self::Public => "https://management.azure.com/",
            Self::UsGovernment => "https://management.usgovcloudapi.net/",
            Self::China => "https://management.chinacloudapi.cn/",
        };
        Url::parse(text).expect("the constant is a URL")
    }

    /// The authority that issues tokens (Microsoft Entra ID).
    #[must_use]
    pub fn authority(self) -> Url {
        let text = match self {
            Self::Public => "https://login.microsoftonline.com/",
            Self::UsGovernment => "https://login.microsoftonline.us/",
            Self::China => "https://login.chinacloudapi.cn/",
        };
        Url::parse(text).expect("the constant is a URL")
    }

    /// The cloud whose Resource Manager answers at `endpoint`: at its own host, or at the host of one of
    /// its regions, one label in front of it (`westeurope.management.azure.com`).
    pub(crate) fn of_endpoint(endpoint: &Url) -> Option<Self> {
        if endpoint.scheme() != "https" || endpoint.port().is_some() {
            return None;
        }
        let host = endpoint.domain()?;
        [Self::Public, Self::UsGovernment, Self::China].into_iter().find(|cloud| {
            let global = cloud.endpoint();
            let Some(region) = global.domain().and_then(|global| host.strip_suffix(global)) else {
                return false;
            };
            match region.strip_suffix('.') {
                None => region.is_empty(),
                Some(region) => !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            }
        })
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::UsGovernment => "us-government",
            Self::China => "china",
        })
    }
}

impl FromStr for Cloud {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "public" => Ok(Self::Public),
            "us-government" => Ok(Self::UsGovernment),
            "china" => Ok(Self::China),
            _ => Err(format!("unknown Azure cloud {text:?}; expected public, us-government or china")),
        }
    }
}

/// How the client reaches Azure Resource Manager.
#[derive(Clone)]
pub struct ClientOptions {
    /// The management endpoint; must be https.
    pub endpoint: Url,
    /// For whom tokens are asked, without `/.default`. Absent: the cloud's own endpoint, or the origin of
    /// an endpoint that is no cloud's. Needed where an endpoint of your own stands in front of a cloud's.
    pub audience: Option<String>,
    /// The `api-version` of every call but those to operation URLs, which carry their own.
    pub api_version: String,
    /// Certificates (PEM, one or more) to trust in addition to those of the system.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// How long one request may take, acquiring a token included.
    pub timeout: Duration,
    /// What the service sees in front of the `User-Agent`; at most 24 characters.
    pub application_id: Option<String>,
}

impl ClientOptions {
    /// The defaults for a cloud.
    #[must_use]
    pub fn new(cloud: Cloud) -> Self {
        Self {
            endpoint: cloud.endpoint(),
            audience: None,
            api_version: DEFAULT_API_VERSION.to_owned(),
            extra_ca_pem: None,
            timeout: DEFAULT_TIMEOUT,
            application_id: None,
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, audience, api_version, extra_ca_pem, timeout, application_id } = self;
        f.debug_struct("ClientOptions")
            .field("endpoint", &endpoint.as_str())
            .field("audience", audience)
            .field("api_version", api_version)
            .field("extra_ca_pem", &extra_ca_pem.as_ref().map(|pem| format!("{} bytes", pem.len())))
            .field("timeout", timeout)
            .field("application_id", application_id)
            .finish()
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self::new(Cloud::Public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_know_their_hosts() {
        for cloud in [Cloud::Public, Cloud::UsGovernment, Cloud::China] {
            assert_eq!(cloud.to_string().parse(), Ok(cloud));
            assert!(cloud.endpoint().host_str().unwrap().starts_with("management."));
            assert!(cloud.authority().host_str().unwrap().starts_with("login."));
        }
        assert!("mars".parse::<Cloud>().unwrap_err().contains("us-government"));
    }
}
