//! Exports: what a list shows, as a file. A worker writes it in pieces, each an object; a row says which count and where the next goes on, so that
//! a process may die at any moment. A file goes after a week; that it was made, and for what, stays in the log.

pub mod api;
pub mod rules;
pub mod store;
mod table;
pub mod watch;
mod words;
