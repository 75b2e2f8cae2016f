//! What was revoked before it ended: sessions, people, and people whose roles changed. Every process follows identity's log and keeps
//! what is younger than a token's life; a check costs a look into a map. An RPC that asks for a recent sign-in is refused while the
//! feed is behind.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use drumtower_proto::log::Event;
use moka::sync::Cache;
use uuid::Uuid;

use crate::{
    clock::Clock,
    db::Db,
    log::{Follow, follow},
    peers::Peers,
    token::Claims,
};

/// A token lives five minutes and a clock may be off by half a minute.
const KEPT: Duration = Duration::from_secs(360);
/// Older news than this is no news.
const FRESH: Duration = Duration::from_secs(5);
/// How many events back a starting process looks, to know what was revoked just before.
const BACK: i64 = 2000;

/// The revocations now in force.
#[derive(Debug, Clone)]
pub struct Revocations {
    sessions: Cache<Uuid, ()>,
    people: Cache<Uuid, i64>,
    caught_up: Arc<Mutex<Option<Instant>>>,
}

impl Default for Revocations {
    fn default() -> Self {
        Self {
            sessions: Cache::builder().time_to_live(KEPT).max_capacity(1_000_000).build(),
            people: Cache::builder().time_to_live(KEPT).max_capacity(1_000_000).build(),
            caught_up: Arc::default(),
        }
    }
}

impl Revocations {
    /// Whether a token is void: its session ended, or it was issued before the person's rights changed, which their record's version says.
    pub fn revoked(&self, claims: &Claims) -> bool {
        self.sessions.contains_key(&claims.sid) || self.people.get(&claims.sub).is_some_and(|version| claims.ep < version)
    }

    /// Whether the feed was read to its end a moment ago.
    pub fn fresh(&self) -> bool {
        self.caught_up.lock().is_ok_and(|at| at.is_some_and(|at| at.elapsed() < FRESH))
    }

    /// Follows identity's log until the process ends.
    pub async fn run(self, db: Db, peers: Peers, clock: Clock) {
        let heard = self.clone();
        follow("identity", BACK, db, peers, clock, move |news| match news {
            Follow::Event(_, event) => heard.take(event),
            Follow::CaughtUp(at) => {
                if let Ok(mut caught_up) = heard.caught_up.lock() {
                    *caught_up = Some(at);
                }
            }
        })
        .await;
    }

    /// `session.ended` names a session; `user.disabled`, `user.roles_changed` name a person whose older tokens are void.
    pub fn take(&self, event: &Event) {
        let Ok(subject) = Uuid::try_parse(&event.subject) else { return };
        match event.r#type.as_str() {
            "session.ended" => self.sessions.insert(subject, ()),
            "user.disabled" | "user.roles_changed" => {
                let newest = self.people.get(&subject).unwrap_or(0).max(event.version);
                self.people.insert(subject, newest);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token;

    #[test]
    fn a_change_of_roles_voids_older_tokens_and_leaves_newer_ones() {
        let revocations = Revocations::default();
        let at: jiff::Timestamp = "2026-11-24T02:00:00Z".parse().expect("a time");
        let person = Uuid::now_v7();
        let token = |version| token::claims(person, 1, Uuid::now_v7(), at, None, None, version, vec![], at);
        let event = Event { r#type: "user.roles_changed".into(), subject: person.to_string(), version: 5, ..Event::default() };
        assert!(!revocations.revoked(&token(4)));
        revocations.take(&event);
        assert!(revocations.revoked(&token(4)));
        assert!(!revocations.revoked(&token(5)));
        revocations.take(&Event { version: 3, ..event });
        assert!(revocations.revoked(&token(4)));
    }
}
