//! The regions of Azure: those that fleets are seen in.

use serde_json::{Value, json};

/// Name, display name, and part of the world.
const LOCATIONS: &[(&str, &str, &str)] = &[
    ("australiaeast", "Australia East", "Asia Pacific"),
    ("brazilsouth", "Brazil South", "South America"),
    ("canadacentral", "Canada Central", "Canada"),
    ("centralindia", "Central India", "Asia Pacific"),
    ("centralus", "Central US", "US"),
    ("chinaeast2", "China East 2", "China"),
    ("chinanorth3", "China North 3", "China"),
    ("eastasia", "East Asia", "Asia Pacific"),
    ("eastus", "East US", "US"),
    ("eastus2", "East US 2", "US"),
    ("francecentral", "France Central", "Europe"),
    ("germanywestcentral", "Germany West Central", "Europe"),
    ("italynorth", "Italy North", "Europe"),
    ("japaneast", "Japan East", "Asia Pacific"),
    ("koreacentral", "Korea Central", "Asia Pacific"),
    ("northcentralus", "North Central US", "US"),
    ("northeurope", "North Europe", "Europe"),
    ("norwayeast", "Norway East", "Europe"),
    ("polandcentral", "Poland Central", "Europe"),
    ("southafricanorth", "South Africa North", "Africa"),
    ("southcentralus", "South Central US", "US"),
    ("southeastasia", "Southeast Asia", "Asia Pacific"),
    ("spaincentral", "Spain Central", "Europe"),
    ("swedencentral", "Sweden Central", "Europe"),
    ("switzerlandnorth", "Switzerland North", "Europe"),
    ("uaenorth", "UAE North", "Middle East"),
    ("uksouth", "UK South", "Europe"),
    ("ukwest", "UK West", "Europe"),
    ("usgovarizona", "USGov Arizona", "US Government"),
    ("usgovvirginia", "USGov Virginia", "US Government"),
    ("westcentralus", "West Central US", "US"),
    ("westeurope", "West Europe", "Europe"),
    ("westus", "West US", "US"),
    ("westus2", "West US 2", "US"),
    ("westus3", "West US 3", "US"),
];

/// `West Europe` and `westeurope` are the same.
pub(super) fn normalize(location: &str) -> String {
    location.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase()
}

/// Whether it is one of those regions, however it is written.
pub(crate) fn is_azure_region(location: &str) -> bool {
    exists(&normalize(location))
}

pub(super) fn exists(location: &str) -> bool {
    names().contains(&location)
}

pub(super) fn names() -> Vec<&'static str> {
    LOCATIONS.iter().map(|(name, ..)| *name).collect()
}

pub(super) fn display_names() -> Vec<&'static str> {
    LOCATIONS.iter().map(|(_, display, _)| *display).collect()
}

pub(super) fn list(subscription: &str) -> Vec<Value> {
    let locations = LOCATIONS.iter().map(|(name, display, part)| {
        json!({
            "id": format!("/subscriptions/{subscription}/locations/{name}"),
            "name": name,
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": format!("({part}) {display}"),
            "metadata": {
                "regionType": "Physical",
                "regionCategory": "Recommended",
                "geographyGroup": part,
            },
        })
    });
    locations.collect()
}
