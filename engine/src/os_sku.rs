//! Operating systems of node pools that end, or change, at a Kubernetes minor.
//!
//! Source: "Supported Kubernetes versions in AKS" and the retirement notices of AKS's OS SKUs.

use crate::{
    cluster::NodePool,
    version::{KubernetesVersion, Minor},
};

/// OS SKUs that end, with their last minor of Kubernetes 1.
const LAST: &[(&str, u64)] =
    &[("Windows2019", 32), ("Windows2022", 36), ("Ubuntu2204", 36), ("AzureLinux3", 36)];
/// From this minor on, `Ubuntu` means 24.04 instead of 22.04.
const UBUNTU_2404: Minor = Minor { major: 1, minor: 35 };

/// The last minor on which an OS SKU runs, where that is known.
pub(crate) fn last_minor(os_sku: &str) -> Option<Minor> {
    let (_, minor) = LAST.iter().find(|(name, _)| name.eq_ignore_ascii_case(os_sku))?;
    Some(Minor { major: 1, minor: *minor })
}

/// What to do with a pool whose OS SKU ends.
pub(crate) fn way_out(os_type: &str) -> &'static str {
    if os_type.eq_ignore_ascii_case("Windows") {
        "a Windows pool cannot change its OS SKU, so move its workloads to a new pool"
    } else {
        "change its OS SKU (az aks nodepool update --os-sku)"
    }
}

/// What changes in the operating system of a pool on its way to `wanted`.
pub(crate) fn change(pool: &NodePool, wanted: &KubernetesVersion) -> Option<String> {
    let crosses = pool.version.minor() < UBUNTU_2404 && wanted.minor() >= UBUNTU_2404;
    (pool.os_sku.eq_ignore_ascii_case("Ubuntu") && crosses)
        .then(|| format!("pool {} runs Ubuntu, which becomes 24.04 with Kubernetes {UBUNTU_2404}", pool.name))
}
