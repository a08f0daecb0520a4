//! Whether a pool that gets no version step gets a newer image.

use jiff::Timestamp;

use super::Stays;
use crate::{
    cluster::NodePool,
    image,
    offers::Offers,
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
        NodeImagePolicy::Latest => {}
        NodeImagePolicy::Skip => return Err(Stays::ImageSkipped),
    }
    let Some(newest) = offers.images.get(&pool.name) else { return Err(Stays::ImageUnknown) };
    if pool.node_image == *newest {
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
    Ok(newest)
}
