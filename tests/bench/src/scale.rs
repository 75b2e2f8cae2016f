//! What a million requests in one district, and a hundred other districts, cost beside ten thousand: the same measures before and after.

use std::time::Duration;

use drumtower_tests::world::{DISTRICTS, Person, World, block_on};
use serde_json::json;

use crate::{load::Load, pgbench};

const FEW: i64 = 10_000;
const MANY: i64 = 1_000_000;
const OTHERS: i32 = 100;
const OF_OTHERS: i64 = 1000;
/// What the measured unit has in hand in both rounds: a unit's work does not grow with its past.
const OPEN: i64 = 500;
const SECONDS: Duration = Duration::from_secs(6);

/// One round: names with the 95th percentile in ms, and whole courses a second.
struct Round {
    times: Vec<(&'static str, f64)>,
    courses: f64,
}

pub fn measure(world: &World) {
    let people = block_on(async || {
        let mut people = Vec::new();
        for login in ["enterprise", "dispatcher", "liaison", "handler", "lead", "supervisor", "callback"] {
            people.push(world.sign_in(DISTRICTS[0], login).await);
        }
        people
    });
    let market = block_on(async || {
        let units = people[1].get("/v1/units").await.ok();
        let found = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == "market").cloned();
        found.unwrap_or_default()["id"].as_str().unwrap_or_default().to_owned()
    });
    pgbench::fill(world, 1, 1..=FEW, Some(&market));
    pgbench::open(world, OPEN, &market);
    pgbench::settle(world);
    added_up(world, FEW);
    let few = round(&people, &market);
    for start in (FEW..MANY).step_by(100_000) {
        pgbench::fill(world, 1, start + 1..=(start + 100_000).min(MANY), Some(&market));
    }
    for other in 0..OTHERS {
        pgbench::fill(world, 1000 + other, 1..=OF_OTHERS, None);
    }
    pgbench::settle(world);
    added_up(world, MANY);
    let many = round(&people, &market);
    for ((name, before), (_, after)) in few.times.iter().zip(&many.times) {
        println!(
            "| {name}, p95, {MANY} requests and {OTHERS} other districts | {after:.1} ms | with {FEW} {before:.1} ms | {:.2} |",
            after / before
        );
    }
    let ratio = many.courses / few.courses;
    println!(
        "| submit, accept, dispatch, sign, contact, report, sign off, call back, list | {:.0}/s | with {FEW} {:.0}/s | {ratio:.2} |",
        many.courses, few.courses
    );
}

/// Waits until the days of the requests that were filled in are added up, as they are in a district that has so many.
fn added_up(world: &World, requests: i64) {
    block_on(async || {
        let mut admin = world.admin().await;
        let since = "with again as (delete from ticketing.fact_until where tenant_id = 1), gone as (delete from ticketing.fact_sum where tenant_id = 1)
          delete from ticketing.fact_late where tenant_id = 1";
        sqlx::raw_sql(since).execute(&mut admin).await.expect("dropped");
        let there = "select coalesce((select sum(count) from ticketing.fact_sum where tenant_id = 1 and name = 'SUBMIT'), 0)::int8";
        for _ in 0..1200 {
            let added: i64 = sqlx::query_scalar(there).fetch_one(&mut admin).await.expect("a number");
            // Today's and yesterday's are not over.
            if added > requests - 5000 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("days are not added up");
    });
}

fn round(people: &[Person], market: &str) -> Round {
    let (dispatcher, liaison) = (&people[1], &people[2]);
    let one = block_on(async || {
        let body = json!({ "title": "规模测量", "description": "规模测量", "kind": "HELP" });
        people[0].post("/v1/tickets", body).await.ok()["id"].as_str().unwrap_or_default().to_owned()
    });
    let paths = [
        ("list of 20", dispatcher, "/v1/tickets?page_size=20".to_owned()),
        ("list of 20 by state", dispatcher, "/v1/tickets?page_size=20&filter=state%20%3D%20%22ARCHIVED%22".to_owned()),
        ("list of 20 of a unit", liaison, "/v1/tickets?page_size=20".to_owned()),
        ("list of a unit, to be signed", liaison, "/v1/tickets?page_size=20&filter=state%20%3D%20%22DISPATCHED%22".to_owned()),
        ("counts of worklists", dispatcher, "/v1/tickets:count".to_owned()),
        ("counts of worklists of a unit", liaison, "/v1/tickets:count".to_owned()),
        ("counters for the wall", &people[5], "/v1/figures:live".to_owned()),
        ("one request", dispatcher, format!("/v1/tickets/{one}")),
    ];
    let mut times = Vec::new();
    for (name, person, path) in paths {
        let load = Load { person, clients: 4, seconds: SECONDS };
        let measured = load.run(|person| {
            let (person, path) = (person.clone(), path.clone());
            async move { person.get(&path).await.status == 200 }
        });
        assert_eq!(measured.failed, 0, "{name}");
        times.push((name, measured.p95_ms));
    }
    let load = Load { person: &people[0], clients: 4, seconds: SECONDS };
    let courses = load.run(|_| {
        let (people, market) = (people.to_vec(), market.to_owned());
        async move { course(&people, &market).await }
    });
    assert_eq!(courses.failed, 0, "courses");
    Round { times, courses: courses.rate }
}

/// The course that the peers are measured by: submit, assign, resolve, look for it. To its end, so that one round leaves the next no work.
async fn course(people: &[Person], market: &str) -> bool {
    let [enterprise, dispatcher, liaison, handler, lead, _, callback] = people else { return false };
    let body = json!({ "title": "规模测量", "description": "规模测量", "kind": "HELP" });
    let ticket = enterprise.post("/v1/tickets", body).await;
    let steps = [
        (dispatcher, "accept", json!({ "urgency": "NORMAL" })),
        (dispatcher, "dispatch", json!({ "lead_unit_id": market })),
        (liaison, "sign", json!({})),
        (handler, "contact", json!({ "text": "已联系" })),
        (handler, "reportDone", json!({ "result": "RESOLVED", "text": "已修好" })),
        (lead, "signOff", json!({})),
        (callback, "callBack", json!({ "outcome": "SATISFIED" })),
    ];
    let mut well = ticket.status == 200;
    for (person, verb, body) in steps {
        let path = format!("/v1/tickets/{}:{verb}", ticket.body["id"].as_str().unwrap_or_default());
        well &= person.post(&path, body).await.status == 200;
    }
    well && dispatcher.get("/v1/tickets?page_size=20").await.status == 200
}
