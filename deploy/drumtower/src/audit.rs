//! The chains of the log, seen by an administrator.

use std::path::{Path, PathBuf};

use drumtower_runtime::{Config, config::SERVICES, log::verify};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    Failure,
    database::{Admin, Options},
};

/// `drumtower audit`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Reads every chain again; any change, deletion, reorder or fork shows.
    Verify {
        /// Only this service.
        #[arg(long, value_parser = SERVICES)]
        service: Option<String>,
        /// Heads kept off this machine, as `audit heads` printed them: what they say must still be there.
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        #[command(flatten)]
        database: Options,
    },
    /// Prints the heads of all chains as CSV, to be kept off this machine.
    Heads {
        #[command(flatten)]
        database: Options,
    },
}

/// The newest event of a chain.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    service: String,
    tenant: i32,
    seq: i64,
    hash: String,
}

/// Runs a command.
pub async fn command(config: &Config, command: Command) -> Result<(), Failure> {
    match command {
        Command::Verify { service, heads, database } => {
            let heads = heads.as_deref().map(read).transpose()?.unwrap_or_default();
            let mut admin = Admin::of(config, &database)?.connect().await?;
            verify_all(&mut admin, service.as_deref(), &heads).await
        }
        Command::Heads { database } => print(&mut Admin::of(config, &database)?.connect().await?).await,
    }
}

async fn verify_all(admin: &mut PgConnection, only: Option<&str>, heads: &[Head]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for service in SERVICES.iter().filter(|service| only.is_none_or(|only| only == **service)) {
        let kept: Vec<(i32, i64, Vec<u8>)> = heads
            .iter()
            .filter(|head| head.service == *service)
            .map(|head| Ok((head.tenant, head.seq, hex::decode(&head.hash)?)))
            .collect::<Result<_, Failure>>()?;
        let verdict = verify(admin, service, &kept).await?;
        println!("{service}: {} events of {} districts read", verdict.events, verdict.tenants);
        problems.extend(verdict.problems);
    }
    if problems.is_empty() {
        println!("Every chain holds.");
        return Ok(());
    }
    Err(format!("the log was tampered with:\n  {}", problems.join("\n  ")).into())
}

async fn print(admin: &mut PgConnection) -> Result<(), Failure> {
    let mut out = csv::Writer::from_writer(std::io::stdout());
    for service in SERVICES {
        let text = format!("select tenant_id, seq, hash from {service}.log_head where seq > 0 order by tenant_id");
        let rows: Vec<(i32, i64, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(text)).fetch_all(&mut *admin).await?;
        for (tenant, seq, hash) in rows {
            out.serialize(Head { service: service.to_owned(), tenant, seq, hash: hex::encode(hash) })?;
        }
    }
    Ok(out.flush()?)
}

fn read(file: &Path) -> Result<Vec<Head>, Failure> {
    let mut rows = csv::Reader::from_path(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(rows.deserialize().collect::<Result<_, _>>()?)
}
