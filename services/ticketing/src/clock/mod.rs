//! Promised times: which clock runs how long by which policy, when it is due by the working calendar, and the watch that finds clocks
//! that ran out. Facts are kept, never remainders.

pub mod rules;
pub mod store;
pub mod watch;
