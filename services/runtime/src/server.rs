//! A service's process: its parts put together, its routes behind the guard, health and reflection beside them, and a drain that ends.

use std::{future::Future, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use drumtower_proto::{
    DESCRIPTORS,
    identity::{ListKeysRequest, session_service_client::SessionServiceClient},
    log::log_service_server::LogServiceServer,
};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;

use crate::{
    cache::Cache,
    call::Call,
    clock::Clock,
    config::{Config, SERVICES},
    db::Db,
    fault::Fault,
    guard::{Guard, guard},
    housekeeping::{self, keep_house},
    log::{Log, sequence, sign_heads},
    peers::Peers,
    redis::{Bell, Redis},
    revocation::Revocations,
    seal::{Kek, Sealers},
    telemetry, token,
};

/// What ends a process before its time.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a stopping process waits for calls at work.
const DRAIN: Duration = Duration::from_secs(10);
/// Calls at work at once in one process.
const ROOM: usize = 512;

/// The parts that every service stands on.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The service's name.
    pub name: &'static str,
    /// Settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// When this process began.
    pub started: jiff::Timestamp,
    /// The database.
    pub db: Db,
    /// The shared cache.
    pub cache: Cache,
    /// The other services.
    pub peers: Peers,
    /// What seals personal data, per district.
    pub sealers: Sealers,
    /// Keys of people's tokens.
    pub people: Arc<token::Keys>,
    /// What was revoked.
    pub revocations: Revocations,
    redis: Redis,
    services: Arc<token::Keys>,
    refetch: Arc<tokio::sync::Notify>,
}

impl Parts {
    /// Puts the parts together from the settings. Call inside the runtime.
    pub fn new(config: Config, name: &'static str) -> Result<Self, Failure> {
        let clock = Clock::system();
        let redis = Redis::connect(config.redis.as_deref())?;
        let bell = Bell::new(redis.clone());
        let db = Db::connect(&config, name, bell).map_err(failure)?;
        let signer = signer(&config, &format!("{name}.key"))?;
        let peers = Peers::new(&config, name, signer, clock.clone()).map_err(failure)?;
        Ok(Self {
            name,
            started: clock.now(),
            clock,
            db,
            cache: Cache::new(name, redis.clone()),
            peers,
            sealers: Sealers::new(Kek::new(config.secret("kek")?).map_err(failure)?),
            people: Arc::default(),
            revocations: Revocations::default(),
            services: Arc::new(service_keys(&config)?),
            redis,
            refetch: Arc::default(),
            config,
        })
    }

    /// The Redis connection.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Keys of the services' own tokens.
    pub fn service_keys(&self) -> Arc<token::Keys> {
        Arc::clone(&self.services)
    }

    /// The guard in front of this service.
    fn guard(&self) -> Guard {
        let refetch = Arc::clone(&self.refetch);
        Guard {
            service: self.name,
            services: Arc::clone(&self.services),
            people: Arc::clone(&self.people),
            refetch: Arc::new(move || refetch.notify_one()),
            revocations: self.revocations.clone(),
            db: self.db.clone(),
            clock: self.clock.clone(),
            room: Arc::new(Semaphore::new(ROOM)),
        }
    }

    /// Keeps the keys of people's tokens fresh: every minute, and when a token names an unknown key, though not twice in five seconds.
    /// Identity, which makes them, gives them to its own guard itself.
    pub async fn keep_people_keys(self) {
        loop {
            let fetched = self.fetch_people_keys().await;
            if let Err(error) = &fetched {
                tracing::debug!(?error, "identity's keys are not to be had yet");
            }
            let wait = if fetched.is_ok() { Duration::from_secs(60) } else { Duration::from_millis(200) };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.refetch.notified(), if fetched.is_ok() => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    /// Fetches the keys of people's tokens once.
    pub async fn fetch_people_keys(&self) -> Result<(), Fault> {
        let call = Call::of_service(self.name, 0, self.clock.now(), Duration::from_secs(2));
        let answer = SessionServiceClient::new(self.peers.to("identity", &call)?).list_keys(ListKeysRequest {}).await?;
        self.people.replace(answer.into_inner().keys.into_iter().filter_map(|key| URL_SAFE_NO_PAD.decode(key.x).ok()));
        Ok(())
    }

    /// Serves until the process is told to stop, then drains for at most ten seconds.
    pub async fn serve(self, routes: Routes) -> Result<(), Failure> {
        let address = self.config.services.get(self.name).ok_or("no address of this service is configured")?.parse()?;
        let incoming = TcpIncoming::bind(address).map_err(|error| format!("{address}: {error}"))?.with_nodelay(Some(true));
        self.check_world().await?;
        self.serve_on(incoming, routes, stop_signal()).await
    }

    /// Serves on a bound address until `stop`.
    pub async fn serve_on(self, incoming: TcpIncoming, routes: Routes, stop: impl Future<Output = ()> + Send) -> Result<(), Failure> {
        tokio::spawn(sequence(self.db.clone(), self.clock.clone()));
        tokio::spawn(keep_house(self.db.clone(), self.clock.clone(), &[housekeeping::KEYS]));
        tokio::spawn(sign_heads(self.db.clone(), self.peers.clone(), self.clock.clone()));
        tokio::spawn(self.revocations.clone().run(self.db.clone(), self.peers.clone(), self.clock.clone()));
        tokio::spawn(self.db.resting().clone().follow(self.name, self.peers.clone(), self.clock.clone()));
        if self.name != "identity" {
            tokio::spawn(self.clone().keep_people_keys());
        }
        let guarded = routes
            .add_service(LogServiceServer::new(Log::new(self.db.clone())))
            .into_axum_router()
            .layer(axum::middleware::from_fn_with_state(self.guard(), guard));
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_service_status("", tonic_health::ServingStatus::Serving).await;
        // Many clients still ask by the older name.
        let describe = || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(DESCRIPTORS);
        let open = Routes::new(health_service).add_service(describe().build_v1()?).add_service(describe().build_v1alpha()?);
        let open = open.into_axum_router();
        let stopped = Arc::new(tokio::sync::Notify::new());
        let server = tonic::transport::Server::builder()
            .max_concurrent_streams(256)
            .http2_keepalive_interval(Some(Duration::from_secs(20)))
            .http2_keepalive_timeout(Some(Duration::from_secs(5)))
            .http2_max_header_list_size(16 * 1024)
            .add_routes(Routes::from(guarded.merge(open.reset_fallback())));
        let told = Arc::clone(&stopped);
        let serving = server.serve_with_incoming_shutdown(incoming, async move { told.notified().await });
        tokio::pin!(serving);
        tracing::info!(service = self.name, "serving");
        tokio::select! {
            ended = &mut serving => return ended.map_err(Into::into),
            () = stop => {}
        }
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        stopped.notify_one();
        // Graceful shutdown alone waits for the last silent client; ours ends.
        let _drained = tokio::time::timeout(DRAIN, serving).await;
        Ok(())
    }

    /// Refuses a wrong world: a login role that may pass row-level security, or a database whose locale breaks search.
    async fn check_world(&self) -> Result<(), Failure> {
        let mut patience = 50;
        let row: (bool, bool, String, bool) = loop {
            let found = sqlx::query_as(
                "select rolsuper, rolbypassrls, (select datctype from pg_database where datname = current_database()),
                        has_function_privilege('pg_catalog.set_config(text,text,boolean)', 'execute')
                 from pg_roles where rolname = current_user",
            )
            .fetch_one(self.db.beyond_tenants())
            .await;
            match found {
                Ok(row) => break row,
                Err(error) if patience == 0 => return Err(error.into()),
                Err(_) => {
                    patience -= 1;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        };
        match row {
            (true, ..) | (_, true, ..) => Err("the login role may pass row-level security: refuse to start".into()),
            (.., true) => Err("set_config may be called by this role: run `drumtower migrate`".into()),
            (_, _, ctype, _) if ctype == "C" || ctype == "POSIX" => {
                Err(format!("the database's LC_CTYPE is {ctype}; create it with C.UTF-8").into())
            }
            _ => Ok(()),
        }
    }
}

/// Runs a whole service: telemetry, parts, routes, until the process is told to stop.
pub async fn run<F>(config: Config, name: &'static str, routes: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(&Parts) -> Result<Routes, Failure>,
{
    let exporters = telemetry::start(&config.telemetry, name).map_err(failure)?;
    let parts = Parts::new(config, name)?;
    let routes = routes(&parts).await?;
    let ended = parts.serve(routes).await;
    exporters.stop().await;
    ended
}

/// A fault while starting, in words.
pub fn failure(fault: Fault) -> Failure {
    match fault {
        Fault::Broken(error) => error,
        other => format!("{other:?}").into(),
    }
}

/// Reads a signing key from its secret.
pub fn signer(config: &Config, secret: &str) -> Result<token::Signer, Failure> {
    let text = config.secret(secret)?;
    Ok(token::Signer::from_pkcs8(&hex::decode(text.expose_secret())?)?)
}

/// The public keys of all services and the gateway.
pub fn service_keys(config: &Config) -> Result<token::Keys, Failure> {
    let mut publics = Vec::new();
    for name in SERVICES.iter().chain(&["gateway"]) {
        publics.push(hex::decode(config.secret(&format!("{name}.pub"))?.expose_secret())?);
    }
    let keys = token::Keys::default();
    keys.replace(publics);
    Ok(keys)
}

/// Ends when the process is asked to stop.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        let _interrupted = interrupt.await;
        return;
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate.recv() => {}
    }
}
