//! The log: events leave a transaction through the outbox, a sequencer numbers and chains them, readers follow by number. One
//! mechanism for events, audit, change feeds and live views (DESIGN §8).

mod chain;
mod consume;
mod heads;
mod sequence;
mod serve;
mod verify;

use std::borrow::Cow;

use drumtower_proto::log::Notify;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use chain::{Link, hash};
pub use consume::{Consumer, Follow, consume, follow};
pub use heads::sign_heads;
pub use sequence::sequence;
pub use serve::Log;
pub use verify::{Verdict, verify};

/// An event to be written with a transaction.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub(crate) id: Uuid,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) subject: String,
    pub(crate) version: i64,
    pub(crate) payload: String,
    pub(crate) at: Option<Timestamp>,
    pub(crate) notify: Vec<Notify>,
}

impl NewEvent {
    /// `kind` is `<noun>.<past participle>`; `subject` the row's id; `version` the row's version after it.
    pub fn new(kind: impl Into<Cow<'static, str>>, subject: impl ToString, version: i64) -> Self {
        Self {
            id: Uuid::now_v7(),
            kind: kind.into(),
            subject: subject.to_string(),
            version,
            payload: "{}".to_owned(),
            at: None,
            notify: Vec::new(),
        }
    }

    /// Facts of the event, without personal data.
    #[must_use]
    pub fn facts(mut self, facts: serde_json::Value) -> Self {
        self.payload = facts.to_string();
        self
    }

    /// When it happened, if not now: imported facts carry their own times.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// Reaches everybody it tells at once, whatever the hour.
    #[must_use]
    pub fn urgent(mut self) -> Self {
        self.notify.iter_mut().for_each(|notify| notify.urgent = true);
        self
    }

    /// Somebody to be told.
    #[must_use]
    pub fn tell(mut self, notify: Notify) -> Self {
        self.notify.push(notify);
        self
    }

    pub(crate) fn notify_text(&self) -> String {
        let notify: Vec<StoredNotify> = self.notify.iter().cloned().map(StoredNotify::from).collect();
        serde_json::to_string(&notify).unwrap_or_else(|_| "[]".to_owned())
    }
}

/// Tells the holders of a role, for one unit or for the district.
pub fn to_role(role: &str, unit: Option<Uuid>, kind: &str, zh: impl Into<String>, en: impl Into<String>) -> Notify {
    Notify {
        user_id: String::new(),
        unit_id: unit.map(|unit| unit.to_string()).unwrap_or_default(),
        role: role.to_owned(),
        kind: kind.to_owned(),
        text_zh: zh.into(),
        text_en: en.into(),
        enterprise_id: String::new(),
        urgent: false,
    }
}

/// Tells those of a company who ask for help in its name.
pub fn to_company(enterprise: Uuid, kind: &str, zh: impl Into<String>, en: impl Into<String>) -> Notify {
    Notify { enterprise_id: enterprise.to_string(), ..to_role("REQUESTER", None, kind, zh, en) }
}

/// Tells one person.
pub fn to_person(user: Uuid, kind: &str, zh: impl Into<String>, en: impl Into<String>) -> Notify {
    Notify {
        user_id: user.to_string(),
        unit_id: String::new(),
        role: String::new(),
        kind: kind.to_owned(),
        text_zh: zh.into(),
        text_en: en.into(),
        enterprise_id: String::new(),
        urgent: false,
    }
}

/// A notify as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredNotify {
    user: String,
    unit: String,
    role: String,
    kind: String,
    zh: String,
    en: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    enterprise: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    urgent: bool,
}

impl From<Notify> for StoredNotify {
    fn from(notify: Notify) -> Self {
        Self {
            user: notify.user_id,
            unit: notify.unit_id,
            role: notify.role,
            kind: notify.kind,
            zh: notify.text_zh,
            en: notify.text_en,
            enterprise: notify.enterprise_id,
            urgent: notify.urgent,
        }
    }
}

impl From<StoredNotify> for Notify {
    fn from(stored: StoredNotify) -> Self {
        Self {
            user_id: stored.user,
            unit_id: stored.unit,
            role: stored.role,
            kind: stored.kind,
            text_zh: stored.zh,
            text_en: stored.en,
            enterprise_id: stored.enterprise,
            urgent: stored.urgent,
        }
    }
}

/// A row of the outbox or the log.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Row {
    id: Uuid,
    #[sqlx(rename = "type")]
    kind: String,
    subject: String,
    version: i64,
    payload: String,
    actor: String,
    at: jiff_sqlx::Timestamp,
    traceparent: String,
    notify: String,
}
