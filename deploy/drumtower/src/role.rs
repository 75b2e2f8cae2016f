//! One role as one process.

use std::{io::Read as _, thread, time::Duration};

use drumtower_runtime::Config;
use rustix::process::{Signal, getpid, kill_process};

use crate::Failure;

/// How long a role may drain once its parent is gone.
const DRAIN: Duration = Duration::from_secs(12);

/// Tells the C library to give memory back: a password hash takes 19 MiB for a moment, and each thread would keep its own.
pub const MEMORY: [(&str, &str); 2] = [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "262144")];

/// `drumtower serve`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Which role.
    #[arg(value_parser = ["identity", "enterprise", "party", "ticketing", "gateway"])]
    role: String,
    /// Stops when standard input ends, which it does when the process that holds its other end is gone.
    #[arg(long)]
    with_parent: bool,
}

/// Runs a role until the process is told to stop.
pub async fn serve(config: Config, options: Options) -> Result<(), Failure> {
    if options.with_parent {
        // A thread of its own: the runtime would wait for the end of a read that it began, and so never shut down.
        thread::spawn(end_with_parent);
    }
    match options.role.as_str() {
        "identity" => drumtower_identity::serve(config).await,
        "enterprise" => drumtower_enterprise::serve(config).await,
        "party" => drumtower_party::serve(config).await,
        "ticketing" => drumtower_ticketing::serve(config).await,
        _ => drumtower_gateway::serve(config).await,
    }
}

/// Asks ourselves to stop as an operator would, so that there is one way to drain.
fn end_with_parent() {
    let mut nothing = [0; 64];
    while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
    let _sent = kill_process(getpid(), Signal::TERM);
    thread::sleep(DRAIN);
    std::process::exit(1);
}
