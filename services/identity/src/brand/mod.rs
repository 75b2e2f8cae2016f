//! How a district shows itself: name, colour, sign, foot of the page, and the texts that other platforms look for at the root of its address.
//! Everybody reads it; the system administrator sets it.

pub mod api;
pub mod rules;
pub mod store;
