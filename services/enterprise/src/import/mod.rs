//! Files of companies and of qualifications: every row is new, changed, unchanged, rejected or skipped, and the counts add up.
//! Rows are judged one by one and compared with what is there; then all of it is saved, or nothing.

pub mod api;
pub mod rules;
