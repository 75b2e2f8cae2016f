//! The numbers that people work by: each is as large as the list that its filter opens, for whoever asks, and follows what happens.

use std::sync::OnceLock;

use drumtower_tests::world::{Answer, DISTRICTS, Person, Wanted, World};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

async fn person(login: &str) -> Person {
    world().sign_in(DISTRICTS[0], login).await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text in {value}"))
}

async fn unit(person: &Person, code: &str) -> String {
    let units = person.get("/v1/units").await.ok();
    let found = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == code).cloned();
    text(&found.unwrap_or_else(|| panic!("no unit {code}"))["id"]).to_owned()
}

/// A liaison of a unit that has none of its own.
async fn liaison_of(unit: &str) -> Person {
    let login = format!("n{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
    let body = json!({ "login": login, "name": "临时", "password": drumtower_tests::world::PASSWORD, "unit_id": unit });
    let user = person("sysadmin").await.post("/v1/users", body).await.ok();
    person("secadmin").await.post("/v1/assignments", json!({ "user_id": user["id"], "role": "LIAISON", "node_id": unit })).await.ok();
    person(&login).await
}

async fn verb(person: &Person, ticket: &Value, verb: &str, body: Value) -> Answer {
    person.post(&format!("/v1/tickets/{}:{verb}", text(&ticket["id"])), body).await
}

async fn counts(person: &Person) -> Vec<Value> {
    person.get("/v1/tickets:count").await.ok()["worklists"].as_array().cloned().unwrap_or_default()
}

/// How many are in one of somebody's lists.
async fn count(person: &Person, kind: &str, of: &str) -> i64 {
    let all = counts(person).await;
    let found = all.iter().find(|list| list["kind"] == kind && list["of"] == of);
    found.unwrap_or_else(|| panic!("no list {kind} {of} in {all:?}"))["count"].as_i64().unwrap_or(-1)
}

/// How many a filter lists.
async fn listed(person: &Person, filter: &str) -> usize {
    let (mut found, mut token) = (0, String::new());
    loop {
        let query = [("filter", filter), ("page_size", "200"), ("page_token", &token)];
        let address = reqwest::Url::parse_with_params(&format!("{}/v1/tickets", person.base), query).expect("an address");
        let page: Value =
            person.http.get(address).bearer_auth(&person.token).send().await.expect("an answer").json().await.expect("a page");
        found += page["tickets"].as_array().unwrap_or_else(|| panic!("{filter}: {page}")).len();
        token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            return found;
        }
    }
}

/// Every number is that of its list.
async fn agree(people: &[&Person]) {
    for person in people {
        for list in counts(person).await {
            let filter = text(&list["filter"]);
            assert_eq!(list["count"].as_u64(), u64::try_from(listed(person, filter).await).ok(), "{filter} of {}", person.me["login"]);
            assert_eq!(list["more"], false, "{filter}");
        }
    }
}

#[tokio::test]
async fn what_waits_is_counted_where_it_waits() {
    let [enterprise, dispatcher, liaison, handler] =
        [person("enterprise").await, person("dispatcher").await, person("liaison").await, person("handler").await];
    let [approver, supervisor] = [person("approver").await, person("supervisor").await];
    let fire = unit(&dispatcher, "fire").await;
    let of_fire = liaison_of(&fire).await;
    let everybody = [&enterprise, &dispatcher, &liaison, &handler, &approver, &supervisor, &of_fire];
    agree(&everybody).await;

    let before = (count(&dispatcher, "STATE", "SUBMITTED").await, count(&enterprise, "STATE", "SUBMITTED").await);
    let help = json!({ "title": "三楼走廊漏水", "description": "持续滴水", "kind": "HELP" });
    let ticket = enterprise.post("/v1/tickets", help).await.ok();
    let after = (count(&dispatcher, "STATE", "SUBMITTED").await, count(&enterprise, "STATE", "SUBMITTED").await);
    assert_eq!(after, (before.0 + 1, before.1 + 1));
    assert!(counts(&liaison).await.iter().all(|list| list["of"] != "SUBMITTED"), "no unit has a part in it yet");

    let (to_sign, soon) = (count(&liaison, "STATE", "DISPATCHED").await, count(&dispatcher, "DUE_SOON", "").await);
    verb(&dispatcher, &ticket, "accept", json!({ "urgency": "EMERGENCY" })).await.ok();
    verb(&dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": unit(&dispatcher, "market").await })).await.ok();
    assert_eq!(count(&liaison, "STATE", "DISPATCHED").await, to_sign + 1);
    assert_eq!(count(&dispatcher, "DUE_SOON", "").await, soon + 1, "two hours are less than four");
    assert_eq!(count(&dispatcher, "STATE", "SUBMITTED").await, before.0);

    let mine = count(&handler, "MINE", "").await;
    verb(&liaison, &ticket, "sign", json!({})).await.ok();
    verb(&liaison, &ticket, "transfer", json!({ "handler_id": handler.me["id"] })).await.ok();
    assert_eq!((count(&handler, "MINE", "").await, count(&liaison, "MINE", "").await), (mine + 1, 0));

    let waiting = count(&approver, "WAITING", "EXTENSION").await;
    verb(&liaison, &ticket, "ask", json!({ "matter": "EXTENSION", "count": 1, "text": "等待配件" })).await.ok();
    assert_eq!(count(&approver, "WAITING", "EXTENSION").await, waiting + 1);
    assert_eq!(count(&liaison, "WAITING", "EXTENSION").await, 1, "whoever asked sees it too");

    let ordered = count(&supervisor, "ORDERED", "").await;
    let tomorrow = (drumtower_runtime::Clock::system().now() + jiff::SignedDuration::from_hours(24)).to_string();
    verb(&supervisor, &ticket, "supervise", json!({ "level": 3, "reply_due": tomorrow, "text": "请限时办结" })).await.ok();
    assert_eq!(count(&supervisor, "ORDERED", "").await, ordered + 1);

    let called = json!({ "unit_ids": [fire], "meets_at": tomorrow, "place": "二楼会议室", "text": "共商漏水" });
    verb(&handler, &ticket, "consult", called).await.ok();
    assert_eq!((count(&of_fire, "TO_ATTEND", "").await, count(&liaison, "TO_ATTEND", "").await), (1, 0), "only whom it calls");
    agree(&everybody).await;
    verb(&of_fire, &ticket, "attend", json!({})).await.ok();
    assert_eq!(count(&of_fire, "TO_ATTEND", "").await, 0);

    // What ran out is in one list and not in the other any more.
    let overdue = count(&liaison, "OVERDUE", "").await;
    let late = "update ticketing.ticket set overdue = true where tenant_id = 1 and id = $1";
    let id = uuid::Uuid::parse_str(text(&ticket["id"])).expect("an id");
    sqlx::query(late).bind(id).execute(&mut world().admin().await).await.expect("late");
    assert_eq!((count(&liaison, "OVERDUE", "").await, count(&dispatcher, "DUE_SOON", "").await), (overdue + 1, soon));
    agree(&everybody).await;
    // Another district's lists are its own.
    let there = world().sign_in(DISTRICTS[1], "supervisor").await;
    assert_eq!(count(&there, "ORDERED", "").await, 0);
    given_back(&enterprise, &dispatcher, [&liaison, &of_fire]).await;
    agree(&everybody).await;
}

/// A part that was given back is no work in hand, though the request waits for a word.
async fn given_back(enterprise: &Person, dispatcher: &Person, [liaison, of_fire]: [&Person; 2]) {
    let (market, fire) = (unit(dispatcher, "market").await, unit(dispatcher, "fire").await);
    let ticket = enterprise.post("/v1/tickets", json!({ "title": "三楼走廊漏水", "description": "持续滴水", "kind": "HELP" })).await.ok();
    verb(dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    verb(dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": market })).await.ok();
    verb(liaison, &ticket, "return", json!({ "clause": "职责清单 3.2", "suggested_unit_id": fire })).await.ok();
    verb(dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": fire })).await.ok();
    verb(of_fire, &ticket, "sign", json!({})).await.ok();
    verb(of_fire, &ticket, "ask", json!({ "matter": "EXTENSION", "count": 2, "text": "需等待配件" })).await.ok();
}

#[tokio::test]
async fn counting_stops_at_a_thousand_and_says_so() {
    let mut admin = world().admin().await;
    let many = "insert into ticketing.ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id, enterprise_name,
        place, contact_name, contact_phone, requester_id, result, result_text, score, return_count, redo_count, arbitrated, danger, imported,
        refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at, updated_at, machine, side, supervision, excluded,
        waits)
      select 2, gen_random_uuid(), 'M' || n, 2, 2, 3, '', '', gen_random_uuid(), '', '', '', '', gen_random_uuid(), 0, '', 0, 0, 0, false, false,
        true, 0, '{}', '{}', 0, false, 1, now(), now(), 'default@1', '{}', 0, false, '{}'
      from generate_series(1, 1001) n";
    sqlx::raw_sql(many).execute(&mut admin).await.expect("written");
    let dispatcher = world().sign_in(DISTRICTS[1], "dispatcher").await;
    let all = counts(&dispatcher).await;
    let accepted = all.iter().find(|list| list["of"] == "ACCEPTED").expect("a list");
    assert_eq!((accepted["count"].as_i64(), &accepted["more"]), (Some(1000), &json!(true)));
    assert!(all.iter().filter(|list| list["of"] != "ACCEPTED").all(|list| list["more"] == false));
}

#[tokio::test]
async fn a_request_is_found_by_its_number_and_its_place_by_whoever_reads_it() {
    let (enterprise, dispatcher, liaison) = (person("enterprise").await, person("dispatcher").await, person("liaison").await);
    let building = some_building().await;
    let body = json!({ "title": "三楼走廊漏水", "description": "持续滴水", "kind": "HELP", "building_id": building["id"] });
    let ticket = enterprise.post("/v1/tickets", body).await.ok();
    let by_number = format!("number = \"{}\"", text(&ticket["number"]));
    for who in [&enterprise, &dispatcher] {
        assert_eq!(listed(who, &by_number).await, 1, "{}", who.me["login"]);
    }
    assert_eq!(listed(&liaison, &by_number).await, 0, "no unit has a part in it yet");
    assert_eq!(listed(&dispatcher, &format!("{by_number} AND state = \"HANDLING\"")).await, 0);
    assert_eq!(listed(&dispatcher, "number = \"2026\"").await, 0, "only the whole number is one");
    let there = world().sign_in(DISTRICTS[1], "dispatcher").await;
    let own = "select count(*) from ticketing.ticket where tenant_id = 2 and number = $1";
    let (own,): (i64,) = sqlx::query_as(own).bind(text(&ticket["number"])).fetch_one(&mut world().admin().await).await.expect("counted");
    assert_eq!(u64::try_from(own).ok(), u64::try_from(listed(&there, &by_number).await).ok(), "the other district has its own numbers");
    for filter in [format!("building_id = \"{}\"", text(&building["id"])), format!("zone_id = \"{}\"", text(&building["zone_id"]))] {
        assert_eq!(listed(&dispatcher, &format!("{filter} AND {by_number}")).await, 1, "{filter}");
        assert_eq!(listed(&there, &filter).await, 0, "{filter}");
    }
}

/// A building that stands in a zone.
async fn some_building() -> Value {
    let buildings = person("registrar").await.get("/v1/buildings?page_size=1").await.ok();
    buildings["buildings"][0].clone()
}
