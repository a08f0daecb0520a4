//! What a scenario may say and its author has probably not meant: typing errors that change nothing or
//! less than was hoped for. AKS has stranger fleets, so they are told and not refused. Touches nothing.

use super::{ClusterSpec, PoolSpec, RegionSpec, Scenario, region::BUILT_IN_IMAGES};
use crate::world::is_azure_region;

/// SKUs that stand for one of those with an image, depending on the version.
const GENERAL_SKUS: [&str; 2] = ["Ubuntu", "AzureLinux"];

impl Scenario {
    /// A sentence about each oddity, which begins with its field.
    #[must_use]
    pub fn oddities(&self) -> Vec<String> {
        let mut said: Vec<String> = self.regions.keys().filter_map(|name| self.unused_region(name)).collect();
        for (index, cluster) in self.clusters.iter().enumerate() {
            said.extend(self.oddities_of_cluster(&format!("clusters[{index}]"), cluster));
        }
        said
    }

    fn unused_region(&self, name: &str) -> Option<String> {
        let used = self.clusters.iter().any(|cluster| cluster.location.eq_ignore_ascii_case(name));
        (!used && !is_azure_region(name)).then(|| {
            format!("regions.{name}: no cluster is there, and Azure has no such region: is it written right?")
        })
    }

    fn oddities_of_cluster(&self, field: &str, cluster: &ClusterSpec) -> Vec<String> {
        let location = &cluster.location;
        let named = self.regions.iter().find(|(name, _)| name.eq_ignore_ascii_case(location));
        let mut said = Vec::new();
        if named.is_none() && !is_azure_region(location) {
            said.push(format!(
                "{field}.location: Azure has no region {location:?} that the simulator knows, and regions says nothing of it: it gets the built-in versions"
            ));
        }
        let region = named.map(|(_, region)| region.clone()).unwrap_or_default();
        let place = format!("{field}.kubernetesVersion");
        said.extend(not_offered(&place, &cluster.kubernetes_version, location, &region));
        for (index, pool) in cluster.pools.iter().enumerate() {
            let field = format!("{field}.pools[{index}]");
            let place = format!("{field}.kubernetesVersion");
            let version = pool.kubernetes_version.iter();
            said.extend(version.filter_map(|version| not_offered(&place, version, location, &region)));
            said.extend(unknown_sku(&field, pool, &region));
            said.extend(odd_image(&field, pool));
        }
        said
    }
}

fn not_offered(field: &str, version: &str, location: &str, region: &RegionSpec) -> Option<String> {
    let offered: Vec<String> = region.versions().into_iter().map(|offered| offered.version).collect();
    (!offered.iter().any(|known| known == version)).then(|| {
        let offered = offered.join(", ");
        format!("{field}: {location} does not offer {version}, like a version that is withdrawn; it offers {offered}")
    })
}

fn unknown_sku(field: &str, pool: &PoolSpec, region: &RegionSpec) -> Option<String> {
    let (sku, images) = (pool.os_sku.as_str(), region.images());
    (!images.contains_key(sku) && !GENERAL_SKUS.contains(&sku)).then(|| {
        let known: Vec<&str> = BUILT_IN_IMAGES.iter().map(|(sku, _)| *sku).collect();
        format!(
            "{field}.osSku: {sku:?} has no image of its own; known are {}, and those of nodeImages of the region",
            known.join(", ")
        )
    })
}

fn odd_image(field: &str, pool: &PoolSpec) -> Option<String> {
    let image = pool.node_image.as_deref()?;
    let windows = pool.os_type == "Windows";
    if engine::published(image).is_none() {
        let (_, example) = BUILT_IN_IMAGES[if windows { 4 } else { 1 }];
        return Some(format!(
            "{field}.nodeImage: {image:?} has no date, so its age is not known; AKS writes {example}"
        ));
    }
    (image.starts_with("AKSWindows") != windows)
        .then(|| format!("{field}.nodeImage: {image:?} is no image for {}", pool.os_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oddities(cluster: &str, regions: &str) -> Vec<String> {
        let yaml = format!(
            "{{ regions: {{ {regions} }}, clusters: [{{ subscription: s, resourceGroup: g, name: c, {cluster} }}] }}"
        );
        Scenario::parse(&yaml).unwrap().oddities()
    }

    #[test]
    fn what_is_written_right_has_none() {
        let mut example = Scenario::parse(include_str!("example.yaml")).unwrap();
        assert_eq!(example.oddities(), Vec::<String>::new());
        example = Scenario::parse(include_str!("../../../examples/quickstart/azure.yaml")).unwrap();
        assert_eq!(example.oddities(), Vec::<String>::new());
        let moon = "location: moonbase, kubernetesVersion: 1.40.0, pools: [{ name: a, osSku: Ubuntu }]";
        let region = "moonbase: { kubernetesVersions: [{ version: 1.40.0 }] }";
        assert_eq!(oddities(moon, region), Vec::<String>::new());
    }

    #[test]
    fn typing_errors_are_told_with_their_field() {
        let told = oddities(
            "location: westeurpoe, kubernetesVersion: 1.34.9, pools: [{ name: a, osSku: Ubunut, nodeImage: banana },
              { name: w, osType: Windows, osSku: Windows2022, kubernetesVersion: 1.31.1,
                nodeImage: AKSUbuntu-2204gen2containerd-202611.10.0 }]",
            "northeurpoe: {}",
        );
        let fields = [
            "regions.northeurpoe: no cluster",
            "clusters[0].location: Azure has no region \"westeurpoe\"",
            "clusters[0].kubernetesVersion: westeurpoe does not offer 1.34.9",
            "clusters[0].pools[0].osSku: \"Ubunut\"",
            "clusters[0].pools[0].nodeImage: \"banana\" has no date",
            "clusters[0].pools[1].kubernetesVersion: westeurpoe does not offer 1.31.1",
            "clusters[0].pools[1].nodeImage: \"AKSUbuntu-2204gen2containerd-202611.10.0\" is no image for Windows",
        ];
        assert_eq!(told.len(), fields.len(), "{told:#?}");
        for (told, field) in told.iter().zip(fields) {
            assert!(told.starts_with(field), "{told}");
        }
    }
}
