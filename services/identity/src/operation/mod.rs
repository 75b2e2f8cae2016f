//! How the platform works, for those who run a district: every service is asked at once for its own state, and one that is down hides none of
//! the others.

pub mod api;
pub mod rules;
