//! What direct calls, service days and discussions have in common: a row whose facts are kept as JSON, a history, the units and companies
//! that see it, clocks that speak once, a list.

pub mod rules;
pub mod store;
pub mod watch;

use drumtower_proto::ticketing as wire;
use drumtower_runtime::{Reach, Refusal, clock::to_proto, log::NewEvent};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::clock::rules::{Clock, Word};

/// A kind of thing that is kept this way.
pub trait Noun: Serialize + DeserializeOwned + Send + Sync {
    /// Its table, and what it is called where it is not found.
    const NAME: &'static str;

    fn state(&self) -> i32;

    /// Its place in lists; never changes.
    fn at(&self) -> Timestamp;

    /// Units and companies that see it from the beginning.
    fn parties(&self) -> Vec<Uuid>;

    /// Its clocks, each with its number.
    fn clocks(&self) -> Vec<(i32, &Clock)>;
}

/// A thing that clocks speak of.
pub trait Clocked: Noun {
    /// It after a clock has said what it had to say.
    fn fired(&self, number: i32, at: Timestamp) -> Result<(Self, Word), Refusal>
    where
        Self: Sized;

    /// The unit whose clock it is.
    fn unit_of(&self, number: i32) -> Option<Uuid>;

    /// Whom that concerns.
    fn spoke(kept: &Kept<Self>, number: i32, word: Word) -> NewEvent
    where
        Self: Sized;
}

/// A thing as it is kept.
#[derive(Debug, Clone)]
pub struct Kept<T> {
    pub id: Uuid,
    pub version: i64,
    pub thing: T,
}

impl<T: Noun> Kept<T> {
    /// Itself, if the caller's roles reach it; else it is answered like one that does not exist.
    pub fn reached(self, reach: &Reach) -> Result<Self, Refusal> {
        let sees = |party: &Uuid| reach.nodes.contains(party) || reach.enterprise == Some(*party);
        if reach.all || self.thing.parties().iter().any(sees) { Ok(self) } else { Err(Refusal::not_found(T::NAME)) }
    }

    /// Itself, if it is still as the caller saw it.
    pub fn fresh(self, etag: &str) -> Result<Self, Refusal> {
        rules::fresh(etag, self.version)?;
        Ok(self)
    }
}

/// An event as the contract shows it.
pub fn told(event: store::Told) -> wire::OutreachEvent {
    wire::OutreachEvent {
        version: event.version,
        verb: event.verb,
        actor_id: if Uuid::try_parse(&event.actor).is_ok() { event.actor } else { String::new() },
        unit_id: event.unit_id.map(|unit| unit.to_string()).unwrap_or_default(),
        text: event.text,
        at: Some(to_proto(event.at.to_jiff())),
    }
}
