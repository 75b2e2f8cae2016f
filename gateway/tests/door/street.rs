//! What stands behind the door in its tests: an identity and a ticketing that answer as told and remember what they were sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use drumtower_proto::{
    identity::{
        BrowserSession, BrowserToken, ExchangeBrowserSessionRequest, Key, ListKeysResponse, OpenBrowserSessionRequest,
        ResolveTenantRequest, Tenant, User, tenant::State,
    },
    ticketing::{GetTicketRequest, Ticket},
};
use drumtower_runtime::{
    Clock, Config, Kind, Refusal,
    clock::to_proto,
    fault,
    token::{self, Held, Signer},
};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message;
use tokio::{net::TcpListener, sync::oneshot};
use tonic::Status;
use uuid::Uuid;

/// A call that a service got.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What identity knows of browsers' sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    /// Seconds for which a token may be used.
    pub lasts: i64,
    /// Every session ended.
    pub over: bool,
    /// Tokens that are void.
    pub revoked: Vec<String>,
    /// Secrets that sign-ins gave up.
    pub former: Vec<String>,
}

/// The secret of whoever signs in with a login.
pub fn secret(login: &str) -> String {
    format!("{login:_<43}")
}

/// A door with its street.
pub struct Street {
    pub address: std::net::SocketAddr,
    pub signer: Arc<Signer>,
    pub gateway_key: Vec<u8>,
    pub sessions: Arc<Mutex<Sessions>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Option<oneshot::Sender<()>>,
    pub ended: tokio::task::JoinHandle<()>,
    _secrets: tempfile::TempDir,
}

impl Street {
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// Opens a door with settings of its own.
    pub async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let street = Self::build(change).await;
        street.wait_until_ready().await;
        street
    }

    /// Opens a door that may never get ready.
    pub async fn build(change: impl FnOnce(&mut Config)) -> Self {
        drumtower_runtime::web::use_ring();
        let signer = Arc::new(signer());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sessions = Arc::new(Mutex::new(Sessions { lasts: 300, ..Sessions::default() }));
        let mut config = Config::default();
        for service in ["identity", "enterprise", "party", "ticketing"] {
            config.services.insert(service.to_owned(), serve(&signer, &seen, &sessions).await);
        }
        let secrets = tempfile::tempdir().expect("a folder");
        let key = Signer::generate().expect("a key");
        std::fs::write(secrets.path().join("gateway.key"), hex::encode(&key)).expect("written");
        config.secrets = secrets.path().to_owned();
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            drumtower_gateway::serve_on(&config, listener, stopped).await.expect("served");
        });
        let gateway_key = Signer::from_pkcs8(&key).expect("a key").public();
        Self { address, signer, gateway_key, sessions, seen, stop: Some(stop), ended, _secrets: secrets }
    }

    async fn wait_until_ready(&self) {
        for _ in 0..100 {
            if reqwest::get(self.url("/readyz")).await.is_ok_and(|answer| answer.status() == 200) {
                self.seen.lock().expect("seen").clear();
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the door does not get ready");
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What ticketing got, in order.
    pub fn tickets_seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock().expect("seen");
        seen.iter().filter(|seen| seen.path.contains("TicketService")).cloned().collect()
    }

    /// The last call of a path.
    pub fn seen(&self, path: &str) -> Seen {
        let seen = self.seen.lock().expect("seen");
        seen.iter().rev().find(|seen| seen.path.ends_with(path)).cloned().expect("a call")
    }

    /// How often a path was called.
    pub fn count(&self, path: &str) -> usize {
        self.seen.lock().expect("seen").iter().filter(|seen| seen.path.ends_with(path)).count()
    }

    /// A token of somebody of a district.
    pub fn token(&self, tenant: i32) -> String {
        let now = Clock::system().now();
        let roles = vec![Held { r: 2, n: vec![] }];
        self.signer.access(&token::claims(Uuid::now_v7(), tenant, Uuid::now_v7(), now, None, None, 1, roles, now))
    }

    /// Asks the door to close.
    pub fn stop(&mut self) {
        let _told = self.stop.take().map(|stop| stop.send(()));
    }
}

/// A Redis of a test's own, ended with it.
pub struct Redis {
    pub url: String,
    process: std::process::Child,
}

impl Redis {
    pub async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr()).expect("a free port");
        let port = free.port().to_string();
        let arguments = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let quiet = std::process::Stdio::null;
        let process = std::process::Command::new("redis-server").args(arguments).stdout(quiet()).stderr(quiet()).spawn();
        let redis = Self { url: format!("redis://{free}"), process: process.expect("redis-server is installed") };
        for _ in 0..100 {
            if tokio::net::TcpStream::connect(free).await.is_ok() {
                return redis;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("Redis does not start");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

pub fn signer() -> Signer {
    Signer::from_pkcs8(&Signer::generate().expect("a key")).expect("a key")
}

async fn serve(signer: &Arc<Signer>, seen: &Arc<Mutex<Vec<Seen>>>, sessions: &Arc<Mutex<Sessions>>) -> String {
    let tries = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
    let (signer, seen, sessions) = (Arc::clone(signer), Arc::clone(seen), Arc::clone(sessions));
    let app = axum::Router::new().fallback(move |request: Request<axum::body::Body>| {
        let (signer, seen, tries, sessions) = (Arc::clone(&signer), Arc::clone(&seen), Arc::clone(&tries), Arc::clone(&sessions));
        async move {
            let (head, body) = request.into_parts();
            let call = Seen { path: head.uri.path().to_owned(), headers: head.headers };
            seen.lock().expect("seen").push(call.clone());
            let body = body.collect().await.expect("a body").to_bytes();
            respond(answer(&call, body.get(5..).unwrap_or_default(), &signer, &tries, &sessions).await)
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

type Tries = Mutex<HashMap<String, u32>>;

async fn answer(call: &Seen, message: &[u8], signer: &Signer, tries: &Tries, sessions: &Mutex<Sessions>) -> Result<Vec<u8>, Status> {
    let bearer = call.header("authorization").trim_start_matches("Bearer ");
    if sessions.lock().expect("sessions").revoked.iter().any(|revoked| revoked == bearer) {
        return Err(unauthenticated("SIGN_IN"));
    }
    match call.path.rsplit('/').next().unwrap_or_default() {
        // HealthCheckResponse { status: SERVING }
        "Check" => Ok(vec![8, 1]),
        "ListKeys" => {
            let key = Key { kid: signer.kid().to_owned(), x: URL_SAFE_NO_PAD.encode(signer.public()) };
            Ok(ListKeysResponse { keys: vec![key] }.encode_to_vec())
        }
        "ResolveTenant" => resolve(&ResolveTenantRequest::decode(message).expect("decoded")),
        "OpenBrowserSession" => open(&OpenBrowserSessionRequest::decode(message).expect("decoded"), signer, sessions),
        "ExchangeBrowserSession" => {
            // Long enough for others to ask meanwhile.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let secret = ExchangeBrowserSessionRequest::decode(message).expect("decoded").secret;
            let sessions = sessions.lock().expect("sessions");
            let known = !sessions.over && secret.starts_with("leader");
            if known { Ok(browser_token(signer, &sessions).encode_to_vec()) } else { Err(unauthenticated("SESSION_OVER")) }
        }
        "GetMe" => Ok(User { login: "leader".to_owned(), ..User::default() }.encode_to_vec()),
        "GetTicket" => ticket(&GetTicketRequest::decode(message).expect("decoded").ticket_id, tries).await,
        "CreateTicket" => Err(Status::unavailable("busy")),
        _ => Ok(Vec::new()),
    }
}

fn unauthenticated(reason: &'static str) -> Status {
    fault::status(&Refusal::new(Kind::Unauthenticated, reason, "请先登录", "sign in"))
}

fn open(asked: &OpenBrowserSessionRequest, signer: &Signer, sessions: &Mutex<Sessions>) -> Result<Vec<u8>, Status> {
    let mut sessions = sessions.lock().expect("sessions");
    sessions.former.push(asked.former_secret.clone());
    if asked.password != "right" {
        return Err(unauthenticated("SIGN_IN_FAILED"));
    }
    let ends_at = to_proto(Clock::system().now() + jiff::SignedDuration::from_hours(12));
    let token = browser_token(signer, &sessions);
    Ok(BrowserSession { secret: secret(&asked.login), ends_at: Some(ends_at), token: Some(token) }.encode_to_vec())
}

/// A token of somebody of the first district, each another.
fn browser_token(signer: &Signer, sessions: &Sessions) -> BrowserToken {
    let now = Clock::system().now();
    let claims = token::claims(Uuid::now_v7(), 7, Uuid::now_v7(), now, None, None, 1, vec![Held { r: 2, n: vec![] }], now);
    let ends_at = to_proto(now + jiff::SignedDuration::from_secs(sessions.lasts));
    BrowserToken { access_token: signer.access(&claims), ends_at: Some(ends_at) }
}

fn resolve(asked: &ResolveTenantRequest) -> Result<Vec<u8>, Status> {
    let (number, state) = match (asked.code.as_str(), asked.host.as_str()) {
        ("350102", _) | (_, "gulou.test") => (7, State::Active),
        ("350103", _) => (8, State::ReadOnly),
        ("350104", _) => (9, State::Blocked),
        _ => return Err(fault::status(&Refusal::not_found("tenant"))),
    };
    Ok(Tenant { number, code: asked.code.clone(), state: state as i32, ..Tenant::default() }.encode_to_vec())
}

/// The id says what becomes of the call.
async fn ticket(id: &str, tries: &Tries) -> Result<Vec<u8>, Status> {
    let tried = {
        let mut tries = tries.lock().expect("tries");
        let tried = tries.entry(id.to_owned()).or_default();
        *tried += 1;
        *tried
    };
    match id {
        "none" => Err(fault::status(&Refusal::not_found("ticket"))),
        "crash" => Err(Status::internal("password of the database")),
        "flaky" if tried < 3 => Err(Status::unavailable("not yet")),
        "down" => Err(Status::unavailable("never")),
        "slow" => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Ticket { id: id.to_owned(), ..Ticket::default() }.encode_to_vec())
        }
        _ => Ok(Ticket { id: id.to_owned(), title: "电梯故障".to_owned(), ..Ticket::default() }.encode_to_vec()),
    }
}

fn respond(answer: Result<Vec<u8>, Status>) -> Response<axum::body::Body> {
    let message = match answer {
        Ok(message) => message,
        Err(status) => return status.into_http::<tonic::body::Body>().map(axum::body::Body::new),
    };
    let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let message = framed(&message);
    let length = HeaderValue::from(message.len());
    let frames = [Frame::data(message.into()), Frame::trailers(trailers)];
    let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<Frame<bytes::Bytes>, std::convert::Infallible>)));
    let mut response = Response::new(axum::body::Body::new(body));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    // As services do whose guard has masked the message.
    response.headers_mut().insert("content-length", length);
    response
}

/// A message behind the five bytes that say how long it is.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[0][..], &length, message].concat()
}
