//! Measures the platform beside its limits, each pair in one run on one machine: submissions through the whole stack beside the same
//! transaction in pgbench, reads, lists over 100,000 requests, transcoding beside Envoy when it can be had, and idle memory.
//! Prints a table; `docs/performance.md` keeps what was measured, with the machine.

mod envoy;
mod load;
mod pgbench;
mod process;
mod scale;

use std::time::Duration;

use drumtower_tests::world::{DISTRICTS, Person, Wanted, World, block_on};
use serde_json::json;

use crate::load::{Load, Measured};

/// How long each load runs.
const SECONDS: Duration = Duration::from_secs(8);
/// Requests in the district for the list.
const MANY: i64 = 100_000;

fn main() {
    let only = std::env::args().nth(1).unwrap_or_default();
    let world = World::start(&Wanted { durable: true, ..Wanted::default() });
    println!("\n| What | Measured | Beside | Ratio |\n|---|---|---|---|");
    memory(&world);
    let person = block_on(async || world.sign_in(DISTRICTS[0], "enterprise").await);
    let dispatcher = block_on(async || world.sign_in(DISTRICTS[0], "dispatcher").await);
    if only.is_empty() || only == "create" {
        create(&world, &person);
    }
    if only.is_empty() || only == "read" {
        read(&world, &person, &dispatcher);
    }
    if only.is_empty() || only == "storm" {
        storm(&world);
    }
    if only.is_empty() || only == "scale" {
        scale::measure(&world);
    }
    if only.is_empty() || only == "transcode" {
        transcode(&world);
    }
}

/// Resident memory of each role while nothing happens.
fn memory(world: &World) {
    std::thread::sleep(Duration::from_secs(2));
    for role in ["identity", "enterprise", "party", "ticketing", "gateway"] {
        let mib = world.pid(role).map_or(0.0, process::resident_mib);
        println!("| idle memory, {role} | {mib:.0} MiB | 40 MiB | {:.2} |", mib / 40.0);
    }
}

fn row(what: &str, ours: &Measured, beside: &str, rate: f64) {
    let ratio = ours.rate / rate;
    println!(
        "| {what} | {:.0}/s, p50 {:.1} ms, p99 {:.1} ms, {} failed | {beside} {rate:.0}/s | {ratio:.2} |",
        ours.rate, ours.p50_ms, ours.p99_ms, ours.failed
    );
}

fn create(world: &World, person: &Person) {
    let enterprise = person.me["enterprise_id"].as_str().unwrap_or_default().to_owned();
    for clients in [8, 32] {
        let peer = pgbench::create(world, clients, SECONDS, &enterprise);
        let body = json!({
            "title": "三楼走廊漏水",
            "description": "雨后走廊天花板持续滴水，已影响办公。",
            "kind": "HELP",
            "contact_name": "测试",
            "contact_phone": "19900001111",
        });
        let load = Load { person, clients, seconds: SECONDS };
        let before = process::cpu_seconds(world);
        let ours = load.run(|person| {
            let (person, body) = (person.clone(), body.clone());
            async move { person.post("/v1/tickets", body).await.status == 200 }
        });
        row(&format!("submit, {clients} clients"), &ours, "pgbench, the same transaction", peer);
        for (role, seconds) in process::cpu_seconds(world) {
            let used = seconds - before.get(&role).copied().unwrap_or(0.0);
            println!("| · CPU of {role} | {:.2} ms a request | | |", used * 1000.0 / (ours.rate * SECONDS.as_secs_f64()));
        }
    }
}

fn read(world: &World, person: &Person, dispatcher: &Person) {
    let ticket = block_on(async || {
        let body =
            json!({ "title": "读取", "description": "读取", "kind": "HELP", "contact_name": "测试", "contact_phone": "19900001111" });
        person.post("/v1/tickets", body).await.ok()["id"].as_str().unwrap_or_default().to_owned()
    });
    pgbench::fill(world, 1, 1..=MANY, None);
    pgbench::settle(world);
    for clients in [1, 8, 32] {
        let by_key = pgbench::read(world, clients, SECONDS, &ticket);
        let load = Load { person: dispatcher, clients, seconds: SECONDS };
        let path = format!("/v1/tickets/{ticket}");
        let get = load.run(|person| {
            let (person, path) = (person.clone(), path.clone());
            async move { person.get(&path).await.status == 200 }
        });
        row(&format!("read by id, {clients} clients"), &get, "pgbench, the row by its key", by_key);
    }
    let load = Load { person: dispatcher, clients: 8, seconds: SECONDS };
    let list = load.run(|person| {
        let person = person.clone();
        async move { person.get("/v1/tickets?page_size=20").await.status == 200 }
    });
    let peer = pgbench::list(world, 8, SECONDS);
    row(&format!("list of 20 of {MANY}, 8 clients"), &list, "pgbench, the same page", peer);
}

/// Clocks that run out at the same moment.
const STORM: i64 = 100_000;

/// Two workers, one of them killed midway.
fn storm(world: &World) {
    let outcome = drumtower_tests::storm::run(world, STORM, Duration::from_secs(600));
    #[expect(clippy::cast_precision_loss, reason = "a count of clocks")]
    let rate = outcome.fired as f64 / outcome.took.as_secs_f64();
    let seconds = outcome.took.as_secs();
    let doubled = outcome.events - outcome.fired;
    println!(
        "| storm of {STORM} clocks, a worker killed | {seconds} s, {rate:.0}/s, {} missed, {doubled} doubled | | |",
        STORM - outcome.fired
    );
}

fn transcode(world: &World) {
    match envoy::compare(world, SECONDS) {
        Ok((ours, theirs)) => {
            println!("| JSON to gRPC, small answer: CPU a request | {ours:.1} µs | Envoy {theirs:.1} µs | {:.2} |", ours / theirs)
        }
        Err(why) => println!("| JSON to gRPC beside Envoy | not measured: {why} | | |"),
    }
}
