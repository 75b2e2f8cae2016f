//! Where a company sits: registered, operating, virtual are three facts with their own days.

pub mod api;
pub mod rules;
pub mod store;
