//! What the end-to-end tests and the demo stand on: see [`stage`].
#![recursion_limit = "256"]

pub mod demo;
pub mod proxy;
pub mod stage;
