//! One process of the operator: a reconciliation loop for each upgrade, while it leads.

use std::{future::Future, pin::Pin, sync::Arc};

use azure_mgmt_containerservice::ClusterId;
use engine::{Clock, Mode, WaitingOn, advance};
use jiff::{Timestamp, TimestampRound, Unit};

use super::{
    azure::Azure,
    checks::Checks,
    hub,
    inventory::Watch,
    plan::{self, Waves},
    sim::{Here, State, TaskId},
    workloads::TargetApi,
};
use crate::effects::ClusterKey;

/// Something that a replica is at, until the replica ends.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// With nothing to do, it looks again after this.
const REST: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// The tasks of a replica that has just become leader.
pub(super) fn tasks(
    here: &Here,
    clusters: &[(ClusterKey, ClusterId)],
    waves: Option<&Waves>,
) -> Vec<(TaskId, Task)> {
    let azure = Arc::new(Azure::new(here));
    let start = |(index, (key, id)): (usize, &(ClusterKey, ClusterId))| {
        let task = {
            let mut state = here.state();
            let task = state.new_task();
            state.hub.watch(index, task);
            task
        };
        let upgrade =
            OneUpgrade { here: here.clone(), azure: azure.clone(), index, key: key.clone(), id: id.clone() };
        (task, Box::pin(upgrade.run()) as Task)
    };
    let mut tasks: Vec<(TaskId, Task)> = clusters.iter().enumerate().map(start).collect();
    if here.state().hub.plan.as_ref().is_some_and(|plan| plan.request.mode == Mode::Continuous) {
        let azure = Arc::new(azure.unwatched(here));
        for (index, (key, id)) in clusters.iter().enumerate() {
            let task = {
                let mut state = here.state();
                let task = state.new_task();
                state.hub.watch_inventory(index, task);
                task
            };
            let (here, azure) = (here.clone(), azure.clone());
            let watch = Watch { here, azure, index, key: key.clone(), id: id.clone() };
            tasks.push((task, Box::pin(watch.run())));
        }
    }
    if let Some(waves) = waves {
        let mut state = here.state();
        let task = state.new_task();
        state.hub.watch_plan(task);
        tasks.push((task, Box::pin(plan::run(here.clone(), waves.clone()))));
    }
    tasks
}

/// The reconciliation of one upgrade.
struct OneUpgrade {
    here: Here,
    azure: Arc<Azure>,
    index: usize,
    key: ClusterKey,
    id: ClusterId,
}

impl OneUpgrade {
    async fn run(self) {
        // A controller lists before it reconciles.
        self.here.latency(10, 1000).await;
        let mut failures = 0;
        loop {
            match self.reconcile().await {
                Ok(pause) => {
                    failures = 0;
                    self.here.idle(pause).await;
                }
                Err(NotReconciled) => {
                    failures += 1;
                    self.here.idle(hub::backoff(failures)).await;
                }
            }
        }
    }

    async fn reconcile(&self) -> Result<std::time::Duration, NotReconciled> {
        let here = &self.here;
        let is_there = {
            let state = here.state();
            let upgrade = &state.hub.upgrades[self.index];
            !upgrade.gone && (upgrade.place.is_some() || !Checks::is_continuous(&state))
        };
        if !is_there {
            return Ok(REST);
        }
        let Some(hub::Read { request, ledger, mut journal }) = hub::read(here, self.index).await else {
            return Err(NotReconciled);
        };
        let fleet = self.azure.fleet(here, &self.id);
        let target = TargetApi { here: here.clone(), key: self.key.clone() };
        let began = clock(&here.state(), here.replica);
        let progress = advance(&request, ledger, &fleet, &target, &mut journal, here).await;
        let progress = progress.map_err(|_| NotReconciled)?;
        if request.abandoned && progress.waiting.is_none() {
            hub::let_go(here, self.index).await;
            return Ok(hub::backoff(0));
        }
        let mut state = here.state();
        Checks::after_advance(&mut state, self.index, &progress);
        let now = clock(&state, here.replica);
        Checks::tells_of_delay(&mut state, self.index, &progress, began.min(now));
        let pause = progress.waiting.as_ref().map_or(REST, |waiting| waiting.look_again(now));
        Ok(if state.is_long {
            until_something_happens(progress.waiting.as_ref(), (now, pause))
        } else {
            pause
        })
    }
}

/// Where nobody else changes anything, looks that are made just to be safe find nothing, and are most of what there
/// would be to do in a year.
fn until_something_happens(
    waiting: Option<&WaitingOn>,
    (now, pause): (Timestamp, std::time::Duration),
) -> std::time::Duration {
    match waiting.map(|waiting| (waiting, waiting.reason())) {
        Some((WaitingOn::Window { opens, .. }, _)) => {
            std::time::Duration::try_from(opens.duration_since(now)).unwrap_or_default().max(pause)
        }
        Some((_, "WaitingForWave")) => REST,
        Some(_) | None => pause,
    }
}

/// A reconciliation ended early; it is tried again.
struct NotReconciled;

/// The clock of a replica, in whole seconds: it may differ from everybody else's.
pub(super) fn clock(state: &State, replica: usize) -> Timestamp {
    let now = state.now + state.clock_error(replica);
    now.round(TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc)).unwrap_or(now)
}

impl Clock for Here {
    fn now(&self) -> Timestamp {
        clock(&self.state(), self.replica)
    }

    fn may_act(&self) -> bool {
        let state = self.state();
        state.lease.believes(state.now, self.replica)
    }
}
