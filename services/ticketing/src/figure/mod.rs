//! The numbers a district publishes: facts kept as they happen, a registry of figures over them, reports frozen with their rows.

pub mod api;
pub mod backfill;
pub mod report;
pub mod rules;
pub mod store;
