//! The contract: the generated messages and services, and the descriptors that say who may call what.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

#[expect(clippy::all, reason = "generated from the contract")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}

pub use generated::drumtower::{
    enterprise::v1 as enterprise, identity::v1 as identity, log::v1 as log, options::v1 as options, party::v1 as party,
    ticketing::v1 as ticketing,
};
pub use generated::google;

/// The compiled descriptors with comments and options, as bytes.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The descriptors, decoded once.
pub static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("the build wrote valid descriptors"));
