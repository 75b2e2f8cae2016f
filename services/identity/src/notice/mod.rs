//! The inbox of each person. Other services say in their events whom to tell; this room reads their logs and writes each notice exactly
//! once, for its cursor moves in the same transaction.

pub mod api;
pub mod consume;
pub mod store;
