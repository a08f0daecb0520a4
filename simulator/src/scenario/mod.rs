//! What a simulation starts from: tenants, regions, clusters and what goes wrong, read from YAML.
//!
//! Reading refuses unknown fields and values that no AKS would accept, and says which
//! field it was and what would be right. Touches nothing. Nearly everything has a default;
//! this is what there is to say:
#![doc = concat!("```yaml\n", include_str!("example.yaml"), "```")]

mod actors;
mod cluster;
mod constraints;
mod faults;
mod identity;
mod manager;
mod oddities;
mod quirks;
mod region;
mod releases;
pub mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use actors::{Autoscale, AutoscalerSpec, NodeProvisioning, Scaling};
pub use cluster::{ClusterSpec, PoolSpec, Sku};
pub use constraints::{
    AbortOfNothing, Constraints, DenyPolicy, DeprecatedApi, OperationSpec, Quota, Subnet, WhenBusy,
};
pub use faults::{BlockedBy, Fault, FaultError, RefuseSpec};
pub use identity::{Federated, Identity, Role};
pub use manager::{GroupSpec, LockLevel, LockSpec, SubscriptionSpec};
pub use quirks::{CallName, QuirkName, QuirkRule};
pub use region::{RegionSpec, VersionSpec};
pub(crate) use releases::minor_or_version;
pub use releases::{ReleaseAt, ReleaseSpec};

/// Everything that a simulation starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Where simulated time starts and how fast it runs; the real time by default.
    #[serde(default)]
    pub clock: Option<ClockSpec>,
    /// The Entra tenant's id.
    #[serde(default = "default_tenant")]
    pub tenant: String,
    /// Numbers ids and eTags: the same seed gives the same ones.
    #[serde(default)]
    pub seed: u64,
    /// How many clusters or pools a page of a list holds.
    #[serde(default = "default_page_size")]
    pub page_size: usize,
    /// Whether calls are throttled as AKS throttles them, in simulated time.
    #[serde(default)]
    pub throttling: bool,
    /// What Azure does now and then that its documentation does not promise.
    #[serde(default)]
    pub quirks: Vec<QuirkRule>,
    /// Who may ask for tokens.
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// What there is to say about subscriptions; those of the clusters exist anyway.
    #[serde(default)]
    pub subscriptions: Vec<SubscriptionSpec>,
    /// Management locks at the start.
    #[serde(default)]
    pub locks: Vec<LockSpec>,
    /// What differs from the built-in regions, by the region's name.
    #[serde(default)]
    pub regions: BTreeMap<String, RegionSpec>,
    /// How long things take, in simulated time.
    #[serde(default)]
    pub durations: DurationSpec,
    /// How long operations can be asked for, and under which names.
    #[serde(default)]
    pub operations: OperationSpec,
    /// How many virtual CPUs subscriptions may use; without limit where none is given.
    #[serde(default)]
    pub quotas: Vec<Quota>,
    /// The clusters.
    #[serde(default)]
    pub clusters: Vec<ClusterSpec>,
}

/// Where simulated time starts and how fast it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockSpec {
    /// The simulated instant at the start.
    pub start: Timestamp,
    /// Simulated seconds in a real second; at least 1.
    #[serde(default = "default_rate")]
    pub rate: f64,
}

/// How long things take; what is absent falls back to the scenario's, then to the built-in value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DurationSpec {
    /// Upgrade of the control plane; 9 minutes.
    #[serde(default)]
    pub control_plane: Option<SignedDuration>,
    /// Reimaging of a Linux node; 4 minutes.
    #[serde(default)]
    pub reimage_linux: Option<SignedDuration>,
    /// Reimaging of a Windows node; 8 minutes.
    #[serde(default)]
    pub reimage_windows: Option<SignedDuration>,
    /// From asking for a surge node until it is Ready; 3 minutes.
    #[serde(default)]
    pub surge_create: Option<SignedDuration>,
    /// Deletion of a drained node; 1 minute.
    #[serde(default)]
    pub delete: Option<SignedDuration>,
    /// A change of settings that leaves the nodes alone; 30 seconds.
    #[serde(default)]
    pub update: Option<SignedDuration>,
}

/// How long things take in one cluster, in simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durations {
    /// Upgrade of the control plane.
    pub control_plane: SignedDuration,
    /// Reimaging of a Linux node.
    pub reimage_linux: SignedDuration,
    /// Reimaging of a Windows node.
    pub reimage_windows: SignedDuration,
    /// From asking for a surge node until it is Ready.
    pub surge_create: SignedDuration,
    /// Deletion of a drained node.
    pub delete: SignedDuration,
    /// A change of settings that leaves the nodes alone.
    pub update: SignedDuration,
}

impl DurationSpec {
    /// These durations where given, else those of `general`, else the built-in ones.
    #[must_use]
    pub fn resolve(&self, general: &Self) -> Durations {
        let pick = |own: Option<SignedDuration>, general: Option<SignedDuration>, built_in: i64| {
            own.or(general).unwrap_or(SignedDuration::from_secs(built_in))
        };
        Durations {
            control_plane: pick(self.control_plane, general.control_plane, 540),
            reimage_linux: pick(self.reimage_linux, general.reimage_linux, 240),
            reimage_windows: pick(self.reimage_windows, general.reimage_windows, 480),
            surge_create: pick(self.surge_create, general.surge_create, 180),
            delete: pick(self.delete, general.delete, 60),
            update: pick(self.update, general.update, 30),
        }
    }

    fn all(&self) -> [(&'static str, Option<SignedDuration>); 6] {
        let Self { control_plane, reimage_linux, reimage_windows, surge_create, delete, update } = self;
        [
            ("controlPlane", *control_plane),
            ("reimageLinux", *reimage_linux),
            ("reimageWindows", *reimage_windows),
            ("surgeCreate", *surge_create),
            ("delete", *delete),
            ("update", *update),
        ]
    }
}

/// Why a text is not a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Not YAML, or a field that is unknown, missing or of the wrong type.
    #[error("{}", without_heading(.0))]
    Unreadable(#[from] serde_saphyr::Error),
    /// A value that no AKS would accept.
    #[error("{field}: {problem}")]
    Invalid {
        /// Path of the field, for example `clusters[0].pools[1].name`.
        field: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// The library's words begin with `error: `, which whoever prints them says as well.
fn without_heading(error: &serde_saphyr::Error) -> String {
    let words = error.to_string();
    words.strip_prefix("error: ").map(str::to_owned).unwrap_or(words)
}

pub(crate) fn invalid(field: impl Into<String>, problem: impl Into<String>) -> ScenarioError {
    ScenarioError::Invalid { field: field.into(), problem: problem.into() }
}

impl Scenario {
    /// Reads and checks a scenario.
    ///
    /// # Errors
    /// When it is not YAML, has unknown fields, or describes what AKS would not have.
    pub fn parse(yaml: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = serde_saphyr::from_str(yaml)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// Names the first field that is wrong.
    pub fn check(&self) -> Result<(), ScenarioError> {
        if self.page_size == 0 {
            return Err(invalid("pageSize", "0 clusters a page never end; give at least 1"));
        }
        if let Some(clock) = &self.clock
            && !(clock.rate.is_finite() && clock.rate >= 1.0)
        {
            return Err(invalid("clock.rate", format!("{} is not a number of at least 1", clock.rate)));
        }
        check_durations("durations", &self.durations)?;
        for (index, quota) in self.quotas.iter().enumerate() {
            quota.check(&format!("quotas[{index}]"))?;
        }
        for (name, region) in &self.regions {
            region.check(&format!("regions.{name}"))?;
        }
        let mut ids = BTreeSet::new();
        for (index, cluster) in self.clusters.iter().enumerate() {
            let field = format!("clusters[{index}]");
            cluster.check(&field)?;
            check_durations(&format!("{field}.durations"), &cluster.durations)?;
            if !ids.insert(cluster.key()) {
                return Err(invalid(
                    format!("{field}.name"),
                    format!("{:?} is there twice in its resource group; names are unique", cluster.name),
                ));
            }
        }
        for (index, identity) in self.identities.iter().enumerate() {
            identity.check(&format!("identities[{index}]"))?;
        }
        for (index, subscription) in self.subscriptions.iter().enumerate() {
            subscription.check(&format!("subscriptions[{index}]"))?;
        }
        for (index, lock) in self.locks.iter().enumerate() {
            lock.check(&format!("locks[{index}]"))?;
        }
        for (index, rule) in self.quirks.iter().enumerate() {
            rule.check(&format!("quirks[{index}]"), ids.iter())?;
        }
        Ok(())
    }
}

fn check_durations(field: &str, durations: &DurationSpec) -> Result<(), ScenarioError> {
    let negative =
        durations.all().into_iter().find(|(_, length)| length.is_some_and(|length| length.is_negative()));
    negative.map_or(Ok(()), |(name, _)| {
        Err(invalid(format!("{field}.{name}"), "is negative; give a length such as 9m or 1h30m"))
    })
}

fn default_tenant() -> String {
    "10000000-0000-4000-8000-000000000001".to_owned()
}

const fn default_page_size() -> usize {
    100
}

const fn default_rate() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(yaml: &str) -> String {
        Scenario::parse(yaml).unwrap_err().to_string()
    }

    #[test]
    fn the_example_is_a_scenario() {
        let scenario = Scenario::parse(include_str!("example.yaml")).unwrap();
        assert_eq!(scenario.clusters[0].pools.len(), 3);
    }

    /// Fields without a value, by their path without the places in lists.
    fn silent(value: &serde_json::Value, path: &str, said: &mut BTreeMap<String, bool>) {
        use serde_json::Value;
        match value {
            Value::Object(fields) => {
                for (field, value) in fields {
                    let path = format!("{path}.{field}");
                    let empty = value.is_null()
                        || value.as_array().is_some_and(Vec::is_empty)
                        || value.as_object().is_some_and(serde_json::Map::is_empty);
                    *said.entry(path.clone()).or_default() |= !empty;
                    silent(value, &path, said);
                }
            }
            Value::Array(entries) => entries.iter().for_each(|entry| silent(entry, path, said)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_example_says_something_about_every_field() {
        let text = include_str!("example.yaml");
        let scenario = serde_json::to_value(Scenario::parse(text).unwrap()).unwrap();
        let mut said = BTreeMap::new();
        silent(&scenario, "", &mut said);
        let missing = said.iter().filter(|(_, said)| !**said).map(|(path, _)| path).collect::<Vec<_>>();
        assert!(missing.is_empty(), "example.yaml says nothing about {missing:?}");
        let parameters = QuirkName::ALL.iter().flat_map(|quirk| quirk.parameters());
        let when = ["clusters", "calls", "from", "until", "probability", "every", "times"];
        for field in parameters.chain(&when) {
            assert!(text.contains(&format!(" {field}: ")), "no quirk of example.yaml has {field}");
        }
    }

    #[test]
    fn a_short_scenario_is_enough() {
        let scenario = Scenario::parse(
            "
            clusters:
              - subscription: 20000000-0000-4000-8000-000000000001
                resourceGroup: shop
                name: shop-weu
                kubernetesVersion: 1.34.4
                pools: [{ name: system, mode: System, count: 3 }, { name: apps }]
            durations: { controlPlane: 5m }
            ",
        )
        .unwrap();
        assert_eq!(scenario.clusters[0].pools[1].count, 1);
        assert_eq!(scenario.durations.resolve(&DurationSpec::default()).control_plane.as_secs(), 300);
        assert!(
            scenario.clusters[0].key().0.ends_with(
                "/resourcegroups/shop/providers/microsoft.containerservice/managedclusters/shop-weu"
            )
        );
    }

    #[test]
    fn errors_name_the_field_and_what_would_be_right() {
        let cluster = |rest: &str| {
            format!(
                "clusters: [{{ subscription: s, resourceGroup: g, name: c, kubernetesVersion: 1.34.4, {rest} }}]"
            )
        };
        assert!(refusal("clustres: []").starts_with("line 1 column 1: unknown field `clustres`"));
        let brief = refusal("identities: [{ clientId: a, objectId: b, tokenLifetime: 0s }]");
        assert!(brief.contains("identities[0].tokenLifetime") && brief.contains("30s"), "{brief}");
        assert!(refusal(&cluster("pools: []")).contains("clusters[0].pools"));
        let windows = cluster("pools: [{ name: windows1, osType: Windows, osSku: Windows2022 }]");
        assert!(refusal(&windows).contains("clusters[0].pools[0].name") && refusal(&windows).contains("6"));
        let tier = refusal(&cluster("sku: { tier: Premum }, pools: [{ name: a }]"));
        assert!(tier.contains("clusters[0].sku.tier") && tier.contains("Free, Standard, Premium"), "{tier}");
        let state = refusal(&cluster("pools: [{ name: a, provisioningState: Faild }]"));
        assert!(state.contains("pools[0].provisioningState") && state.contains("Failed"), "{state}");
        let twice = refusal(&cluster("pools: [{ name: a, extra: { enableAutoScaling: true } }]"));
        assert!(twice.contains("pools[0].extra.enableAutoScaling") && twice.contains("autoscale"), "{twice}");
        let minor = cluster("pools: [{ name: a, kubernetesVersion: '1.34' }]");
        assert!(refusal(&minor).contains("pools[0].kubernetesVersion"), "{}", refusal(&minor));
        assert!(refusal("pageSize: 0").contains("pageSize"));
        let window = |window: &str| {
            refusal(&cluster(&format!("pools: [{{ name: a }}], maintenanceConfigurations: [{window}]")))
        };
        let short = window(
            "{ name: default, properties: { maintenanceWindow: { schedule: { daily: { intervalDays: 1 } }, durationHours: 2, startTime: '01:00' } } }",
        );
        assert!(
            short.contains("maintenanceConfigurations[0].properties.maintenanceWindow.durationHours")
                && short.contains("4 to 24"),
            "{short}"
        );
        assert!(window("{ name: weekends }").contains("aksManagedAutoUpgradeSchedule"));
    }
}
