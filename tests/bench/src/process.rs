//! What the kernel says of our processes.

use std::{collections::BTreeMap, fs};

use drumtower_tests::world::World;

/// Resident memory, MiB.
pub fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// Seconds of processor time that a process used, user and system, at a hundred ticks a second.
pub fn cpu_of(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    fields.iter().sum::<f64>() / 100.0
}

/// Processor time of every role.
pub fn cpu_seconds(world: &World) -> BTreeMap<String, f64> {
    let roles = ["gateway", "ticketing", "identity", "enterprise"];
    roles.into_iter().filter_map(|role| Some((role.to_owned(), cpu_of(world.pid(role)?)))).collect()
}
