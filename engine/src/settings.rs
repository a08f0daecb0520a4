//! Settings that a step overrides in Azure, and what must be put back afterwards.
//!
//! Values are text as Azure shows them. What is absent in Azure is absent here, and is taken away
//! again when it is put back. A value that is not the one we wrote belongs to somebody else: it is
//! what is put back if we had not changed it yet, and left alone if we had.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

mod restore;

pub use restore::Restore;

/// A setting that a step may override: of a node pool (`properties.upgradeSettings`), or of the
/// cluster (`properties.upgradeSettings.overrideSettings`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Setting {
    /// Of a pool: nodes added during an upgrade, a number or a percentage.
    MaxSurge,
    /// Of a pool: nodes that may be away during an upgrade, a number or a percentage.
    MaxUnavailable,
    /// Of a pool: minutes that a drain may take.
    DrainTimeoutInMinutes,
    /// Of a pool: minutes to wait after each node.
    NodeSoakDurationInMinutes,
    /// Of a pool: `Schedule` or `Cordon`.
    UndrainableNodeBehavior,
    /// Of the cluster: go over disruption budgets and deprecated APIs.
    ForceUpgrade,
    /// Of the cluster: until when upgrades may start that do so.
    Until,
}

impl Setting {
    /// Those of a pool.
    pub const OF_POOL: [Self; 5] = [
        Self::MaxSurge,
        Self::MaxUnavailable,
        Self::DrainTimeoutInMinutes,
        Self::NodeSoakDurationInMinutes,
        Self::UndrainableNodeBehavior,
    ];
    /// Those of the cluster.
    pub const OF_CLUSTER: [Self; 2] = [Self::ForceUpgrade, Self::Until];

    /// The name of the field in Azure.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxSurge => "maxSurge",
            Self::MaxUnavailable => "maxUnavailable",
            Self::DrainTimeoutInMinutes => "drainTimeoutInMinutes",
            Self::NodeSoakDurationInMinutes => "nodeSoakDurationInMinutes",
            Self::UndrainableNodeBehavior => "undrainableNodeBehavior",
            Self::ForceUpgrade => "forceUpgrade",
            Self::Until => "until",
        }
    }
}

/// Settings with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(pub BTreeMap<Setting, String>);

/// Settings to write: a value, or none to take the setting away.
pub type Changes = BTreeMap<Setting, Option<String>>;

impl JsonSchema for Settings {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Settings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": 8,
            "additionalProperties": {"type": "string", "maxLength": 64}
        })
    }
}

impl<const N: usize> From<[(Setting, &str); N]> for Settings {
    fn from(settings: [(Setting, &str); N]) -> Self {
        Self(settings.map(|(setting, value)| (setting, value.to_owned())).into())
    }
}

impl Settings {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it takes to write them.
    #[must_use]
    pub fn changes(&self) -> Changes {
        self.0.iter().map(|(setting, value)| (*setting, Some(value.clone()))).collect()
    }

    /// These, and where nothing is said, those of `general`.
    ///
    /// Surge and unavailability are one choice: AKS uses one of the two. So whoever names one of them
    /// has chosen, and the other is not taken from elsewhere.
    #[must_use]
    pub fn over(&self, general: &Self) -> Self {
        let chosen = [Setting::MaxSurge, Setting::MaxUnavailable];
        let has_chosen = chosen.iter().any(|setting| self.0.contains_key(setting));
        let mut all = general.clone();
        if has_chosen {
            all.0.retain(|setting, _| !chosen.contains(setting));
        }
        all.0.extend(self.0.clone());
        all
    }

    /// Whether this setting has this value.
    fn shows(&self, setting: Setting, value: &str) -> bool {
        let Some(shown) = self.0.get(&setting) else { return false };
        let same_instant = || {
            let instant = |text: &str| text.parse::<Timestamp>().ok();
            setting == Setting::Until && instant(value).is_some() && instant(shown) == instant(value)
        };
        shown.eq_ignore_ascii_case(value) || same_instant()
    }

    fn put(&mut self, setting: Setting, value: Option<&String>) {
        match value {
            Some(value) => drop(self.0.insert(setting, value.clone())),
            None => drop(self.0.remove(&setting)),
        }
    }

    /// With surge goes no unavailability, and the reverse: the other one is set to 0 where it is not.
    fn with_counterpart(mut self, original: &Self) -> Self {
        let is_chosen =
            |settings: &Self, setting| settings.0.get(&setting).is_some_and(|value| !is_zero(value));
        // Absent, unavailability is 0, and surge is not.
        let has_surge = original.0.get(&Setting::MaxSurge).is_none_or(|value| !is_zero(value));
        if is_chosen(&self, Setting::MaxSurge) && is_chosen(original, Setting::MaxUnavailable) {
            self.0.insert(Setting::MaxUnavailable, "0".to_owned());
        } else if is_chosen(&self, Setting::MaxUnavailable) && has_surge {
            self.0.insert(Setting::MaxSurge, "0".to_owned());
        }
        self
    }
}

/// `0` and `0%`.
fn is_zero(value: &str) -> bool {
    value.trim_end_matches('%') == "0"
}

/// A pool, or the cluster, in words.
pub(crate) fn subject(pool: Option<&str>) -> String {
    pool.map_or_else(|| "the cluster".to_owned(), |pool| format!("pool {pool}"))
}

/// What AKS uses where nothing is said ("Upgrade options and recommendations for AKS clusters").
fn is_default(setting: Setting, value: &str) -> bool {
    let default = match setting {
        Setting::MaxSurge => "10%",
        Setting::MaxUnavailable | Setting::NodeSoakDurationInMinutes => "0",
        Setting::DrainTimeoutInMinutes => "30",
        Setting::UndrainableNodeBehavior => "Schedule",
        Setting::ForceUpgrade => "false",
        Setting::Until => return false,
    };
    value.eq_ignore_ascii_case(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Setting::{DrainTimeoutInMinutes, MaxSurge, MaxUnavailable};

    #[test]
    fn a_rule_goes_before_the_plan_one_by_one_and_surge_and_unavailability_are_one_choice() {
        let general: Settings = [(MaxSurge, "33%"), (DrainTimeoutInMinutes, "45")].into();
        let over = |own: Settings| own.over(&general);
        assert_eq!(over(Settings::default()), general);
        assert_eq!(
            over([(DrainTimeoutInMinutes, "60")].into()),
            [(MaxSurge, "33%"), (DrainTimeoutInMinutes, "60")].into()
        );
        assert_eq!(
            over([(MaxUnavailable, "1")].into()),
            [(MaxUnavailable, "1"), (DrainTimeoutInMinutes, "45")].into()
        );
    }

    #[test]
    fn the_words_of_the_record_are_azures() {
        for setting in Setting::OF_POOL.into_iter().chain(Setting::OF_CLUSTER) {
            assert_eq!(serde_json::to_value(setting).unwrap(), setting.name());
        }
    }
}
