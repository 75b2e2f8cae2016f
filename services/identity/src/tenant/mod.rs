//! Districts: what the gateway resolves a code or host to, and how a new one is onboarded by the platform's own program, with its three
//! officers and nobody else.

pub mod api;
pub mod onboard;
pub mod store;
