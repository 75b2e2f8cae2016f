//! Rules of party life: data with effective dates and sources, never constants. A case keeps the version it began under.

pub mod api;
pub mod rules;
pub mod store;
