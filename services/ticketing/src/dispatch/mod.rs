//! Help for dispatchers and for who submits: requests that look the same, and who should lead, with the reason. People decide.

pub mod api;
pub mod auto;
pub mod rules;
pub mod store;
