//! Reads the command line and hands over.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use drumtower::{Failure, audit, database, demo, doctor, installation, role, tenant, up};
use drumtower_runtime::Config;

/// 鼓楼 Drumtower: a district's platform for its companies.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Settings; without it `.drumtower/drumtower.toml` when there is one, else defaults and the environment.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything on this machine: private PostgreSQL and Redis, all services, demonstration data.
    Up(up::Options),
    /// Runs one role: identity, enterprise, party, ticketing or gateway.
    Serve(role::Options),
    /// Creates the database and its roles when missing, and brings all schemas up to date.
    Migrate(database::Options),
    /// Districts.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// The log of events.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Says in plain words what is wrong with an installation.
    Doctor(database::Options),
    /// Loads the demonstration data through the gateway.
    Seed(demo::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    drumtower_runtime::web::use_ring();
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("drumtower: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    if let Command::Up(options) = cli.command {
        return up::up(options).await.map(|()| ExitCode::SUCCESS);
    }
    let file = cli.config.or_else(installation::settings_here);
    let config = Config::load(file.as_deref())?;
    match cli.command {
        Command::Up(_) => {}
        Command::Serve(options) => role::serve(config, options).await?,
        Command::Migrate(options) => database::command(&config, &options).await?,
        Command::Tenant(command) => tenant::command(&config, command).await?,
        Command::Audit(command) => audit::command(&config, command).await?,
        Command::Doctor(options) => return doctor::command(&config, &options).await,
        Command::Seed(options) => demo::command(&config, options).await?,
    }
    Ok(ExitCode::SUCCESS)
}
