//! Signing in: a password proved on a bounded pool, a short access token, a refresh token that is good once. A stolen and replayed
//! refresh token ends its whole family; a lost answer does not. A browser has neither: the gateway asks with the secret of its cookie.

pub mod api;
pub mod chores;
pub mod rules;
pub mod store;
