//! Members and where each belongs, day by day: one formal membership at any instant, none lost between two. Personal data is sealed;
//! a look behind the mask is kept, and the member sees it.

pub mod api;
pub mod rules;
pub mod store;
