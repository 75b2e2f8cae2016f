//! The audit administrator's page over everybody's log: reads, never writes.

pub mod api;
