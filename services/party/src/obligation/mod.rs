//! What organisations owe by rule: computed from facts, never typed in. Due on a day, fulfilled by what happened, superseded when what
//! it rested on changed, waived with a reason; reminded of exactly once a step, whenever the evaluation happens to run.

pub mod api;
pub mod evaluator;
pub mod rules;
pub mod store;
pub mod sweep;
