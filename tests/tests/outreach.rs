//! What a district does for companies beside requests, through the gateway, with the people who do it: a direct line with its clock, a service
//! day from plan to close, a discussion whose tasks are followed until confirmed; and who is told.

use std::{sync::OnceLock, time::Duration};

use drumtower_runtime::calendar::{Calendar, Span};
use drumtower_tests::world::{Answer, DISTRICTS, Person, Wanted, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

async fn people<const N: usize>(district: &str, logins: [&str; N]) -> [Person; N] {
    let mut people = Vec::with_capacity(N);
    for login in logins {
        people.push(world().sign_in(district, login).await);
    }
    people.try_into().unwrap_or_else(|_| unreachable!("as many as were asked for"))
}

/// Somebody new, with a role: of a unit, or of a company.
async fn somebody(district: &str, role: &str, unit: Option<&str>, enterprise: Option<&str>) -> Person {
    let [sysadmin, secadmin] = people(district, ["sysadmin", "secadmin"]).await;
    let login = format!("n{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
    let body = json!({ "login": login, "name": "临时", "password": drumtower_tests::world::PASSWORD, "unit_id": unit, "enterprise_id": enterprise });
    let user = sysadmin.post("/v1/users", body).await.ok();
    secadmin.post("/v1/assignments", json!({ "user_id": user["id"], "role": role, "node_id": unit })).await.ok();
    world().sign_in(district, &login).await
}

async fn unit(person: &Person, code: &str) -> String {
    let units = person.get("/v1/units").await.ok();
    let found = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == code).cloned();
    text(&found.unwrap_or_else(|| panic!("no unit {code}"))["id"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is not a time"))
}

fn now() -> Timestamp {
    drumtower_runtime::Clock::system().now()
}

/// A company of the district that is not this one.
async fn another_company(registrar: &Person, not: &str) -> String {
    let companies = registrar.get("/v1/enterprises?page_size=5").await.ok();
    let found = companies["enterprises"].as_array().into_iter().flatten().find(|company| company["id"] != not).cloned();
    text(&found.unwrap_or_default()["id"])
}

/// How often somebody was told of something by now.
async fn heard(person: &Person, kind: &str, subject: &Value) -> usize {
    let notices = person.get("/v1/users/me/notices?page_size=200").await.ok();
    let about = |notice: &&Value| notice["kind"] == kind && notice["subject"] == *subject;
    notices["notices"].as_array().into_iter().flatten().filter(about).count()
}

/// Waits until somebody is told, for that goes by the log.
async fn told(person: &Person, kind: &str, thing: &Value) {
    for _ in 0..150 {
        match heard(person, kind, &thing["id"]).await {
            0 => tokio::time::sleep(Duration::from_millis(100)).await,
            1 => return,
            more => panic!("told {more} times of {kind}"),
        }
    }
    panic!("nobody told of {kind}");
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|row| text(&row["id"])).collect()
}

fn verbs(thing: &Value) -> Vec<String> {
    thing["events"].as_array().into_iter().flatten().map(|event| text(&event["verb"])).collect()
}

/// Lets a clock run out: it was due a minute ago. Its facts and the index say so, as they would by then.
async fn run_out(table: &str, clock: &str, id: &Value) {
    let ago = (now() - SignedDuration::from_mins(1)).to_string();
    let facts = format!(
        "update ticketing.{table} set facts = jsonb_set(jsonb_set(facts::jsonb, '{{{clock},due_at}}', to_jsonb('{ago}'::text)), '{{{clock},warns}}', '[]')::text
         where id = '{id}' returning id",
        id = text(id)
    );
    let index =
        format!("update ticketing.outreach_due set fires_at = '{ago}' where subject_id = '{}' and number = 1 returning number", text(id));
    let mut admin = world().admin().await;
    for statement in [facts, index] {
        assert_eq!(sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_all(&mut admin).await.expect("bent").len(), 1);
    }
}

/// Waits until a clock was found overdue, with two watches at work; then for longer than either needs to look again.
async fn overdue(person: &Person, path: &str) -> Value {
    for _ in 0..150 {
        let found = person.get(path).await.ok();
        if found["overdue"] == true {
            tokio::time::sleep(Duration::from_secs(3)).await;
            return person.get(path).await.ok();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} never became overdue");
}

async fn set_line(person: &Person, body: Value) -> Answer {
    person.post("/v1/directLines", body).await
}

async fn call_verb(person: &Person, call: &Value, verb: &str, body: Value) -> Answer {
    person.post(&format!("/v1/directCalls/{}:{verb}", text(&call["id"])), body).await
}

#[tokio::test]
async fn a_direct_call_is_answered_by_the_unit_called_and_closed_by_the_company() {
    let here = DISTRICTS[0];
    let [enterprise, dispatcher, handler, liaison, registrar] =
        people(here, ["enterprise", "dispatcher", "handler", "liaison", "registrar"]).await;
    let company = text(&enterprise.me["enterprise_id"]);
    let line = json!({ "enterprise_id": company, "contact_id": handler.me["id"] });
    assert_eq!(set_line(&enterprise, line.clone()).await.status, 403);
    let of = |person: &Person| json!({ "enterprise_id": company, "contact_id": person.me["id"] });
    assert_eq!(set_line(&dispatcher, of(&enterprise)).await.reason(), "CONTACT_NOT_OF_A_UNIT");
    assert_eq!(set_line(&dispatcher, of(&dispatcher)).await.reason(), "CONTACT_CANNOT_ANSWER");
    assert_eq!(set_line(&dispatcher, json!({ "contact_id": handler.me["id"] })).await.reason(), "ONE_OF_TWO");
    let set = set_line(&dispatcher, line.clone()).await.ok();
    assert_eq!(set["unit_id"], handler.me["unit_id"]);
    told(&handler, "direct_line.set", &set).await;
    let again = set_line(&dispatcher, json!({ "enterprise_id": company, "contact_id": liaison.me["id"], "etag": "9" })).await;
    assert_eq!((again.status, again.reason()), (409, "ETAG_MISMATCH"));
    assert!(ids(&liaison.get("/v1/directLines").await.ok()["lines"]).contains(&text(&set["id"])), "a unit sees its lines");
    let found = enterprise.get("/v1/directLines:find").await.ok();
    assert_eq!((&found["contact_id"], &found["contact_name"]), (&handler.me["id"], &json!("汤国骏")));

    let key = uuid::Uuid::now_v7().to_string();
    let ask = json!({ "text": "贷款贴息如何申请" });
    let call = enterprise.post_keyed("/v1/directCalls", ask.clone(), &key).await.ok();
    assert_eq!(enterprise.post_keyed("/v1/directCalls", ask, &key).await.ok()["id"], call["id"], "the same key is the same call");
    assert_eq!((call["state"].as_str(), &call["contact_id"]), (Some("OPEN"), &handler.me["id"]));
    let (clock, calendar) = (&call["clock"], Calendar::national());
    assert_eq!(
        (clock["kind"].as_str(), time(&clock["due_at"])),
        (Some("D1"), calendar.due(time(&call["opened_at"]), Span::work_minutes(60)).at)
    );
    told(&handler, "direct_call.opened", &call).await;

    strangers_find_no_call(&call, &company, &dispatcher, &registrar).await;
    let path = format!("/v1/directCalls/{}", text(&call["id"]));
    let answer = json!({ "text": "请在线申请，三日内办结" });
    assert_eq!(call_verb(&enterprise, &call, "answer", answer.clone()).await.status, 403);
    let stale = call_verb(&liaison, &call, "answer", json!({ "text": "答复", "etag": "7" })).await;
    assert_eq!((stale.status, stale.reason()), (409, "ETAG_MISMATCH"));

    // Two of the unit at once: one answers, the other hears that it was answered.
    let both = tokio::join!(call_verb(&liaison, &call, "answer", answer.clone()), call_verb(&handler, &call, "answer", answer.clone()));
    let (one, two) = if both.0.status == 200 { both } else { (both.1, both.0) };
    assert_eq!((one.status, two.reason()), (200, "ILLEGAL_TRANSITION"), "{} {}", one.text, two.text);
    let answered = one.ok();
    assert_eq!((answered["state"].as_str(), &answered["answer"]), (Some("ANSWERED"), &answer["text"]));
    assert!(answered["clock"]["stopped_at"].is_string() && answered["overdue"] == false, "{answered}");
    assert_eq!(call_verb(&handler, &call, "answer", answer).await.reason(), "ILLEGAL_TRANSITION");
    told(&enterprise, "direct_call.answered", &call).await;
    assert_eq!(ids(&enterprise.get("/v1/directCalls?state=ANSWERED").await.ok()["calls"]), [text(&call["id"])]);
    let closed = call_verb(&enterprise, &call, "close", json!({ "text": "谢谢" })).await.ok();
    assert_eq!(closed["state"], "CLOSED");
    assert_eq!(call_verb(&enterprise, &call, "convert", json!({ "kind": "CONSULT" })).await.reason(), "ILLEGAL_TRANSITION");
    told(&handler, "direct_call.closed", &call).await;
    assert_eq!(verbs(&enterprise.get(&path).await.ok()), ["open", "answer", "close"]);
}

/// Another company, another unit, another district: it is not there.
async fn strangers_find_no_call(call: &Value, company: &str, dispatcher: &Person, registrar: &Person) {
    let here = DISTRICTS[0];
    let other_company = somebody(here, "REQUESTER", None, Some(&another_company(registrar, company).await)).await;
    let other_unit = somebody(here, "HANDLER", Some(&unit(dispatcher, "fire").await), None).await;
    let [elsewhere] = people(DISTRICTS[1], ["liaison"]).await;
    for stranger in [&other_company, &other_unit, &elsewhere] {
        assert_eq!(stranger.get(&format!("/v1/directCalls/{}", text(&call["id"]))).await.status, 404);
        assert!(!ids(&stranger.get("/v1/directCalls?page_size=200").await.ok()["calls"]).contains(&text(&call["id"])));
    }
    let answer = json!({ "text": "答复" });
    assert_eq!(call_verb(&other_unit, call, "answer", answer.clone()).await.status, 404);
    assert_eq!(call_verb(&elsewhere, call, "answer", answer).await.status, 404);
    assert_eq!(call_verb(&other_unit, call, "convert", json!({ "kind": "HELP" })).await.status, 404);
    assert_eq!(call_verb(&other_company, call, "close", json!({})).await.status, 404);
}

async fn open(enterprise: &Person) -> Answer {
    enterprise.post("/v1/directCalls", json!({ "text": "园区食堂何时开放，员工就餐不便" })).await
}

/// In the other district, whose companies have no line until the test sets one.
#[tokio::test]
async fn a_call_that_nobody_answers_is_told_of_once_and_becomes_a_request() {
    let there = DISTRICTS[1];
    let [enterprise, dispatcher, sysadmin, liaison] = people(there, ["enterprise", "dispatcher", "sysadmin", "liaison"]).await;
    let refused = open(&enterprise).await;
    assert_eq!((refused.status, refused.reason()), (400, "NO_DIRECT_LINE"));
    let market = unit(&dispatcher, "market").await;
    let contact = somebody(there, "HANDLER", Some(&market), None).await;
    let zone = zone_of(&enterprise).await;
    let line = set_line(&dispatcher, json!({ "zone_id": zone, "contact_id": contact.me["id"] })).await.ok();
    assert_eq!(line["zone_id"], zone);
    let first = open(&enterprise).await.ok();
    assert_eq!(first["contact_id"], contact.me["id"]);
    a_new_calendar_moves_its_clock(&enterprise, &sysadmin, &first).await;
    let late = it_is_found_overdue_once(&enterprise, &contact, &first).await;

    // The contact has left: the unit is called, and anybody there answers.
    sysadmin.post(&format!("/v1/users/{}:disable", text(&contact.me["id"])), json!({ "reason": "离职" })).await.ok();
    let second = open(&enterprise).await.ok();
    assert_eq!((second["contact_id"].as_str(), second["unit_id"].as_str()), (Some(""), Some(&*market)));
    told(&liaison, "direct_call.opened", &second).await;
    call_verb(&liaison, &second, "answer", json!({ "text": "下周一开放" })).await.ok();
    it_becomes_a_request(&enterprise, &liaison, &dispatcher, &late).await;

    // Newest first, page by page.
    let page = enterprise.get("/v1/directCalls?page_size=1").await.ok();
    assert_eq!(ids(&page["calls"]), [text(&second["id"])]);
    let next = enterprise.get(&format!("/v1/directCalls?page_size=1&page_token={}", text(&page["next_page_token"]))).await.ok();
    assert_eq!((ids(&next["calls"]), next["next_page_token"].as_str()), (vec![text(&first["id"])], Some("")));

    // The line ends: a request is the way.
    set_line(&dispatcher, json!({ "zone_id": zone })).await.ok();
    assert_eq!(open(&enterprise).await.reason(), "NO_DIRECT_LINE");
    assert_eq!(enterprise.get("/v1/directLines:find").await.reason(), "NO_DIRECT_LINE");
    assert_eq!(set_line(&dispatcher, json!({ "zone_id": zone })).await.status, 404, "it has ended");
}

/// The zone that a company moves into; its card, which is kept near, follows.
async fn zone_of(enterprise: &Person) -> Value {
    let [registrar] = people(DISTRICTS[1], ["registrar"]).await;
    let company = text(&enterprise.me["enterprise_id"]);
    let of =
        async || registrar.get(&format!("/v1/enterprises/{company}")).await.ok()["building_id"].as_str().unwrap_or_default().to_owned();
    if of().await.is_empty() {
        let unique = uuid::Uuid::now_v7().simple().to_string()[20..].to_owned();
        let zone = registrar.post("/v1/zones", json!({ "code": format!("Z-{unique}"), "name": "直通片区" })).await.ok();
        let building = json!({ "code": format!("B-{unique}"), "zone_id": zone["id"], "name": "直通楼", "gross_m2": 10, "leasable_m2": 5 });
        let building = registrar.post("/v1/buildings", building).await.ok();
        let since = json!({ "building_id": building["id"], "kind": "BOTH", "since": "2026-01-01" });
        registrar.post(&format!("/v1/enterprises/{company}/presences"), since).await.ok();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    registrar.get(&format!("/v1/buildings/{}", of().await)).await.ok()["zone_id"].clone()
}

async fn a_new_calendar_moves_its_clock(enterprise: &Person, sysadmin: &Person, call: &Value) {
    let off = |days: i64| {
        let date = drumtower_runtime::calendar::today(now() + SignedDuration::from_hours(24 * days));
        json!({ "date": date.to_string(), "day": "off" })
    };
    let layer = json!({ "name": "区", "days": (0..6).map(off).collect::<Vec<_>>() }).to_string();
    sysadmin.post("/v1/settings", json!({ "kind": "CALENDAR", "content": layer })).await.ok();
    for _ in 0..300 {
        let moved = enterprise.get(&format!("/v1/directCalls/{}", text(&call["id"]))).await.ok();
        if moved["clock"]["due_at"] != call["clock"]["due_at"] {
            assert!(time(&moved["clock"]["due_at"]) > now() + SignedDuration::from_hours(24 * 5), "{moved}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("its clock stays where it was");
}

/// Two watches, one overdue call: it is said once, to the contact, the head of the unit and the supervisor.
async fn it_is_found_overdue_once(enterprise: &Person, contact: &Person, call: &Value) -> Value {
    let [lead, supervisor] = people(DISTRICTS[1], ["lead", "supervisor"]).await;
    let mut beside = world().serve_beside("ticketing");
    run_out("direct_call", "clock", &call["id"]).await;
    let late = overdue(enterprise, &format!("/v1/directCalls/{}", text(&call["id"]))).await;
    assert_eq!(verbs(&late), ["open", "reckon", "breach"]);
    assert_eq!((late["state"].as_str(), late["events"][2]["actor_id"].as_str()), (Some("OPEN"), Some("")));
    for person in [contact, &lead, &supervisor] {
        told(person, "direct_call.breached", call).await;
    }
    beside.kill().and_then(|()| beside.wait()).expect("ended");
    late
}

async fn it_becomes_a_request(enterprise: &Person, liaison: &Person, dispatcher: &Person, call: &Value) {
    let made = json!({ "kind": "HELP", "title": "食堂开放", "etag": call["etag"] });
    assert_eq!(call_verb(liaison, call, "convert", json!({ "kind": "HELP", "etag": "1" })).await.reason(), "ETAG_MISMATCH");
    let converted = call_verb(enterprise, call, "convert", made).await.ok();
    assert_eq!((converted["state"].as_str(), converted["overdue"].as_bool()), (Some("CONVERTED"), Some(true)));
    let ticket = enterprise.get(&format!("/v1/tickets/{}", text(&converted["ticket_id"]))).await.ok();
    assert_eq!((ticket["state"].as_str(), &ticket["number"]), (Some("SUBMITTED"), &converted["ticket_number"]));
    assert_eq!((&ticket["requester_id"], &ticket["description"]), (&enterprise.me["id"], &call["text"]));
    assert_eq!(ticket["source"], "DIRECT_LINE");
    let back = liaison.get(&format!("/v1/directCalls?ticket_id={}", text(&ticket["id"]))).await.ok();
    assert_eq!(ids(&back["calls"]), [text(&call["id"])], "the call is found from its request");
    told(dispatcher, "ticket.submitted", &ticket).await;
    assert_eq!(call_verb(enterprise, call, "convert", json!({ "kind": "HELP" })).await.reason(), "ILLEGAL_TRANSITION");
}

async fn day_verb(person: &Person, day: &Value, verb: &str, body: Value) -> Answer {
    person.post(&format!("/v1/serviceDays/{}:{verb}", text(&day["id"])), body).await
}

/// A plan for a day so many days from today, from its first to its last minute.
fn plan(days: i64, desks: &[&str]) -> Value {
    let date = drumtower_runtime::calendar::today(now() + SignedDuration::from_hours(24 * days));
    let desks: Vec<Value> = desks.iter().map(|unit| json!({ "unit_id": unit, "covers": "登记与年报" })).collect();
    json!({
        "title": "企业服务日", "place": "一楼大厅", "desks": desks,
        "starts_at": format!("{date}T00:00:00+08:00"), "ends_at": format!("{date}T23:59:59+08:00"),
    })
}

#[tokio::test]
async fn a_service_day_runs_from_plan_to_close() {
    let here = DISTRICTS[0];
    let [enterprise, dispatcher, liaison, registrar] = people(here, ["enterprise", "dispatcher", "liaison", "registrar"]).await;
    let company = text(&enterprise.me["enterprise_id"]);
    let other = another_company(&registrar, &company).await;
    let uninvited = somebody(here, "REQUESTER", None, Some(&other)).await;
    let day = planned(&enterprise, &dispatcher, &liaison).await;
    let path = format!("/v1/serviceDays/{}", text(&day["id"]));
    it_is_published_to_those_invited(&enterprise, &dispatcher, &liaison, &uninvited, &day).await;
    let help = demands_are_taken(&enterprise, &dispatcher, &liaison, &day).await;
    who_comes_uninvited_is_served_and_hears_of_it(&enterprise, &uninvited, &other, &day).await;

    let later = day_verb(&dispatcher, &day, "invite", json!({ "enterprise_ids": [other] })).await;
    assert_eq!(later.reason(), "ILLEGAL_TRANSITION", "it is held: whoever comes now needs no invitation");
    assert_eq!(dispatcher.get(&path).await.ok()["state"], "HELD");
    assert_eq!(day_verb(&dispatcher, &day, "cancel", json!({ "reason": "台风" })).await.reason(), "ILLEGAL_TRANSITION");
    let open = day_verb(&dispatcher, &day, "close", json!({})).await;
    assert_eq!((open.reason(), &open.body["error"]["details"][0]["metadata"]["open"]), ("DEMANDS_OPEN", &json!("1")));
    enterprise.post(&format!("/v1/tickets/{}:withdraw", text(&help["ticket_id"])), json!({})).await.ok();
    assert_eq!(day_verb(&dispatcher, &day, "close", json!({ "etag": day["etag"] })).await.reason(), "ETAG_MISMATCH");
    assert_eq!(day_verb(&dispatcher, &day, "close", json!({})).await.ok()["state"], "CLOSED");
    assert_eq!(day_verb(&liaison, &day, "take", demand(&company, 1, "HELP", "")).await.reason(), "ILLEGAL_TRANSITION");
    let history = verbs(&dispatcher.get(&path).await.ok());
    assert_eq!(history, ["create", "invite", "publish", "reply", "reply", "take", "take", "take", "close"]);
}

/// A day with two desks, to which one company is invited; nobody but its planners knows of it.
async fn planned(enterprise: &Person, dispatcher: &Person, liaison: &Person) -> Value {
    let (market, fire) = (unit(dispatcher, "market").await, unit(dispatcher, "fire").await);
    let company = text(&enterprise.me["enterprise_id"]);
    let [elsewhere] = people(DISTRICTS[1], ["dispatcher"]).await;
    assert_eq!(liaison.post("/v1/serviceDays", plan(0, &[&market])).await.status, 403);
    assert_eq!(dispatcher.post("/v1/serviceDays", plan(-1, &[&market])).await.reason(), "PAST");
    assert_eq!(dispatcher.post("/v1/serviceDays", plan(0, &[&company])).await.status, 404, "a company keeps no desk");
    let day = dispatcher.post("/v1/serviceDays", plan(0, &[&market, &fire])).await.ok();
    let path = format!("/v1/serviceDays/{}", text(&day["id"]));
    assert_eq!((day["state"].as_str(), day["desks"][1]["number"].as_i64()), (Some("PLANNED"), Some(2)));
    assert_eq!(day_verb(dispatcher, &day, "publish", json!({})).await.reason(), "NOBODY_INVITED");
    let invited = day_verb(dispatcher, &day, "invite", json!({ "enterprise_ids": [company], "etag": day["etag"] })).await.ok();
    assert_eq!(day_verb(dispatcher, &day, "publish", json!({ "etag": day["etag"] })).await.reason(), "ETAG_MISMATCH");
    assert_eq!(enterprise.get(&path).await.status, 404, "a plan is nobody's but the planners'");
    assert_eq!(day_verb(enterprise, &day, "reply", json!({ "coming": true, "people": 2 })).await.status, 404);
    assert_eq!(elsewhere.get(&path).await.status, 404);
    assert_eq!(day_verb(&elsewhere, &day, "publish", json!({})).await.status, 404);
    invited
}

async fn it_is_published_to_those_invited(enterprise: &Person, dispatcher: &Person, liaison: &Person, uninvited: &Person, day: &Value) {
    let path = format!("/v1/serviceDays/{}", text(&day["id"]));
    day_verb(dispatcher, day, "publish", json!({ "etag": day["etag"] })).await.ok();
    assert_eq!(day_verb(dispatcher, day, "publish", json!({})).await.reason(), "ILLEGAL_TRANSITION");
    told(enterprise, "service_day.invited", day).await;
    told(liaison, "service_day.published", day).await;
    assert!(ids(&enterprise.get("/v1/serviceDays").await.ok()["days"]).contains(&text(&day["id"])));
    assert_eq!(uninvited.get(&path).await.status, 404);
    assert!(!ids(&uninvited.get("/v1/serviceDays").await.ok()["days"]).contains(&text(&day["id"])));
    assert_eq!(day_verb(uninvited, day, "reply", json!({ "coming": true, "people": 2 })).await.status, 404);
    assert_eq!(day_verb(enterprise, day, "reply", json!({ "coming": true })).await.reason(), "PEOPLE");
    day_verb(enterprise, day, "reply", json!({ "coming": true, "people": 2 })).await.ok();
    let reply = day_verb(enterprise, day, "reply", json!({ "coming": true, "people": 3 })).await.ok();
    assert_eq!((reply["reply"].as_str(), reply["people"].as_i64()), (Some("COMING"), Some(3)), "a mind may be changed");
    let seen = dispatcher.get(&path).await.ok();
    assert_eq!((&seen["invited"], &seen["coming"], &seen["people"]), (&json!(1), &json!(1), &json!(3)));
    assert_eq!(enterprise.get(&path).await.ok()["invited"], 0, "companies learn nothing of each other");
}

fn demand(company: &str, desk: i32, kind: &str, answer: &str) -> Value {
    json!({ "desk": desk, "enterprise_id": company, "title": "员工公寓", "description": "申请员工公寓名额", "kind": kind, "answer": answer })
}

async fn table(person: &Person, day: &Value) -> Answer {
    person.get(&format!("/v1/serviceDays/{}/demands", text(&day["id"]))).await
}

/// One that is to be dealt with, which is answered, and one that was settled on the spot.
async fn demands_are_taken(enterprise: &Person, dispatcher: &Person, liaison: &Person, day: &Value) -> Value {
    let [handler, clerk] = people(DISTRICTS[0], ["handler", "clerk"]).await;
    let demand = |desk, kind: &str, answer: &str| demand(&text(&enterprise.me["enterprise_id"]), desk, kind, answer);
    assert_eq!(day_verb(enterprise, day, "take", demand(1, "HELP", "")).await.status, 403);
    assert_eq!(day_verb(liaison, day, "take", demand(2, "HELP", "")).await.reason(), "NOT_OWN_DESK");
    assert_eq!(day_verb(&clerk, day, "take", demand(3, "HELP", "")).await.reason(), "NO_SUCH_DESK");
    assert_eq!(day_verb(liaison, day, "take", demand(1, "HELP", "已当场办结")).await.reason(), "NOT_A_QUESTION");
    let help = day_verb(&handler, day, "take", demand(1, "HELP", "")).await.ok();
    assert_eq!((help["state"].as_str(), help["settled"].as_bool()), (Some("ACCEPTED"), Some(false)));
    let question = day_verb(&clerk, day, "take", demand(2, "CONSULT", "请带执照副本到二楼")).await.ok();
    assert_eq!((question["state"].as_str(), question["settled"].as_bool()), (Some("ARCHIVED"), Some(true)));
    told(dispatcher, "service_day.demand_taken", day).await;
    let ticket = enterprise.get(&format!("/v1/tickets/{}", text(&help["ticket_id"]))).await.ok();
    assert_eq!((&ticket["requester_id"], &ticket["place"]), (&enterprise.me["id"], &json!("一楼大厅")), "in the name of who replied");
    assert_eq!(ticket["source"], "SERVICE_DAY");
    told(enterprise, "ticket.accepted", &ticket).await;
    let rows = table(liaison, day).await.ok();
    let row = |place: usize, field: &str| rows["demands"][place][field].clone();
    assert_eq!((row(0, "number"), row(0, "state"), row(0, "overdue")), (help["number"].clone(), json!("ACCEPTED"), json!(false)));
    assert_eq!((row(1, "number"), row(1, "state")), (question["number"].clone(), json!("ARCHIVED")));
    assert_eq!(rows["demands"].as_array().map(Vec::len), Some(2));
    help
}

async fn who_comes_uninvited_is_served_and_hears_of_it(enterprise: &Person, uninvited: &Person, other: &str, day: &Value) {
    let [clerk] = people(DISTRICTS[0], ["clerk"]).await;
    assert_eq!(table(uninvited, day).await.status, 404);
    let taken = day_verb(&clerk, day, "take", demand(other, 1, "CONSULT", "网上补报")).await.ok();
    assert_eq!(
        (taken["enterprise_id"].as_str(), table(&clerk, day).await.ok()["demands"].as_array().map(Vec::len)),
        (Some(other), Some(3))
    );
    told(uninvited, "service_day.demand_taken", day).await;
    assert_eq!(table(enterprise, day).await.ok()["demands"].as_array().map(Vec::len), Some(2), "another's is not shown");
    assert_eq!(heard(enterprise, "service_day.demand_taken", &day["id"]).await, 0);
}

#[tokio::test]
async fn a_service_day_is_called_off_in_time_and_those_invited_hear_of_it() {
    let [enterprise, dispatcher, registrar] = people(DISTRICTS[1], ["enterprise", "dispatcher", "registrar"]).await;
    let market = unit(&dispatcher, "market").await;
    let company = text(&enterprise.me["enterprise_id"]);
    let day = dispatcher.post("/v1/serviceDays", plan(2, &[&market])).await.ok();
    let (first, other) = (json!({ "enterprise_ids": [company] }), another_company(&registrar, &company).await);
    day_verb(&dispatcher, &day, "invite", first).await.ok();
    day_verb(&dispatcher, &day, "publish", json!({})).await.ok();
    // Who is invited after it was published is told at once, who was invited already not again.
    let late = somebody(DISTRICTS[1], "REQUESTER", None, Some(&other)).await;
    day_verb(&dispatcher, &day, "invite", json!({ "enterprise_ids": [company, other] })).await.ok();
    told(&late, "service_day.invited", &day).await;
    let path = format!("/v1/serviceDays/{}", text(&day["id"]));
    let invitations = dispatcher.get(&format!("{path}/invitations?page_size=1")).await.ok();
    let token = text(&invitations["next_page_token"]);
    let rest = dispatcher.get(&format!("{path}/invitations?page_size=1&page_token={token}")).await.ok();
    assert_ne!(invitations["invitations"][0]["enterprise_id"], rest["invitations"][0]["enterprise_id"]);
    let own = late.get(&format!("{path}/invitations")).await.ok();
    assert_eq!((own["invitations"][0]["enterprise_id"].as_str(), own["invitations"][1].is_null()), (Some(&*other), true), "its own only");
    let demand = json!({ "desk": 1, "enterprise_id": company, "title": "预约", "description": "先登记", "kind": "HELP" });
    assert_eq!(day_verb(&dispatcher, &day, "take", demand).await.reason(), "NOT_THE_DAY");
    assert_eq!(day_verb(&dispatcher, &day, "close", json!({ "reason": "算了" })).await.reason(), "NOT_HELD_YET");
    let off = day_verb(&dispatcher, &day, "cancel", json!({ "reason": "台风" })).await.ok();
    assert_eq!((off["state"].as_str(), off["reason"].as_str()), (Some("CANCELLED"), Some("台风")));
    told(&late, "service_day.cancelled", &day).await;
    told(&enterprise, "service_day.cancelled", &day).await;
    assert_eq!(heard(&enterprise, "service_day.invited", &day["id"]).await, 1);
    assert_eq!(day_verb(&enterprise, &day, "reply", json!({ "coming": false })).await.reason(), "ILLEGAL_TRANSITION");
    let today = dispatcher.post("/v1/serviceDays", plan(0, &[&market])).await.ok();
    assert_eq!(day_verb(&dispatcher, &today, "cancel", json!({ "reason": "人手不足" })).await.reason(), "TOO_LATE");
}

async fn discussion_verb(person: &Person, discussion: &Value, verb: &str, body: Value) -> Answer {
    person.post(&format!("/v1/discussions/{}:{verb}", text(&discussion["id"])), body).await
}

#[tokio::test]
async fn a_discussion_is_followed_until_its_tasks_are_confirmed() {
    let here = DISTRICTS[0];
    let [enterprise, dispatcher, liaison, lead, leader] = people(here, ["enterprise", "dispatcher", "liaison", "lead", "leader"]).await;
    let of_fire = somebody(here, "LIAISON", Some(&unit(&dispatcher, "fire").await), None).await;
    let called = called(&enterprise, &leader, &of_fire).await;
    let path = format!("/v1/discussions/{}", text(&called["id"]));
    it_is_there_for_those_it_concerns(&called, &[&enterprise, &liaison, &of_fire, &leader]).await;
    it_is_attended_and_concluded(&called, &of_fire, &lead, &liaison).await;

    let done = json!({ "number": 1, "text": "已出具意见" });
    assert_eq!(discussion_verb(&liaison, &called, "finishTask", done.clone()).await.reason(), "NO_SUCH_TASK");
    discussion_verb(&of_fire, &called, "finishTask", done.clone()).await.ok();
    assert_eq!(discussion_verb(&of_fire, &called, "finishTask", done.clone()).await.reason(), "DONE_ALREADY");
    told(&liaison, "discussion.task_finished", &called).await;
    assert_eq!(discussion_verb(&of_fire, &called, "confirmTask", json!({ "number": 1, "confirmed": true })).await.reason(), "NOT_CONVENER");
    assert_eq!(discussion_verb(&lead, &called, "confirmTask", json!({ "number": 1 })).await.reason(), "REQUIRED", "sent back: why?");
    let back = discussion_verb(&lead, &called, "confirmTask", json!({ "number": 1, "text": "缺图纸编号" })).await.ok();
    assert_eq!((&back["tasks"][0]["state"], &back["tasks"][0]["sent_back"]), (&json!("TO_DO"), &json!(1)));
    told(&of_fire, "discussion.task_sent_back", &called).await;
    its_task_is_found_overdue_once(&called, &leader, &of_fire).await;

    discussion_verb(&of_fire, &called, "finishTask", done).await.ok();
    let open = discussion_verb(&leader, &called, "close", json!({})).await;
    assert_eq!((open.reason(), &open.body["error"]["details"][0]["metadata"]["tasks"]), ("TASKS_OPEN", &json!("1")));
    discussion_verb(&leader, &called, "confirmTask", json!({ "number": 1, "confirmed": true })).await.ok();
    assert_eq!(discussion_verb(&of_fire, &called, "close", json!({})).await.reason(), "NOT_CONVENER");
    let closed = discussion_verb(&lead, &called, "close", json!({})).await.ok();
    assert_eq!((closed["state"].as_str(), &closed["overdue"]), (Some("CLOSED"), &json!(true)), "what was late stays late");
    told(&enterprise, "discussion.closed", &called).await;
    let history = verbs(&enterprise.get(&path).await.ok());
    let wanted = ["open", "attend", "conclude", "finishTask", "sendBackTask", "breach", "finishTask", "confirmTask", "close"];
    assert_eq!(history, wanted);
    let one = leader.get("/v1/discussions?state=CLOSED").await.ok();
    assert!(ids(&one["discussions"]).contains(&text(&called["id"])), "{one}");
}

/// A discussion that the market bureau convenes over a company's matter, with the fire brigade.
async fn called(enterprise: &Person, leader: &Person, of_fire: &Person) -> Value {
    let [liaison, lead] = people(DISTRICTS[0], ["liaison", "lead"]).await;
    let (market, fire, company) = (unit(leader, "market").await, unit(leader, "fire").await, text(&enterprise.me["enterprise_id"]));
    let meets_at = (now() + SignedDuration::from_hours(1)).to_string();
    let calling = |convener: &str, unit: &str| {
        json!({ "enterprise_id": company, "topic": "扩产用地与消防审批", "convener_unit_id": convener, "unit_ids": [unit],
                "meets_at": meets_at, "place": "三楼会议室" })
    };
    assert_eq!(liaison.post("/v1/discussions", calling(&market, &fire)).await.status, 403);
    assert_eq!(lead.post("/v1/discussions", calling(&fire, &market)).await.reason(), "NOT_OWN_UNIT");
    assert_eq!(lead.post("/v1/discussions", calling(&market, &market)).await.reason(), "UNITS");
    assert_eq!(leader.post("/v1/discussions", calling(&company, &fire)).await.status, 404, "a company convenes nothing");
    let called = leader.post("/v1/discussions", calling(&market, &fire)).await.ok();
    assert_eq!(called["state"], "CALLED");
    told(of_fire, "discussion.opened", &called).await;
    told(enterprise, "discussion.opened", &called).await;
    called
}

async fn it_is_there_for_those_it_concerns(called: &Value, own: &[&Person]) {
    let here = DISTRICTS[0];
    let [dispatcher, registrar] = people(here, ["dispatcher", "registrar"]).await;
    let another = another_company(&registrar, called["enterprise_id"].as_str().unwrap_or_default()).await;
    let stranger = somebody(here, "REQUESTER", None, Some(&another)).await;
    let of_hrss = somebody(here, "LIAISON", Some(&unit(&dispatcher, "hrss").await), None).await;
    let [elsewhere] = people(DISTRICTS[1], ["leader"]).await;
    let list = async |person: &Person| ids(&person.get("/v1/discussions?page_size=200").await.ok()["discussions"]);
    for other in [&stranger, &of_hrss, &elsewhere] {
        assert_eq!(other.get(&format!("/v1/discussions/{}", text(&called["id"]))).await.status, 404);
        assert!(!list(other).await.contains(&text(&called["id"])));
    }
    for own in own {
        assert!(list(own).await.contains(&text(&called["id"])));
    }
    assert_eq!(discussion_verb(&of_hrss, called, "attend", json!({})).await.status, 404);
}

async fn it_is_attended_and_concluded(called: &Value, of_fire: &Person, lead: &Person, liaison: &Person) {
    let (fire, hrss) = (unit(lead, "fire").await, unit(lead, "hrss").await);
    assert_eq!(discussion_verb(liaison, called, "attend", json!({})).await.reason(), "NOT_CALLED", "the convener is there anyway");
    let attended = discussion_verb(of_fire, called, "attend", json!({ "etag": called["etag"] })).await.ok();
    assert_eq!(attended["seats"][0]["arrived_by_id"], of_fire.me["id"]);
    assert_eq!(discussion_verb(of_fire, called, "attend", json!({})).await.reason(), "ARRIVED_ALREADY");
    let due_at = (now() + SignedDuration::from_hours(48)).to_string();
    let task = |unit: &str| json!({ "unit_id": unit, "text": "出具消防设计审查意见", "due_at": due_at });
    let conclude = |tasks: Vec<Value>, etag: &Value| json!({ "minutes": "原则同意，分头落实", "decisions": tasks, "etag": etag });
    assert_eq!(discussion_verb(of_fire, called, "conclude", conclude(vec![], &Value::Null)).await.reason(), "NOT_CONVENER");
    assert_eq!(discussion_verb(lead, called, "conclude", conclude(vec![task(&hrss)], &Value::Null)).await.reason(), "NOT_CALLED");
    assert_eq!(discussion_verb(lead, called, "conclude", conclude(vec![], &called["etag"])).await.reason(), "ETAG_MISMATCH");
    let followed = discussion_verb(lead, called, "conclude", conclude(vec![task(&fire)], &attended["etag"])).await.ok();
    assert_eq!((followed["state"].as_str(), &followed["tasks"][0]["state"]), (Some("FOLLOW_UP"), &json!("TO_DO")));
    told(of_fire, "discussion.concluded", called).await;
}

/// Its clock went on when it was sent back, and runs out: once, for two watches.
async fn its_task_is_found_overdue_once(called: &Value, leader: &Person, of_fire: &Person) {
    let [supervisor] = people(DISTRICTS[0], ["supervisor"]).await;
    let mut beside = world().serve_beside("ticketing");
    run_out("discussion", "tasks,0,clock", &called["id"]).await;
    let late = overdue(leader, &format!("/v1/discussions/{}", text(&called["id"]))).await;
    assert_eq!((&late["tasks"][0]["overdue"], verbs(&late).iter().filter(|verb| *verb == "breach").count()), (&json!(true), 1));
    told(&supervisor, "discussion.breached", called).await;
    told(of_fire, "discussion.breached", called).await;
    beside.kill().and_then(|()| beside.wait()).expect("ended");
}
