//! What stands behind the door in its tests: an identity and a ticketing that answer as told and remember what they were sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use drumtower_proto::{
    identity::{Key, ListKeysResponse, ResolveTenantRequest, Tenant, tenant::State},
    ticketing::{GetTicketRequest, Ticket},
};
use drumtower_runtime::{
    Clock, Config, Refusal, fault,
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

/// A door with its street.
pub struct Street {
    pub address: std::net::SocketAddr,
    pub signer: Arc<Signer>,
    pub gateway_key: Vec<u8>,
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
        let mut config = Config::default();
        for service in ["identity", "enterprise", "party", "ticketing"] {
            config.services.insert(service.to_owned(), serve(Arc::clone(&signer), Arc::clone(&seen)).await);
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
        Self { address, signer, gateway_key, seen, stop: Some(stop), ended, _secrets: secrets }
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

async fn serve(signer: Arc<Signer>, seen: Arc<Mutex<Vec<Seen>>>) -> String {
    let tries = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
    let app = axum::Router::new().fallback(move |request: Request<axum::body::Body>| {
        let (signer, seen, tries) = (Arc::clone(&signer), Arc::clone(&seen), Arc::clone(&tries));
        async move {
            let (head, body) = request.into_parts();
            let path = head.uri.path().to_owned();
            seen.lock().expect("seen").push(Seen { path: path.clone(), headers: head.headers });
            let body = body.collect().await.expect("a body").to_bytes();
            respond(answer(&path, body.get(5..).unwrap_or_default(), &signer, &tries).await)
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

type Tries = Mutex<HashMap<String, u32>>;

async fn answer(path: &str, message: &[u8], signer: &Signer, tries: &Tries) -> Result<Vec<u8>, Status> {
    match path.rsplit('/').next().unwrap_or_default() {
        // HealthCheckResponse { status: SERVING }
        "Check" => Ok(vec![8, 1]),
        "ListKeys" => {
            let key = Key { kid: signer.kid().to_owned(), x: URL_SAFE_NO_PAD.encode(signer.public()) };
            Ok(ListKeysResponse { keys: vec![key] }.encode_to_vec())
        }
        "ResolveTenant" => resolve(&ResolveTenantRequest::decode(message).expect("decoded")),
        "GetTicket" => ticket(&GetTicketRequest::decode(message).expect("decoded").ticket_id, tries).await,
        "CreateTicket" => Err(Status::unavailable("busy")),
        _ => Ok(Vec::new()),
    }
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
