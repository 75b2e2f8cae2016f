//! Why something was not done. A refusal is an answer, not an accident: it has a stable reason, the field at fault, words in
//! Chinese and English, and says what would be possible. Rules return it; [`crate::fault`] turns it into a status.

use std::collections::BTreeMap;

/// What kind of refusal; decides the gRPC code and the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A field does not hold what the contract asks (400).
    Invalid,
    /// No valid proof of who calls (401).
    Unauthenticated,
    /// Known caller, not allowed (403).
    Denied,
    /// Does not exist, or is not the caller's to see (404).
    NotFound,
    /// Exists already, or a key was used for something else (409).
    Exists,
    /// The state of things does not allow it now (400, FAILED_PRECONDITION).
    State,
    /// Somebody changed it first (409, ABORTED).
    Stale,
    /// Too much at once (429).
    Exhausted,
    /// Try again later with the same key (503).
    Unavailable,
    /// Took longer than the caller would wait (504).
    Deadline,
    /// No such method (404 or 501).
    Unimplemented,
}

/// A refusal. Boxed inside, so that `Result<T, Refusal>` stays small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(Box<Body>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Body {
    kind: Kind,
    reason: &'static str,
    zh: String,
    en: String,
    fields: Vec<(String, String)>,
    facts: BTreeMap<&'static str, String>,
}

impl Refusal {
    /// A refusal with its stable reason (UPPER_SNAKE), Chinese text and English text.
    pub fn new(kind: Kind, reason: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self(Box::new(Body { kind, reason, zh: zh.into(), en: en.into(), fields: Vec::new(), facts: BTreeMap::new() }))
    }

    /// A field that does not hold what it must.
    pub fn invalid(field: impl Into<String>, reason: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        let en = en.into();
        Self::new(Kind::Invalid, reason, zh, en.clone()).field(field, en)
    }

    /// Something that does not exist or is not the caller's to see: always the same words, so that nothing shows through.
    pub fn not_found(kind: &'static str) -> Self {
        Self::new(Kind::NotFound, "NOT_FOUND", "未找到该记录", "not found").fact("resource", kind)
    }

    /// The state of things does not allow it.
    pub fn state(reason: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(Kind::State, reason, zh, en)
    }

    /// Somebody changed the row first; carries the current version.
    pub fn stale(etag: impl Into<String>) -> Self {
        Self::new(Kind::Stale, "ETAG_MISMATCH", "记录已被他人修改，请刷新后重试", "changed by somebody else meanwhile; read it again")
            .fact("etag", etag)
    }

    /// The caller may not.
    pub fn denied(permission: impl Into<String>) -> Self {
        Self::new(Kind::Denied, "PERMISSION_DENIED", "没有该操作的权限", "not permitted").fact("permission", permission)
    }

    /// Names a further field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.0.fields.push((field.into(), description.into()));
        self
    }

    /// Adds a machine-readable fact.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.facts.insert(name, value.into());
        self
    }

    /// What kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Stable reason.
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// Text, Chinese.
    pub fn zh(&self) -> &str {
        &self.0.zh
    }

    /// Text, English.
    pub fn en(&self) -> &str {
        &self.0.en
    }

    /// Fields at fault with what is wrong.
    pub fn fields(&self) -> &[(String, String)] {
        &self.0.fields
    }

    /// Facts.
    pub fn facts(&self) -> &BTreeMap<&'static str, String> {
        &self.0.facts
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.reason(), self.en())
    }
}

impl std::error::Error for Refusal {}
