//! What a region releases while the simulation runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ScenarioError, VersionSpec, invalid, region::check_version};

/// How the offer of a region moves with simulated time; it stays as it is when absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReleaseSpec {
    /// Azure's own rhythm goes on: Linux images weekly, Windows images after the second Tuesday,
    /// patches monthly, minors every four months, and support ends. Days are drawn from the seed.
    pub calendar: bool,
    /// Releases at given instants, besides or instead.
    pub at: Vec<ReleaseAt>,
}

/// What happens to a region's offer at an instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseAt {
    /// When.
    pub at: Timestamp,
    /// Versions that are new, or are offered differently from now on.
    #[serde(default)]
    pub versions: Vec<VersionSpec>,
    /// The newest image per OS SKU.
    #[serde(default)]
    pub node_images: BTreeMap<String, String>,
    /// Versions, or whole minors such as `1.34`, that are for long-term support only from now on.
    #[serde(default)]
    pub long_term_only: Vec<String>,
    /// Versions, or whole minors, that are no longer offered.
    #[serde(default)]
    pub withdrawn: Vec<String>,
}

impl ReleaseSpec {
    pub(super) fn check(&self, field: &str) -> Result<(), ScenarioError> {
        for (index, release) in self.at.iter().enumerate() {
            release.check(&format!("{field}.at[{index}]"))?;
        }
        Ok(())
    }
}

impl ReleaseAt {
    fn check(&self, field: &str) -> Result<(), ScenarioError> {
        let Self { at: _, versions, node_images, long_term_only, withdrawn } = self;
        if versions.is_empty() && node_images.is_empty() && long_term_only.is_empty() && withdrawn.is_empty()
        {
            let problem = "releases nothing; give versions, nodeImages, longTermOnly or withdrawn";
            return Err(invalid(field, problem));
        }
        for (index, spec) in versions.iter().enumerate() {
            check_version(&format!("{field}.versions[{index}].version"), &spec.version)?;
        }
        for (name, list) in [("longTermOnly", long_term_only), ("withdrawn", withdrawn)] {
            for (index, text) in list.iter().enumerate() {
                if minor_or_version(text).is_none() {
                    let problem =
                        format!("{text:?} is neither a minor such as 1.34 nor a version such as 1.34.4");
                    return Err(invalid(format!("{field}.{name}[{index}]"), problem));
                }
            }
        }
        Ok(())
    }
}

/// The minor, and the patch if one is named.
pub(crate) fn minor_or_version(text: &str) -> Option<(u64, Option<u64>)> {
    let mut parts = text.split('.');
    let major = parts.next()?.parse::<u64>().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let patch = parts.next().map(str::parse).transpose().ok()?;
    (major == 1 && parts.next().is_none()).then_some((minor, patch))
}
