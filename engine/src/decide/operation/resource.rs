//! The resource that a step changes, control plane or node pool, and what its state says about the step.

use super::{Operation, Step, StepKind, View, changed, overrides};
use crate::{
    cluster::{Cluster, NodePool, ProvisioningState},
    decide::{Stop, wait},
    ledger::Expected,
    waiting::WaitingOn,
};

/// Words of Azure for operations of a pool that are no upgrade of its image. A word that nobody knows
/// may be one.
const NO_IMAGE_UPGRADE: [&str; 7] =
    ["Creating", "Deleting", "Scaling", "Starting", "Stopping", "Updating", "Upgrading"];

/// The resource that a step changes, as Azure shows it.
pub(in crate::decide) struct Resource<'a> {
    pub(in crate::decide) cluster: &'a Cluster,
    pub(in crate::decide) pool: Option<&'a NodePool>,
    pub(in crate::decide) state: &'a ProvisioningState,
    /// Shows the target. For versions that is so from the accepting answer on.
    at_target: bool,
}

impl<'a> Resource<'a> {
    /// What was seen of it. `Err` is the decision where it cannot be read, or is not there any more.
    pub(in crate::decide) fn seen(view: &View<'a>, step: &Step) -> Result<Self, Stop> {
        let cluster = match &view.seen.cluster {
            Ok(cluster) => cluster,
            Err(why) => return Err(wait(WaitingOn::unreadable(why))),
        };
        Self::of(cluster, step).ok_or_else(|| {
            let name = step.pool.as_ref();
            let is_known = |known: &Expected| name.is_some_and(|name| known.pools.contains_key(name));
            let is_accepted = !view.ledger.expected.as_ref().is_some_and(is_known);
            let change = changed(view, &format!("{} no longer exists", step.subject()), is_accepted);
            Box::new(overrides::not_while_stopped(view, cluster, change))
        })
    }

    fn of(cluster: &'a Cluster, step: &Step) -> Option<Self> {
        let pool = match &step.pool {
            None => None,
            Some(name) => Some(cluster.pool(name)?),
        };
        let (state, at_target) = match (step.kind, pool) {
            (StepKind::ControlPlane, _) => {
                (&cluster.provisioning_state, cluster.version.to_string() == step.to)
            }
            (StepKind::NodePoolVersion, pool) => {
                (&pool?.provisioning_state, pool?.version.to_string() == step.to)
            }
            // An image newer than the one planned may have come out meanwhile: any other than before is it.
            (StepKind::NodePoolImage, pool) => (&pool?.provisioning_state, pool?.node_image != step.from),
            (StepKind::NodePoolRollback, pool) => (&pool?.provisioning_state, has_gone_back(pool?, step)),
        };
        Some(Self { cluster, pool, state, at_target })
    }

    pub(in crate::decide) fn is_done(&self) -> bool {
        self.at_target && *self.state == ProvisioningState::Succeeded
    }

    /// Whether what runs is what we wanted: then it is ours, or as good as ours.
    pub(in crate::decide) fn is_moving_to_target(&self, step: &Step) -> bool {
        match (step.kind, self.state) {
            // The version is the old one again from the accepting answer on, unless only the image goes back.
            (StepKind::NodePoolRollback, ProvisioningState::Busy(word)) => {
                self.at_target || (self.is_at_version_of(step) && word.starts_with("Upgrading"))
            }
            // The image stays old until it is done; the word is all there is: `UpgradingNodeImageVersion`.
            (StepKind::NodePoolImage, ProvisioningState::Busy(word)) => {
                self.at_target || word.starts_with("Upgrading")
            }
            (StepKind::ControlPlane | StepKind::NodePoolVersion, ProvisioningState::Busy(_)) => {
                self.at_target
            }
            (_, ProvisioningState::Succeeded | ProvisioningState::Failed | ProvisioningState::Canceled) => {
                false
            }
        }
    }

    /// Whether it shows that what the cluster is busy with is not the step, which Azure has taken.
    pub(in crate::decide) fn is_left_to_others(&self, step: &Step) -> bool {
        match (step.kind, self.state) {
            (StepKind::NodePoolImage, ProvisioningState::Busy(word)) => {
                !self.at_target && NO_IMAGE_UPGRADE.contains(&word.as_str())
            }
            (StepKind::NodePoolRollback, ProvisioningState::Busy(_)) => !self.is_at_version_of(step),
            (StepKind::ControlPlane | StepKind::NodePoolVersion, ProvisioningState::Busy(_)) => {
                !self.at_target
            }
            (_, ProvisioningState::Succeeded | ProvisioningState::Failed | ProvisioningState::Canceled) => {
                true
            }
        }
    }

    /// What runs there although Azure is done with the step, if it leaves the target alone.
    pub(in crate::decide) fn busy_at_target(&self) -> Option<&'a str> {
        match self.state {
            ProvisioningState::Busy(word) if self.at_target => Some(word),
            ProvisioningState::Busy(_)
            | ProvisioningState::Succeeded
            | ProvisioningState::Failed
            | ProvisioningState::Canceled => None,
        }
    }

    /// Whether Azure has begun there what we have sent, and not brought it to its end: nodes may be cordoned,
    /// surge nodes may be there, and workloads may be broken by just that.
    ///
    /// A version that is the target's already tells that it was begun. The image stays old until the end, so
    /// that a pool which is to get one and is broken counts: it was whole when the step was planned.
    pub(in crate::decide) fn is_half_done(&self, step: &Step, operation: &Operation) -> bool {
        let was_begun = match step.kind {
            StepKind::ControlPlane | StepKind::NodePoolVersion => self.at_target,
            StepKind::NodePoolImage | StepKind::NodePoolRollback => true,
        };
        operation.claims > 0 && self.state.is_broken() && was_begun
    }

    /// The version, when it is neither the one before the step nor the one after it.
    pub(in crate::decide) fn elsewhere(&self, step: &Step) -> Option<String> {
        let shown = self.version(step.kind)?;
        (shown != step.version_before() && shown != step.version_after()).then_some(shown)
    }

    fn is_at_version_of(&self, step: &Step) -> bool {
        self.pool.is_some_and(|pool| pool.version.to_string() == step.version_after())
    }

    /// Whether this upgrade accounts for the version that is shown.
    pub(in crate::decide) fn is_accounted_for(&self, view: &View<'_>) -> bool {
        let Some(expected) = &view.ledger.expected else { return false };
        match self.pool {
            None => expected.control_plane == self.cluster.version,
            Some(pool) => expected.pools.get(&pool.name).is_none_or(|known| *known == pool.version),
        }
    }

    fn version(&self, kind: StepKind) -> Option<String> {
        match kind {
            StepKind::ControlPlane => Some(self.cluster.version.to_string()),
            StepKind::NodePoolVersion | StepKind::NodePoolRollback => {
                self.pool.map(|pool| pool.version.to_string())
            }
            StepKind::NodePoolImage => None,
        }
    }
}

/// Whether a pool shows the version and the image that its rollback leads to.
fn has_gone_back(pool: &NodePool, step: &Step) -> bool {
    pool.version.to_string() == step.version_after() && step.image_after() == Some(&pool.node_image)
}
