//! Recognitions with their validity, never a yes or no; the sets overlap and are never added up.

pub mod api;
pub mod rules;
pub mod store;
