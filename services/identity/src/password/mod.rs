//! Passwords: how they are kept, what one must be, and how somebody gets another.

pub mod api;
pub mod hash;
pub mod rules;
pub mod store;
