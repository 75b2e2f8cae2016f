//! The only door: JSON and gRPC-Web to gRPC, districts, quotas, the OpenAPI document.

mod door;
mod openapi;
mod pages;
mod problem;
mod quota;
mod retry;
mod route;
mod stream;
mod tenant;
mod transcode;
mod upstream;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use drumtower_proto::identity::{ListKeysRequest, session_service_client::SessionServiceClient};
use drumtower_runtime::{Call, Clock, Config, Failure, Fault, peers::Peers, redis::Redis, server, telemetry, token};
use http::{HeaderName, HeaderValue, Request, Response};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::{net::TcpListener, sync::Semaphore};
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, Service as _, ServiceExt};

use crate::{door::Door, pages::Pages, quota::Quota, retry::Budget, route::Routes, tenant::Tenants};

/// Connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 10_000;
/// How long a stopping gateway waits for requests at work.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs the gateway until the process is told to stop.
pub async fn serve(config: Config) -> Result<(), Failure> {
    let exporters = telemetry::start(&config.telemetry, "gateway").map_err(server::failure)?;
    let listener = TcpListener::bind(&config.gateway.listen).await.map_err(|error| format!("{}: {error}", config.gateway.listen))?;
    let door = Arc::new(open(&config)?);
    tokio::spawn(keep_keys(Arc::clone(&door)));
    tracing::info!(address = %config.gateway.listen, "the gateway is open");
    accept(door, listener, server::stop_signal()).await;
    exporters.stop().await;
    Ok(())
}

/// The door with everything it needs. Call inside the runtime.
fn open(config: &Config) -> Result<Door, Failure> {
    let clock = Clock::system();
    let peers = Peers::new(config, "gateway", server::signer(config, "gateway.key")?, clock.clone()).map_err(server::failure)?;
    let routes = Routes::of_contract()?;
    Ok(Door {
        pages: Pages::new(&routes),
        routes,
        tenants: Tenants::new(peers.clone(), clock.clone()),
        peers,
        clock,
        people: Arc::new(token::Keys::default()),
        quota: Quota::new(Redis::connect(config.redis.as_deref())?, config.gateway.tenant_rate, config.gateway.user_rate),
        budget: Budget::default(),
        room: door::room(),
        refetch: Arc::default(),
        max_body: config.gateway.max_body,
        trusted_proxies: config.gateway.trusted_proxies.clone(),
    })
}

impl Door {
    /// Whether any key of people's tokens is known.
    fn keys_known(&self) -> bool {
        self.people.any()
    }
}

/// Keeps the keys of people's tokens fresh: every minute, and when a token names an unknown one.
async fn keep_keys(door: Arc<Door>) {
    loop {
        let fetched = fetch_keys(&door).await;
        let wait = if fetched.is_ok() { Duration::from_secs(60) } else { Duration::from_millis(200) };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = door.refetch.notified(), if fetched.is_ok() => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

async fn fetch_keys(door: &Door) -> Result<(), Fault> {
    let call = Call::of_service("gateway", 0, door.clock.now(), Duration::from_secs(2));
    let answer = SessionServiceClient::new(door.peers.to("identity", &call)?).list_keys(ListKeysRequest {}).await?;
    door.people.replace(answer.into_inner().keys.into_iter().filter_map(|key| URL_SAFE_NO_PAD.decode(key.x).ok()));
    Ok(())
}

/// Accepts connections until told to stop, then drains for a bounded time.
async fn accept(door: Arc<Door>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5)).max_buf_size(64 * 1024);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(16 * 1024).max_concurrent_streams(256);
    builder.http2().keep_alive_interval(Some(Duration::from_secs(20))).keep_alive_timeout(Duration::from_secs(5));
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((socket, peer)) = accepted else { continue };
        let _slower = socket.set_nodelay(true);
        let service = hyper::service::service_fn(web(Arc::clone(&door), peer));
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(socket), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(place);
        });
    }
    drop(listener);
    let _drained = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

type Incoming = Request<hyper::body::Incoming>;
type Answering = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, std::convert::Infallible>> + Send>>;

/// One connection's requests: gRPC-Web becomes gRPC, then the door answers.
fn web(door: Arc<Door>, peer: SocketAddr) -> impl Fn(Incoming) -> Answering + Clone {
    let direct = tower::util::BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let door = Arc::clone(&door);
        async move { Ok::<_, std::convert::Infallible>(door.answer(request, peer).await) }
    }));
    let web = GrpcWebLayer::new().layer(direct.clone());
    move |request: Incoming| {
        let (mut direct, mut web) = (direct.clone(), web.clone());
        let is_web = request.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc-web"));
        Box::pin(async move {
            let request = request.map(Body::new);
            // The layer refuses HTTP/1.1 requests that are not gRPC-Web; those are ours to answer.
            let answered = if is_web {
                ServiceExt::<Request<Body>>::ready(&mut web).await?.call(request).await
            } else {
                direct.ready().await?.call(request).await
            };
            answered.map(secured)
        })
    }
}

/// Headers that every answer carries.
fn secured(mut response: Response<Body>) -> Response<Body> {
    const HEADERS: [(&str, &str); 5] = [
        ("content-security-policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
