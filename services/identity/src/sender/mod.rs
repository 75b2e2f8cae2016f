//! Senders: by which account a district reaches people, and the worker's hand that does it.

pub mod api;
pub mod carry;
mod email;
pub mod route;
pub mod rules;
mod sms;
pub mod store;
mod template;
