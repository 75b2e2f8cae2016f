//! Files of companies and of qualifications: every row is new, changed, unchanged, rejected or skipped, and the counts add up.

pub mod qualifications;
pub mod read;
pub mod rules;
pub mod save;
