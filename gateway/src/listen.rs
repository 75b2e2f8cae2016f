//! Connections: accepted up to a limit, HTTP/1.1 or HTTP/2, never waited for without end, drained when told to stop.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
};
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, Service as _, ServiceExt as _, util::BoxCloneSyncService};

use crate::door::Door;

/// Connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 10_000;
/// How long a new connection may take to its first whole head.
const FIRST_REQUEST: Duration = Duration::from_secs(5);
/// How long a stopping gateway waits for requests at work.
const DRAIN: Duration = Duration::from_secs(10);

/// Accepts connections until told to stop, then drains for a bounded time.
pub async fn accept(door: Arc<Door>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let builder = Arc::new(builder());
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = tokio::select! {
            next = next(&listener, &room) => next,
            () = &mut stop => break,
        };
        let Some((place, socket, peer)) = next else { continue };
        let (door, builder, watcher) = (Arc::clone(&door), Arc::clone(&builder), graceful.watcher());
        tokio::spawn(async move {
            serve(&builder, door, socket, peer, watcher).await;
            drop(place);
        });
    }
    drop(listener);
    // The library's drain waits for the last silent client; ours ends.
    let _drained = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(FIRST_REQUEST).max_buf_size(64 * 1024);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(16 * 1024).max_concurrent_streams(256);
    builder.http2().keep_alive_interval(Some(Duration::from_secs(20))).keep_alive_timeout(Duration::from_secs(5));
    builder
}

/// The next connection, once there is room for it.
async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((socket, peer)) => Some((place, socket, peer)),
        Err(error) => {
            // Out of descriptors, mostly: those at work have to end first.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Serves one connection to its end. One that says nothing is dropped: the library waits without end for the bytes that tell
/// HTTP/1 from HTTP/2.
async fn serve(
    builder: &Builder<TokioExecutor>,
    door: Arc<Door>,
    socket: TcpStream,
    peer: SocketAddr,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let _slower = socket.set_nodelay(true);
    let spoke = Arc::new(Notify::new());
    let service = hyper::service::service_fn(web(door, peer, Arc::clone(&spoke)));
    let connection = watcher.watch(builder.serve_connection(TokioIo::new(socket), service).into_owned());
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = spoke.notified() => connection.await,
        () = tokio::time::sleep(FIRST_REQUEST) => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

type Incoming = Request<hyper::body::Incoming>;
type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// One connection's requests: gRPC-Web becomes gRPC, then the door answers.
fn web(door: Arc<Door>, peer: SocketAddr, spoke: Arc<Notify>) -> impl Fn(Incoming) -> Answering + Clone {
    let direct = BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request, peer).await) }
    }));
    let web = GrpcWebLayer::new().layer(direct.clone());
    move |request: Incoming| {
        spoke.notify_one();
        let (mut direct, mut web) = (direct.clone(), web.clone());
        Box::pin(async move {
            // The layer refuses what is not a gRPC-Web POST; that is ours to answer.
            let is_web = request.method() == Method::POST && says_grpc_web(&request);
            let request = request.map(Body::new);
            let answered = if is_web {
                tower::ServiceExt::<Request<Body>>::ready(&mut web).await?.call(request).await.map(measured_anew)
            } else {
                direct.ready().await?.call(request).await
            };
            answered.map(secured)
        })
    }
}

/// Forgets how long the service's own message is: the layer says that length for its body, to which it has added the trailers as a frame,
/// and a browser would be sent a message without its end.
fn measured_anew(response: Response<Body>) -> Response<Body> {
    let mut response = response.map(|body| Body::new(body.map_frame(|frame| frame)));
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    response
}

fn says_grpc_web(request: &Incoming) -> bool {
    request.headers().get(http::header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc-web"))
}

/// Headers that every answer carries, unless it says something stricter itself.
fn secured(mut response: Response<Body>) -> Response<Body> {
    const HEADERS: [(&str, &str); 5] = [
        ("content-security-policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    response
}
