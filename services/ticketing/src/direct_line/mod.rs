//! The direct line (直通车): whom a company may ask without a detour, and the calls over it. A call has the contact's own clock, and becomes a
//! request for help when an answer is not enough.

pub mod api;
pub mod rules;
pub mod store;
mod tell;
