//! What every service stands on: the call, the guard, the tenant transaction, the log, the clock, the calendar, faults, the cache,
//! telemetry. A handler never repeats what stands here; if it has to, this is what to mend.

pub mod cache;
pub mod calendar;
pub mod call;
pub mod clock;
pub mod config;
pub mod db;
pub mod delivery;
pub mod fault;
pub mod guard;
pub mod housekeeping;
pub mod log;
pub mod mask;
pub mod migrate;
pub mod page;
pub mod peers;
pub mod redis;
pub mod refusal;
pub mod resting;
pub mod revocation;
pub mod seal;
pub mod server;
pub mod state;
pub mod surface;
pub mod telemetry;
pub mod token;
pub mod web;
pub mod wellformed;

pub use call::{Actor, Call, Reach};
pub use clock::Clock;
pub use config::Config;
pub use db::{Db, TenantTx};
pub use fault::Fault;
pub use refusal::{Kind, Refusal};
pub use server::{Failure, Parts};
