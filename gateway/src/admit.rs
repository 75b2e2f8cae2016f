//! What every request passes, whatever its form: district, person, quota; and the metadata that its service is told.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use drumtower_proto::identity::Tenant;
use drumtower_runtime::{
    Fault, Kind, Refusal,
    surface::{Method, Who},
};
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts, uri::Authority};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    browser::{self, NoToken, Secret, Token},
    door::{Door, Refused},
    raw, root,
    tenant::{Named, open_for, split_path},
};

/// Requests of one district at work at once.
const TENANT_ROOM: usize = 200;

/// A request as it came, its district's prefix split off. Nothing of it is believed yet.
#[derive(Debug)]
pub struct Came {
    /// Method, address and headers.
    pub head: Parts,
    /// The code in `/t/{code}`.
    pub prefix: Option<String>,
    /// The path without the prefix; of a text at the root, that of its RPC.
    pub path: String,
    /// It is for a text at the root.
    pub root_text: bool,
    /// The machine at the other end of the connection.
    pub peer: IpAddr,
}

impl Came {
    /// Splits the prefix off.
    pub fn new(mut head: Parts, peer: SocketAddr) -> Self {
        let (prefix, path) = split_path(head.uri.path());
        let (prefix, path) = (prefix.map(str::to_owned), path.to_owned());
        let behind = root::behind(&path);
        let root_text = behind.is_some();
        if root_text && head.method == http::Method::HEAD {
            // Answered like GET; the connection leaves the body out.
            head.method = http::Method::GET;
        }
        Self { prefix, path: behind.unwrap_or(path), root_text, peer: peer.ip().to_canonical(), head }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        text(&self.head.headers, name)
    }

    /// Whether it is a gRPC call; gRPC-Web was turned into one before.
    pub fn is_grpc(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("application/grpc"))
    }
}

/// A request that may go on.
#[derive(Debug)]
pub struct Admitted {
    /// Its district.
    pub tenant: Arc<Tenant>,
    /// The browser's session that it is made in, if it showed no token of its own.
    pub within: Option<Within>,
    /// What its service is told. Made from nothing: no header of the caller is among it unless named here.
    pub metadata: HeaderMap,
}

/// A browser's session, and the token that stands for it.
#[derive(Debug)]
pub struct Within {
    /// The secret in its cookie.
    pub secret: Secret,
    /// The token.
    pub token: Token,
}

impl Door {
    /// District, person, quota.
    pub async fn admit(&self, method: &'static Method, came: &Came) -> Result<Admitted, Refused> {
        let tenant = self.tenant(came).await?;
        tracing::Span::current().record("tenant.id", tenant.number);
        open_for(&tenant, method)?;
        let address = address(&came.head.headers, came.peer, &self.trusted_proxies).to_string();
        let nobody = format!("address:{address}");
        let within = self.within(method, came, &tenant, &nobody).await?;
        let person = self.person(method, came, &tenant, within.as_ref());
        // Who shows a bad token is nobody, and pays as its address: guessing has a price.
        let who = match &person {
            Ok(Some(person)) => person.clone(),
            Ok(None) | Err(_) => nobody,
        };
        self.quota.take(tenant.number, &who).await?;
        if let (Err(_), Some(within)) = (&person, &within) {
            self.browsers.forget(&within.secret).await;
        }
        person?;
        let mut metadata = self.metadata(method, came, &tenant, &address)?;
        if let Some(within) = &within {
            metadata.insert(http::header::AUTHORIZATION, within.token.header()?);
        }
        Ok(Admitted { tenant, within, metadata })
    }

    /// The browser's session that a call is made in. What changes something has to come from a page of ours, and so has a sign-in.
    async fn within(&self, method: &Method, came: &Came, tenant: &Tenant, nobody: &str) -> Result<Option<Within>, Refused> {
        let secret = self.browsers.shown(method, came, tenant);
        let only_looks = came.head.method == http::Method::GET && method.reads;
        let needs_a_page = secret.is_some() && !only_looks || browser::signs_in(method, came);
        if needs_a_page && !browser::is_ours(came) {
            return Err(browser::cross_site().into());
        }
        let Some(secret) = secret else { return Ok(None) };
        if !self.browsers.knows(&secret).await {
            self.quota.take(tenant.number, nobody).await?;
        }
        match self.browsers.token(&secret).await {
            Ok(token) => Ok(Some(Within { secret, token })),
            Err(none) => {
                self.quota.take(tenant.number, nobody).await?;
                Err(self.without_token(none, &secret))
            }
        }
    }

    /// What a call hears whose browser's session gives no token. A cookie that is good for nothing is taken away.
    pub fn without_token(&self, none: NoToken, secret: &Secret) -> Refused {
        match none {
            NoToken::Over => Refused::from(browser::sign_in()).header(http::header::SET_COOKIE, self.browsers.farewell(secret)),
            NoToken::Failed(status) => status.into(),
        }
    }

    /// A place among the requests of a district at work.
    pub fn place(&self, tenant: i32) -> Result<OwnedSemaphorePermit, Refusal> {
        let room = self.room.get_with(tenant, || Arc::new(Semaphore::new(TENANT_ROOM)));
        room.try_acquire_owned().map_err(|_| {
            Refusal::new(Kind::Exhausted, "TENANT_BUSY", "本区并发请求过多，请稍后重试", "too many requests of this district at once")
        })
    }

    /// The district of a request.
    pub async fn tenant(&self, came: &Came) -> Result<Arc<Tenant>, Refused> {
        let code = came.prefix.clone().or_else(|| came.header("drumtower-tenant-code").map(str::to_owned));
        let named = match code {
            Some(code) => Named::Code(code),
            None => Named::Host(host(&came.head).ok_or_else(no_tenant)?),
        };
        Ok(self.tenants.resolve(named).await?)
    }

    /// The signed-in person's id, checked here so that a bad token dies at the door. The service checks again.
    fn person(&self, method: &Method, came: &Came, tenant: &Tenant, within: Option<&Within>) -> Result<Option<String>, Refusal> {
        if method.who == Who::Public {
            return Ok(None);
        }
        let shown = came.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let bearer = within.map(|within| within.token.bearer()).or(shown).ok_or_else(browser::sign_in)?;
        if !self.people.any() {
            // A gateway that has just started does not know the keys yet: that is its own affair, not a bad token.
            return Err(drumtower_runtime::fault::unavailable());
        }
        if !self.people.knows(bearer) {
            self.refetch.notify_one();
        }
        // A token of identity's own that is not believed was signed with a key not known yet, or no more: that is not the browser's affair.
        let distrust = || if within.is_some() { drumtower_runtime::fault::unavailable() } else { browser::sign_in() };
        let claims = self.people.access(bearer, self.clock.now()).map_err(|_| distrust())?;
        if claims.tid != tenant.number {
            return Err(Refusal::new(Kind::Unauthenticated, "TENANT_MISMATCH", "登录不属于该区", "signed in to another district"));
        }
        Ok(Some(claims.sub.to_string()))
    }

    fn metadata(&self, method: &Method, came: &Came, tenant: &Tenant, address: &str) -> Result<HeaderMap, Fault> {
        let broken = |error: &dyn std::fmt::Display| Fault::broken(error.to_string());
        let mut onward = HeaderMap::with_capacity(12);
        let caller = self.peers.caller_token(&method.service)?;
        onward.insert("drumtower-caller", HeaderValue::from_bytes(caller.as_bytes()).map_err(|error| broken(&error))?);
        onward.insert("drumtower-tenant", HeaderValue::from(tenant.number));
        onward.insert("drumtower-address", HeaderValue::try_from(address).map_err(|error| broken(&error))?);
        for name in ["authorization", "idempotency-key", "accept-language"].into_iter().chain(raw::HEADERS) {
            if let Some(value) = came.head.headers.get(name) {
                onward.insert(HeaderName::from_static(name), value.clone());
            }
        }
        Ok(onward)
    }
}

/// The client's address: the peer's, or, behind trusted proxies, the right-most hop that is not one of them.
pub fn address(headers: &HeaderMap, peer: IpAddr, trusted: &[IpAddr]) -> IpAddr {
    let mut address = peer;
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted.contains(&address) {
            break;
        }
        let Some(hop) = ip(hop.trim()) else { break };
        address = hop;
    }
    address
}

/// An address, with or without a port.
fn ip(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip())).ok()?;
    Some(address.to_canonical())
}

/// The host that was asked for: HTTP/2 says it in the address (`:authority`), HTTP/1.1 in a header.
pub fn asked_for(head: &Parts) -> Option<Authority> {
    match head.uri.authority() {
        Some(authority) => Some(authority.clone()),
        None => text(&head.headers, "host")?.parse().ok(),
    }
}

/// The host that was asked for, without its port. A bare number or `localhost` names no district.
fn host(head: &Parts) -> Option<String> {
    let said = asked_for(head)?;
    let host = said.host().trim_end_matches('.').to_ascii_lowercase();
    let names_none = host.is_empty() || host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    (!names_none).then_some(host)
}

fn no_tenant() -> Refusal {
    Refusal::new(Kind::NotFound, "TENANT_REQUIRED", "请指明所在区", "say the district by host or /t/{code}")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether there is an idempotency key; a bent one is refused here.
pub fn key(headers: &HeaderMap) -> Result<bool, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(false) };
    let good = value.to_str().is_ok_and(|key| (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    let (zh, en) = ("幂等键格式不正确", "1 to 128 visible ASCII characters");
    if good { Ok(true) } else { Err(Refusal::invalid("idempotency-key", "MALFORMED_KEY", zh, en)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str, host: Option<&'static str>) -> Parts {
        let mut request = http::Request::get(uri).body(()).expect("a request");
        if let Some(host) = host {
            request.headers_mut().insert("host", HeaderValue::from_static(host));
        }
        request.into_parts().0
    }

    #[test]
    fn the_host_is_taken_from_header_or_address_without_its_port() {
        let of = |value: &'static str| host(&head("/v1/x", Some(value)));
        assert_eq!(of("Gulou.localhost:8080").as_deref(), Some("gulou.localhost"));
        assert_eq!(of("gulou.localhost.").as_deref(), Some("gulou.localhost"));
        for none in [":8080", "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "a b"] {
            assert_eq!(of(none), None, "{none}");
        }
        assert_eq!(host(&head("/v1/x", None)), None);
        assert_eq!(host(&head("http://gulou.test:80/v1/x", None)).as_deref(), Some("gulou.test"));
    }

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        let of = |forwarded: &[&'static str], peer: &str| {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            address(&headers, parse(peer), &[parse("10.0.0.1"), parse("10.0.0.2")]).to_string()
        };
        assert_eq!(of(&["6.6.6.6"], "9.9.9.9"), "9.9.9.9", "a stranger's header is not believed");
        assert_eq!(of(&["6.6.6.6, 7.7.7.7"], "10.0.0.1"), "7.7.7.7", "what the client wrote itself stands left");
        assert_eq!(of(&["6.6.6.6, 7.7.7.7, 10.0.0.2"], "10.0.0.1"), "7.7.7.7");
        assert_eq!(of(&["6.6.6.6", "7.7.7.7"], "10.0.0.1"), "7.7.7.7", "the last line was added last");
        assert_eq!(of(&["7.7.7.7:1234"], "10.0.0.1"), "7.7.7.7");
        assert_eq!(of(&["nonsense"], "10.0.0.1"), "10.0.0.1");
        assert_eq!(of(&[], "10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn keys_are_visible_ascii() {
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", HeaderValue::from_bytes(value).expect("a header"));
            key(&headers)
        };
        assert_eq!(of(b"abc-1"), Ok(true));
        assert!(of(b"").is_err());
        assert!(of("键".as_bytes()).is_err());
        assert!(of(&[b'a'; 129]).is_err());
        assert_eq!(key(&HeaderMap::new()), Ok(false));
    }
}
