//! `drumtower up`: one installation on this machine, from nothing to a running platform, and down again in order.

mod logfile;
mod servers;
mod show;
mod supervise;

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use drumtower_runtime::{Config, config::SERVICES};
use secrecy::SecretString;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    Failure, database, demo,
    installation::{Decided, FOLDER, Installation},
    local,
};
use servers::Servers;
use supervise::Roles;

/// How long everything may take to get ready; a debug build on a busy machine is slow.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// What can be said on the command line.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder of the installation.
    #[arg(long, default_value = FOLDER)]
    dir: PathBuf,
    /// Uses this PostgreSQL (URL of an administrator) instead of a private one; also the environment variable `DRUMTOWER_POSTGRES`.
    #[arg(long, value_name = "URL", env = "DRUMTOWER_POSTGRES", hide_env_values = true)]
    postgres: Option<SecretString>,
    /// Uses this Redis instead of a private one; also the environment variable `DRUMTOWER_REDIS`.
    #[arg(long, value_name = "URL", env = "DRUMTOWER_REDIS", hide_env_values = true)]
    redis: Option<SecretString>,
    /// Port of the private PostgreSQL.
    #[arg(long, default_value_t = 54329, value_name = "PORT")]
    postgres_port: u16,
    /// Port of the private Redis.
    #[arg(long, default_value_t = 63799, value_name = "PORT")]
    redis_port: u16,
    /// Where the gateway listens; kept in the settings.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Folder of the demonstration districts.
    #[arg(long, default_value = demo::FOLDER)]
    demo: PathBuf,
    /// Starts without demonstration districts.
    #[arg(long)]
    no_demo: bool,
    /// Shows the log lines of all roles here too.
    #[arg(long)]
    logs: bool,
}

/// Starts everything and keeps it running until told to stop.
pub async fn up(options: Options) -> Result<(), Failure> {
    let began = Instant::now();
    let mut stop = Stop::listen()?;
    let installation = Installation::open(&options.dir)?;
    let districts = if options.no_demo { Vec::new() } else { demo::districts(&options.demo)? };
    let mut servers = tokio::task::block_in_place(|| Servers::start(&installation, &options))?;
    let mut roles = Roles::new(&installation, options.logs)?;
    let ended = tokio::select! {
        ended = live(&installation, &options, &districts, &mut servers, &mut roles, began) => ended,
        () = stop.asked() => Ok(()),
    };
    println!("Stopping.");
    roles.stop().await;
    tokio::task::block_in_place(|| servers.stop());
    ended
}

async fn live(
    installation: &Installation,
    options: &Options,
    districts: &[demo::District],
    servers: &mut Servers,
    roles: &mut Roles,
    began: Instant,
) -> Result<(), Failure> {
    let config = installation.settle(&Decided {
        database: servers.admin().url(),
        redis: servers.redis_url().to_owned(),
        listen: options.listen.clone(),
    })?;
    for applied in database::prepare(servers.admin(), &config).await? {
        println!("Migrated {applied}");
    }
    for district in districts {
        drumtower_identity::onboard(&config, &district.onboarding(), |_| ()).await?;
    }
    check_ports(&config, installation)?;
    for role in SERVICES.into_iter().chain(["gateway"]) {
        roles.start(role);
    }
    let door = demo::door_of(&config);
    roles.ready(&door, READY_WITHIN).await?;
    seed(installation, &door, districts).await?;
    show::running(&door, installation, districts, began.elapsed());
    servers.watch(installation).await
}

/// Loads what was not loaded before.
async fn seed(installation: &Installation, door: &str, districts: &[demo::District]) -> Result<(), Failure> {
    for district in districts.iter().filter(|district| !installation.is_seeded(&district.tenant.code)) {
        demo::seed(door, district).await?;
        installation.mark_seeded(&district.tenant.code)?;
    }
    Ok(())
}

/// Says which port is taken, by whom, and what to change, before any role fails on it.
fn check_ports(config: &Config, installation: &Installation) -> Result<(), Failure> {
    let gateway = std::iter::once(("gateway.listen".to_owned(), &config.gateway.listen));
    let services = config.services.iter().map(|(service, address)| (format!("services.{service}"), address));
    for (key, address) in gateway.chain(services) {
        let Some(socket) = socket(address) else {
            return Err(format!("{key} = {address:?} in {} is not an address", installation.settings().display()).into());
        };
        local::check(socket).map_err(|fault| format!("{fault}; change {key} in {}", installation.settings().display()))?;
    }
    Ok(())
}

fn socket(address: &str) -> Option<SocketAddr> {
    address.to_socket_addrs().ok()?.next()
}

/// The signals that ask us to stop, taken from the first moment on.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
