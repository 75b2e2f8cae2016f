//! The one program of Drumtower: every role, the installation on one machine, its demonstration data. A library too, so that tests
//! start private servers the way `up` does.

pub mod audit;
pub mod database;
pub mod demo;
pub mod doctor;
pub mod installation;
pub mod local;
pub mod role;
pub mod secrets;
pub mod tenant;
pub mod up;

pub use drumtower_runtime::Failure;
