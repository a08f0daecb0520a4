//! Whether a pool that gets no version step gets a newer image.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Stays;
use crate::{
    cluster::NodePool,
    image,
    offers::Offers,
    planted::{PlantedBug, planted},
    target::{NodeImagePolicy, Target},
};

/// The image to go to, or why the pool keeps its own.
pub(super) fn verdict<'a>(
    pool: &NodePool,
    target: &Target,
    offers: &'a Offers,
    now: Timestamp,
) -> Result<&'a str, Stays> {
    match target.node_image {
        NodeImagePolicy::Latest | NodeImagePolicy::Consistent => {}
        NodeImagePolicy::Skip => return Err(Stays::ImageSkipped),
    }
    let Some(newest) = offers.images.get(&pool.name) else { return Err(Stays::ImageUnknown) };
    if pool.node_image == *newest {
        return Err(Stays::Done);
    }
    if pin_of(pool, (target.node_image, &target.images)).is_some_and(|pinned| has(&pool.node_image, pinned)) {
        return Err(Stays::Done);
    }
    let image = &pool.node_image;
    if let (Some(max_age), Some(published), Some(days)) =
        (target.max_image_age, image::published(image), image::age_in_days(image, now))
    {
        let allowed = max_age.as_secs() / 86_400;
        if u64::from(days) <= allowed {
            return Err(Stays::ImageYoung { published, allowed });
        }
    }
    match barred(pool, (target.node_image, &target.images), offers) {
        Some(why) => Err(why),
        None => Ok(newest),
    }
}

/// Why a pool cannot get the image that is pinned for the rollout by a step that is sent now: AKS brings it to
/// the newest that its region has, by a version step as by an image step, and to no other.
pub(crate) fn barred(
    pool: &NodePool,
    pins: (NodeImagePolicy, &BTreeMap<String, String>),
    offers: &Offers,
) -> Option<Stays> {
    let pinned = pin_of(pool, pins)?;
    let offered = offers.images.get(&pool.name)?;
    if offered == pinned || planted(PlantedBug::IgnorePins) {
        None
    } else if image::published(offered) < image::published(pinned) {
        Some(Stays::ImageAwaited { pinned: pinned.to_owned() })
    } else {
        Some(Stays::ImageSuperseded { pinned: pinned.to_owned(), offered: offered.clone() })
    }
}

/// The image that is pinned for the pool's family.
fn pin_of<'a>(
    pool: &NodePool,
    (policy, images): (NodeImagePolicy, &'a BTreeMap<String, String>),
) -> Option<&'a str> {
    let is_pinned = policy == NodeImagePolicy::Consistent;
    let family = image::family(&pool.node_image).filter(|_| is_pinned)?;
    images.get(family).map(String::as_str)
}

/// Whether an image is the one that is pinned, or newer: there is no way back.
fn has(image: &str, pinned: &str) -> bool {
    image == pinned || image::published(image) > image::published(pinned)
}
