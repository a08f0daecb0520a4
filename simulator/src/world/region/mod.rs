//! What a region offers, and what becomes of it as releases come and support ends.

mod calendar;
pub(in crate::world) mod catalog;
pub(in crate::world) mod releases;
