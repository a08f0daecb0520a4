//! What the executor needs of the world, named by capability.
//!
//! The operator implements these with Azure and Kubernetes clients; a simulation with a model.

use std::{future::Future, time::Duration};

use jiff::Timestamp;

use crate::{
    action::Action,
    cluster::Cluster,
    control::RecentlyUsed,
    failure::{Blocker, Failure},
    ledger::Ledger,
    observation::{HeldBack, Node, OperationReport, Reading, ServerVersion, Workload},
    offers::{Offers, OffersNeeded},
    rollout::{Approval, Creation, NewMember, Place, Rollout, RolloutMember, RolloutRecord},
    schedule::{Freeze, Maintenance},
    waiting::WaitingOn,
};

/// One cluster in Azure.
pub trait Fleet: Sync {
    /// The cluster as a listing that the whole fleet shares showed it. Only listings begun after
    /// `since` count; without it, any recent one.
    fn glance(&self, since: Option<Timestamp>) -> impl Future<Output = Glance> + Send;
    /// The cluster as it is now, read live; [`crate::Unreadable::Gone`] when Azure does not have it.
    fn cluster(&self) -> impl Future<Output = Reading<Cluster>> + Send;
    /// The cluster right before something is sent. An action that writes a pool's document reads that
    /// pool live, and the rest is as `known`; every other action reads the whole cluster live. A pool
    /// that does not exist any more is left out.
    fn recheck(&self, action: &Action, known: &Cluster) -> impl Future<Output = Reading<Cluster>> + Send;
    /// What Azure offers it, as far as it is needed.
    fn offers(
        &self,
        cluster: &Cluster,
        needed: &OffersNeeded,
    ) -> impl Future<Output = Reading<Offers>> + Send;
    /// The cluster's own maintenance windows, at most some minutes old. One that cannot be understood is one
    /// that cannot be read: it is not known when it is closed.
    fn maintenance(&self) -> impl Future<Output = Reading<Maintenance>> + Send;
    /// The versions and images that a pool had before, and may go back to.
    fn recently_used(&self, pool: &str) -> impl Future<Output = Reading<Vec<RecentlyUsed>>> + Send;
    /// Sends one write. `Ok` carries Azure's name of the operation, `LOCATION/ID`, when it gave one. It is
    /// recorded, so it must not let anybody do anything.
    fn submit(&self, action: &Action) -> impl Future<Output = Result<Option<String>, Rejection>> + Send;
    /// What became of an operation, by that name.
    fn operation(&self, name: &str) -> impl Future<Output = Reading<OperationReport>> + Send;
}

/// What a shared listing says of one cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Glance {
    /// The cluster as listed. Good enough to go on waiting and to plan; whatever is sent, finished or
    /// stopped for is read live.
    Seen(Box<Cluster>),
    /// No listing is new enough yet; one will be.
    Pending,
    /// No listing shows it: it must be read by itself.
    Unavailable,
}

/// A write was not accepted.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    /// Azure refused it, or its answer was lost.
    Refused {
        /// What it said.
        failure: Failure,
        /// When it may be asked again.
        retry_after: Option<Duration>,
    },
    /// It was not sent.
    HeldBack(HeldBack),
}

/// The Kubernetes API of the cluster that is upgraded. Reads only.
pub trait Workloads: Sync {
    /// What its API server says it is.
    fn server(&self) -> impl Future<Output = Reading<ServerVersion>> + Send;
    /// The nodes of a pool.
    fn nodes(&self, pool: &str) -> impl Future<Output = Reading<Vec<Node>>> + Send;
    /// All workloads.
    fn workloads(&self) -> impl Future<Output = Reading<Vec<Workload>>> + Send;
    /// Whether every disruption budget among the blockers allows an eviction now;
    /// `None` when there is none among them, or it cannot be told.
    fn budgets_allow(&self, blockers: &[Blocker]) -> impl Future<Output = Option<bool>> + Send;
}

/// Where the record is kept. Every write is guarded by the version that was read.
pub trait Journal: Send {
    /// Why a write or a look did not happen.
    type Error;
    /// Writes record and standing if they differ from what is stored.
    fn save(
        &mut self,
        ledger: &Ledger,
        waiting: Option<&WaitingOn>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
    /// The freezes of the cluster that are not over, read live: the last look before something is sent.
    fn freezes(&mut self) -> impl Future<Output = Result<Vec<Freeze>, Self::Error>> + Send;
}

/// A plan's record of its rollout, and the ClusterUpgrades that it made. Every change is guarded by the
/// version that was read.
pub trait RolloutStore: Send + Sync {
    /// Why something could not be read or written.
    type Error;
    /// Writes the record if the plan, what it says and its status, is still as it was read or last saved.
    fn save(&mut self, rollout: &Rollout) -> impl Future<Output = Result<(), Self::Error>> + Send;
    /// What is to be remembered of a rollout: written with what is saved next, in the same write.
    fn keep(&mut self, record: RolloutRecord);
    /// Every ClusterUpgrade that this very plan has made and that is not about to go, read live.
    fn list(&self) -> impl Future<Output = Result<Vec<RolloutMember>, Self::Error>> + Send;
    /// Makes a ClusterUpgrade that does not start by itself, unless one of that name is there.
    fn create(
        &self,
        rollout: &Rollout,
        new: &NewMember,
    ) -> impl Future<Output = Result<Creation, Self::Error>> + Send;
    /// Writes what the plan says of a ClusterUpgrade if that is still as it was read. Gives it as it is then.
    fn change(
        &self,
        member: &RolloutMember,
        place: Place,
    ) -> impl Future<Output = Result<RolloutMember, Self::Error>> + Send;
    /// Asks a ClusterUpgrade for another try, with this token, if it is still as it was read. Gives it as it
    /// is then.
    fn retry(
        &self,
        member: &RolloutMember,
        token: &str,
    ) -> impl Future<Output = Result<RolloutMember, Self::Error>> + Send;
    /// Every approval that names this very plan and is not about to go, read live: not those that were
    /// given to an earlier plan of the same name.
    fn approvals(&self) -> impl Future<Output = Result<Vec<Approval>, Self::Error>> + Send;
    /// Deletes a ClusterUpgrade if it is still as it was read. One that is gone is as good as deleted.
    fn delete(&self, member: &RolloutMember) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Tells the time, and whether we may still act.
pub trait Clock: Sync {
    /// The present, in whole seconds.
    fn now(&self) -> Timestamp;
    /// Whether this process may change anything: it holds the lease, or needs none.
    fn may_act(&self) -> bool;
}
