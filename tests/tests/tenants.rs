//! Districts as those who run the platform see them: which there are, whether all works for each, and what one may be used for.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use drumtower_tests::{
    storm,
    world::{ALONE, DISTRICTS, PLATFORM, Person, Wanted, World},
};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

async fn operator() -> Person {
    world().sign_in(PLATFORM, "operator").await
}

async fn set(operator: &Person, code: &str, state: &str, reason: &str) -> Value {
    operator.post(&format!("/v1/tenants/{code}/standing"), json!({ "state": state, "reason": reason })).await.ok()
}

/// Asks again until an answer is as wanted, for as long as a changed state may take.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(25);
    while !holds().await {
        assert!(Instant::now() < end, "not within 25 s: {what}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn operators_see_every_district_and_nothing_in_it() {
    let _alone = ALONE.lock().await;
    let operator = operator().await;
    let all = operator.get("/v1/tenants").await.ok();
    let codes: Vec<&str> = all["tenants"].as_array().into_iter().flatten().filter_map(|one| one["tenant"]["code"].as_str()).collect();
    assert_eq!(codes, [PLATFORM, DISTRICTS[0], DISTRICTS[1]]);
    // By pages, and by a part of a name or the beginning of a code.
    let first = operator.get("/v1/tenants?page_size=2").await.ok();
    let next = first["next_page_token"].as_str().expect("a next page");
    let second = operator.get(&format!("/v1/tenants?page_size=2&page_token={next}")).await.ok();
    assert_eq!(second["tenants"][0]["tenant"]["code"], DISTRICTS[1]);
    assert_eq!(second["next_page_token"], "");
    let found = operator.get("/v1/tenants?text=350199").await.ok();
    assert_eq!(found["tenants"].as_array().map(Vec::len), Some(1));
    assert_eq!(operator.get("/v1/tenants?text=OPERATIONS").await.ok()["tenants"][0]["tenant"]["code"], PLATFORM);

    let services = operator.get(&format!("/v1/tenants/{}/operation", DISTRICTS[1])).await.ok();
    let up = services["services"].as_array().into_iter().flatten().filter(|one| one["up"] == true).count();
    assert_eq!(up, 4, "{services}");
    // Of the district itself: its log, not the platform's.
    let sysadmin = world().sign_in(DISTRICTS[1], "sysadmin").await;
    let own = sysadmin.get("/v1/operation").await.ok();
    let head = |answer: &Value| {
        answer["services"].as_array().into_iter().flatten().find(|one| one["name"] == "ticketing").map(|one| one["head"].clone())
    };
    assert_eq!(head(&services), head(&own));
    for path in ["/v1/tickets", "/v1/users", "/v1/enterprises", "/v1/audit/identity/events", "/v1/operation"] {
        assert_eq!(operator.get(path).await.status, 403, "{path}");
    }
    for path in ["/v1/tenants/999999/standing", "/v1/tenants/999999/operation"] {
        assert_eq!(operator.get(path).await.status, 404, "{path}");
    }
    let itself = operator.post(&format!("/v1/tenants/{PLATFORM}/standing"), json!({ "state": "BLOCKED", "reason": "试试" })).await;
    assert_eq!((itself.status, itself.reason()), (400, "PLATFORM_ITSELF"));
    for bad in [
        json!({ "state": "STATE_UNSPECIFIED", "reason": "合同到期" }),
        json!({ "state": "BLOCKED", "reason": "" }),
        json!({ "reason": "合同到期" }),
    ] {
        let answer = operator.post(&format!("/v1/tenants/{}/standing", DISTRICTS[0]), bad).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_district_that_rests_changes_nothing_by_itself_and_goes_on_where_it_was() {
    let _alone = ALONE.lock().await;
    let (operator, code) = (operator().await, DISTRICTS[1]);
    let (enterprise, auditadmin) = (world().sign_in(code, "enterprise").await, world().sign_in(code, "auditadmin").await);
    let submit = || json!({ "title": "路灯不亮", "description": "三号门路灯不亮。", "kind": "HELP" });
    let ticket = enterprise.post("/v1/tickets", submit()).await.ok()["id"].as_str().expect("an id").to_owned();

    let set_so = set(&operator, code, "READ_ONLY", "合同到期").await;
    assert_eq!((&set_so["tenant"]["state"], &set_so["reason"]), (&json!("READ_ONLY"), &json!("合同到期")));
    until("writes are refused", async || enterprise.post("/v1/tickets", submit()).await.reason() == "TENANT_READ_ONLY").await;
    assert_eq!(enterprise.get(&format!("/v1/tickets/{ticket}")).await.status, 200);
    // Another district does not notice.
    let other = world().sign_in(DISTRICTS[0], "enterprise").await;
    other.post("/v1/tickets", submit()).await.ok();

    // What came due while it rests waits: here clocks. Every service has heard of it by now.
    tokio::time::sleep(Duration::from_secs(6)).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(storm::requests(2, 3))).execute(&mut world().admin().await).await.expect("written");
    let spoken = async || -> i64 {
        let marked = "select count(*) from ticketing.clock c join ticketing.ticket t on t.tenant_id = c.tenant_id and t.id = c.ticket_id
                      where c.tenant_id = 2 and t.number like 'S%' and c.breached_at is not null";
        sqlx::query_scalar(marked).fetch_one(&mut world().admin().await).await.expect("asked")
    };
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(spoken().await, 0);

    // Shut, nobody comes in; whoever was in is out.
    set(&operator, code, "BLOCKED", "合同到期").await;
    until("nobody comes in", async || enterprise.get(&format!("/v1/tickets/{ticket}")).await.reason() == "TENANT_BLOCKED").await;
    let door = world().nobody(code);
    let answer = door.post("/v1/sessions", json!({ "login": "enterprise", "password": "x" })).await;
    assert_eq!((answer.status, answer.reason()), (403, "TENANT_BLOCKED"));

    // Sent again with its key it is the same answer; in use again, what waited is done.
    let path = format!("/v1/tenants/{code}/standing");
    let body = json!({ "state": "ACTIVE", "reason": "已续约" });
    let once = operator.post_keyed(&path, body.clone(), "renewed").await.ok();
    assert_eq!(operator.post_keyed(&path, body, "renewed").await.ok(), once);
    until("it is in use", async || enterprise.post("/v1/tickets", submit()).await.status == 200).await;
    until("what waited is done", async || spoken().await == 3).await;

    // The district's own log has what was done to it, each once, and so has the platform's.
    let said =
        async |who: &Person| -> Vec<String> {
            let (mut states, mut after) = (Vec::new(), "0".to_owned());
            loop {
                let page = who.get(&format!("/v1/audit/identity/events?page_size=200&after={after}")).await.ok();
                let events = page["events"].as_array().cloned().unwrap_or_default();
                let Some(last) = events.last() else { return states };
                after = last["seq"].as_str().expect("a number").to_owned();
                let of_state = events.iter().filter(|event| event["type"] == "tenant.state_set");
                states.extend(of_state.filter_map(|event| {
                    serde_json::from_str::<Value>(event["payload"].as_str()?).ok()?["state"].as_str().map(str::to_owned)
                }));
            }
        };
    let states = ["READ_ONLY", "BLOCKED", "ACTIVE"];
    let houses = [auditadmin, world().sign_in(PLATFORM, "auditadmin").await];
    for house in &houses {
        until("the log has all", async || said(house).await.len() >= states.len()).await;
        assert_eq!(said(house).await, states);
    }
}
