//! Zones (片区) of the park, by code.

pub mod api;
pub mod store;
