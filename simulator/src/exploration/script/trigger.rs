//! When what happens: at an instant, or when Azure has just done something that it was asked for.

use std::time::Duration;

use crds::Duration as Written;
use jiff::Timestamp;

use super::{
    ScriptError, check, invalid,
    spec::{Act, EventSpec, FaultSpec, Outside, OutsideAbort, ProcessSpec},
};
use crate::{
    effects::ClusterKey,
    exploration::{
        case::UpgradeCase,
        happening::{AzureChange, Deed, Happening},
        sim::{Event, State},
    },
    scenario::ClusterSpec,
};

/// Something that happens once Azure has done what it was asked for, before its answer arrives.
#[derive(Clone, Debug)]
pub(in crate::exploration) struct Trigger {
    /// Its place among the events of the script.
    pub(in crate::exploration) event: usize,
    when: String,
    after: Duration,
    happening: Happening,
}

/// Azure has carried out a change: whatever was to happen then is on its way.
pub(super) fn after_change(state: &mut State, words: String) {
    while let Some(place) = state.triggers.iter().position(|trigger| trigger.when == words) {
        let Trigger { after, happening, .. } = state.triggers.remove(place);
        state.schedule_in(after, Event::Happens(happening));
    }
    state.asked.push(words);
}

/// Where events happen.
pub(super) struct Stage<'a> {
    pub(super) start: Timestamp,
    pub(super) replicas: usize,
    pub(super) clusters: &'a [ClusterSpec],
    pub(super) upgrades: &'a [UpgradeCase],
}

/// What happens at instants, and what happens once Azure has done something.
type Planned = (Vec<(Timestamp, Happening)>, Vec<Trigger>);

impl Stage<'_> {
    /// What the events stand for.
    pub(super) fn events(&self, events: &[EventSpec]) -> Result<Planned, ScriptError> {
        let (mut happenings, mut triggers) = (Vec::new(), Vec::new());
        for (event, EventSpec { after, when, act }) in events.iter().enumerate() {
            let field = format!("events[{event}]");
            let happening = self.happening(&format!("{field}.do"), act)?;
            match (after, when) {
                (Some(Written(after)), None) => happenings.push((self.start + *after, happening)),
                (after, Some(when)) => {
                    let after = after.map_or(Duration::ZERO, |after| after.0);
                    triggers.push(Trigger { event, when: when.clone(), after, happening });
                }
                (None, None) => return Err(invalid(field, "needs after, such as 1h, or when, or both")),
            }
        }
        happenings.sort_by_key(|(at, _)| *at);
        Ok((happenings, triggers))
    }

    fn happening(&self, field: &str, act: &Act) -> Result<Happening, ScriptError> {
        Ok(match act {
            Act::Retry(name) => Happening::Retry { upgrade: self.upgrade(&format!("{field}.retry"), name)? },
            Act::Suspend(name) => {
                Happening::Suspend { upgrade: self.upgrade(&format!("{field}.suspend"), name)? }
            }
            Act::Resume(name) => {
                Happening::Resume { upgrade: self.upgrade(&format!("{field}.resume"), name)? }
            }
            Act::SuspendPlan => Happening::SuspendPlan { suspend: true },
            Act::ResumePlan => Happening::SuspendPlan { suspend: false },
            Act::Crash(process) => {
                let (replica, back_after) = self.process(&format!("{field}.crash"), process)?;
                Happening::Crash { replica, back_after }
            }
            Act::Pause(process) => {
                let (replica, length) = self.process(&format!("{field}.pause"), process)?;
                Happening::Freeze { replica, length }
            }
            Act::CutOff(process) => {
                let (replica, length) = self.process(&format!("{field}.cutOff"), process)?;
                Happening::CutOff { replica, length }
            }
            Act::SomebodyUpgrades(Outside { cluster, pool, to }) => {
                let cluster = self.cluster(&format!("{field}.somebodyUpgrades"), cluster, pool.as_deref())?;
                let to = to.clone();
                let deed = match pool.clone() {
                    Some(pool) => Deed::UpgradePool { pool, to },
                    None => Deed::UpgradeControlPlane { to },
                };
                Happening::Somebody { cluster, deed }
            }
            Act::SomebodyAborts(OutsideAbort { cluster, pool }) => {
                let cluster = self.cluster(&format!("{field}.somebodyAborts"), cluster, pool.as_deref())?;
                Happening::Somebody { cluster, deed: Deed::Abort { pool: pool.clone() } }
            }
            Act::Fault(FaultSpec { cluster, fault }) => {
                let field = format!("{field}.fault");
                let cluster = self.cluster(&field, cluster, fault.pool.as_deref())?;
                fault.check(&format!("{field}.fault")).map_err(|error| invalid(&field, error.to_string()))?;
                Happening::Azure(AzureChange::Fault { cluster, fault: Box::new(fault.clone()) })
            }
            Act::Quirk(rule) => {
                let field = format!("{field}.quirk");
                let keys: Vec<ClusterKey> = self.clusters.iter().map(ClusterSpec::key).collect();
                rule.check(&field, keys.iter()).map_err(|error| invalid(&field, error.to_string()))?;
                Happening::Azure(AzureChange::Quirk(rule.clone()))
            }
            Act::Quota(vcpus) => Happening::Azure(AzureChange::Quota(*vcpus)),
        })
    }

    fn upgrade(&self, field: &str, name: &str) -> Result<usize, ScriptError> {
        let names: Vec<String> = self.upgrades.iter().map(|upgrade| upgrade.name.clone()).collect();
        check::place_of(field, name, &names)
    }

    fn cluster(&self, field: &str, name: &str, pool: Option<&str>) -> Result<ClusterKey, ScriptError> {
        let names: Vec<String> = self.clusters.iter().map(|cluster| cluster.name.clone()).collect();
        let cluster = &self.clusters[check::place_of(&format!("{field}.cluster"), name, &names)?];
        if let Some(pool) = pool {
            let pools: Vec<String> = cluster.pools.iter().map(|pool| pool.name.clone()).collect();
            check::place_of(&format!("{field}.pool"), pool, &pools)?;
        }
        Ok(cluster.key())
    }

    fn process(&self, field: &str, process: &ProcessSpec) -> Result<(usize, Duration), ScriptError> {
        let ProcessSpec { replica, length } = *process;
        if replica >= self.replicas {
            let problem =
                format!("{replica} is not there; given.replicas is {}, counted from 0", self.replicas);
            return Err(invalid(format!("{field}.replica"), problem));
        }
        Ok((replica, length.0))
    }
}
