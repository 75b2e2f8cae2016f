//! The door: one request from its first byte to its last. District, person, quota, then transcoding or passing through.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use drumtower_proto::identity::Tenant;
use drumtower_runtime::{
    Clock, Fault, Kind, Refusal,
    fault::status,
    peers::Peers,
    surface::{Method, SURFACE, Who},
    telemetry, token,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use moka::sync::Cache;
use tokio::sync::Semaphore;
use tonic::{Status, body::Body};
use tracing::{Instrument as _, field};

use crate::{
    problem,
    quota::Quota,
    retry::Budget,
    route::{Found, Route, Routes},
    stream,
    tenant::{Named, Tenants, open_for, split_path},
    transcode,
    upstream::{self, Answer},
};

/// How long a request may take when its caller does not say.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests of one district at work at once.
const TENANT_ROOM: usize = 200;

/// Everything the door needs.
#[derive(Debug)]
pub struct Door {
    pub routes: Routes,
    pub peers: Peers,
    pub clock: Clock,
    pub people: Arc<token::Keys>,
    pub tenants: Tenants,
    pub quota: Quota,
    pub budget: Budget,
    pub room: Cache<i32, Arc<Semaphore>>,
    pub refetch: Arc<tokio::sync::Notify>,
    pub max_body: usize,
    pub trusted_proxies: Vec<String>,
    pub pages: crate::pages::Pages,
}

/// Fields that a path binds, with their values.
type Bound = Vec<(String, String)>;

/// A refusal, with the HTTP status where the gRPC code is too coarse.
struct Refused(Status, Option<StatusCode>, Vec<(HeaderName, String)>);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(status(&refusal), None, Vec::new())
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self(fault.into(), None, Vec::new())
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self(status, None, Vec::new())
    }
}

/// Room for districts' requests.
pub fn room() -> Cache<i32, Arc<Semaphore>> {
    Cache::builder().max_capacity(10_000).build()
}

impl Door {
    /// Answers one request.
    pub async fn answer(self: Arc<Self>, request: Request<Body>, peer: SocketAddr) -> Response<Body> {
        let (prefix, path) = split_path(request.uri().path());
        let (prefix, path) = (prefix.map(str::to_owned), path.to_owned());
        if prefix.is_none()
            && let Some(page) = self.pages.get(&path, &self).await
        {
            return page;
        }
        let span = tracing::info_span!(
            "request",
            otel.name = field::Empty,
            otel.kind = "server",
            otel.status_code = field::Empty,
            http.request.method = request.method().as_str(),
            http.route = field::Empty,
            http.response.status_code = field::Empty,
            url.path = path.as_str(),
            tenant.id = field::Empty,
        );
        if let Some(traceparent) = text(request.headers(), "traceparent") {
            telemetry::continue_from(&span, traceparent);
        }
        let request_id = telemetry::trace_id(&span);
        let is_grpc = text(request.headers(), "content-type").is_some_and(|kind| kind.starts_with("application/grpc"));
        let answered = if is_grpc {
            Ok(self.pass(request, prefix, &path, peer).instrument(span.clone()).await)
        } else {
            self.transcode(request, prefix, &path, peer).instrument(span.clone()).await
        };
        let mut response = answered.unwrap_or_else(|Refused(status, http, headers)| {
            let mut response = problem::response(&status, &request_id, http);
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::try_from(value) {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        });
        span.record("http.response.status_code", response.status().as_u16());
        if response.status().is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        if let Ok(id) = HeaderValue::try_from(&request_id) {
            response.headers_mut().insert("x-request-id", id);
        }
        response
    }

    /// JSON to a service and back.
    async fn transcode(
        &self,
        request: Request<Body>,
        prefix: Option<String>,
        path: &str,
        peer: SocketAddr,
    ) -> Result<Response<Body>, Refused> {
        let (route, bound) = self.route(&request, path)?;
        let span = tracing::Span::current();
        span.record("otel.name", format!("{} {}", route.verb, route.template)).record("http.route", route.template.as_str());
        let (parts, body) = request.into_parts();
        let Admitted { metadata, place: _place } = self.admit(route.method, &parts.headers, prefix, peer).await?;
        let keyed = key(&parts.headers)?;
        let body = self.body(&parts.headers, body).await?;
        let message = transcode::request(route, &bound, parts.uri.query(), &body)?;
        let call = upstream::Call {
            path: &route.method.path,
            headers: with_timeout(metadata, PATIENCE),
            message,
            repeatable: route.method.reads || keyed,
            streams: route.method.descriptor.is_server_streaming(),
            patience: PATIENCE,
        };
        let channel = self.channel(route.method)?;
        match upstream::call(channel, &self.budget, &call).await? {
            Answer::One(bytes) => {
                let json = transcode::answer(route, &bytes).map_err(Fault::broken)?;
                Ok(json_response(json))
            }
            Answer::Many(body) => Ok(stream::response(route.method.descriptor.output(), body, text(&parts.headers, "accept"))),
        }
    }

    fn route(&self, request: &Request<Body>, path: &str) -> Result<(&Route, Bound), Refused> {
        match self.routes.find(request.method(), path) {
            Found::Route(route, bound) => Ok((route, bound)),
            Found::OtherMethod(methods) => {
                let refusal = Refusal::new(Kind::Unimplemented, "METHOD_NOT_ALLOWED", "不支持该请求方法", "this path takes another method");
                Err(Refused(status(&refusal), Some(StatusCode::METHOD_NOT_ALLOWED), vec![(header::ALLOW, methods.join(", "))]))
            }
            Found::Nothing => {
                let refusal = Refusal::new(Kind::NotFound, "UNKNOWN_PATH", "未知地址", "no such path; see /openapi.json");
                Err(Refused(status(&refusal), Some(StatusCode::NOT_FOUND), Vec::new()))
            }
        }
    }

    /// A gRPC or gRPC-Web request, passed through without reading its body.
    async fn pass(&self, request: Request<Body>, prefix: Option<String>, path: &str, peer: SocketAddr) -> Response<Body> {
        let method = SURFACE.method(path).filter(|method| method.who != Who::Internal);
        let Some(method) = method else {
            let refusal = Refusal::new(Kind::Unimplemented, "UNKNOWN_METHOD", "未知接口", "no such method");
            return status(&refusal).into_http();
        };
        tracing::Span::current().record("otel.name", method.path.as_str()).record("http.route", method.path.as_str());
        let (mut parts, body) = request.into_parts();
        let admitted = match self.admit(method, &parts.headers, prefix, peer).await {
            Ok(admitted) => admitted,
            Err(Refused(status, ..)) => return status.into_http(),
        };
        let Ok(channel) = self.channel(method) else { return Status::unavailable("not configured").into_http() };
        let mut headers = admitted.metadata;
        for name in ["content-type", "te", "grpc-encoding", "grpc-accept-encoding"] {
            if let Some(value) = parts.headers.remove(name) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let timeout = parts.headers.remove("grpc-timeout");
        headers.insert("grpc-timeout", timeout.unwrap_or_else(|| timeout_value(PATIENCE)));
        let mut onward = Request::new(body);
        *onward.method_mut() = http::Method::POST;
        *onward.uri_mut() = path.parse().unwrap_or_default();
        *onward.headers_mut() = headers;
        upstream::pass(channel, onward).await
    }

    fn channel(&self, method: &Method) -> Result<tonic::transport::Channel, Fault> {
        self.peers.channel(&method.service).ok_or_else(|| Fault::broken(format!("no address of {} is configured", method.service)))
    }

    /// District, person, quota: what every request passes, whatever its form. Answers with the metadata for the service.
    async fn admit(
        &self,
        method: &'static Method,
        headers: &HeaderMap,
        prefix: Option<String>,
        peer: SocketAddr,
    ) -> Result<Admitted, Refused> {
        let tenant = self.tenant(headers, prefix).await?;
        tracing::Span::current().record("tenant.id", tenant.number);
        open_for(&tenant, method)?;
        let address = self.address(headers, peer);
        let who = self.person(method, headers, &tenant)?.unwrap_or_else(|| format!("address:{address}"));
        self.quota.take(tenant.number, &who).await?;
        let room = self.room.get_with(tenant.number, || Arc::new(Semaphore::new(TENANT_ROOM)));
        let place = room.try_acquire_owned().map_err(|_| {
            Refusal::new(Kind::Exhausted, "TENANT_BUSY", "本区并发请求过多，请稍后重试", "too many requests of this district at once")
        })?;
        Ok(Admitted { metadata: self.metadata(method, headers, &tenant, &address)?, place })
    }

    async fn tenant(&self, headers: &HeaderMap, prefix: Option<String>) -> Result<Tenant, Refused> {
        let code = prefix.or_else(|| text(headers, "drumtower-tenant-code").map(str::to_owned));
        let named = match code {
            Some(code) => Named::Code(code),
            None => Named::Host(host(headers).ok_or_else(no_tenant)?),
        };
        Ok(self.tenants.resolve(&named).await?)
    }

    /// The signed-in person's id, checked here so that a bad token dies at the door. The service checks again.
    fn person(&self, method: &Method, headers: &HeaderMap, tenant: &Tenant) -> Result<Option<String>, Refusal> {
        let sign_in = || Refusal::new(Kind::Unauthenticated, "SIGN_IN", "请先登录", "sign in first");
        if method.who == Who::Public {
            return Ok(None);
        }
        let bearer = text(headers, "authorization").and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(sign_in)?;
        if !self.people.knows(bearer) {
            self.refetch.notify_one();
        }
        let claims = self.people.access(bearer, self.clock.now()).map_err(|_| sign_in())?;
        if claims.tid != tenant.number {
            return Err(Refusal::new(Kind::Unauthenticated, "TENANT_MISMATCH", "登录不属于该区", "signed in to another district"));
        }
        Ok(Some(claims.sub.to_string()))
    }

    /// What the service is told. Nothing of it comes from outside unchecked.
    fn metadata(&self, method: &Method, headers: &HeaderMap, tenant: &Tenant, address: &str) -> Result<HeaderMap, Refused> {
        let mut onward = HeaderMap::with_capacity(10);
        let caller = self.peers.caller_token(&method.service)?;
        onward.insert("drumtower-caller", HeaderValue::from_bytes(caller.as_bytes()).map_err(|error| Fault::broken(error.to_string()))?);
        onward.insert("drumtower-tenant", HeaderValue::from(tenant.number));
        if let Ok(address) = HeaderValue::try_from(address) {
            onward.insert("drumtower-address", address);
        }
        for name in ["authorization", "idempotency-key", "accept-language"] {
            if let Some(value) = headers.get(name) {
                onward.insert(HeaderName::from_static(name), value.clone());
            }
        }
        if let Some(Ok(value)) = telemetry::current_traceparent().map(HeaderValue::try_from) {
            onward.insert("traceparent", value);
        }
        Ok(onward)
    }

    /// The client's address: the peer's, or what a trusted proxy says.
    fn address(&self, headers: &HeaderMap, peer: SocketAddr) -> String {
        let trusted = |address: &str| self.trusted_proxies.iter().any(|proxy| proxy == address);
        let mut address = peer.ip().to_string();
        let hops = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
        for hop in hops.rsplit(',').map(str::trim).filter(|hop| !hop.is_empty()) {
            if !trusted(&address) {
                break;
            }
            if hop.parse::<std::net::IpAddr>().is_err() {
                break;
            }
            address = hop.to_owned();
        }
        address
    }

    async fn body(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Refused> {
        let collected = tokio::time::timeout(PATIENCE, http_body_util::Limited::new(body, self.max_body).collect()).await;
        let bytes = match collected {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                let refusal = Refusal::new(Kind::Invalid, "BODY_TOO_LARGE", "请求体过大", format!("at most {} bytes", self.max_body));
                return Err(Refused(status(&refusal), Some(StatusCode::PAYLOAD_TOO_LARGE), Vec::new()));
            }
            Ok(Err(_)) => return Err(Refusal::new(Kind::Invalid, "MALFORMED", "请求体不完整", "the body broke off").into()),
            Err(_) => {
                let refusal = Refusal::new(Kind::Invalid, "BODY_TOO_SLOW", "请求体传输超时", "the body did not arrive in time");
                return Err(Refused(status(&refusal), Some(StatusCode::REQUEST_TIMEOUT), Vec::new()));
            }
        };
        let json = text(headers, "content-type").is_none_or(|kind| kind.split(';').next().is_some_and(is_json));
        if !bytes.is_empty() && !json {
            let refusal = Refusal::new(Kind::Invalid, "NOT_JSON", "请使用 application/json", "send application/json");
            return Err(Refused(status(&refusal), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), Vec::new()));
        }
        Ok(bytes)
    }
}

/// A request that may go on.
struct Admitted {
    metadata: HeaderMap,
    /// The district's place, held until the answer.
    place: tokio::sync::OwnedSemaphorePermit,
}

fn is_json(kind: &str) -> bool {
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn no_tenant() -> Refusal {
    Refusal::new(Kind::NotFound, "TENANT_REQUIRED", "请指明所在区", "say the district by host or /t/{code}")
}

/// The host without its port: `:authority` of HTTP/2 arrives as `host` too.
fn host(headers: &HeaderMap) -> Option<String> {
    let host = text(headers, "host")?;
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())).map_or(host, |(name, _)| name);
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether there is an idempotency key; a bent one is refused here.
fn key(headers: &HeaderMap) -> Result<bool, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(false) };
    let good = value.to_str().is_ok_and(|key| (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    let (zh, en) = ("幂等键格式不正确", "1 to 128 visible ASCII characters");
    if good { Ok(true) } else { Err(Refusal::invalid("idempotency-key", "MALFORMED_KEY", zh, en)) }
}

fn timeout_value(patience: Duration) -> HeaderValue {
    HeaderValue::try_from(format!("{}m", patience.as_millis())).unwrap_or_else(|_| HeaderValue::from_static("10S"))
}

fn with_timeout(mut headers: HeaderMap, patience: Duration) -> HeaderMap {
    headers.insert("grpc-timeout", timeout_value(patience.saturating_sub(Duration::from_millis(100))));
    headers
}

fn json_response(json: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::new(Bytes::from(json))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_taken_without_its_port() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static(value));
            host(&headers)
        };
        assert_eq!(of("Gulou.localhost:8080").as_deref(), Some("gulou.localhost"));
        assert_eq!(of("gulou.localhost").as_deref(), Some("gulou.localhost"));
        assert_eq!(of(":8080"), None);
        assert_eq!(host(&HeaderMap::new()), None);
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
