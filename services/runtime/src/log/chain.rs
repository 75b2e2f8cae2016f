//! The chain: each event's hash covers the hash before it, so that a change, a deletion, a reorder or a fork shows.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What the chain covers of one event. Every field goes in with its length before it, so that no two rows read alike.
#[derive(Debug)]
pub struct Link<'a> {
    /// The district.
    pub tenant: i32,
    /// Number in the district's log.
    pub seq: i64,
    /// Identity.
    pub id: Uuid,
    /// Type.
    pub kind: &'a str,
    /// Row.
    pub subject: &'a str,
    /// Version of the row.
    pub version: i64,
    /// Body.
    pub payload: &'a str,
    /// Who.
    pub actor: &'a str,
    /// When; microseconds, for PostgreSQL keeps no finer ones.
    pub at: Timestamp,
    /// Trace context.
    pub traceparent: &'a str,
    /// Whom it tells.
    pub notify: &'a str,
}

/// Hash of an event after another.
pub fn hash(prev: &[u8], link: &Link<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    add(prev);
    add(&link.tenant.to_be_bytes());
    add(&link.seq.to_be_bytes());
    add(link.id.as_bytes());
    add(link.kind.as_bytes());
    add(link.subject.as_bytes());
    add(&link.version.to_be_bytes());
    add(link.payload.as_bytes());
    add(link.actor.as_bytes());
    add(&link.at.as_microsecond().to_be_bytes());
    add(link.traceparent.as_bytes());
    add(link.notify.as_bytes());
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(kind: &'static str, subject: &'static str) -> Link<'static> {
        let at = Timestamp::UNIX_EPOCH;
        Link { tenant: 1, seq: 1, id: Uuid::nil(), kind, subject, version: 1, payload: "{}", actor: "a", at, traceparent: "", notify: "[]" }
    }

    #[test]
    fn moving_a_letter_between_fields_changes_the_hash() {
        assert_ne!(hash(&[0; 32], &link("ab", "c")), hash(&[0; 32], &link("a", "bc")));
        assert_ne!(hash(&[0; 32], &link("ab", "c")), hash(&[1; 32], &link("ab", "c")));
        assert_eq!(hash(&[0; 32], &link("ab", "c")), hash(&[0; 32], &link("ab", "c")));
    }
}
