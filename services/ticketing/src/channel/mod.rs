//! Ways in and out beside people's own hands: the hotline, cameras, Open311 clients. What comes in takes effect once; what goes out is
//! queued by the log and carried until it has arrived.

pub mod api;
pub mod consume;
pub mod intake;
mod receive;
pub mod rules;
pub mod send;
pub mod store;
