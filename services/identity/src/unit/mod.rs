//! Units of a district: departments, streets, centres, as a tree. A person works in one; a role may be limited to one and those below.

pub mod api;
pub mod rules;
pub mod store;
