//! Which part a pool has in an upgrade: it takes part, it stays as it is, or it stands in the way.

use std::fmt;

use jiff::civil::Date;

use crate::{
    cluster::{Cluster, NodePool, Power, ProvisioningState},
    os_sku,
    planted::{PlantedBug, planted},
    policy::Policy,
    refusal::Refusal,
    target::{Scope, Target},
};

/// Why a pool gets no step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// The plan excludes it; the index of the exclusion.
    Excluded(usize),
    /// The plan is about control planes only.
    OutOfScope,
    /// It is stopped.
    Stopped,
    /// Azure makes its nodes, which follow the control plane by themselves: AKS refuses to upgrade
    /// them by command ("Node auto-provisioning in AKS"; Azure/azure-cli#33693).
    Provisioned,
    /// A snapshot of that name pins it, and it is at the version that is wanted.
    Pinned(String),
    /// It has what is wanted.
    Done,
    /// The plan leaves images alone.
    ImageSkipped,
    /// Azure does not say which image is the newest.
    ImageUnknown,
    /// Its image is younger than the plan cares for.
    ImageYoung {
        /// The day on which the image was published.
        published: Date,
        /// `maxImageAge`, in days.
        allowed: u64,
    },
    /// The rollout has one image for all its pools, which this pool's region does not have yet.
    ImageAwaited {
        /// That image.
        pinned: String,
    },
    /// The rollout has one image for all its pools, and this pool's region has a newer one by now: AKS brings
    /// no pool to any other than that.
    ImageSuperseded {
        /// The rollout's image.
        pinned: String,
        /// What there is instead.
        offered: String,
    },
}

impl Stays {
    /// The reason in one word, for programs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Excluded(_) => "Excluded",
            Self::OutOfScope => "OutOfScope",
            Self::Stopped => "PoolStopped",
            Self::Provisioned => "NodeAutoProvisioning",
            Self::Pinned(_) => "Pinned",
            Self::Done => "Done",
            Self::ImageSkipped => "ImageSkipped",
            Self::ImageUnknown => "ImageUnknown",
            Self::ImageYoung { .. } => "ImageYoung",
            Self::ImageAwaited { .. } => "ImageAwaited",
            Self::ImageSuperseded { .. } => "ImageSuperseded",
        }
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Excluded(index) => write!(f, "spec.nodePools.exclude[{index}]"),
            Self::OutOfScope => f.write_str("spec.target.scope is ControlPlane"),
            Self::Stopped => f.write_str("it is stopped, and follows when it is started"),
            Self::Provisioned => f.write_str(
                "node auto-provisioning makes its nodes: they follow the control plane by themselves, as far as disruption budgets let them, and the upgrade is done without them",
            ),
            Self::Pinned(snapshot) => {
                write!(f, "it is pinned to snapshot {snapshot}, whose version and image it keeps")
            }
            Self::Done => f.write_str("its version and image are what is wanted"),
            Self::ImageSkipped => f.write_str("spec.target.nodeImage is Skip"),
            Self::ImageUnknown => f.write_str("Azure names no newest image for it"),
            Self::ImageYoung { published, allowed } => {
                write!(f, "its image is of {published}, younger than maxImageAge ({allowed} days)")
            }
            Self::ImageAwaited { pinned } => {
                write!(f, "the rollout takes image {pinned}, which its region does not have yet")
            }
            Self::ImageSuperseded { pinned, offered } => write!(
                f,
                "the rollout takes image {pinned}, and AKS brings it to {offered} only, which is another: a later rollout does"
            ),
        }
    }
}

/// The part that a pool has.
pub(super) enum Part {
    /// It takes part: it gets what is wanted.
    Moves,
    /// Nothing is done to it.
    Stays(Stays),
    /// It is to take part, and cannot.
    Refused(Refusal),
}

/// The part of one pool in the upgrade.
pub(super) fn part_of(pool: &NodePool, target: &Target, policy: &Policy) -> Part {
    if let Some(index) = policy.excluded(pool).filter(|_| !planted(PlantedBug::TouchLeftOut)) {
        return Part::Stays(Stays::Excluded(index));
    }
    if pool.is_managed_by_azure() {
        return Part::Stays(Stays::Provisioned);
    }
    if pool.power == Power::Stopped {
        return Part::Stays(Stays::Stopped);
    }
    if target.scope == Scope::ControlPlane {
        return Part::Stays(Stays::OutOfScope);
    }
    hindered(pool, target).unwrap_or(Part::Moves)
}

/// The pools that may get steps.
pub(crate) fn taking_part<'a>(
    cluster: &'a Cluster,
    target: &'a Target,
    policy: &'a Policy,
) -> impl Iterator<Item = &'a NodePool> {
    cluster.pools.iter().filter(|pool| matches!(part_of(pool, target, policy), Part::Moves))
}

/// What a pool that is to take part suffers from.
fn hindered(pool: &NodePool, target: &Target) -> Option<Part> {
    let name = || pool.name.clone();
    let wanted = target.kubernetes.as_ref().filter(|_| target.scope.has_pool_versions());
    let wanted = wanted.filter(|wanted| pool.version < **wanted);
    if let Some(snapshot) = pool.snapshot.clone() {
        return Some(match wanted {
            Some(_) => {
                Part::Refused(Refusal::Pinned { pool: name(), snapshot, version: pool.version.clone() })
            }
            None => Part::Stays(Stays::Pinned(snapshot)),
        });
    }
    if let (Some(wanted), Some(last)) = (wanted, os_sku::last_minor(&pool.os_sku))
        && wanted.minor() > last
    {
        return Some(Part::Refused(Refusal::OsSkuEnds {
            pool: name(),
            os_sku: pool.os_sku.clone(),
            last,
            instead: os_sku::way_out(&pool.os_type),
        }));
    }
    let state = pool.provisioning_state.clone();
    match state {
        ProvisioningState::Canceled => {
            Some(Part::Refused(Refusal::PoolAborted { pool: name(), version: pool.version.clone() }))
        }
        ProvisioningState::Failed if !target.scope.has_pool_versions() => {
            Some(Part::Refused(Refusal::PoolNotReady {
                pool: name(),
                state,
                stays: "is not repaired with scope NodeImage".to_owned(),
                version: pool.version.clone(),
            }))
        }
        ProvisioningState::Succeeded | ProvisioningState::Failed | ProvisioningState::Busy(_) => None,
    }
}
