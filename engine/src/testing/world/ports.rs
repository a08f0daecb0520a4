//! The small world behind the ports of the engine: every call counts, and can be the last of its caller.

use jiff::Timestamp;

use super::{State, World};
use crate::{
    Action, Blocker, Clock, Cluster, Fleet, Freeze, Glance, Journal, Ledger, Maintenance, Node, Offers,
    OffersNeeded, OperationReport, Reading, RecentlyUsed, Rejection, ServerVersion, Unreadable, WaitingOn,
    Workload, Workloads, testing::offers,
};

impl Fleet for World {
    async fn glance(&self, since: Option<Timestamp>) -> Glance {
        self.port("glance", |state| match &state.listing {
            _ if state.azure.is_err() => Glance::Unavailable,
            None => Glance::Unavailable,
            Some((made, _)) if since.is_some_and(|since| *made <= since) => Glance::Pending,
            Some((_, cluster)) => Glance::Seen(Box::new(cluster.clone())),
        })
        .await
    }

    async fn cluster(&self) -> Reading<Cluster> {
        self.port("cluster", State::read).await
    }

    async fn recheck(&self, action: &Action, known: &Cluster) -> Reading<Cluster> {
        self.port("recheck", |state| {
            state.rechecked = Some(action.clone());
            let live = state.read()?;
            let Some(name) = action.pool_document() else { return Ok(live) };
            let mut known = known.clone();
            known.pools.retain(|other| other.name != *name);
            known.pools.extend(live.pool(name).cloned());
            Ok(known)
        })
        .await
    }

    async fn offers(&self, cluster: &Cluster, needed: &OffersNeeded) -> Reading<Offers> {
        let from = cluster.version.to_string();
        self.port("offers", |state| {
            state.asked.push(needed.clone());
            let mut all = Offers { images: state.images.clone(), ..offers(&from) };
            all.images.retain(|pool, _| needed.images.contains(pool));
            all.control_plane.retain(|_| needed.control_plane);
            Ok(all)
        })
        .await
    }

    async fn maintenance(&self) -> Reading<Maintenance> {
        self.port("maintenance", |state| state.maintenance.clone()).await
    }

    async fn recently_used(&self, pool: &str) -> Reading<Vec<RecentlyUsed>> {
        self.port("recently_used", |state| Ok(state.recent.get(pool).cloned().unwrap_or_default())).await
    }

    async fn submit(&self, action: &Action) -> Result<Option<String>, Rejection> {
        self.port("submit", |state| state.write(action)).await
    }

    async fn operation(&self, address: &str) -> Reading<OperationReport> {
        self.port("operation", |state| match state.failures.get(address) {
            Some(failure) => Ok(OperationReport { running: false, failure: failure.clone() }),
            None => Ok(OperationReport { running: state.is_running(address), failure: None }),
        })
        .await
    }
}

impl Workloads for World {
    async fn server(&self) -> Reading<ServerVersion> {
        let shown = |state: &mut State| {
            state.reach()?;
            Ok(ServerVersion { minor: state.server.minor(), build: Some(state.server.clone()) })
        };
        self.port("server", shown).await
    }

    async fn nodes(&self, pool: &str) -> Reading<Vec<Node>> {
        self.port("nodes", |state| state.reach().map(|()| state.nodes.get(pool).cloned().unwrap_or_default()))
            .await
    }

    async fn workloads(&self) -> Reading<Vec<Workload>> {
        self.port("workloads", |state| state.reach().and_then(|()| state.workloads.clone())).await
    }

    async fn budgets_allow(&self, _: &[Blocker]) -> Option<bool> {
        self.port("budgets", |state| state.budgets_allow).await
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    fn may_act(&self) -> bool {
        self.state().may_act
    }
}

pub(super) struct Store<'a>(pub(super) &'a World);

#[derive(Debug)]
pub(super) struct Conflict;

impl Journal for Store<'_> {
    type Error = Conflict;

    async fn save(&mut self, ledger: &Ledger, waiting: Option<&WaitingOn>) -> Result<(), Conflict> {
        self.0
            .port("save", |state| {
                let standing = waiting.map(|waiting| (waiting.reason().to_owned(), waiting.to_string()));
                if state.stored == *ledger && state.standing == standing {
                    return Ok(());
                }
                if state.conflicts > 0 {
                    state.conflicts -= 1;
                    return Err(Conflict);
                }
                state.standing.clone_from(&standing);
                state.stored = ledger.clone();
                state.writes.push((ledger.clone(), standing.map(|(reason, _)| reason)));
                if let Some(others) = state.after_write {
                    others(state);
                }
                Ok(())
            })
            .await
    }

    async fn freezes(&mut self) -> Result<Vec<Freeze>, Conflict> {
        self.0.port("freezes", |state| Ok(state.freezes.clone())).await
    }
}

impl State {
    fn reach(&self) -> Reading<()> {
        if self.unreachable { Err(Unreadable::failed("connection refused")) } else { Ok(()) }
    }
}
