//! The door: one request from its first byte to its last. Admitted, then transcoded or passed through.

use std::{collections::HashMap, net::IpAddr, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use drumtower_runtime::{
    Clock, Fault, Kind, Refusal,
    config::SERVICES,
    fault::status,
    peers::Peers,
    surface::{Method, SURFACE, Who},
    token,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status, body::Body, transport::Channel};
use tracing::{Instrument as _, Span};

use crate::{
    admit::{Came, Within, key},
    browser::{self, Browsers},
    console::Console,
    deadline,
    frame::{self, Frames},
    pages::Pages,
    problem,
    quota::Quota,
    raw,
    retry::Budget,
    root,
    route::{Found, Route, Routes},
    stream,
    tenant::Tenants,
    trace::{self, Trace},
    transcode,
    upstream::{self, Answer},
};

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// Largest head: the address asked for, names and values of headers, bytes.
const MAX_HEADERS: usize = 16 * 1024;

/// Everything the door needs.
#[derive(Debug)]
pub struct Door {
    /// Ways to the RPCs.
    pub routes: Routes,
    /// Channels to the services.
    pub peers: Peers,
    /// The time.
    pub clock: Clock,
    /// Keys of people's tokens.
    pub people: Arc<token::Keys>,
    /// Browsers' sessions.
    pub browsers: Browsers,
    /// Districts.
    pub tenants: Tenants,
    /// How much may be sent.
    pub quota: Quota,
    /// Budgets of retries, one a service: an outage of one does not cost the others theirs.
    pub budgets: HashMap<&'static str, Budget>,
    /// Room for each district's requests.
    pub room: Cache<i32, Arc<Semaphore>>,
    /// Room for raw answers until they are sent, KiB: who reads slowly does not fill the memory.
    pub raw_room: Arc<Semaphore>,
    /// Asks for people's keys anew.
    pub refetch: Arc<tokio::sync::Notify>,
    /// Largest body, bytes.
    pub max_body: usize,
    /// Proxies whose word is taken.
    pub trusted_proxies: Vec<IpAddr>,
    /// Who may show pages in a frame.
    pub frames: Frames,
    /// What the gateway answers itself.
    pub pages: Pages,
    /// The console and the phone's pages.
    pub console: Console,
}

/// Fields that a path binds, with their values.
type Bound = Vec<(String, String)>;

/// A refusal, with the HTTP status and headers where the gRPC code is too coarse.
#[derive(Debug)]
pub struct Refused(Status, Option<StatusCode>, Option<(HeaderName, HeaderValue)>);

impl Refused {
    fn with(refusal: &Refusal, http: StatusCode) -> Self {
        Self(status(refusal), Some(http), None)
    }

    /// A path of ours, but another method.
    pub fn other_method(methods: &[String]) -> Self {
        let refusal = Refusal::new(Kind::Unimplemented, "METHOD_NOT_ALLOWED", "不支持该请求方法", "this path takes another method");
        let allowed = HeaderValue::try_from(methods.join(", ")).ok().map(|methods| (header::ALLOW, methods));
        Self(status(&refusal), Some(StatusCode::METHOD_NOT_ALLOWED), allowed)
    }

    /// With a header.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self(self.0, self.1, Some((name, value)))
    }

    fn into_response(self, request_id: &str) -> Response<Body> {
        let Self(status, http, header) = self;
        let mut response = problem::response(&status, request_id, http);
        response.headers_mut().extend(header);
        response
    }

    fn into_grpc(self) -> Response<Body> {
        let Self(status, _, header) = self;
        let mut response = status.into_http();
        response.headers_mut().extend(header);
        response
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(status(&refusal), None, None)
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self(fault.into(), None, None)
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self(status, None, None)
    }
}

/// Raw answers on their way, KiB.
const RAW_ROOM: usize = 256 * 1024;

/// Room for raw answers.
pub fn raw_room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(RAW_ROOM))
}

/// Room for districts' requests.
pub fn room() -> Cache<i32, Arc<Semaphore>> {
    Cache::builder().max_capacity(10_000).build()
}

/// A budget of retries for every service.
pub fn budgets() -> HashMap<&'static str, Budget> {
    SERVICES.into_iter().map(|service| (service, Budget::default())).collect()
}

impl Door {
    /// Answers one request.
    pub async fn answer(&self, request: Request<Body>, peer: SocketAddr) -> Response<Body> {
        let (head, body) = request.into_parts();
        let came = Came::new(head, peer);
        // A look at health, documents or pages is no news for a trace.
        let span = if self.console.has(&came) || self.pages.has(&came) { Span::none() } else { self.span(&came) };
        let trace = Trace::of(&span, came.header("traceparent"));
        let is_https = self.came_by_https(&came);
        let mut response = self.respond(came, body, &trace).instrument(span.clone()).await;
        note(&span, &response, &trace.id);
        if let Ok(id) = HeaderValue::try_from(&trace.id) {
            response.headers_mut().insert("x-request-id", id);
        }
        if is_https {
            let year = HeaderValue::from_static("max-age=31536000");
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        response
    }

    /// The span of a request. Its name has to be known when it begins, so the route is looked up once for it.
    fn span(&self, came: &Came) -> Span {
        let http = came.head.method.as_str();
        let name = match self.routes.find(&came.head.method, &came.path) {
            Found::Route(route, _) => format!("{http} {}", route.template),
            _ if came.is_grpc() => came.path.trim_start_matches('/').to_owned(),
            _ => http.to_owned(),
        };
        trace::server(&name, http, &came.path)
    }

    async fn respond(&self, came: Came, body: Body, trace: &Trace) -> Response<Body> {
        let address = came.head.uri.path_and_query().map_or(0, |address| address.as_str().len());
        let size: usize = came.head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size + address > MAX_HEADERS {
            let refusal = Refusal::new(Kind::Invalid, "HEADERS_TOO_LARGE", "请求头过大", format!("at most {MAX_HEADERS} bytes of headers"));
            return Refused::with(&refusal, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).into_response(&trace.id);
        }
        if self.console.has(&came) {
            let mut response = self.console.get(&came).await.unwrap_or_else(|refused| refused.into_response(&trace.id));
            if frame::is_page(&response)
                && let Ok(tenant) = self.tenant(&came).await
            {
                frame::allow(&mut response, &self.frames.of(tenant.number).await);
            }
            return response;
        }
        if self.pages.has(&came) {
            return self.pages.get(&came, self).await.unwrap_or_else(|refused| refused.into_response(&trace.id));
        }
        if came.is_grpc() {
            return self.pass(came, body, trace).await.unwrap_or_else(Refused::into_grpc);
        }
        let root_text = came.root_text;
        let response = self.transcode(came, body, trace).await.unwrap_or_else(|refused| refused.into_response(&trace.id));
        if root_text { root::kept(response) } else { response }
    }

    /// JSON to a service and back.
    async fn transcode(&self, came: Came, body: Body, trace: &Trace) -> Result<Response<Body>, Refused> {
        let (route, bound) = self.route(&came)?;
        Span::current().record("http.route", route.template.as_str());
        let headers = &came.head.headers;
        let patience = deadline::of(headers)?;
        let keyed = key(headers)?;
        let mut admitted = self.admit(route.method, &came).await?;
        let body = self.body(headers, body, route.takes_raw).await?;
        let message = transcode::request(route, &bound, came.head.uri.query(), (came.header("content-type"), &body))?;
        // Only now: who sends a body slowly does not keep a place from others.
        let place = self.place(admitted.tenant.number)?;
        if browser::signs_in(route.method, &came) {
            let begun = self.browsers.sign_in((&came, &admitted.tenant), message, &admitted.metadata, trace, patience).await?;
            let response = json_response(transcode::answer(route, &begun.session).map_err(Fault::broken)?);
            return Ok(with_cookie(response, begun.cookie));
        }
        let (channel, budget) = self.service(route.method)?;
        let span = trace::client(route.method);
        span.in_scope(|| trace.hand_on(&mut admitted.metadata));
        deadline::hand_on(patience, &mut admitted.metadata);
        let mut call = upstream::Call {
            path: &route.method.path,
            headers: admitted.metadata,
            message,
            repeatable: route.method.reads || keyed,
            streams: route.method.descriptor.is_server_streaming(),
            patience,
        };
        let mut answer = upstream::call(channel.clone(), budget, &call).instrument(span.clone()).await;
        if let (Err(status), Some(within)) = (&answer, &admitted.within)
            && browser::is_void(status)
        {
            call.headers.insert(header::AUTHORIZATION, self.renewed(within).await?);
            answer = upstream::call(channel, budget, &call).instrument(span.clone()).await;
        }
        trace::called(&span, answer.as_ref().map_or_else(Status::code, |_| Code::Ok));
        match answer? {
            Answer::One(bytes) => match raw::answer(&route.method.descriptor.output(), &bytes).map_err(Fault::broken)? {
                Some(response) => {
                    let room = self.raw_room(bytes.len())?;
                    Ok(response.map(|body| held(body, (place, room))))
                }
                None => {
                    let response = json_response(transcode::answer(route, &bytes).map_err(Fault::broken)?);
                    Ok(self.after(route.method, admitted.within.as_ref(), response).await)
                }
            },
            Answer::Many(body) => {
                let form = stream::Form::of(came.header("accept"));
                Ok(stream::response(Arc::clone(&route.writer), held(body, place), form, trace.id.clone()))
            }
        }
    }

    /// A token in place of one that a service did not take.
    async fn renewed(&self, within: &Within) -> Result<HeaderValue, Refused> {
        let renewed = self.browsers.renewed(&within.secret, &within.token).await;
        Ok(renewed.map_err(|none| self.without_token(none, &within.secret))?.header()?)
    }

    /// Who signed out is left no cookie.
    async fn after(&self, method: &Method, within: Option<&Within>, response: Response<Body>) -> Response<Body> {
        let is_done = Status::from_header_map(response.headers()).is_none_or(|status| status.code() == Code::Ok);
        match within.filter(|_| is_done && browser::signs_out(method)) {
            None => response,
            Some(within) => {
                self.browsers.forget(&within.secret).await;
                with_cookie(response, self.browsers.farewell(&within.secret))
            }
        }
    }

    fn route(&self, came: &Came) -> Result<(&Route, Bound), Refused> {
        match self.routes.find(&came.head.method, &came.path) {
            Found::Route(route, bound) => Ok((route, bound)),
            Found::OtherMethod(methods) => Err(Refused::other_method(&methods)),
            Found::Nothing => Err(Refusal::new(Kind::NotFound, "UNKNOWN_PATH", "未知地址", "no such path; see /openapi.json").into()),
        }
    }

    /// A gRPC or gRPC-Web request, passed through without reading its body; only what a browser sends in its session is kept until it is
    /// answered, for it may have to go again with another token.
    async fn pass(&self, came: Came, body: Body, trace: &Trace) -> Result<Response<Body>, Refused> {
        let method = SURFACE.method(&came.path).filter(|method| method.who != Who::Internal && came.head.method == http::Method::POST);
        let method = method.ok_or_else(|| Refusal::new(Kind::Unimplemented, "UNKNOWN_METHOD", "未知接口", "no such method"))?;
        Span::current().record("http.route", method.path.as_str());
        let patience = deadline::of(&came.head.headers)?;
        key(&came.head.headers)?;
        let mut admitted = self.admit(method, &came).await?;
        let signs_in = browser::signs_in(method, &came);
        let body = match &admitted.within {
            None if !signs_in => Sent::Passing(body),
            _ => Sent::Whole(self.body(&came.head.headers, body, true).await?),
        };
        let place = self.place(admitted.tenant.number)?;
        if let (true, Sent::Whole(bytes)) = (signs_in, &body) {
            let message = upstream::message_of(bytes)?;
            let begun = self.browsers.sign_in((&came, &admitted.tenant), message, &admitted.metadata, trace, patience).await?;
            return Ok(with_cookie(upstream::answered(&begun.session)?, begun.cookie));
        }
        let (channel, _) = self.service(method)?;
        let span = trace::client(method);
        span.in_scope(|| trace.hand_on(&mut admitted.metadata));
        deadline::hand_on(patience, &mut admitted.metadata);
        let headers = onward(came.head.headers, admitted.metadata);
        let passing = self.passed(channel, method, headers, body, admitted.within.as_ref());
        let answer = tokio::time::timeout(patience, passing).instrument(span.clone()).await;
        let response = answer.map_err(|_| upstream::late())??;
        trace::called(&span, Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code()));
        let response = self.after(method, admitted.within.as_ref(), response).await;
        Ok(response.map(|body| held(body, place)))
    }

    async fn passed(
        &self,
        channel: Channel,
        method: &'static Method,
        mut headers: HeaderMap,
        body: Sent,
        within: Option<&Within>,
    ) -> Result<Response<Body>, Refused> {
        let (bytes, within) = match (body, within) {
            (Sent::Whole(bytes), Some(within)) => (bytes, within),
            (body, _) => return Ok(upstream::pass(channel, to(method, headers, body.into())).await),
        };
        let first = upstream::pass(channel.clone(), to(method, headers.clone(), Sent::Whole(bytes.clone()).into())).await;
        if !Status::from_header_map(first.headers()).is_some_and(|status| browser::is_void(&status)) {
            return Ok(first);
        }
        headers.insert(header::AUTHORIZATION, self.renewed(within).await?);
        Ok(upstream::pass(channel, to(method, headers, Sent::Whole(bytes).into())).await)
    }

    /// Room for a raw answer.
    fn raw_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let wanted = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
        Arc::clone(&self.raw_room).try_acquire_many_owned(wanted).map_err(|_| {
            Refusal::new(Kind::Exhausted, "TOO_MANY_DOWNLOADS", "下载过多，请稍后重试", "too much is being sent at once; try again shortly")
        })
    }

    fn service(&self, method: &Method) -> Result<(Channel, &Budget), Fault> {
        let channel = self.peers.channel(&method.service);
        let both = channel.zip(self.budgets.get(method.service.as_str()));
        both.ok_or_else(|| Fault::broken(format!("no address of {} is configured", method.service)))
    }

    /// Whether a trusted proxy says that the client came by HTTPS.
    fn came_by_https(&self, came: &Came) -> bool {
        self.trusted_proxies.contains(&came.peer)
            && came.header("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
    }

    async fn body(&self, headers: &HeaderMap, body: Body, takes_raw: bool) -> Result<Bytes, Refused> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        if !takes_raw {
            check_kind(headers)?;
        }
        let too_large = || {
            let refusal = Refusal::new(Kind::Invalid, "BODY_TOO_LARGE", "请求体过大", format!("at most {} bytes", self.max_body));
            Refused::with(&refusal, StatusCode::PAYLOAD_TOO_LARGE)
        };
        match tokio::time::timeout(BODY_PATIENCE, whole(body, self.max_body)).await {
            Ok(Ok(Some(bytes))) => Ok(bytes),
            Ok(Ok(None)) => Err(too_large()),
            Ok(Err(_)) => Err(Refusal::new(Kind::Invalid, "MALFORMED", "请求体不完整", "the body broke off").into()),
            Err(_) => {
                let refusal = Refusal::new(Kind::Invalid, "BODY_TOO_SLOW", "请求体传输超时", "the body did not arrive in time");
                Err(Refused::with(&refusal, StatusCode::REQUEST_TIMEOUT))
            }
        }
    }
}

/// How much of a body that is too large is still read, so that its sender hears why instead of a broken connection.
const READ_ON: usize = 64 * 1024 * 1024;

/// A whole body, or `None` when it is larger than allowed.
async fn whole(mut body: Body, max: usize) -> Result<Option<Bytes>, Status> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > READ_ON {
        return Ok(None);
    }
    let mut bytes = BytesMut::with_capacity(if announced > max { 0 } else { announced });
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        if length > READ_ON {
            break;
        }
        if length > max {
            bytes.clear();
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((length <= max).then(|| bytes.freeze()))
}

/// Says in the span how a request was answered, and in a line of the log when it was refused.
fn note(span: &Span, response: &Response<Body>, request_id: &str) {
    let http = response.status();
    let grpc = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
    span.record("http.response.status_code", http.as_u16());
    if http.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    if http.is_client_error() || http.is_server_error() || grpc != Code::Ok {
        span.in_scope(|| tracing::info!(request_id, status = http.as_u16(), grpc = ?grpc, "refused"));
    }
}

/// A body must be JSON as it is; what says nothing is taken for it.
fn check_kind(headers: &HeaderMap) -> Result<(), Refused> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_json = text(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")));
    let is_plain = text(header::CONTENT_ENCODING).is_none_or(|coding| coding.eq_ignore_ascii_case("identity"));
    if is_json && is_plain {
        return Ok(());
    }
    let refusal = Refusal::new(Kind::Invalid, "NOT_JSON", "请使用未压缩的 application/json", "send application/json, not compressed");
    Err(Refused::with(&refusal, StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// A body that keeps its places until it ends or is dropped.
fn held<T: Send + 'static>(body: Body, places: T) -> Body {
    Body::new(body.map_frame(move |frame| {
        let _kept = &places;
        frame
    }))
}

/// What a gRPC request brings.
enum Sent {
    /// A body on its way.
    Passing(Body),
    /// All of it.
    Whole(Bytes),
}

impl From<Sent> for Body {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Passing(body) => body,
            Sent::Whole(bytes) => Self::new(http_body_util::Full::new(bytes)),
        }
    }
}

/// The headers of a request that goes on to a service: what it is told, and how the caller sends.
fn onward(mut said: HeaderMap, mut told: HeaderMap) -> HeaderMap {
    for name in ["content-type", "te", "grpc-encoding", "grpc-accept-encoding"] {
        if let Some(value) = said.remove(name) {
            told.insert(HeaderName::from_static(name), value);
        }
    }
    told
}

/// The request that goes on to a service.
fn to(method: &'static Method, headers: HeaderMap, body: Body) -> Request<Body> {
    let mut onward = Request::new(body);
    *onward.method_mut() = http::Method::POST;
    *onward.uri_mut() = http::Uri::from_static(&method.path);
    *onward.version_mut() = http::Version::HTTP_2;
    *onward.headers_mut() = headers;
    onward
}

fn with_cookie(mut response: Response<Body>, cookie: HeaderValue) -> Response<Body> {
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

fn json_response(json: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::new(Bytes::from(json))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
