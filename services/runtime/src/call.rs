//! A call: who calls, which district, when, until when. Made by the guard from verified proofs; everything behind it takes it as given.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use tonic::Request;
use uuid::Uuid;

use crate::{
    fault::Fault,
    refusal::{Kind, Refusal},
    surface::SURFACE,
    token::Claims,
};

/// Who acts.
#[derive(Debug, Clone)]
pub enum Actor {
    /// A person who signed in.
    Person(Arc<Claims>),
    /// A service on its own account: a worker, a consumer, an internal look-up.
    Service(String),
    /// Nobody known: a public RPC.
    Nobody,
}

/// The idempotency key of a call, with what it was used for.
#[derive(Debug, Clone)]
pub struct Key {
    /// The caller's key.
    pub key: String,
    /// Hash of method and body.
    pub hash: [u8; 32],
}

/// A verified call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The district; 0 when none was said (public RPCs of the platform).
    pub tenant: i32,
    /// Who acts.
    pub actor: Actor,
    /// The service that called, `gateway` for people.
    pub caller: String,
    /// When the call arrived.
    pub now: Timestamp,
    /// Until when an answer is waited for.
    pub deadline: Instant,
    /// Idempotency key, if one was sent.
    pub key: Option<Key>,
    /// Id told to people in errors; the trace id.
    pub request_id: String,
    /// W3C trace context.
    pub traceparent: String,
    /// Address of the person's machine, as the gateway saw it.
    pub address: String,
    /// Whether the person prefers English.
    pub english: bool,
    /// The wire path called.
    pub path: &'static str,
    /// The person's token, to call on in their name.
    pub bearer: Option<String>,
}

/// Which rows a permission reaches for a person: all, or those of some nodes, or of a company, or the person's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Every row of the district.
    pub all: bool,
    /// Units or organisations.
    pub nodes: Vec<Uuid>,
    /// A company.
    pub enterprise: Option<Uuid>,
    /// The person alone.
    pub own: Option<Uuid>,
}

impl Call {
    /// Takes the call that the guard attached, and the message.
    pub fn take<T>(request: Request<T>) -> Result<(Arc<Self>, T), Fault> {
        let (_, extensions, message) = request.into_parts();
        let call = extensions.get::<Arc<Self>>().cloned().ok_or_else(|| Fault::broken("a handler was reached without its guard"))?;
        Ok((call, message))
    }

    /// A call that a service makes on its own account for a district: workers, consumers, set-up.
    pub fn of_service(service: &str, tenant: i32, now: Timestamp, within: std::time::Duration) -> Self {
        Self {
            tenant,
            actor: Actor::Service(service.to_owned()),
            caller: service.to_owned(),
            now,
            deadline: Instant::now() + within,
            key: None,
            request_id: String::new(),
            traceparent: String::new(),
            address: String::new(),
            english: false,
            path: "",
            bearer: None,
        }
    }

    /// The person who acts; a service is refused.
    pub fn person(&self) -> Result<&Claims, Refusal> {
        match &self.actor {
            Actor::Person(claims) => Ok(claims),
            _ => Err(Refusal::new(Kind::Unauthenticated, "SIGN_IN", "请先登录", "sign in first")),
        }
    }

    /// Who acts, as the log names them.
    pub fn actor_name(&self) -> String {
        match &self.actor {
            Actor::Person(claims) => claims.sub.to_string(),
            Actor::Service(name) => format!("service:{name}"),
            Actor::Nobody => "nobody".to_owned(),
        }
    }

    /// Whether the person holds a permission, for whichever rows.
    pub fn may(&self, permission: &str) -> bool {
        match &self.actor {
            Actor::Person(claims) => {
                claims.roles.iter().any(|held| SURFACE.role(held.r).is_some_and(|role| role.grants.contains(permission)))
            }
            Actor::Service(_) => true,
            Actor::Nobody => false,
        }
    }

    /// Which rows a permission reaches: the union over the roles that grant it.
    pub fn reach(&self, permission: &str) -> Reach {
        let claims = match &self.actor {
            Actor::Person(claims) => claims,
            Actor::Service(_) => return Reach { all: true, ..Reach::default() },
            Actor::Nobody => return Reach::default(),
        };
        let mut reach = Reach::default();
        for held in &claims.roles {
            let Some(role) = SURFACE.role(held.r).filter(|role| role.grants.contains(permission)) else { continue };
            match role.reach.as_str() {
                "TENANT" if held.n.is_empty() => reach.all = true,
                "TENANT" | "NODE" => reach.nodes.extend(&held.n),
                "ENTERPRISE" => {
                    reach.enterprise = claims.ent;
                    reach.own = Some(claims.sub);
                }
                _ => reach.own = Some(claims.sub),
            }
        }
        reach.nodes.sort_unstable();
        reach.nodes.dedup();
        reach
    }

    /// Time left until the deadline.
    pub fn remaining(&self) -> std::time::Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// An id from a field that the contract says is a UUID, or empty for none.
pub fn id(field: &'static str, text: &str) -> Result<Option<Uuid>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    Uuid::try_parse(text).map(Some).map_err(|_| Refusal::invalid(field, "NOT_AN_ID", "编号格式不正确", "is not a valid id"))
}

/// An id that must be there.
pub fn needed_id(field: &'static str, text: &str) -> Result<Uuid, Refusal> {
    id(field, text)?.ok_or_else(|| Refusal::invalid(field, "REQUIRED", "缺少编号", "an id is required"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{self, Held};
    use drumtower_proto::options::Role;

    fn call(roles: Vec<Held>, ent: Option<Uuid>) -> Call {
        let now = Timestamp::UNIX_EPOCH;
        let claims = token::claims(Uuid::now_v7(), 1, Uuid::now_v7(), now, None, ent, 1, roles, now);
        Call { actor: Actor::Person(Arc::new(claims)), ..Call::of_service("test", 1, now, std::time::Duration::from_secs(1)) }
    }

    #[test]
    fn reach_is_the_union_of_the_roles_that_grant() {
        let (market, fire) = (Uuid::now_v7(), Uuid::now_v7());
        let liaison = |unit| Held { r: Role::Liaison as i32, n: vec![unit] };
        let two = call(vec![liaison(market), liaison(fire)], None);
        assert_eq!(two.reach("ticket.sign").nodes.len(), 2);
        assert!(!two.reach("ticket.sign").all);
        assert!(!two.may("ticket.dispatch"));
        let dispatcher = call(vec![Held { r: Role::Dispatcher as i32, n: vec![] }], None);
        assert!(dispatcher.reach("ticket.read").all);
        let company = Uuid::now_v7();
        let requester = call(vec![Held { r: Role::Requester as i32, n: vec![] }], Some(company));
        assert_eq!(requester.reach("ticket.read").enterprise, Some(company));
        assert_eq!(requester.reach("ticket.accept"), Reach::default());
    }
}
