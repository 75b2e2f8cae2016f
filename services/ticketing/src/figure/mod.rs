//! The numbers a district publishes: facts kept as they happen, a registry of figures over them, reports frozen with their rows.

pub mod api;
pub mod backfill;
mod live;
pub mod report;
pub mod rollup;
pub mod rules;
pub mod store;
