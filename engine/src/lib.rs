//! Decides what happens to a fleet of AKS clusters, and when.
//!
//! Everything comes in as an argument (specification, recorded status, observation,
//! gate verdicts, the current instant), one decision comes out. Nothing here knows
//! of tokio, kube, HTTP or a clock.

mod time_scale;

pub use time_scale::{InvalidTimeScale, TimeScale};
