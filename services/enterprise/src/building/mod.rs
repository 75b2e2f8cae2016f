//! Buildings (楼宇载体): where companies sit and people check in.

pub mod api;
pub mod rules;
pub mod store;
