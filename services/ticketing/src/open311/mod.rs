//! Open311 GeoReport v2: other people's apps submit requests and follow them.

pub mod api;
mod form;
pub mod rules;
mod store;
