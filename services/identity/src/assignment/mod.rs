//! Who holds which role, for which node, since when. Granted by the security administrator; the database itself keeps the three officers
//! three people.

pub mod api;
pub mod rules;
pub mod store;
