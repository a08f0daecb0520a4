//! Azure: how it is reached, how much of its limits is spent, and the listings that all clusters share.

#[cfg(test)]
mod held_back;
mod limiter;
mod limits;
#[cfg(test)]
mod role;
mod settings;
mod sweep;

pub(crate) use limiter::Limiter;
pub(crate) use limits::Urgency;
pub(crate) use settings::{AzureArgs, connect};
pub(crate) use sweep::{ObjectName, Sweeper, WakeUps, Watch, wake_ups};
