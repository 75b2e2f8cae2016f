//! What people write to the district's account on WeChat: they bind it to themselves, ask for help, ask how far it is.

pub mod api;
mod ask;
pub mod rules;
pub mod store;
