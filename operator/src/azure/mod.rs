//! Azure as the engine's port `Fleet`.

mod convert;
mod fleet;
mod settings;
mod steady;

pub(crate) use convert::with_causes;
pub(crate) use fleet::{AzureFleet, RegionCache};
pub(crate) use settings::{AzureArgs, connect};
pub(crate) use steady::steady;
