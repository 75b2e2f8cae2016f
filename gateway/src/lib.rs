//! The only door: JSON and gRPC-Web to gRPC, districts, browsers' sessions, quotas, the OpenAPI document, the pages.

mod admit;
mod browser;
mod civil;
mod console;
mod deadline;
mod door;
mod frame;
mod listen;
mod openapi;
mod pages;
mod problem;
mod quota;
mod raw;
mod retry;
mod root;
mod route;
#[cfg(test)]
mod samples;
mod schema;
mod stream;
mod tenant;
mod trace;
mod transcode;
mod upstream;
mod write;

use std::{net::IpAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use drumtower_proto::identity::{ListKeysRequest, session_service_client::SessionServiceClient};
use drumtower_runtime::{Call, Clock, Config, Failure, Fault, peers::Peers, redis::Redis, server, telemetry, token};
use tokio::net::TcpListener;

use crate::{
    browser::{Browsers, Cookies},
    console::Console,
    door::Door,
    frame::Frames,
    pages::Pages,
    quota::Quota,
    route::Routes,
    tenant::Tenants,
};

/// Runs the gateway until the process is told to stop.
pub async fn serve(config: Config) -> Result<(), Failure> {
    let exporters = telemetry::start(&config.telemetry, "gateway").map_err(server::failure)?;
    let listener = TcpListener::bind(&config.gateway.listen).await.map_err(|error| format!("{}: {error}", config.gateway.listen))?;
    tracing::info!(address = %config.gateway.listen, "the gateway is open");
    let ended = serve_on(&config, listener, server::stop_signal()).await;
    exporters.stop().await;
    ended
}

/// Runs the gateway on a bound address until `stop`, without telemetry of its own.
pub async fn serve_on(config: &Config, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let door = Arc::new(open(config)?);
    let keys = tokio::spawn(keep_keys(Arc::clone(&door)));
    listen::accept(door, listener, stop).await;
    keys.abort();
    Ok(())
}

/// The door with everything it needs. Call inside the runtime.
fn open(config: &Config) -> Result<Door, Failure> {
    let clock = Clock::system();
    let peers = Peers::new(config, "gateway", server::signer(config, "gateway.key")?, clock.clone()).map_err(server::failure)?;
    let routes = Routes::of_contract()?;
    if config.gateway.plain_cookies {
        tracing::warn!("gateway.plain_cookies: browsers' sessions go over plain HTTP, where anybody on the way reads them");
    }
    let browsers = Browsers::new(peers.clone(), clock.clone(), Cookies::new(config.gateway.plain_cookies));
    Ok(Door {
        pages: Pages::new(&routes),
        console: Console::new(config.gateway.console_dir.as_deref()),
        routes,
        tenants: Tenants::new(peers.clone(), clock.clone()),
        frames: Frames::new(peers.clone(), clock.clone()),
        peers,
        clock,
        people: Arc::new(token::Keys::default()),
        browsers,
        quota: Quota::new(Redis::connect(config.redis.as_deref())?, config.gateway.tenant_rate, config.gateway.user_rate),
        budgets: door::budgets(),
        room: door::room(),
        raw_room: door::raw_room(),
        refetch: Arc::default(),
        max_body: config.gateway.max_body,
        trusted_proxies: trusted(&config.gateway.trusted_proxies)?,
    })
}

/// The addresses of trusted proxies. A name or a range among them would be trusted by nobody and looked for by everybody: refused.
fn trusted(proxies: &[String]) -> Result<Vec<IpAddr>, Failure> {
    let parse = |proxy: &String| match proxy.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_canonical()),
        Err(error) => Err(format!("gateway.trusted_proxies: {proxy}: {error}").into()),
    };
    proxies.iter().map(parse).collect()
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
