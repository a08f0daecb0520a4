//! Whether a step may start now: windows, freezes, and whether it fits.
//!
//! Asked before an intent is recorded and before it is sent, whenever that is: a step that failed and is
//! tried again disturbs people as much as one that is begun. What Azure shows goes first: a version that
//! somebody has moved is a matter for a person, and told while nothing may start, too. Gates come after: a
//! cluster that waits for days is not asked for its workloads meanwhile.

use std::{cmp::Reverse, time::Duration};

use jiff::Timestamp;

use super::{Decision, Stop, View, wait};
use crate::{
    calendar::Window,
    cluster::Cluster,
    ledger::Ledger,
    observation::Unreadable,
    plan::Plan,
    planted::{PlantedBug, planted},
    schedule::{Answer, Ask, Maintenance, Misread},
    step::{Step, StepKind},
    waiting::WaitingOn,
};

/// The most that a change of settings takes of a window: AKS mostly needs 1 to 5 minutes for one, and it is looked
/// for each half minute.
const SETTINGS_TAKE: Duration = Duration::from_secs(15 * 60);

/// Whether a step may start now. `Err` is the decision to stop with.
///
/// A rollback may at any time: it ends a disruption that a person has seen, or a gate.
pub(super) fn may_start(view: &View<'_>, cluster: &Cluster, step: &Step) -> Result<(), Stop> {
    if step.is_rollback() {
        return Ok(());
    }
    in_time(view, cluster, step, None)?;
    let Some(maintenance) = own(view)? else { return Ok(()) };
    let bound = maintenance.binding(step.kind).map_err(|misread| wait(misread.into()))?;
    bound.map_or(Ok(()), |window| in_time(view, cluster, step, Some(window)))
}

/// Whether a step may start now, as windows and freezes are: the cluster's own are looked at where one is given.
fn in_time(view: &View<'_>, cluster: &Cluster, step: &Step, own: Option<&Window>) -> Result<(), Stop> {
    let schedule = &view.request.schedule;
    let whole = schedule.needs(step, cluster, &view.request.policy);
    let needs = whole.saturating_sub(begun_since(view.ledger, view.now));
    let freezes = view.seen.freezes.as_deref().unwrap_or(&schedule.freezes);
    let answer = schedule.answer(&Ask { now: view.now, needs, freezes, cluster: own });
    waiting(answer, step, whole).map_or(Ok(()), |waiting| Err(wait(waiting)))
}

/// For how long the settings of the step in flight are being changed: it has begun, and that is not taken from its
/// time, or one that needs all of a window would change them in each, and go no further.
fn begun_since(ledger: &Ledger, now: Timestamp) -> Duration {
    let sent_at =
        ledger.restore.iter().filter(|_| ledger.operation.is_some()).filter_map(|known| known.sent_at).min();
    let since = sent_at.map(|at| Duration::try_from(now.duration_since(at)).unwrap_or_default());
    since.unwrap_or_default().min(SETTINGS_TAKE)
}

/// The cluster's own maintenance configurations, where they are kept to. `Err` is the decision to stop with.
fn own<'a>(view: &View<'a>) -> Result<Option<&'a Maintenance>, Stop> {
    if !view.request.schedule.respects_cluster || planted(PlantedBug::IgnoreClusterWindows) {
        return Ok(None);
    }
    match &view.seen.maintenance {
        Err(Unreadable::NotAsked) => Err(Box::new(Decision::ReadMaintenance)),
        Err(why) => Err(wait(WaitingOn::unreadable(why))),
        Ok(maintenance) => Ok(Some(maintenance)),
    }
}

/// What a step waits on; `None` when it may start.
fn waiting(answer: Answer, step: &Step, needs: Duration) -> Option<WaitingOn> {
    Some(match answer {
        Answer::Start => return None,
        Answer::Unusable(why) => WaitingOn::InvalidSpec(why),
        Answer::NotBefore(at) => WaitingOn::NotBefore(at),
        Answer::Frozen(freeze) => WaitingOn::Frozen(freeze),
        Answer::Closed { window, own, opens, too_soon } => {
            WaitingOn::Window { step: step.clone(), window, own, opens, too_soon }
        }
        Answer::Never { bounds, longest } => {
            WaitingOn::WindowTooShort { subject: step.subject(), needs, bounds, longest }
        }
    })
}

/// Whether the first of these steps may start now; none of them must be one that never can. `Err` is the
/// decision to stop with.
///
/// A step further on that fits into no window stops the first: half an upgrade helps nobody, and who has to
/// make a longer window learns of it before anything is begun. So does one that is bound by a configuration of
/// the cluster's own that cannot be understood. That is told whether the plan's windows are open or not, or it
/// would be forgotten each time they close.
pub(super) fn may_begin(view: &View<'_>, cluster: &Cluster, plan: &Plan) -> Result<(), Stop> {
    let Some(first) = plan.steps.first() else { return Ok(()) };
    fit(view, cluster, plan, &Maintenance::default())?;
    let now = in_time(view, cluster, &first.step, None);
    let own = match (own(view), now) {
        // Nothing could start anyway: when it may says more.
        (Err(stop), Err(later)) if matches!(*stop, Decision::Wait(_)) => return Err(later),
        (own, _) => own?,
    };
    if let Some(own) = own {
        fit(view, cluster, plan, own)?;
    }
    may_start(view, cluster, &first.step)
}

/// Whether a window is ever open for as long as each of these steps takes, the cluster's own included where one
/// binds it. `Err` is the decision to stop with, for the longest of those that do not fit.
fn fit(view: &View<'_>, cluster: &Cluster, plan: &Plan, own: &Maintenance) -> Result<(), Stop> {
    let schedule = &view.request.schedule;
    let needs = |step: &Step| schedule.needs(step, cluster, &view.request.policy);
    let mut steps: Vec<&Step> = plan.steps.iter().map(|planned| &planned.step).collect();
    steps.sort_by_cached_key(|step| Reverse(needs(step)));
    // What binds a step goes by its kind: the longest of each tells for all of them.
    let mut known: Vec<StepKind> = Vec::new();
    for step in steps {
        if known.contains(&step.kind) {
            continue;
        }
        known.push(step.kind);
        let window = own.binding(step.kind).map_err(|misread| wait(misread.into()))?;
        let ask = Ask { now: view.now, needs: needs(step), freezes: &[], cluster: window };
        if let Some(waiting) = schedule.shortfall_within(step, &ask) {
            return Err(wait(waiting));
        }
    }
    Ok(())
}

impl From<Misread<'_>> for WaitingOn {
    fn from(Misread { name, why }: Misread<'_>) -> Self {
        Self::OwnWindowMisread { name, why: why.to_string() }
    }
}
