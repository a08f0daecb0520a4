//! Azure as the engine's port `Fleet`.

mod cache;
mod convert;
mod fleet;
mod limiter;
mod limits;
#[cfg(test)]
mod role;
mod settings;
mod steady;
mod sweep;

pub(crate) use cache::OfferCache;
pub(crate) use convert::with_causes;
pub(crate) use fleet::{AzureFleet, Watch};
pub(crate) use limiter::Limiter;
pub(crate) use limits::Urgency;
pub(crate) use settings::{AzureArgs, connect};
pub(crate) use steady::steady;
pub(crate) use sweep::{ObjectName, Sweeper, WakeUps, wake_ups};
