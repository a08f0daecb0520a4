//! The `tidegate` binary: controllers that upgrade AKS clusters, and the command line.

mod api_words;
mod azure;
mod cli;
mod clock;
mod context;
mod controller;
mod leader;
mod supervisor;
mod target;
mod telemetry;
mod timing;

pub use cli::main;
