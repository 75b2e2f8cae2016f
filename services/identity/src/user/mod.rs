//! People of a district: staff of its units and of its companies. The phone is sealed; who is shut out is out at once.

pub mod api;
pub mod rules;
pub mod store;
