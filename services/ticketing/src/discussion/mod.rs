//! One company, one discussion (一企一议): units meet over one company's matter. What they decide becomes tasks with clocks, each confirmed by
//! the convener or sent back, until the discussion can be closed.

pub mod api;
pub mod rules;
mod tell;
