//! What crosses services: a whole installation for tests, people who sign in, and readers of the sources.

pub mod clients;
pub mod heard;
pub mod hotline;
pub mod sources;
pub mod storm;
pub mod surface;
pub mod world;
