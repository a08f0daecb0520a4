//! What happens without anybody here deciding it: processes that die, clocks that jump, and others who
//! change clusters in Azure.

mod ask;
mod azure_change;
mod deed;
mod edit;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    lease::Health,
    people::People,
    sim::{Event, State},
    tally::Kind,
};
use crate::{effects::ClusterKey, world::Call};

pub(super) use ask::Ask;
pub(super) use azure_change::AzureChange;
pub(super) use deed::Deed;
pub(super) use edit::Edit;

/// Whoever wants something to be so tries again after this.
const INSISTENCE: Duration = Duration::from_secs(600);

/// Something that happens at an instant.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A replica's process is gone; another takes its place after a while.
    Crash { replica: usize, back_after: Duration },
    /// The new process is there.
    Back { replica: usize },
    /// A process is stopped for a while, and goes on as if nothing had been.
    Freeze { replica: usize, length: Duration },
    /// It goes on.
    Thaw { replica: usize },
    /// A replica cannot reach the hub for a while.
    CutOff { replica: usize, length: Duration },
    /// It can again.
    Reconnect { replica: usize },
    /// A replica believes to lead for a while, whatever the hub says.
    Delude { replica: usize, length: Duration },
    /// A replica's clock jumps.
    ClockJump { replica: usize, to: SignedDuration },
    /// The lease may have become free.
    LeaseFree,
    /// Something happens right after a replica has next written a record.
    AfterNextWrite { replica: usize, then: Box<Happening> },
    /// Something happens a moment after a replica has next claimed a change: before it is sent, or meanwhile.
    AfterNextClaim { replica: usize, pause: Duration, then: Box<Happening> },
    /// Something happens right after Azure has next taken a change of a replica's.
    AfterNextChange { replica: usize, then: Box<Happening> },
    /// No process runs for a while.
    Outage { length: Duration },
    /// Somebody does something in Azure.
    Somebody { cluster: ClusterKey, deed: Deed },
    /// Somebody does something right after the operator has next read the cluster.
    Ambush { cluster: ClusterKey, deed: Deed },
    /// Somebody does something while the operator's next change of the cluster is on its way.
    Overtake { cluster: ClusterKey, deed: Deed },
    /// Somebody begins something that another operation pushes aside: Azure calls it done.
    PushedAside { cluster: ClusterKey, deed: Deed },
    /// Somebody does something, again and again until Azure takes it.
    Insistent { cluster: ClusterKey, deed: Deed },
    /// Somebody suspends an upgrade.
    Suspend { upgrade: usize },
    /// Somebody suspends an upgrade, and nobody lets it go on before this instant.
    Hold { upgrade: usize, until: Timestamp },
    /// Somebody lets a suspended upgrade go on.
    Resume { upgrade: usize },
    /// Somebody suspends the plan, or lets it go on.
    SuspendPlan { suspend: bool },
    /// Somebody asks all of the plan that has stopped to try again.
    RetryPlan,
    /// Somebody approves a wave of the plan.
    Approve { wave: usize, approver: &'static str },
    /// Somebody asks an upgrade to try again.
    Retry { upgrade: usize },
    /// Somebody asks for something besides to go on.
    Ask { upgrade: usize, ask: Ask, after: Duration },
    /// Somebody changes what is wanted.
    Edit { upgrade: usize, edit: Edit },
    /// Somebody deletes an upgrade.
    Delete { upgrade: usize },
    /// Somebody freezes the clusters of all upgrades, or of one.
    FreezeClusters { freeze: engine::Freeze, only: Option<usize> },
    /// Somebody takes a freeze away.
    LiftFreeze { name: String },
    /// Azure itself changes.
    Azure(AzureChange),
}

impl Happening {
    /// Makes it so. Gives replicas whose processes end, and one that begins to lead.
    pub(super) fn happen(self, state: &mut State) -> Effects {
        let mut effects = Effects::default();
        state.tally.add(Kind::Happening, self.name());
        match self {
            Self::Crash { .. }
            | Self::Back { .. }
            | Self::Freeze { .. }
            | Self::Thaw { .. }
            | Self::CutOff { .. }
            | Self::Reconnect { .. }
            | Self::Delude { .. }
            | Self::Outage { .. }
            | Self::ClockJump { .. } => self.befall(state, &mut effects),
            Self::LeaseFree => {}
            Self::AfterNextWrite { replica, then } => state.after_write.push((replica, *then)),
            Self::AfterNextClaim { replica, pause, then } => state.after_claim.push((replica, pause, *then)),
            Self::AfterNextChange { replica, then } => state.after_change.push((replica, *then)),
            Self::Somebody { cluster, deed } => drop(deed.carry_out(state, &cluster)),
            Self::Ambush { cluster, deed } => state.ambushes.push((cluster, deed)),
            Self::Overtake { cluster, deed } => state.overtakes.push((cluster, deed)),
            Self::PushedAside { cluster, deed } => azure_change::push_aside(state, &cluster, deed),
            Self::Insistent { cluster, deed } => {
                if deed.clone().carry_out(state, &cluster) == Some(false) {
                    state.schedule_in(INSISTENCE, Event::Happens(Self::Insistent { cluster, deed }));
                }
            }
            Self::Suspend { upgrade } => People::suspend(state, upgrade),
            Self::Hold { upgrade, until } => People::hold(state, upgrade, until),
            Self::Resume { upgrade } => People::resume(state, upgrade),
            Self::SuspendPlan { suspend } => People::suspend_plan(state, suspend),
            Self::RetryPlan => People::retry_plan(state),
            Self::Approve { wave, approver } => People::approve(state, wave, approver),
            Self::Retry { upgrade } => People::retry(state, upgrade),
            Self::Ask { upgrade, ask, after } => ask.make(state, upgrade, after),
            Self::Edit { upgrade, edit } => edit.make(state, upgrade),
            Self::Delete { upgrade } => edit::delete(state, upgrade),
            Self::FreezeClusters { freeze, only } => People::freeze(state, freeze, only),
            Self::LiftFreeze { name } => People::lift(state, &name),
            Self::Azure(change) => change.carry_out(state),
        }
        effects.leads = state.lease.settle(state.now);
        effects
    }

    /// What befalls processes.
    fn befall(self, state: &mut State, effects: &mut Effects) {
        match self {
            Self::Crash { replica, back_after } => {
                state.tell(&name(replica), "crashes");
                set_health(state, replica, Health::Gone);
                state.schedule_in(back_after, Event::Happens(Self::Back { replica }));
                effects.ends = Some(replica);
            }
            Self::Back { replica } => {
                state.tell(&name(replica), "starts again");
                set_health(state, replica, Health::Well);
            }
            Self::Freeze { replica, length } => {
                if state.lease.health(replica) == Health::Well {
                    state.tell(&name(replica), "is stopped");
                    set_health(state, replica, Health::Paused);
                    state.schedule_in(length, Event::Happens(Self::Thaw { replica }));
                }
            }
            Self::Thaw { replica } => {
                if state.lease.health(replica) == Health::Paused {
                    state.tell(&name(replica), "goes on");
                    set_health(state, replica, Health::Well);
                }
            }
            Self::CutOff { replica, length } => {
                if state.lease.health(replica) == Health::Well {
                    state.tell(&name(replica), "is cut off from the hub");
                    set_health(state, replica, Health::CutOff);
                    state.schedule_in(length, Event::Happens(Self::Reconnect { replica }));
                }
            }
            Self::Reconnect { replica } => {
                if state.lease.health(replica) == Health::CutOff {
                    state.tell(&name(replica), "reaches the hub again");
                    set_health(state, replica, Health::Well);
                }
            }
            Self::Delude { replica, length } => {
                state.tell(&name(replica), "takes itself for the leader");
                let until = state.now + length;
                state.lease.delude(replica, until);
                effects.deluded = Some(replica);
            }
            Self::ClockJump { replica, to } => {
                state.tell(&name(replica), &format!("has a clock that is off by {to:#}"));
                state.clocks_jumped |= !to.is_zero();
                if let Some(error) = state.clock_errors.get_mut(replica) {
                    *error = to;
                }
            }
            Self::Outage { length } => {
                for replica in 0..state.clock_errors.len() {
                    let crash = Self::Crash { replica, back_after: length };
                    state.schedule(state.now, Event::Happens(crash));
                }
            }
            Self::LeaseFree
            | Self::AfterNextWrite { .. }
            | Self::AfterNextClaim { .. }
            | Self::AfterNextChange { .. }
            | Self::Somebody { .. }
            | Self::Ambush { .. }
            | Self::Overtake { .. }
            | Self::PushedAside { .. }
            | Self::Insistent { .. }
            | Self::Suspend { .. }
            | Self::Hold { .. }
            | Self::Resume { .. }
            | Self::SuspendPlan { .. }
            | Self::RetryPlan
            | Self::Approve { .. }
            | Self::Retry { .. }
            | Self::Ask { .. }
            | Self::Edit { .. }
            | Self::Delete { .. }
            | Self::FreezeClusters { .. }
            | Self::LiftFreeze { .. }
            | Self::Azure(_) => {}
        }
    }

    /// What it is called where happenings are counted.
    const fn name(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::Back { .. } => "back",
            Self::Freeze { .. } => "pause",
            Self::Thaw { .. } => "thaw",
            Self::CutOff { .. } => "cut off",
            Self::Reconnect { .. } => "reconnect",
            Self::Delude { .. } => "two leaders",
            Self::ClockJump { .. } => "clock jump",
            Self::LeaseFree => "lease",
            Self::AfterNextWrite { .. } => "right after a write",
            Self::AfterNextClaim { .. } => "right after a claim",
            Self::AfterNextChange { .. } => "right after a change",
            Self::Outage { .. } => "no process runs",
            Self::Somebody { .. } => "somebody",
            Self::Ambush { .. } => "right after a read",
            Self::Overtake { .. } => "while a change is on its way",
            Self::PushedAside { .. } => "somebody is pushed aside",
            Self::Insistent { .. } => "somebody mends",
            Self::Suspend { .. } => "suspend",
            Self::Hold { .. } => "suspended for a week",
            Self::Resume { .. } => "resume",
            Self::SuspendPlan { .. } => "suspended plan",
            Self::RetryPlan => "retried plan",
            Self::Approve { .. } => "approval",
            Self::Retry { .. } => "retry",
            Self::Ask { ask, .. } => ask.name(),
            Self::Edit { edit, .. } => edit.name(),
            Self::Delete { .. } => "deletion",
            Self::FreezeClusters { .. } => "freeze",
            Self::LiftFreeze { .. } => "freeze lifted",
            Self::Azure(change) => change.name(),
        }
    }
}

/// What a happening means for processes.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) ends: Option<usize>,
    pub(super) leads: Option<usize>,
    pub(super) deluded: Option<usize>,
}

/// How a replica is called in the timeline.
pub(super) fn name(replica: usize) -> String {
    format!("replica {replica}")
}

fn set_health(state: &mut State, replica: usize, health: Health) {
    let now = state.now;
    state.lease.set_health(now, replica, health);
    if let Some(at) = state.lease.free_at() {
        state.schedule(at, Event::Happens(Happening::LeaseFree));
    }
}

/// The operator has read a cluster: whoever lies in wait does something now.
pub(super) fn after_read(state: &mut State, cluster: &ClusterKey) {
    if let Some(place) = state.ambushes.iter().position(|(key, _)| key == cluster) {
        let (_, deed) = state.ambushes.remove(place);
        deed.carry_out(state, cluster);
    }
}

/// The operator has sent a change of a cluster, which is on its way: somebody else may be faster.
pub(super) fn before_arrival(state: &mut State, call: &Call) {
    let Some(cluster) = call.cluster() else { return };
    let meets = |(key, deed): &(ClusterKey, Deed)| key == cluster && deed.is_met_by(call);
    if let Some(place) = state.overtakes.iter().position(meets) {
        let (_, deed) = state.overtakes.remove(place);
        deed.carry_out(state, cluster);
    }
}

/// Azure has taken a change of a replica's: whatever waits for that happens before it gets the answer.
pub(super) fn after_change(state: &mut State, replica: usize) {
    if !state.goes_wrong() {
        return;
    }
    if let Some(place) = state.after_change.iter().position(|(of, _)| *of == replica) {
        let (_, happening) = state.after_change.remove(place);
        state.schedule(state.now, Event::Happens(happening));
    }
}

/// A replica has written a record: whatever waits for that happens before it does anything else. What waits
/// for a claim happens while it is about to act upon it.
pub(super) fn after_write(state: &mut State, replica: usize, is_claim: bool) {
    if !state.goes_wrong() {
        return;
    }
    if is_claim {
        let (due, left) =
            std::mem::take(&mut state.after_claim).into_iter().partition(|(of, _, _)| *of == replica);
        state.after_claim = left;
        let due: Vec<(usize, Duration, Happening)> = due;
        for (_, pause, happening) in due {
            state.schedule_in(pause, Event::Happens(happening));
        }
    }
    if let Some(place) = state.after_write.iter().position(|(of, _)| *of == replica) {
        let (_, happening) = state.after_write.remove(place);
        state.schedule(state.now, Event::Happens(happening));
    }
}
