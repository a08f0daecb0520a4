//! Who acts without being called: upgrades on a channel, the autoscaler, node auto-provisioning. Releases
//! are in [`super::region`].

pub(in crate::world) mod auto_upgrade;
pub(in crate::world) mod autoscaler;
pub(in crate::world) mod provisioner;
pub(in crate::world) mod side_jobs;

pub use autoscaler::NotScaled;
