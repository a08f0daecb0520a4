//! Operating systems of node pools that end, or change, at a Kubernetes minor.
//!
//! Source: "Supported Kubernetes versions in AKS" and the retirement notices of AKS's OS SKUs.

use crate::{
    cluster::NodePool,
    offers::Offers,
    version::{KubernetesVersion, Minor},
};

/// OS SKUs that end, with their last minor of Kubernetes 1.
const LAST: &[(&str, u64)] =
    &[("Windows2019", 32), ("Windows2022", 36), ("Ubuntu2204", 36), ("AzureLinux3", 36)];
/// From this minor on, `Ubuntu` means 24.04 instead of 22.04.
const UBUNTU_2404: Minor = Minor { major: 1, minor: 35 };

/// The last minor on which an OS SKU runs, where that is known.
#[must_use]
pub fn last_minor(os_sku: &str) -> Option<Minor> {
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

/// What a person should know of a pool whose OS SKU has no future: its region already has a minor
/// on which the SKU does not run.
pub(crate) fn warning(pool: &NodePool, offers: &Offers) -> Option<String> {
    let last = last_minor(&pool.os_sku)?;
    let newest = offers.stable_minors().into_iter().next()?;
    (newest > last).then(|| {
        let NodePool { name, os_sku, os_type, .. } = pool;
        format!("pool {name} runs {os_sku}, which ends with Kubernetes {last}: {}", way_out(os_type))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{offers, pool};

    #[test]
    fn warns_when_the_region_has_gone_past_the_last_minor() {
        let mut windows = pool("win1", "Windows", "User", "1.35.2", "");
        let mut region = offers("1.35.2");
        // 1.37 is a preview there: 1.36 is the newest, on which the SKU still runs.
        assert_eq!(warning(&windows, &region), None);
        region.region.iter_mut().for_each(|entry| entry.preview = false);
        assert_eq!(
            warning(&windows, &region).unwrap(),
            "pool win1 runs Windows2022, which ends with Kubernetes 1.36: a Windows pool cannot change its OS SKU, so move its workloads to a new pool"
        );
        windows.os_sku = "Windows2025".to_owned();
        assert_eq!(warning(&windows, &region), None);
    }
}
