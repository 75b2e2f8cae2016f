//! Districts: what the gateway resolves a code or host to, how a new one is onboarded by the platform's own program, with its three officers
//! and nobody else, and what those who run the platform see and say of each.

pub mod api;
pub mod onboard;
pub mod rules;
pub mod store;
