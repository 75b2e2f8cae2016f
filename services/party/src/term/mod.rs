//! Committees: who was elected, on which day, into which posts, and until when. One is in office at a time; a newer one ends the older.

pub mod api;
pub mod rules;
pub mod store;
