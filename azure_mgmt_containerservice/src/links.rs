//! Which links of an answer are followed with our token: next pages and operations. Pure.

use url::Url;

use crate::{Cloud, Error};

/// A link from an answer, verbatim, if it leads to where our token belongs.
///
/// That is the origin that we talk to. Where that is Azure's own Resource Manager, it is also the
/// hosts of the same cloud's regions and the global host: they are the same service, below the same
/// domain and with the same token audience, and Resource Manager can be asked through either
/// (hortonworks/cloudbreak#12828, Azure/azure-sdk-for-net#4539). Every recorded link stays at the host
/// that was asked, so this only matters when Azure moves a page or an operation to a region. All else is
/// refused, as the Azure CLI does (Azure/azure-cli#33511): a link is no reason to hand out a token.
///
/// # Errors
/// [`Error::Decode`] when it is no URL, [`Error::ForeignOrigin`] when it leads elsewhere.
pub(crate) fn follow(endpoint: &Url, link: &str) -> Result<Url, Error> {
    let url = Url::parse(link)
        .map_err(|error| Error::Decode { what: "a link", problem: format!("it is not a URL: {error}") })?;
    let is_same_service = url.origin() == endpoint.origin()
        || Cloud::of_endpoint(endpoint).is_some_and(|cloud| Cloud::of_endpoint(&url) == Some(cloud));
    if is_same_service && url.username().is_empty() && url.password().is_none() {
        return Ok(url);
    }
    Err(Error::ForeignOrigin {
        expected: endpoint.origin().ascii_serialization(),
        found: url.origin().ascii_serialization(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stays_with_the_resource_manager_that_we_talk_to() {
        const GLOBAL: &str = "https://management.azure.com/";
        const REGION: &str = "https://westeurope.management.azure.com/";
        const OWN: &str = "https://arm.corp.example/";
        let table = [
            (GLOBAL, "https://management.azure.com:443/a?b=%2B", true),
            (GLOBAL, "HTTPS://MANAGEMENT.AZURE.COM/a", true),
            (GLOBAL, "https://westeurope.management.azure.com/a", true),
            (REGION, "https://management.azure.com/a", true),
            (REGION, "https://eastus2.management.azure.com/a", true),
            (OWN, "https://arm.corp.example/a", true),
            (OWN, "https://westeurope.arm.corp.example/a", false),
            (OWN, "https://management.azure.com/a", false),
            (GLOBAL, "http://management.azure.com/a", false),
            (GLOBAL, "https://management.azure.com:8443/a", false),
            (GLOBAL, "https://management.azure.com.evil.example/a", false),
            (GLOBAL, "https://evil-management.azure.com/a", false),
            (GLOBAL, "https://a.b.management.azure.com/a", false),
            (GLOBAL, "https://.management.azure.com/a", false),
            (GLOBAL, "https://management.azure.com@evil.example/a", false),
            (GLOBAL, "https://somebody@management.azure.com/a", false),
            (GLOBAL, "https://management.usgovcloudapi.net/a", false),
            (GLOBAL, "https://management.chinacloudapi.cn/a", false),
        ];
        for (endpoint, link, followed) in table {
            let url = follow(&endpoint.parse().unwrap(), link);
            assert_eq!(url.is_ok(), followed, "{endpoint} {link}: {url:?}");
        }
    }

    #[test]
    fn what_is_no_url_is_named() {
        let endpoint = "https://management.azure.com/".parse().unwrap();
        for link in ["", "/subscriptions/s", "nonsense"] {
            assert!(matches!(follow(&endpoint, link), Err(Error::Decode { .. })), "{link}");
        }
    }
}
