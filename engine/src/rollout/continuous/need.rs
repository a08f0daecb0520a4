//! What one cluster needs, as its inventory shows. Pure.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

use crate::{
    cluster::Cluster,
    image,
    offers::Offers,
    plan::{Outline, PlannedStep, Stays, outline},
    planted::{PlantedBug, planted},
    policy::Policy,
    refusal::Refusal,
    step::StepKind,
    target::{Scope, Target},
};

/// An image alone, in a plan that is about Kubernetes versions and says nothing of the age of images, is
/// reason for a rollout from this age on: patches come about monthly and bring an image with them.
const IMAGES_ALONE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a cluster needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing that would be reason for a rollout, and when that will be otherwise by the passing of time.
    Nothing {
        /// An image reaches the age at which it is to be replaced.
        until: Option<Timestamp>,
    },
    /// An upgrade.
    Upgrade,
    /// An upgrade that cannot start: the reason.
    Hindered(String),
    /// Something is going on there: what it needs is told when that is over.
    Busy,
}

/// What the cluster needs to be at the target.
pub(super) fn need_of(
    cluster: &Cluster,
    target: &Target,
    policy: &Policy,
    offers: &Offers,
    now: Timestamp,
) -> Need {
    if cluster.busy_with().is_some() {
        return Need::Busy;
    }
    let Outline { plan, refusals } = outline(cluster, target, policy, offers, now);
    let limit = image_limit(target);
    let is_reason = |planned: &&PlannedStep| match planned.step.kind {
        // What somebody's operation has left broken is theirs to mend.
        _ if planned.repair => false,
        StepKind::ControlPlane | StepKind::NodePoolVersion => true,
        // Planned by nobody.
        StepKind::NodePoolRollback => false,
        StepKind::NodePoolImage => {
            let (from, to) = (&planned.step.from, &planned.step.to);
            is_newer(from, to) && limit.is_none_or(|limit| is_older(from, limit, now))
        }
    };
    let needs = plan.steps.iter().any(|planned| is_reason(&planned));
    let behind = target
        .kubernetes
        .as_ref()
        .is_some_and(|wanted| target.scope.has_control_plane() && cluster.version < *wanted);
    let is_ahead = refusals.iter().any(|refusal| matches!(refusal, Refusal::Downgrade { .. }));
    match refusals.first() {
        // Somebody has taken it further than this plan goes: there is no way back, and nothing to do.
        Some(_) if is_ahead => Need::Nothing { until: None },
        Some(why) if needs || behind => Need::Hindered(why.to_string()),
        None if needs => Need::Upgrade,
        Some(_) | None => {
            let young = plan.left_alone.iter().filter_map(|left| {
                let Stays::ImageYoung { published, allowed } = left.why else { return None };
                past(published, allowed)
            });
            let alone = plan.steps.iter().filter(|planned| planned.step.kind == StepKind::NodePoolImage);
            let alone = alone.filter_map(|planned| past(image::published(&planned.step.from)?, days(limit?)));
            Need::Nothing { until: young.chain(alone).filter(|at| *at > now).min() }
        }
    }
}

/// From which age on an image alone is reason for a rollout; `None` when any newer one is.
fn image_limit(target: &Target) -> Option<Duration> {
    let is_about_images = target.scope == Scope::NodeImage || planted(PlantedBug::RollForAnyImage);
    (!is_about_images && target.max_image_age.is_none()).then_some(IMAGES_ALONE)
}

/// Whether an image is newer than another, as far as their names tell: what the inventory calls the newest
/// may have been asked for before somebody rolled the pool.
fn is_newer(from: &str, to: &str) -> bool {
    match (image::published(from), image::published(to)) {
        (Some(from), Some(to)) => to >= from,
        (None, _) | (_, None) => true,
    }
}

/// Whether an image has reached an age; one whose name does not tell its age has.
fn is_older(image: &str, limit: Duration, now: Timestamp) -> bool {
    image::age_in_days(image, now).is_none_or(|age| u64::from(age) > days(limit))
}

fn days(age: Duration) -> u64 {
    age.as_secs() / 86_400
}

/// The first instant at which an image is older than so many days.
fn past(published: Date, allowed: u64) -> Option<Timestamp> {
    let days = i64::try_from(allowed).ok()?.checked_add(1)?;
    let day = published.checked_add(days.days()).ok()?;
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
