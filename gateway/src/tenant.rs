//! Which district a request is for: said by the path (`/t/{code}/…`), by metadata for gRPC clients, or by the host.

use std::{sync::Arc, time::Duration};

use drumtower_proto::identity::{ResolveTenantRequest, Tenant, tenant::State, tenant_service_client::TenantServiceClient};
use drumtower_runtime::{Call, Clock, Fault, Kind, Refusal, peers::Peers, surface::Method};
use moka::future::Cache;
use tonic::Code;

/// How long it is until a changed state holds at the door.
const KEPT: Duration = Duration::from_secs(10);

/// Resolves districts.
#[derive(Debug, Clone)]
pub struct Tenants {
    peers: Peers,
    clock: Clock,
    known: Cache<Named, Arc<Tenant>>,
    unknown: Cache<Named, ()>,
}

/// What names a district.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Named {
    /// A GB/T 2260 code.
    Code(String),
    /// A host name.
    Host(String),
}

impl Tenants {
    /// Asks identity over the given peers.
    pub fn new(peers: Peers, clock: Clock) -> Self {
        let known = Cache::builder().max_capacity(20_000).time_to_live(KEPT).build();
        let unknown = Cache::builder().max_capacity(20_000).time_to_live(Duration::from_secs(5)).build();
        Self { peers, clock, known, unknown }
    }

    /// The district of a name. A name that cannot be one costs neither a question nor a place in memory.
    pub async fn resolve(&self, named: Named) -> Result<Arc<Tenant>, Fault> {
        if !named.is_possible() || self.unknown.contains_key(&named) {
            return Err(no_such().into());
        }
        let fault = match self.known.try_get_with_by_ref(&named, self.ask(&named)).await {
            Ok(tenant) => return Ok(tenant),
            Err(fault) => fault,
        };
        match &*fault {
            Fault::Peer(status) if matches!(status.code(), Code::NotFound | Code::InvalidArgument) => {
                self.unknown.insert(named, ()).await;
                Err(no_such().into())
            }
            Fault::Peer(status) => Err(Fault::Peer(status.clone())),
            other => Err(Fault::broken(format!("{other:?}"))),
        }
    }

    async fn ask(&self, named: &Named) -> Result<Arc<Tenant>, Fault> {
        let call = Call::of_service("gateway", 0, self.clock.now(), Duration::from_secs(2));
        let request = match named {
            Named::Code(code) => ResolveTenantRequest { code: code.clone(), host: String::new() },
            Named::Host(host) => ResolveTenantRequest { code: String::new(), host: host.clone() },
        };
        let answer = TenantServiceClient::new(self.peers.to("identity", &call)?).resolve_tenant(request).await?;
        Ok(Arc::new(answer.into_inner()))
    }
}

impl Named {
    fn is_possible(&self) -> bool {
        match self {
            Self::Code(code) => is_code(code),
            Self::Host(host) => (1..=253).contains(&host.len()),
        }
    }
}

/// Whether a text may be a district's code.
pub fn is_code(text: &str) -> bool {
    (6..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Splits `/t/{code}` off a path.
pub fn split_path(path: &str) -> (Option<&str>, &str) {
    let Some(rest) = path.strip_prefix("/t/") else { return (None, path) };
    let end = rest.find('/').unwrap_or(rest.len());
    (Some(&rest[..end]), if end == rest.len() { "/" } else { &rest[end..] })
}

/// Whether the district's state lets a method be called. Signing in and out works while only reads do.
pub fn open_for(tenant: &Tenant, method: &Method) -> Result<(), Refusal> {
    match tenant.state() {
        State::Active => Ok(()),
        State::ReadOnly if method.reads || method.path.contains(".SessionService/") => Ok(()),
        State::ReadOnly => Err(Refusal::state("TENANT_READ_ONLY", "该区暂停写入", "this district may only be read now")),
        State::Blocked | State::Unspecified => Err(Refusal::new(Kind::Denied, "TENANT_BLOCKED", "该区已停用", "this district is shut")),
    }
}

fn no_such() -> Refusal {
    Refusal::new(Kind::NotFound, "TENANT_UNKNOWN", "未找到该区", "no such district")
}

#[cfg(test)]
mod tests {
    use super::*;
    use drumtower_runtime::surface::SURFACE;

    #[test]
    fn the_prefix_is_split_off() {
        assert_eq!(split_path("/t/350102/v1/tickets"), (Some("350102"), "/v1/tickets"));
        assert_eq!(split_path("/t/350102"), (Some("350102"), "/"));
        assert_eq!(split_path("/v1/tickets"), (None, "/v1/tickets"));
    }
    #[test]
    fn what_cannot_be_a_name_is_not_asked_about() {
        assert!(Named::Code("350102".to_owned()).is_possible());
        assert!(Named::Host("gulou.example".to_owned()).is_possible());
        for code in ["", "3501", "35010a", "../../etc", "1234567890123"] {
            assert!(!Named::Code(code.to_owned()).is_possible(), "{code}");
        }
        assert!(!Named::Host("x".repeat(254)).is_possible());
    }

    #[test]
    fn a_district_that_may_only_be_read_is_read_and_signed_in_to() {
        let tenant = |state: State| Tenant { state: state as i32, ..Tenant::default() };
        let method = |path| SURFACE.method(path).expect("in the contract");
        let get = method("/drumtower.ticketing.v1.TicketService/GetTicket");
        let create = method("/drumtower.ticketing.v1.TicketService/CreateTicket");
        let sign_in = method("/drumtower.identity.v1.SessionService/CreateSession");
        assert!([get, create, sign_in].iter().all(|method| open_for(&tenant(State::Active), method).is_ok()));
        let reason = |state, method| open_for(&tenant(state), method).err().map(|refusal| refusal.reason());
        assert_eq!(reason(State::ReadOnly, get), None);
        assert_eq!(reason(State::ReadOnly, sign_in), None);
        assert_eq!(reason(State::ReadOnly, create), Some("TENANT_READ_ONLY"));
        assert_eq!(reason(State::Blocked, get), Some("TENANT_BLOCKED"));
    }
}
