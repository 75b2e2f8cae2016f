//! Meetings with their roll: who was due is computed from the memberships of the day and kept, so that no later transfer changes what
//! a meeting was.

pub mod api;
pub mod rules;
pub mod store;
