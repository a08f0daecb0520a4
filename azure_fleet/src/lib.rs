//! AKS clusters as the engine's port [`Fleet`](engine::Fleet), on the management client.
//!
//! Operator and simulation share it: what is read of Azure's documents, what is written back and
//! under which precondition is the same in both. Knows no Kubernetes and no clock of its own.

mod cache;
mod convert;
mod fleet;
mod listing;
mod settings;

pub use cache::OfferCache;
pub use convert::{cluster, failure, held_back, maintenance, with_causes};
pub use engine::steady;
pub use fleet::{AzureFleet, Now};
pub use listing::{Listing, NoListing};
