//! The service catalog: approval items and park services, with what to bring and how long it takes.

pub mod api;
pub mod rules;
pub mod store;
