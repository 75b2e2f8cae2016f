//! Companies: who they are, by which code, found by two characters of a name.

pub mod api;
pub mod code;
pub mod rules;
pub mod store;
