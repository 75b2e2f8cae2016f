//! A request for help, from submission to rating. Every change is an event; the row is what the events make of it, and reading them again
//! makes it again.

pub mod api;
mod aside;
pub mod cards;
pub mod change;
pub mod import;
mod itself;
pub mod number;
pub mod query;
mod rating;
pub mod rules;
pub mod shown;
pub mod store;
pub mod submit;
pub mod tell;
pub mod watch;
pub mod worklist;

pub use itself::{by_itself, some_by_themselves};
