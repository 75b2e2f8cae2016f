//! PostgreSQL and Redis of an installation: private ones, or those it was told to use.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::Options;
use crate::{
    Failure,
    database::{ADMIN_SECRET, Admin},
    installation::Installation,
    local::{Fault, Port, Postgres, Redis},
    secrets,
};

/// How often it is looked whether they still run.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The two servers.
#[derive(Debug)]
pub struct Servers {
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    ports: (u16, u16),
    admin: Admin,
    redis_url: String,
}

impl Servers {
    /// Starts what is to be private.
    pub fn start(installation: &Installation, options: &Options) -> Result<Self, Failure> {
        // Both are looked for first: one line that names all that is missing beats two attempts.
        let missing = [
            options.postgres.is_none().then(|| Postgres::find().err()).flatten(),
            options.redis.is_none().then(|| Redis::find().err()).flatten(),
        ];
        let missing: Vec<String> = missing.into_iter().flatten().map(|fault| fault.to_string()).collect();
        if !missing.is_empty() {
            return Err(missing.join("; ").into());
        }
        let (postgres, admin_url) = match &options.postgres {
            Some(url) => (None, url.expose_secret().to_owned()),
            None => private_postgres(installation, options.postgres_port).map(|server| {
                let url = server.admin_url("drumtower");
                (Some(server), url)
            })?,
        };
        let (redis, redis_url) = match &options.redis {
            Some(url) => (None, url.expose_secret().to_owned()),
            None => private_redis(installation, options.redis_port).map(|server| {
                let url = server.url();
                (Some(server), url)
            })?,
        };
        // For `migrate`, `doctor` and `audit` in another terminal.
        secrets::write(&installation.path("secrets").join(ADMIN_SECRET), &admin_url)?;
        let ports = (options.postgres_port, options.redis_port);
        Ok(Self { postgres, redis, ports, admin: Admin::from_url(&admin_url)?, redis_url })
    }

    /// How an administrator reaches the database.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Redis with its password.
    pub fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// Starts a private server again when it is gone; the roles find it again by themselves.
    pub async fn watch(&mut self, installation: &Installation) -> Result<(), Failure> {
        let (postgres_port, redis_port) = self.ports;
        let mut pause = LOOK_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let postgres = self
                .postgres
                .as_mut()
                .is_none_or(|server| server.running() || again("PostgreSQL", server, || private_postgres(installation, postgres_port)));
            let redis = self
                .redis
                .as_mut()
                .is_none_or(|server| server.running() || again("Redis", server, || private_redis(installation, redis_port)));
            pause = if postgres && redis { LOOK_EVERY } else { (pause * 2).min(LONGEST_PAUSE) };
        }
    }

    /// Stops the private ones, Redis first: the cache leans on the database.
    pub fn stop(&mut self) {
        self.redis.take();
        self.postgres.take();
    }
}

/// Whether a server that was gone could be started.
fn again<T>(name: &str, gone: &mut T, start: impl FnOnce() -> Result<T, Failure>) -> bool {
    eprintln!("{name} ended by itself; starting it again");
    match tokio::task::block_in_place(start) {
        Ok(server) => {
            *gone = server;
            true
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            false
        }
    }
}

fn private_postgres(installation: &Installation, port: u16) -> Result<Postgres, Failure> {
    let password = secrets::keep(&installation.path("secrets"), "postgres", || Ok(secrets::password().expose_secret().to_owned()))?;
    let dir = installation.path("postgres");
    let server = Postgres::start(&dir, Port::Fixed(port), true, password.into()).map_err(|fault| flagged(fault, "--postgres-port"))?;
    if server.aside() {
        println!("PostgreSQL's account cannot enter {}; the cluster is in {}", dir.display(), server.home().display());
    }
    Ok(server)
}

fn private_redis(installation: &Installation, port: u16) -> Result<Redis, Failure> {
    let password = secrets::keep(&installation.path("secrets"), "redis", || Ok(secrets::password().expose_secret().to_owned()))?;
    let started = Redis::start(&installation.path("redis"), Port::Fixed(port), password.into());
    started.map_err(|fault| flagged(fault, "--redis-port"))
}

/// A taken port comes with the flag that changes it.
fn flagged(fault: Fault, flag: &str) -> Failure {
    match fault {
        Fault::PortTaken { .. } => format!("{fault}; choose another with {flag}").into(),
        fault => fault.into(),
    }
}
