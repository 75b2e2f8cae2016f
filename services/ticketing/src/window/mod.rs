//! Windows of the service centre, by number.

pub mod api;
pub mod store;
