//! Azure as the engine's port `Fleet`.

mod cache;
mod convert;
mod fleet;
mod settings;
mod steady;

pub(crate) use cache::OfferCache;
pub(crate) use convert::with_causes;
pub(crate) use fleet::AzureFleet;
pub(crate) use settings::{AzureArgs, connect};
pub(crate) use steady::steady;
