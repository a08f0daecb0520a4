//! The resource providers that there are: their types, and the api-versions of each.
//!
//! The table is what `providers` answers and what every call is checked against. Stable api-versions of AKS
//! up to 2024 are those of its specification; since then one appears each month, previews a day later.

use std::collections::BTreeSet;

/// A resource provider.
#[derive(Debug)]
pub(crate) struct Namespace {
    /// For example `Microsoft.ContainerService`.
    pub(crate) name: &'static str,
    pub(crate) types: &'static [ResourceType],
}

/// A type of a provider.
#[derive(Debug)]
pub(crate) struct ResourceType {
    /// For example `managedClusters/agentPools`.
    pub(crate) name: &'static str,
    versions: Versions,
    /// Whether it exists region by region.
    pub(crate) regional: bool,
}

#[derive(Clone, Copy, Debug)]
enum Versions {
    Listed(&'static [&'static str]),
    /// Those of AKS.
    Monthly,
}

/// What the table says of a type.
#[derive(Debug)]
pub(crate) enum Known {
    /// No provider has this namespace.
    NoNamespace,
    /// The provider has no such type.
    NoType(&'static Namespace),
    /// Here it is.
    Type(&'static ResourceType),
}

const RESOURCES: &[&str] = &[
    "2025-04-01",
    "2024-11-01",
    "2024-07-01",
    "2024-03-01",
    "2023-07-01",
    "2022-12-01",
    "2022-09-01",
    "2021-04-01",
    "2021-01-01",
    "2020-10-01",
    "2020-06-01",
    "2020-01-01",
    "2019-11-01",
    "2019-10-01",
    "2019-07-01",
    "2019-06-01",
    "2019-05-10",
    "2019-05-01",
    "2018-05-01",
    "2018-02-01",
    "2017-05-10",
    "2016-09-01",
    "2016-07-01",
    "2016-06-01",
    "2016-02-01",
    "2015-11-01",
    "2015-01-01",
    "2014-04-01",
];

const LOCKS: &[&str] = &["2020-05-01", "2017-04-01", "2016-09-01", "2015-06-01", "2015-01-01"];

const PERMISSIONS: &[&str] =
    &["2022-05-01-preview", "2022-04-01", "2018-07-01", "2018-01-01-preview", "2015-07-01"];

/// Stable ones before they came monthly.
const AKS_BEFORE_2025: &[&str] = &[
    "2017-08-31",
    "2018-03-31",
    "2019-02-01",
    "2019-04-01",
    "2019-06-01",
    "2019-08-01",
    "2019-10-01",
    "2019-11-01",
    "2020-01-01",
    "2020-02-01",
    "2020-03-01",
    "2020-04-01",
    "2020-06-01",
    "2020-07-01",
    "2020-09-01",
    "2020-11-01",
    "2020-12-01",
    "2021-02-01",
    "2021-03-01",
    "2021-05-01",
    "2021-07-01",
    "2021-08-01",
    "2021-09-01",
    "2021-10-01",
    "2022-01-01",
    "2022-02-01",
    "2022-03-01",
    "2022-04-01",
    "2022-06-01",
    "2022-07-01",
    "2022-08-01",
    "2022-09-01",
    "2022-11-01",
    "2023-01-01",
    "2023-02-01",
    "2023-03-01",
    "2023-04-01",
    "2023-05-01",
    "2023-06-01",
    "2023-07-01",
    "2023-08-01",
    "2023-09-01",
    "2023-10-01",
    "2023-11-01",
    "2024-01-01",
    "2024-02-01",
    "2024-05-01",
    "2024-06-01",
    "2024-07-01",
    "2024-08-01",
    "2024-09-01",
    "2024-10-01",
];

/// The last month with a stable one.
const AKS_NEWEST: (u32, u32) = (2026, 8);

const fn aks(name: &'static str, regional: bool) -> ResourceType {
    ResourceType { name, versions: Versions::Monthly, regional }
}

const fn own(name: &'static str, versions: &'static [&'static str]) -> ResourceType {
    ResourceType { name, versions: Versions::Listed(versions), regional: false }
}

static NAMESPACES: &[Namespace] = &[
    Namespace {
        name: "Microsoft.Authorization",
        types: &[own("locks", LOCKS), own("permissions", PERMISSIONS)],
    },
    Namespace {
        name: "Microsoft.ContainerService",
        types: &[
            aks("managedClusters", true),
            aks("managedClusters/accessProfiles", false),
            aks("managedClusters/agentPools", false),
            aks("managedClusters/agentPools/machines", false),
            aks("managedClusters/agentPools/upgradeProfiles", false),
            aks("managedClusters/availableAgentPoolVersions", false),
            aks("managedClusters/maintenanceConfigurations", false),
            aks("managedClusters/upgradeProfiles", false),
            aks("locations", false),
            aks("locations/kubernetesVersions", true),
            aks("locations/nodeImageVersions", true),
            aks("locations/operationresults", true),
            aks("locations/operations", true),
        ],
    },
    Namespace {
        name: "Microsoft.Resources",
        types: &[
            own("tenants", RESOURCES),
            own("subscriptions", RESOURCES),
            own("subscriptions/locations", RESOURCES),
            own("subscriptions/providers", RESOURCES),
            own("subscriptions/resources", RESOURCES),
            own("subscriptions/resourceGroups", RESOURCES),
            own("subscriptions/resourceGroups/resources", RESOURCES),
            own("providers", RESOURCES),
        ],
    },
];

/// Every provider.
pub(super) fn namespaces() -> &'static [Namespace] {
    NAMESPACES
}

impl Namespace {
    /// The provider of that name, in any case.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        NAMESPACES.iter().find(|namespace| namespace.name.eq_ignore_ascii_case(name))
    }

    /// What the table says of a type; a type that is not there by itself goes by its parent's versions when the
    /// call is an action on it.
    pub(crate) fn look_up(namespace: &str, resource_type: &str) -> Known {
        let Some(namespace) = Self::find(namespace) else {
            return Known::NoNamespace;
        };
        let found = namespace.types.iter().find(|known| known.name.eq_ignore_ascii_case(resource_type));
        found.map_or(Known::NoType(namespace), Known::Type)
    }
}

impl ResourceType {
    /// The api-versions, newest first.
    pub(crate) fn versions(&self) -> Vec<String> {
        match self.versions {
            Versions::Listed(versions) => versions.iter().map(|&version| version.to_owned()).collect(),
            Versions::Monthly => aks_versions(),
        }
    }
}

fn aks_versions() -> Vec<String> {
    let mut versions: BTreeSet<String> = AKS_BEFORE_2025.iter().map(|&version| version.to_owned()).collect();
    for year in 2022..=AKS_NEWEST.0 {
        for month in 1..=12 {
            if (year, month) > AKS_NEWEST {
                break;
            }
            versions.insert(format!("{year}-{month:02}-02-preview"));
            if year >= 2025 {
                versions.insert(format!("{year}-{month:02}-01"));
            }
        }
    }
    versions.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aks_has_an_api_version_each_month() {
        let versions = aks_versions();
        assert_eq!(versions[0], "2026-08-02-preview");
        for version in ["2026-05-01", "2025-01-01", "2024-09-01", "2017-08-31", "2025-07-02-preview"] {
            assert!(versions.iter().any(|known| known == version), "{version}");
        }
        assert!(!versions.iter().any(|version| version == "2026-09-01"));
    }

    #[test]
    fn types_are_found_in_any_case() {
        let found = Namespace::look_up("microsoft.containerservice", "MANAGEDCLUSTERS/agentpools");
        assert!(matches!(found, Known::Type(found) if found.name == "managedClusters/agentPools"));
        assert!(matches!(Namespace::look_up("microsoft.containerservice", "fleets"), Known::NoType(_)));
        assert!(matches!(Namespace::look_up("microsoft.nothing", "x"), Known::NoNamespace));
    }
}
