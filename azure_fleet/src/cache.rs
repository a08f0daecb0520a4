//! What Azure offers changes rarely and is asked for often: kept for a while, shared by all clusters.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use engine::{Maintenance, OfferedVersion, RegionVersion};
use jiff::Timestamp;

/// AKS releases versions weekly, region by region.
const REGION_TTL: Duration = Duration::from_secs(4 * 3600);
/// Upgrade profiles share a bucket of one call a second with the rest of the subscription. An image that is pinned for
/// a rollout is compared with what they say.
const PROFILE_TTL: Duration = Duration::from_secs(1800);
/// A cluster's own maintenance windows are read by everything that is about to start there: a wave of steps in one
/// cluster takes hours, and who changes them expects that to count soon.
const MAINTENANCE_TTL: Duration = Duration::from_secs(300);

/// What Azure offers, as last read.
#[derive(Debug)]
pub struct OfferCache {
    /// Versions of a region, by subscription and location.
    pub(crate) regions: Cache<Vec<RegionVersion>>,
    /// Upgrades of a control plane, by cluster and its version.
    pub(crate) control_planes: Cache<Vec<OfferedVersion>>,
    /// The newest image, by subscription, location, OS SKU, family and Kubernetes version.
    pub(crate) images: Cache<String>,
    /// The newest image of one pool, by cluster, pool, version and image.
    pub(crate) pool_images: Cache<Option<String>>,
    /// The maintenance windows of a cluster.
    pub(crate) maintenance: Cache<Maintenance>,
}

impl Default for OfferCache {
    fn default() -> Self {
        Self {
            regions: Cache::new(REGION_TTL),
            control_planes: Cache::new(PROFILE_TTL),
            images: Cache::new(PROFILE_TTL),
            pool_images: Cache::new(PROFILE_TTL),
            maintenance: Cache::new(MAINTENANCE_TTL),
        }
    }
}

/// Values that are good for some time. Keys name everything that the value depends on.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    ttl: Duration,
    entries: Mutex<BTreeMap<String, (Timestamp, V)>>,
}

impl<V: Clone> Cache<V> {
    fn new(ttl: Duration) -> Self {
        Self { ttl, entries: Mutex::default() }
    }

    /// The value, unless it is too old.
    pub(crate) fn get(&self, key: &str, now: Timestamp) -> Option<V> {
        let entries = self.entries.lock().ok()?;
        entries.get(key).filter(|(read, _)| now < *read + self.ttl).map(|(_, value)| value.clone())
    }

    /// Keeps a value, and drops those that are too old.
    pub(crate) fn put(&self, key: String, now: Timestamp, value: V) {
        if let Ok(mut entries) = self.entries.lock() {
            entries.retain(|_, (read, _)| now < *read + self.ttl);
            entries.insert(key, (now, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_is_too_old() {
        let cache = Cache::new(Duration::from_secs(60));
        let at = |second| Timestamp::from_second(second).unwrap();
        cache.put("a".to_owned(), at(0), 1);
        assert_eq!(cache.get("a", at(59)), Some(1));
        assert_eq!(cache.get("a", at(60)), None);
        cache.put("b".to_owned(), at(60), 2);
        assert_eq!(cache.entries.lock().unwrap().len(), 1, "what is too old does not stay in memory");
    }
}
