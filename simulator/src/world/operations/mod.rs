//! What goes on in a cluster: operations as clients follow them, and the work behind them down to the
//! single node.

pub(in crate::world) mod control_plane;
pub(in crate::world) mod failure;
pub(in crate::world) mod job;
pub(in crate::world) mod operation;
mod progress;
pub(in crate::world) mod rollout;
pub(in crate::world) mod work;
