//! Service days (企业服务日): units keep desks at one place on one day, companies are invited and reply, and what they bring becomes requests that
//! are followed until all are over.

pub mod api;
pub mod rules;
pub mod store;
mod tell;
