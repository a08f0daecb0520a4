//! Which of several upgrades of one cluster goes first. Pure.

use jiff::Timestamp;

use crate::ledger::Ledger;

/// What is known of one of the upgrades of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    /// Its name.
    pub name: &'a str,
    /// When it was made; of two that were made at once the name decides.
    pub made_at: Option<Timestamp>,
    /// The plan that has made it; `None` when it was made by hand.
    pub plan: Option<&'a str>,
    /// Whether it may start: its plan says so, or it was made by hand.
    pub admitted: bool,
    /// Whether it is being deleted.
    pub going: bool,
    /// Its record; `None` as long as nothing is recorded.
    pub ledger: Option<&'a Ledger>,
}

impl<'a> Claimant<'a> {
    /// The upgrade that has the cluster before this one: it has begun, or it is older. Of two plans the older
    /// rollout has it also before its wave's turn has come: ClusterUpgrades are made when a rollout starts.
    pub fn waits_for<'b>(&self, others: impl Iterator<Item = Claimant<'b>>) -> Option<&'b str> {
        let age = |of: &Claimant<'_>| (of.made_at, of.name.to_owned());
        let goes_first = |other: &Claimant<'_>| match (other.has_begun(), self.has_begun()) {
            (true, false) => true,
            (false, true) => false,
            (true, true) | (false, false) => age(other) < age(self),
        };
        let mut first = others.filter(|other| other.has_a_say(self) && goes_first(other));
        first.next().map(|other| other.name)
    }

    /// Whether it may have the cluster before `this`. What is left of a plan's own earlier rollout goes; whoever
    /// asks by hand does not wait for a plan's wave.
    fn has_a_say(&self, this: &Claimant<'_>) -> bool {
        let of_another_plan = self.plan.zip(this.plan).is_some_and(|(other, this)| other != this);
        let waits = !self.admitted && (!of_another_plan || self.going);
        let is_finished = self.ledger.is_some_and(|ledger| ledger.finished_at.is_some());
        !is_finished && !waits || self.ledger.is_some_and(Ledger::has_settings_to_restore)
    }

    fn has_begun(&self) -> bool {
        self.ledger.is_some_and(Ledger::has_begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn ledger(value: Value) -> Ledger {
        serde_json::from_value(value).unwrap()
    }

    fn begun() -> Ledger {
        ledger(json!({"steps": [{"from": "1.33.8", "to": "1.34.4", "state": "Succeeded"}]}))
    }

    fn changed() -> Ledger {
        ledger(json!({"restore": [{"pool": "apps", "ours": {"maxSurge": "33%"}}]}))
    }

    /// One that was made by hand, one minute after the other.
    fn by_hand(name: &str, minute: i64) -> Claimant<'_> {
        let made_at = Timestamp::from_second(60 * minute).ok();
        Claimant { name, made_at, plan: None, admitted: true, going: false, ledger: None }
    }

    fn of_plan<'a>(plan: &'a str, name: &'a str, minute: i64, admitted: bool) -> Claimant<'a> {
        Claimant { plan: Some(plan), admitted, ..by_hand(name, minute) }
    }

    fn first<'b>(this: &Claimant<'_>, other: Claimant<'b>) -> Option<&'b str> {
        this.waits_for(std::iter::once(other))
    }

    #[test]
    fn the_one_that_has_begun_goes_first_else_the_older() {
        let (old, new, begun) = (by_hand("old", 0), by_hand("new", 1), begun());
        assert_eq!((first(&new, old), first(&old, new)), (Some("old"), None));
        let ahead = Claimant { ledger: Some(&begun), ..by_hand("ahead", 2) };
        assert_eq!((first(&old, ahead), first(&ahead, old)), (Some("ahead"), None));
        let twin = by_hand("a-twin", 1);
        assert_eq!((first(&new, twin), first(&twin, new)), (Some("a-twin"), None), "of one age: the name");
    }

    #[test]
    fn one_that_has_settings_to_put_back_has_the_cluster() {
        let (old, changed) = (by_hand("old", 0), changed());
        let new = Claimant { ledger: Some(&changed), ..by_hand("new", 1) };
        assert_eq!((first(&old, new), first(&new, old)), (Some("new"), None));
        let waits = Claimant { ledger: Some(&changed), ..of_plan("p", "later", 2, false) };
        assert_eq!(first(&old, waits), Some("later"), "also one that is not let start");
    }

    #[test]
    fn nobody_waits_for_what_is_finished_or_for_a_wave() {
        let (new, over) = (by_hand("new", 9), ledger(json!({"finishedAt": "2026-12-05T22:30:00Z"})));
        assert_eq!(first(&new, Claimant { ledger: Some(&over), ..by_hand("over", 0) }), None);
        assert_eq!(first(&new, of_plan("p", "later", 1, false)), None);
        assert_eq!(first(&new, of_plan("p", "now", 1, true)), Some("now"));
    }

    #[test]
    fn of_two_plans_the_older_rollout_has_the_cluster_before_its_wave_comes_too() {
        let (old, new) = (of_plan("p", "old", 0, false), of_plan("q", "new", 1, false));
        assert_eq!((first(&new, old), first(&old, new)), (Some("old"), None));
        let begun = begun();
        let ahead = Claimant { ledger: Some(&begun), ..of_plan("q", "new", 1, true) };
        assert_eq!((first(&ahead, old), first(&old, ahead)), (None, Some("new")), "what has begun goes on");
        assert_eq!(first(&of_plan("p", "p-2", 1, false), old), None, "the plan's own earlier rollout goes");
        assert_eq!(first(&new, Claimant { going: true, ..old }), None, "so does one that is being deleted");
    }
}
