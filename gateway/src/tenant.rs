//! Which district a request is for: said by the path (`/t/{code}/…`), by metadata for gRPC clients, or by the host. Kept for a minute.

use std::time::Duration;

use drumtower_proto::identity::{ResolveTenantRequest, Tenant, tenant::State, tenant_service_client::TenantServiceClient};
use drumtower_runtime::{Call, Clock, Fault, Kind, Refusal, peers::Peers, surface::Method};
use moka::future::Cache;
use tonic::Code;

/// Resolves districts.
#[derive(Debug, Clone)]
pub struct Tenants {
    peers: Peers,
    clock: Clock,
    known: Cache<String, Tenant>,
    unknown: Cache<String, ()>,
}

/// What names a district.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A GB/T 2260 code.
    Code(String),
    /// A host name.
    Host(String),
}

impl Tenants {
    /// Asks identity over the given peers.
    pub fn new(peers: Peers, clock: Clock) -> Self {
        let known = Cache::builder().max_capacity(20_000).time_to_live(Duration::from_secs(60)).build();
        let unknown = Cache::builder().max_capacity(20_000).time_to_live(Duration::from_secs(5)).build();
        Self { peers, clock, known, unknown }
    }

    /// The district of a name.
    pub async fn resolve(&self, named: &Named) -> Result<Tenant, Fault> {
        let key = format!("{named:?}");
        if self.unknown.contains_key(&key) {
            return Err(no_such().into());
        }
        let found = self.known.try_get_with(key.clone(), self.ask(named)).await;
        match found {
            Ok(tenant) => Ok(tenant),
            Err(fault) => match &*fault {
                Fault::Peer(status) if matches!(status.code(), Code::NotFound | Code::InvalidArgument) => {
                    self.unknown.insert(key, ()).await;
                    Err(no_such().into())
                }
                Fault::Peer(status) => Err(Fault::Peer(status.clone())),
                other => Err(Fault::broken(format!("{other:?}"))),
            },
        }
    }

    async fn ask(&self, named: &Named) -> Result<Tenant, Fault> {
        let call = Call::of_service("gateway", 0, self.clock.now(), Duration::from_secs(2));
        let request = match named {
            Named::Code(code) => ResolveTenantRequest { code: code.clone(), host: String::new() },
            Named::Host(host) => ResolveTenantRequest { code: String::new(), host: host.clone() },
        };
        Ok(TenantServiceClient::new(self.peers.to("identity", &call)?).resolve_tenant(request).await?.into_inner())
    }
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
    use super::split_path;

    #[test]
    fn the_prefix_is_split_off() {
        assert_eq!(split_path("/t/350102/v1/tickets"), (Some("350102"), "/v1/tickets"));
        assert_eq!(split_path("/t/350102"), (Some("350102"), "/"));
        assert_eq!(split_path("/v1/tickets"), (None, "/v1/tickets"));
    }
}
