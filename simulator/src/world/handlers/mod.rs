//! Calls carried out: one file for each kind of thing that is asked of a cluster or its pools.

mod abort;
mod begin;
mod create;
pub(in crate::world) mod credentials;
mod lifecycle;
mod machines;
mod maintenance;
mod put_cluster;
mod put_pool;
pub(in crate::world) mod reads;
mod writes;
