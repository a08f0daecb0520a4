//! When a continuous plan starts another rollout, and over which clusters. Pure.
//!
//! Goes by the inventory alone, and only as far as that is fresh: what is not known, what is busy and what
//! cannot start is left out and joins a later rollout. What a cluster needs is what the planner of single
//! upgrades would do to it, so that no rollout starts that finds nothing to do; but a rollout that brings a
//! Kubernetes version does not start for young images alone.

mod need;
mod watching;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ResolvedTarget;
use crate::{
    cluster::Cluster,
    image::{family, pins, published},
    instants::{is_far_ahead, later},
    offers::Offers,
    planted::{PlantedBug, planted},
    policy::Policy,
    target::{
        Channel, KubernetesRequest, NodeImagePolicy, Scope, Target, Unresolvable, common_to_all, resolve,
    },
    version::KubernetesVersion,
};
use need::{Need, need_of};

pub use watching::Watching;

/// How old a listing may be that a rollout starts on: twice as old as one becomes when all is well.
const LISTING_IS_OLD: Duration = Duration::from_secs(2 * 3600 + 1800);
/// How old what Azure offers may be that a rollout starts on: twice as old as it becomes when all is well.
const OFFERS_ARE_OLD: Duration = Duration::from_secs(12 * 3600);
/// What a rollout has left undone starts no other by itself until its target has moved, or for so long.
const LEFT_IN_PEACE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A cluster in which a rollout has found nothing to do is reason for no other until its target has moved, or
/// for so long. Whatever makes the inventory believe that there is something (others have changed the cluster
/// since it was listed; it shows what upgrades do not go by) shall not make rollouts follow each other in a
/// circle. Longer than anything that a rollout may start on is old.
const FOUND_AT_TARGET: Duration = Duration::from_secs(24 * 3600);

/// Whether a plan runs once, or again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    #[default]
    #[expect(missing_docs, reason = "one rollout, until the plan changes")]
    Once,
    #[expect(missing_docs, reason = "another rollout when clusters need something again")]
    Continuous,
}

/// What a plan wants of all its clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What is changed.
    pub scope: Scope,
    /// The version, as the user wrote it.
    pub kubernetes: Option<KubernetesRequest>,
    /// What happens to images.
    pub node_image: NodeImagePolicy,
    /// Images younger than this are left alone.
    pub max_image_age: Option<Duration>,
    /// How it is done, and to which pools.
    pub policy: Policy,
}

/// What is known of one cluster of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Inventory<'a> {
    /// Its name.
    pub name: &'a str,
    /// As Azure showed it, and when.
    pub cluster: Option<(&'a Cluster, Timestamp)>,
    /// What Azure offers it, and when it did.
    pub offers: Option<(&'a Offers, Timestamp)>,
    /// When the last upgrade of it ended, if there was one: what was known before says nothing any more.
    pub upgraded_at: Option<Timestamp>,
    /// Whether no rollout starts before this one is known: it can be read, so it will be before long.
    pub awaited: bool,
}

/// What a rollout that is over has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What its target was resolved to.
    pub target: ResolvedTarget,
    /// When it ended, or when a cluster of it that had failed has come to its end, or was tried again, after that.
    pub rests_since: Timestamp,
    /// Clusters of it that have not come to their end: skipped, or failed within the budget.
    pub clusters: BTreeSet<String>,
    /// Clusters of it that it has found at their target: their upgrades ended without a step.
    pub found_at_target: BTreeSet<String>,
}

impl Left {
    /// Until when a cluster is reason for no other rollout to this target.
    fn rests_until(&self, cluster: &str, target: &ResolvedTarget, now: Timestamp) -> Option<Timestamp> {
        // What a clock that was wrong has written holds nothing up.
        if self.target != *target || is_far_ahead(self.rests_since, now) {
            return None;
        }
        if self.clusters.contains(cluster) {
            return Some(later(self.rests_since, LEFT_IN_PEACE));
        }
        self.found_at_target.contains(cluster).then(|| later(self.rests_since, FOUND_AT_TARGET))
    }
}

/// What there is to do for a continuous plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// What its target stands for now.
    pub target: ResolvedTarget,
    /// The clusters of a rollout that starts now; empty when none does.
    pub clusters: BTreeSet<String>,
    /// What is watched when none does.
    pub watching: Watching,
}

impl Inventory<'_> {
    /// What is known, as far as a rollout may be started on it.
    fn fresh(&self, now: Timestamp) -> Option<(&Cluster, &Offers)> {
        let (cluster, read_at) = self.cluster?;
        let (offers, offered_at) = self.offers?;
        // From the future is what was noted before a clock was set back: as good as old.
        let is_fresh = |read_at: Timestamp, age: Duration| {
            let is_recent = read_at <= now && now <= read_at + age;
            is_recent && self.upgraded_at.is_none_or(|upgraded_at| upgraded_at <= read_at)
        };
        let both = is_fresh(read_at, LISTING_IS_OLD) && is_fresh(offered_at, OFFERS_ARE_OLD);
        (both || planted(PlantedBug::StartOnOldKnowledge)).then_some((cluster, offers))
    }

    /// Whether others wait until this one is known. What Azure offers is not asked while something runs there.
    fn holds_others(&self, now: Timestamp) -> bool {
        let is_busy = self.cluster.is_some_and(|(cluster, _)| cluster.busy_with().is_some());
        self.awaited && !is_busy && self.fresh(now).is_none()
    }
}

/// Looks at the clusters of a continuous plan of which no rollout runs.
///
/// After an outage clusters become known again one by one. The first of them do not start alone: they may be those
/// of the last wave.
///
/// # Errors
/// When the target stands for nothing that Azure has for all clusters of which is known what it has.
pub fn watch(
    wanted: &Wanted,
    inventory: &[Inventory<'_>],
    left: Option<&Left>,
    now: Timestamp,
) -> Result<Outlook, Unresolvable> {
    let known = inventory.iter().filter_map(|known| Some((known.name, known.fresh(now)?)));
    let known: BTreeMap<&str, (&Cluster, &Offers)> = known.collect();
    let shared = newest_of_regions(known.values().copied());
    let told: BTreeMap<&str, Offers> = known
        .iter()
        .filter_map(|(name, (cluster, offers))| Some((*name, with_newest(cluster, offers, &shared)?)))
        .collect();
    let fresh: BTreeMap<&str, (&Cluster, &Offers)> = known
        .into_iter()
        .map(|(name, (cluster, offers))| (name, (cluster, told.get(name).unwrap_or(offers))))
        .collect();
    let old = || inventory.iter().filter(|known| !fresh.contains_key(known.name));
    let mut watching =
        Watching { unknown: old().map(|known| known.name.to_owned()).collect(), ..Watching::default() };
    if fresh.is_empty() {
        return Ok(Outlook { target: ResolvedTarget::default(), clusters: BTreeSet::new(), watching });
    }
    let (target, clusters) = needy(wanted, &fresh, now, &mut watching)?;
    if inventory.iter().any(|known| known.holds_others(now)) {
        return Ok(Outlook { target, clusters: BTreeSet::new(), watching });
    }
    let rests = |name: &String| left?.rests_until(name, &target, now).filter(|until| now < *until);
    if clusters.iter().any(|name| rests(name).is_none()) {
        return Ok(Outlook { target, clusters, watching });
    }
    watching.next = clusters.iter().filter_map(rests).chain(watching.next).min();
    let is_left = |name: &String| left.is_some_and(|left| left.clusters.contains(name));
    (watching.left, watching.found_at_target) = clusters.into_iter().partition(is_left);
    Ok(Outlook { target, clusters: BTreeSet::new(), watching })
}

/// The newest image of each family in each region, as any cluster there was told: each is asked about only
/// every few hours, and they are to start together.
fn newest_of_regions<'a>(
    known: impl Iterator<Item = (&'a Cluster, &'a Offers)>,
) -> BTreeMap<(&'a str, &'a str), &'a str> {
    let mut newest: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (cluster, offers) in known {
        for image in offers.images.values() {
            let Some(family) = family(image) else { continue };
            let best = newest.entry((&cluster.location, family)).or_insert(image);
            if published(image) > published(best) {
                *best = image;
            }
        }
    }
    newest
}

/// The offers with what others in the region were told since; `None` when that is the same.
fn with_newest(cluster: &Cluster, offers: &Offers, shared: &BTreeMap<(&str, &str), &str>) -> Option<Offers> {
    let newest = |image: &String| shared.get(&(cluster.location.as_str(), family(image)?)).copied();
    let is_old = |image: &String| newest(image).is_some_and(|newest| newest != image);
    offers.images.values().any(is_old).then(|| {
        let images = offers
            .images
            .iter()
            .map(|(pool, image)| (pool.clone(), newest(image).map_or_else(|| image.clone(), str::to_owned)));
        Offers { images: images.collect(), ..offers.clone() }
    })
}

/// The clusters that need something and can get it, and what the target stands for. With images that are
/// pinned the pins follow from the clusters that are to get images, and who needs one from the pins: so the
/// clusters are asked again until both agree, which is at once or after one more round.
fn needy(
    wanted: &Wanted,
    fresh: &BTreeMap<&str, (&Cluster, &Offers)>,
    now: Timestamp,
    watching: &mut Watching,
) -> Result<(ResolvedTarget, BTreeSet<String>), Unresolvable> {
    let version = common_version(wanted, fresh)?;
    let images = match wanted.node_image {
        NodeImagePolicy::Consistent => pins(fresh.values().map(|(_, offers)| *offers)),
        NodeImagePolicy::Latest | NodeImagePolicy::Skip => BTreeMap::new(),
    };
    let target = ResolvedTarget { kubernetes: version.as_ref().map(ToString::to_string), images };
    let mut clusters = BTreeSet::new();
    for (name, (cluster, offers)) in fresh {
        let kubernetes = match &wanted.kubernetes {
            Some(request @ KubernetesRequest::Channel(Channel::Patch)) => {
                Some(resolve(request, offers, Some(&cluster.version))?)
            }
            Some(_) | None => version.clone(),
        };
        let goal = Target {
            scope: wanted.scope,
            kubernetes,
            node_image: wanted.node_image,
            images: target.images.clone(),
            max_image_age: wanted.max_image_age,
        };
        match need_of(cluster, &goal, &wanted.policy, offers, now) {
            Need::Upgrade => {
                clusters.insert((*name).to_owned());
            }
            Need::Hindered(why) => watching.hindered.push(((*name).to_owned(), why)),
            Need::Busy => watching.unknown.push((*name).to_owned()),
            Need::Nothing { until } => {
                watching.next = [watching.next, until].into_iter().flatten().min();
            }
        }
    }
    Ok((target, clusters))
}

/// The version for all of them; `None` where each has its own, or none is wanted.
fn common_version(
    wanted: &Wanted,
    fresh: &BTreeMap<&str, (&Cluster, &Offers)>,
) -> Result<Option<KubernetesVersion>, Unresolvable> {
    match &wanted.kubernetes {
        None | Some(KubernetesRequest::Channel(Channel::Patch)) => Ok(None),
        Some(request) => {
            let offers = common_to_all(fresh.values().map(|(_, offers)| *offers));
            resolve(request, &offers, None).map(Some)
        }
    }
}

#[cfg(test)]
mod tests;
