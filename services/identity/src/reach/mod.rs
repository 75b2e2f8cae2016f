//! How a person is reached beside the inbox: proved addresses, and wishes about when.

pub mod api;
pub mod rules;
pub mod store;
