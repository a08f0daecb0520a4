//! Settings that a step overrides in Azure, and what must be put back afterwards.
//!
//! Values are text as Azure shows them. What is absent in Azure is absent here, and is taken away
//! again when it is put back. A value that is not the one we wrote belongs to somebody else: it is
//! what is put back if we had not changed it yet, and left alone if we had.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{failure::Failure, ledger::Hold};

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

/// Settings that were changed for a step: recorded before the change, and put back after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// The node pool; absent, the cluster is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12))]
    pub pool: Option<String>,
    /// What the step sets.
    pub ours: Settings,
    /// What was there before. What is set and not named here was absent.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub before: Settings,
    /// When a write of the settings alone was accepted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// How often putting back was begun.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub attempts: i32,
    /// Putting back is not tried again before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// What Azure said last when it did not take back what was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Set while it is not sent because our share of one of Azure's limits is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_none_yet(number: &i32) -> bool {
    *number == 0
}

impl Restore {
    /// What is to be recorded before a resource that shows `shown` gets what is `wanted`, and what was
    /// recorded of it before. `None`: nothing would change.
    ///
    /// A value that is ours already was there because of us: what was there before it stays recorded.
    #[must_use]
    pub fn plan(
        pool: Option<&str>,
        wanted: &Settings,
        shown: &Settings,
        recorded: Option<&Self>,
    ) -> Option<Self> {
        let (mut original, mut ours) = (shown.clone(), Settings::default());
        if let Some(recorded) = recorded {
            for (setting, value) in recorded.still_ours(shown) {
                original.put(*setting, recorded.before.0.get(setting));
                ours.0.insert(*setting, value.clone());
            }
        }
        let wanted = wanted.clone().with_counterpart(&original);
        ours.0.extend(wanted.0.into_iter().filter(|(setting, value)| !original.shows(*setting, value)));
        let mut before = original;
        before.0.retain(|setting, _| ours.0.contains_key(setting));
        let planned = Self { pool: pool.map(str::to_owned), ours, before, ..Self::default() };
        if planned.ours.is_empty() {
            return None;
        }
        match recorded {
            Some(recorded) if recorded.attempts == 0 && recorded.is_like(&planned) => Some(recorded.clone()),
            Some(_) | None => Some(planned),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        (&self.ours, &self.before) == (&other.ours, &other.before)
    }

    /// Whether the resource has what the step needs.
    #[must_use]
    pub fn is_in_effect(&self, shown: &Settings) -> bool {
        self.ours.0.iter().all(|(setting, value)| shown.shows(*setting, value))
    }

    /// What has to be written so that the resource is as it was before.
    #[must_use]
    pub fn undo(&self, shown: &Settings) -> Changes {
        self.still_ours(shown).map(|(setting, _)| (*setting, self.before.0.get(setting).cloned())).collect()
    }

    /// Settings that neither we nor what was there before account for, in words.
    #[must_use]
    pub fn changed_by_others(&self, shown: &Settings) -> Vec<String> {
        let is_as_before = |setting: Setting| match self.before.0.get(&setting) {
            Some(value) => shown.shows(setting, value),
            // A default that Azure fills in by itself is not somebody's choice.
            None => !shown.0.contains_key(&setting) || is_default(setting, &shown.0[&setting]),
        };
        let others = self.ours.0.iter().filter(|(setting, value)| !shown.shows(**setting, value));
        others
            .filter(|(setting, _)| !is_as_before(**setting))
            .map(|(setting, _)| format!("{} of {}", setting.name(), self.subject()))
            .collect()
    }

    /// Whether Azure has accepted what was there before; it may not have done it yet.
    #[must_use]
    pub fn is_given_back(&self) -> bool {
        self.attempts > 0 && self.not_before.is_some() && self.failure.is_none() && self.hold.is_none()
    }

    /// The resource in words.
    #[must_use]
    pub fn subject(&self) -> String {
        subject(self.pool.as_deref())
    }

    fn still_ours<'a>(&'a self, shown: &'a Settings) -> impl Iterator<Item = (&'a Setting, &'a String)> {
        self.ours.0.iter().filter(|(setting, value)| shown.shows(**setting, value))
    }
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
    use Setting::{
        DrainTimeoutInMinutes, ForceUpgrade, MaxSurge, MaxUnavailable, UndrainableNodeBehavior, Until,
    };

    fn plan(wanted: &Settings, shown: &Settings, recorded: Option<&Restore>) -> Option<Restore> {
        Restore::plan(Some("a"), wanted, shown, recorded)
    }

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
    fn what_is_recorded_is_what_changes_as_it_was() {
        let shown: Settings = [(MaxSurge, "10%"), (UndrainableNodeBehavior, "Cordon")].into();
        let wanted: Settings =
            [(MaxSurge, "33%"), (UndrainableNodeBehavior, "Cordon"), (DrainTimeoutInMinutes, "45")].into();
        let record = plan(&wanted, &shown, None).unwrap();
        assert_eq!(record.ours, [(MaxSurge, "33%"), (DrainTimeoutInMinutes, "45")].into());
        assert_eq!(record.before, [(MaxSurge, "10%")].into(), "what was absent is not named");
        assert_eq!(plan(&shown, &shown, None), None, "nothing would change");
        assert_eq!(plan(&Settings::default(), &shown, None), None);
    }

    #[test]
    fn surge_excludes_unavailability_and_the_reverse() {
        let none = Settings::default();
        let table: [(Settings, Settings, Settings); 5] = [
            (
                [(MaxSurge, "10%")].into(),
                [(MaxUnavailable, "1")].into(),
                [(MaxSurge, "0"), (MaxUnavailable, "1")].into(),
            ),
            (none, [(MaxUnavailable, "1")].into(), [(MaxSurge, "0"), (MaxUnavailable, "1")].into()),
            ([(MaxSurge, "0")].into(), [(MaxUnavailable, "20%")].into(), [(MaxUnavailable, "20%")].into()),
            (
                [(MaxSurge, "0"), (MaxUnavailable, "2")].into(),
                [(MaxSurge, "1")].into(),
                [(MaxSurge, "1"), (MaxUnavailable, "0")].into(),
            ),
            (
                [(MaxSurge, "1"), (MaxUnavailable, "0")].into(),
                [(MaxSurge, "2")].into(),
                [(MaxSurge, "2")].into(),
            ),
        ];
        for (before, wanted, ours) in table {
            let record = plan(&wanted, &before, None).unwrap();
            assert_eq!(record.ours, ours, "{before:?}");
            // In effect, it is planned just so again.
            let mut after = before.clone();
            after.0.extend(record.ours.0.clone());
            assert_eq!(plan(&wanted, &after, Some(&record)), Some(record.clone()));
            for (setting, value) in record.undo(&after) {
                after.put(setting, value.as_ref());
            }
            assert_eq!(after, before);
        }
    }

    #[test]
    fn a_record_is_never_overwritten_with_our_own_values() {
        let (before, wanted): (Settings, Settings) = ([(MaxSurge, "10%")].into(), [(MaxSurge, "33%")].into());
        let record = plan(&wanted, &before, None);
        assert_eq!(plan(&wanted, &wanted, record.as_ref()), record);
        assert_eq!(
            plan(&Settings::default(), &wanted, record.as_ref()),
            record,
            "not wanted any more, and still ours"
        );
        let theirs: Settings = [(MaxSurge, "50%")].into();
        let anew = plan(&wanted, &theirs, record.as_ref()).unwrap();
        assert_eq!(anew.before, theirs, "somebody else changed it: that is what is put back");
    }

    #[test]
    fn only_what_is_still_ours_is_put_back() {
        let before: Settings = [(MaxSurge, "10%")].into();
        let wanted: Settings = [(MaxSurge, "33%"), (DrainTimeoutInMinutes, "45")].into();
        let record = plan(&wanted, &before, None).unwrap();
        assert_eq!(
            record.undo(&wanted),
            [(MaxSurge, Some("10%".to_owned())), (DrainTimeoutInMinutes, None)].into()
        );
        let theirs: Settings = [(MaxSurge, "33%"), (DrainTimeoutInMinutes, "90")].into();
        assert_eq!(record.undo(&theirs), [(MaxSurge, Some("10%".to_owned()))].into());
        assert_eq!(record.changed_by_others(&theirs), ["drainTimeoutInMinutes of pool a"]);
        assert!(record.changed_by_others(&before).is_empty());
        let filled: Settings = [(MaxSurge, "10%"), (DrainTimeoutInMinutes, "30")].into();
        assert!(record.changed_by_others(&filled).is_empty(), "Azure fills in its defaults");
        assert!(record.undo(&before).is_empty());
    }

    #[test]
    fn an_instant_is_the_same_however_it_is_written() {
        let wanted: Settings = [(ForceUpgrade, "true"), (Until, "2026-12-06T22:00:00Z")].into();
        let record = Restore::plan(None, &wanted, &Settings::default(), None).unwrap();
        let shown: Settings = [(ForceUpgrade, "true"), (Until, "2026-12-06T22:00:00+00:00")].into();
        assert!(record.is_in_effect(&shown));
        assert_eq!(record.undo(&shown).len(), 2);
        assert!(!record.is_in_effect(&[(ForceUpgrade, "true"), (Until, "2026-12-07T22:00:00Z")].into()));
    }

    #[test]
    fn the_words_of_the_record_are_azures() {
        for setting in Setting::OF_POOL.into_iter().chain(Setting::OF_CLUSTER) {
            assert_eq!(serde_json::to_value(setting).unwrap(), setting.name());
        }
    }
}
