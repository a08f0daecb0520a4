//! What is recorded of settings before a step overrides them, and what it takes to undo that.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Changes, Setting, Settings, is_default, subject};
use crate::{failure::Failure, ledger::Hold};

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
    /// When a write of the settings alone was accepted last, or the step that had brought them along was sent which
    /// is in flight no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// How often putting back was begun, without the failures before Azure accepted it.
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
    /// A value that is ours already was there because of us: what was there before it stays recorded. So it does
    /// when other values are wanted by now: those are for the next step, since of two values of ours only one can
    /// be told from what others set.
    #[must_use]
    pub fn plan(
        pool: Option<&str>,
        wanted: &Settings,
        shown: &Settings,
        recorded: Option<&Self>,
    ) -> Option<Self> {
        if let Some(recorded) = recorded.filter(|known| known.attempts == 0 && known.is_in_effect(shown)) {
            return Some(recorded.clone());
        }
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
    ///
    /// A setting that was absent is taken away. Where Azure has accepted that and shows its own default
    /// instead, which ours happens to be, it is back: taking it away again would never end.
    #[must_use]
    pub fn undo(&self, shown: &Settings) -> Changes {
        let is_filled_in = |setting: Setting, before: Option<&String>| {
            before.is_none() && self.is_given_back() && is_default(setting, &shown.0[&setting])
        };
        self.still_ours(shown)
            .map(|(setting, _)| (*setting, self.before.0.get(setting)))
            .filter(|(setting, before)| !is_filled_in(*setting, *before))
            .map(|(setting, before)| (setting, before.cloned()))
            .collect()
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
        let other: Settings = [(MaxSurge, "2")].into();
        assert_eq!(plan(&other, &wanted, record.as_ref()), record, "edited meanwhile: the next step has it");
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
    fn what_azure_fills_in_by_itself_is_taken_away_once_and_not_for_ever() {
        let ours: Settings = [(MaxSurge, "10%"), (DrainTimeoutInMinutes, "45")].into();
        let mut record = plan(&ours, &Settings::default(), None).unwrap();
        assert_eq!(record.undo(&ours), [(MaxSurge, None), (DrainTimeoutInMinutes, None)].into());
        let now = "2026-12-06T22:00:00Z".parse().unwrap();
        (record.attempts, record.sent_at, record.not_before) = (1, Some(now), Some(now));
        let filled: Settings = [(MaxSurge, "10%")].into();
        assert!(record.undo(&filled).is_empty(), "10% is what Azure uses where nothing is said");
        assert!(record.changed_by_others(&filled).is_empty());
        assert_eq!(record.undo(&ours), [(DrainTimeoutInMinutes, None)].into(), "45 is ours alone");

        record.before = [(MaxSurge, "10%"), (DrainTimeoutInMinutes, "30")].into();
        record.ours = [(MaxSurge, "33%"), (DrainTimeoutInMinutes, "45")].into();
        assert_eq!(record.undo(&record.ours).len(), 2, "what was there before is told, default or not");
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
}
