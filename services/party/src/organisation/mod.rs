//! Party organisations of a district and who stands under whom, day by day. What an organisation reaches, itself and all below it, is
//! what the roles of its people reach.

pub mod api;
pub mod rules;
pub mod store;
