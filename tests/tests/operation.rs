//! How the platform works, as a district's system administrator sees it: its own figures, and a service that is down hides none of the others.

use std::{sync::OnceLock, time::Duration};

use drumtower_tests::world::{DISTRICTS, Wanted, World};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

async fn services(district: &str) -> Vec<Value> {
    let sysadmin = world().sign_in(district, "sysadmin").await;
    sysadmin.get("/v1/operation").await.ok()["services"].as_array().cloned().unwrap_or_default()
}

fn of<'a>(services: &'a [Value], name: &str) -> &'a Value {
    services.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name} in {services:?}"))
}

#[tokio::test]
async fn a_district_sees_its_own_figures_and_who_is_down() {
    // What was loaded takes a while to be told of.
    let mut seen = Vec::new();
    for _ in 0..100 {
        seen = services(DISTRICTS[0]).await;
        let is_behind = |follower: &Value| follower["behind"] != "0";
        if !of(&seen, "identity")["followers"].as_array().into_iter().flatten().any(is_behind) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(
        seen.iter().map(|one| (one["name"].as_str(), one["up"].as_bool())).collect::<Vec<_>>(),
        [(Some("enterprise"), Some(true)), (Some("identity"), Some(true)), (Some("party"), Some(true)), (Some("ticketing"), Some(true)),]
    );
    assert!(seen.iter().all(|one| one["version"] == env!("CARGO_PKG_VERSION") && one["started_at"].is_string()), "{seen:?}");
    let followers: Vec<(&str, &str)> = of(&seen, "identity")["followers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (one["source"].as_str().unwrap_or_default(), one["behind"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(followers, [("ticketing", "0"), ("party", "0")]);
    let dues: Vec<(&str, &str)> = of(&seen, "ticketing")["dues"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (one["name"].as_str().unwrap_or_default(), one["late"].as_str().unwrap_or_default()))
        .collect();
    let named = ["clocks", "clocks of calls and discussions", "attachments", "exports", "deliveries"];
    assert_eq!(dues, named.map(|name| (name, "0")));

    // What waits and fails is its own district's.
    let parked = "insert into ticketing.delivery (tenant_id, id, route, body, state, attempts, due_at, error, created_at)
        select 2, gen_random_uuid(), 'nowhere', '', 1, n, now() + interval '1 day', '', now() - interval '1 hour' from generate_series(0, 2) n";
    sqlx::raw_sql(parked).execute(&mut world().admin().await).await.expect("written");
    let there = services(DISTRICTS[1]).await;
    let deliveries = &of(&there, "ticketing")["deliveries"];
    assert_eq!((&deliveries["waiting"], &deliveries["failing"], &deliveries["given_up"]), (&json!("3"), &json!("2"), &json!("0")));
    assert!(deliveries["oldest_at"].is_string());
    assert_eq!(of(&services(DISTRICTS[0]).await, "ticketing")["deliveries"]["waiting"], "0");
    for login in ["secadmin", "auditadmin", "dispatcher", "enterprise"] {
        assert_eq!(world().sign_in(DISTRICTS[0], login).await.get("/v1/operation").await.status, 403, "{login}");
    }

    world().kill("party");
    let seen = services(DISTRICTS[0]).await;
    let party = of(&seen, "party");
    assert!(party["up"] == false && party["reason"] != "" && party["version"] == "", "{party}");
    assert!(["enterprise", "identity", "ticketing"].iter().all(|name| of(&seen, name)["up"] == true), "{seen:?}");
    let behind = of(&seen, "identity")["followers"].as_array().into_iter().flatten().find(|one| one["source"] == "party").cloned();
    assert_eq!(behind.map(|one| one["behind"].clone()), Some(json!("-1")), "nobody knows");
    // One that stands still is as good as down, and costs a second.
    world().signal("ticketing", "STOP");
    let seen = services(DISTRICTS[0]).await;
    world().signal("ticketing", "CONT");
    assert_eq!(of(&seen, "ticketing")["up"], false);
}
