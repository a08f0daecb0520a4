//! The listing that all clusters of a subscription share, as one cluster sees it.

use std::future::Future;

use azure_mgmt_containerservice::ClusterId;
use engine::Glance;
use jiff::Timestamp;

/// Shows a cluster as a shared listing had it.
pub trait Listing: Send + Sync {
    /// The cluster in a listing that was begun after `since`; without it, in any recent one.
    fn glance(&self, cluster: &ClusterId, since: Option<Timestamp>) -> impl Future<Output = Glance> + Send;
}

/// No listing: every look at a cluster is a read.
#[derive(Clone, Copy, Debug)]
pub struct NoListing;

impl Listing for NoListing {
    async fn glance(&self, _: &ClusterId, _: Option<Timestamp>) -> Glance {
        Glance::Unavailable
    }
}
