//! The main job through the gateway, as the people who do it: from the phone of a company to its rating, and what goes wrong on the way.

use std::{sync::OnceLock, time::Duration};

use drumtower_runtime::calendar::{Calendar, Span};
use drumtower_tests::world::{Answer, DISTRICTS, Person, Wanted, World};
use jiff::Timestamp;
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

const HERE: &str = DISTRICTS[0];

async fn unit(person: &Person, code: &str) -> String {
    let units = person.get("/v1/units").await.ok();
    let found = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == code).cloned();
    found.unwrap_or_else(|| panic!("no unit {code}"))["id"].as_str().unwrap_or_default().to_owned()
}

async fn building(person: &Person) -> Value {
    person.get("/v1/buildings?page_size=1").await.ok()["buildings"][0].clone()
}

async fn submit(enterprise: &Person, building: &Value) -> Value {
    let body = json!({ "title": "三楼走廊漏水", "description": "雨后走廊天花板持续滴水，已影响办公。", "kind": "HELP", "building_id": building["id"] });
    enterprise.post("/v1/tickets", body).await.ok()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is not a time"))
}

fn clock<'a>(ticket: &'a Value, kind: &str) -> &'a Value {
    let found = ticket["clocks"].as_array().into_iter().flatten().rfind(|clock| clock["kind"] == kind);
    found.unwrap_or_else(|| panic!("no clock {kind} in {ticket}"))
}

async fn verb(person: &Person, ticket: &Value, verb: &str, body: Value) -> Answer {
    person.post(&format!("/v1/tickets/{}:{verb}", ticket["id"].as_str().unwrap_or_default()), body).await
}

/// Waits for a notice of a kind about a ticket, for it arrives by the log.
async fn told(person: &Person, kind: &str, ticket: &Value) {
    for _ in 0..100 {
        let notices = person.get("/v1/users/me/notices").await.ok();
        let found =
            notices["notices"].as_array().into_iter().flatten().filter(|n| n["kind"] == kind && n["subject"] == ticket["id"]).count();
        assert!(found < 2, "told twice of {kind}");
        if found == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody told of {kind}");
}

#[tokio::test]
async fn a_request_runs_from_submission_to_rating_with_real_clocks() {
    let world = world();
    let [enterprise, dispatcher, liaison, handler, lead, callback] =
        ["enterprise", "dispatcher", "liaison", "handler", "lead", "callback"].map(|login| world.sign_in(HERE, login));
    let (enterprise, dispatcher, liaison, handler, lead, callback) = tokio::join!(enterprise, dispatcher, liaison, handler, lead, callback);
    let (market, building) = (unit(&dispatcher, "market").await, building(&dispatcher).await);

    let ticket = submit(&enterprise, &building).await;
    assert_eq!((ticket["state"].as_str(), ticket["possible"].as_array().map(Vec::len)), (Some("SUBMITTED"), Some(7)));
    let calendar = Calendar::national();
    let c1 = clock(&ticket, "C1");
    assert_eq!(time(&c1["due_at"]), calendar.due(time(&c1["started_at"]), Span::minutes(10)).at);
    told(&dispatcher, "ticket.submitted", &ticket).await;

    let accepted = verb(&dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    assert_eq!(accepted["state"], "ACCEPTED");
    let dispatched = verb(&dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": market })).await.ok();
    let c5 = clock(&dispatched, "C5");
    assert_eq!(time(&c5["due_at"]), calendar.due(time(&c5["started_at"]), Span::WorkDays(5)).at);
    told(&liaison, "ticket.dispatched", &ticket).await;

    verb(&liaison, &ticket, "sign", json!({})).await.ok();
    verb(&handler, &ticket, "contact", json!({ "text": "已电话联系，约下午到场" })).await.ok();
    verb(&handler, &ticket, "visit", json!({})).await.ok();
    let far = json!({ "latitude": 26.2, "longitude": 119.0 });
    let refused = verb(&handler, &ticket, "checkIn", far).await;
    assert_eq!((refused.status, refused.reason()), (400, "OUTSIDE_FENCE"));
    let here = json!({ "latitude": building["latitude"], "longitude": building["longitude"] });
    verb(&handler, &ticket, "checkIn", here).await.ok();
    verb(&handler, &ticket, "reportDone", json!({ "result": "RESOLVED", "text": "已修复渗漏点并复查" })).await.ok();
    verb(&lead, &ticket, "signOff", json!({})).await.ok();
    told(&callback, "ticket.signed_off", &ticket).await;
    let archived = verb(&callback, &ticket, "callBack", json!({ "outcome": "SATISFIED" })).await.ok();
    assert_eq!(archived["state"], "ARCHIVED");
    let rated = verb(&enterprise, &ticket, "rate", json!({ "score": 5, "text": "很及时" })).await.ok();
    assert_eq!((rated["score"].as_i64(), rated["result"].as_str()), (Some(5), Some("RESOLVED")));
    assert!(rated["clocks"].as_array().into_iter().flatten().all(|clock| clock["stopped_at"].is_string()), "{}", rated["clocks"]);

    let events = enterprise.get(&format!("/v1/tickets/{}/events", ticket["id"].as_str().unwrap_or_default())).await.ok();
    let verbs: Vec<&str> = events["events"].as_array().into_iter().flatten().filter_map(|event| event["verb"].as_str()).collect();
    let wanted = ["submit", "accept", "dispatch", "sign", "contact", "visit", "checkIn", "reportDone", "signOff", "callBack", "rate"];
    assert_eq!(verbs, wanted);
    let versions: Vec<String> =
        events["events"].as_array().into_iter().flatten().map(|event| event["version"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(versions, (1..=11).map(|version| version.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_what_does() {
    let world = world();
    let (enterprise, dispatcher, liaison) =
        tokio::join!(world.sign_in(HERE, "enterprise"), world.sign_in(HERE, "dispatcher"), world.sign_in(HERE, "liaison"));
    let ticket = submit(&enterprise, &building(&dispatcher).await).await;
    let market = unit(&dispatcher, "market").await;
    let refused = verb(&dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": market })).await;
    assert_eq!((refused.status, refused.reason()), (400, "ILLEGAL_TRANSITION"));
    let facts = &refused.body["error"]["details"][0]["metadata"];
    assert_eq!(
        (facts["state"].as_str(), facts["possible"].as_str()),
        (Some("SUBMITTED"), Some("accept, refuse, merge, withdraw, urge, supervise, instruct"))
    );
    assert!(refused.body["error"]["details"].as_array().into_iter().flatten().any(|detail| detail["locale"] == "zh-CN"));
    assert_eq!(refused.request_id.len(), 32);

    // Not theirs yet: it answers like one that does not exist.
    let unseen = liaison.get(&format!("/v1/tickets/{}", ticket["id"].as_str().unwrap_or_default())).await;
    let missing = liaison.get(&format!("/v1/tickets/{}", uuid::Uuid::now_v7())).await;
    assert_eq!((unseen.status, unseen.reason()), (404, "NOT_FOUND"));
    assert_eq!(without_id(&unseen.body), without_id(&missing.body));

    // Somebody without the permission is told which.
    let denied = verb(&enterprise, &ticket, "accept", json!({ "urgency": "NORMAL" })).await;
    assert_eq!((denied.status, denied.reason()), (403, "PERMISSION_DENIED"));

    // The version that the caller saw counts.
    verb(&dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL", "etag": ticket["etag"] })).await.ok();
    let stale = verb(&dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": market, "etag": ticket["etag"] })).await;
    assert_eq!((stale.status, stale.reason()), (409, "ETAG_MISMATCH"));
    assert_eq!(stale.body["error"]["details"][0]["metadata"]["etag"], "2");
}

fn without_id(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(details) = body["error"]["details"].as_array_mut() {
        details.retain(|detail| !detail["@type"].as_str().is_some_and(|kind| kind.ends_with("RequestInfo")));
    }
    body
}

#[tokio::test]
async fn side_roads_return_redo_withdraw_urge() {
    let world = world();
    let logins = ["enterprise", "dispatcher", "liaison", "handler", "lead", "callback", "supervisor"];
    let mut people = Vec::new();
    for login in logins {
        people.push(world.sign_in(HERE, login).await);
    }
    let [enterprise, dispatcher, liaison, handler, lead, callback, supervisor] = people.try_into().expect("seven people");
    let (market, building) = (unit(&dispatcher, "market").await, building(&dispatcher).await);
    let other = unit(&dispatcher, "park").await;

    let withdrawn = submit(&enterprise, &building).await;
    let answer = verb(&enterprise, &withdrawn, "withdraw", json!({ "reason": "已自行解决" })).await.ok();
    assert_eq!(answer["state"], "WITHDRAWN");

    let ticket = submit(&enterprise, &building).await;
    verb(&dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    verb(&dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": market })).await.ok();
    let due = verb(&liaison, &ticket, "return", json!({ "clause": "职责不在本局", "suggested_unit_id": other })).await.ok();
    assert_eq!((due["state"].as_str(), due["return_count"].as_i64()), (Some("ACCEPTED"), Some(1)));
    assert!(clock(&due, "C5")["stopped_at"].is_null(), "the resolution clock keeps running");
    verb(&dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": market })).await.ok();
    verb(&enterprise, &ticket, "urge", json!({ "text": "请尽快" })).await.ok();
    assert_eq!(verb(&enterprise, &ticket, "urge", json!({})).await.reason(), "URGED_LATELY");
    verb(&supervisor, &ticket, "urge", json!({})).await.ok();
    verb(&liaison, &ticket, "sign", json!({})).await.ok();
    let me = handler.get("/v1/users/me").await.ok();
    verb(&liaison, &ticket, "transfer", json!({ "handler_id": me["id"] })).await.ok();
    let here = json!({ "latitude": building["latitude"], "longitude": building["longitude"] });
    verb(&handler, &ticket, "visit", json!({})).await.ok();
    verb(&handler, &ticket, "checkIn", here.clone()).await.ok();
    assert_eq!(verb(&handler, &ticket, "checkIn", here.clone()).await.reason(), "ALREADY_CHECKED_IN");
    verb(&handler, &ticket, "reportDone", json!({ "result": "PARTLY", "text": "部分完成" })).await.ok();
    assert_eq!(verb(&lead, &ticket, "sendBack", json!({ "reason": "请补充" })).await.ok()["state"], "HANDLING");
    verb(&handler, &ticket, "visit", json!({})).await.ok();
    let arrived = verb(&handler, &ticket, "checkIn", here.clone()).await.ok();
    assert!(clock(&arrived, "C7")["stopped_at"].is_string(), "each visit has its own arrival: {arrived}");
    assert_eq!(verb(&handler, &ticket, "checkIn", here).await.reason(), "ALREADY_CHECKED_IN");
    verb(&handler, &ticket, "reportDone", json!({ "result": "RESOLVED", "text": "全部完成" })).await.ok();
    verb(&lead, &ticket, "signOff", json!({})).await.ok();
    assert_eq!(verb(&callback, &ticket, "redo", json!({ "reason": "未解决" })).await.reason(), "NO_BAD_CALLBACK");
    verb(&callback, &ticket, "callBack", json!({ "outcome": "DISSATISFIED" })).await.ok();
    let redo = verb(&callback, &ticket, "redo", json!({ "reason": "仍在漏水" })).await.ok();
    assert_eq!((redo["state"].as_str(), redo["redo_count"].as_i64()), (Some("REDO"), Some(1)));
    let again = clock(&redo, "C5");
    assert_eq!(time(&again["due_at"]), Calendar::national().due(time(&again["started_at"]), Span::WorkDays(3)).at);
}

#[tokio::test]
async fn a_past_request_takes_no_number_of_ours() {
    let world = world();
    let (enterprise, sysadmin) = (world.sign_in(HERE, "enterprise").await, world.sign_in(HERE, "sysadmin").await);
    let ticket = submit(&enterprise, &building(&enterprise).await).await;
    let import = async |number: &str| {
        let past = json!({ "number": number, "enterprise_id": enterprise.me["enterprise_id"], "kind": "HELP", "urgency": "NORMAL",
            "title": "旧系统的诉求", "state": "SUBMITTED", "submitted_at": "2020-01-02T01:00:00Z" });
        sysadmin.post("/v1/tickets:import", json!({ "tickets": [past] })).await
    };
    let today = ticket["number"].as_str().unwrap_or_default();
    assert_eq!(import(today).await.reason(), "PAST_TICKET");
    // As if it had been given out on that day.
    sqlx::query("update ticketing.ticket set number = '20200102-0001' where tenant_id = 1 and number = $1")
        .bind(today)
        .execute(&mut world.admin().await)
        .await
        .expect("renumbered");
    assert_eq!(import("20200102-0001").await.reason(), "NUMBER_TAKEN");
    assert_eq!(import("20200102-0002").await.ok()["created"], 1);
    assert_eq!(import("20200102-0002").await.ok()["unchanged"], 1);
}

#[tokio::test]
async fn a_key_gives_the_first_answer_again_and_refuses_another_use() {
    let world = world();
    let enterprise = world.sign_in(HERE, "enterprise").await;
    let key = uuid::Uuid::now_v7().to_string();
    let body = json!({ "title": "网络不通", "description": "整层断网", "kind": "HELP" });
    let (first, second) =
        tokio::join!(enterprise.post_keyed("/v1/tickets", body.clone(), &key), enterprise.post_keyed("/v1/tickets", body.clone(), &key));
    let (first, second) = (first.ok(), second.ok());
    assert_eq!(first, second, "two at once are one");
    assert_eq!(enterprise.post_keyed("/v1/tickets", body.clone(), &key).await.ok(), first);
    let other = json!({ "title": "别的事", "description": "另一件", "kind": "HELP" });
    let refused = enterprise.post_keyed("/v1/tickets", other, &key).await;
    assert_eq!((refused.status, refused.reason()), (409, "IDEMPOTENCY_KEY_REUSED"));
    let withdraw = format!("/v1/tickets/{}:withdraw", first["id"].as_str().unwrap_or_default());
    let key = uuid::Uuid::now_v7().to_string();
    let once = enterprise.post_keyed(&withdraw, json!({}), &key).await.ok();
    assert_eq!(enterprise.post_keyed(&withdraw, json!({}), &key).await.ok(), once, "a repeated verb is answered, not refused");
    assert_eq!(enterprise.post(&withdraw, json!({})).await.reason(), "ILLEGAL_TRANSITION");
}

#[tokio::test]
async fn personal_data_is_masked_but_for_those_who_need_it() {
    let world = world();
    let (enterprise, dispatcher, supervisor) =
        tokio::join!(world.sign_in(HERE, "enterprise"), world.sign_in(HERE, "dispatcher"), world.sign_in(HERE, "supervisor"));
    let body = json!({ "title": "噪声", "description": "施工噪声", "kind": "COMPLAINT", "contact_name": "林晓云", "contact_phone": "19900005678" });
    let ticket = enterprise.post("/v1/tickets", body).await.ok();
    let path = format!("/v1/tickets/{}", ticket["id"].as_str().unwrap_or_default());
    let seen = dispatcher.get(&path).await.ok();
    assert_eq!((seen["contact_name"].as_str(), seen["contact_phone"].as_str()), (Some("林晓云"), Some("19900005678")));
    let masked = supervisor.get(&path).await.ok();
    assert_eq!((masked["contact_name"].as_str(), masked["contact_phone"].as_str()), (Some("林*云"), Some("199****5678")));
    let committee = world.sign_in(HERE, "committee").await;
    let organisations = committee.get("/v1/organisations").await.ok();
    let branch =
        organisations["organisations"].as_array().into_iter().flatten().find(|o| o["kind"] == "BRANCH").cloned().unwrap_or_default();
    let members = committee.get(&format!("/v1/organisations/{}/members", branch["id"].as_str().unwrap_or_default())).await.ok();
    let member = &members["members"][0];
    assert!(member["name"].as_str().is_some_and(|name| name.contains('*')), "{member}");
    let unmask = format!("/v1/members/{}:unmask", member["id"].as_str().unwrap_or_default());
    let clear = committee.post(&unmask, json!({ "reason": "核对组织关系材料" })).await.ok();
    assert!(clear["name"].as_str().is_some_and(|name| !name.contains('*')));
    assert_eq!(committee.post(&unmask, json!({ "reason": "" })).await.status, 400);
}

#[tokio::test]
async fn bad_input_is_a_clear_refusal_everywhere() {
    let world = world();
    let enterprise = world.sign_in(HERE, "enterprise").await;
    let good = json!({ "title": "测试", "description": "x", "kind": "HELP" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, reason) in [
        (with("titel", json!("x")), "UNKNOWN_FIELD"),
        (with("title", json!("长".repeat(101))), "TOO_LONG"),
        (with("title", json!("a\u{0}b")), "NUL_BYTE"),
        (with("kind", json!("NONSENSE")), "MALFORMED"),
        (with("kind", json!(77)), "UNKNOWN_VALUE"),
        (with("building_id", json!("not-an-id")), "NOT_AN_ID"),
        (with("building_id", json!(uuid::Uuid::now_v7().to_string())), "NOT_FOUND"),
        (with("contact_phone", json!("<script>")), "PATTERN"),
        (json!([]), "MALFORMED"),
    ] {
        let answer = enterprise.post("/v1/tickets", body.clone()).await;
        assert!((400..500).contains(&answer.status) && answer.reason() == reason, "{body}: {} {}", answer.status, answer.text);
    }
    let http = reqwest::Client::new();
    let raw = |body: Vec<u8>, kind: &'static str| {
        let request =
            http.post(format!("{}/v1/tickets", enterprise.base)).bearer_auth(&enterprise.token).header("content-type", kind).body(body);
        async move { request.send().await.map(|answer| answer.status().as_u16()).unwrap_or(0) }
    };
    assert_eq!(raw(b"{".to_vec(), "application/json").await, 400);
    assert_eq!(raw(vec![0xff, 0xfe], "application/json").await, 400);
    assert_eq!(raw(b"a=b".to_vec(), "application/x-www-form-urlencoded").await, 415);
    assert_eq!(raw(vec![b' '; 13 * 1024 * 1024], "application/json").await, 413);
    assert_eq!(enterprise.get("/v1/nothing").await.status, 404);
    assert_eq!(enterprise.send(reqwest::Method::PUT, "/v1/tickets", Some(good), None).await.status, 405);
    assert_eq!(enterprise.get("/v1/tickets?filter=state+%3D+X").await.reason(), "FILTER_VALUE");
    assert_eq!(enterprise.get("/v1/tickets?page_token=nonsense").await.reason(), "PAGE_TOKEN");
    let stranger = Person { token: "nonsense".into(), ..enterprise.clone() };
    assert_eq!((stranger.get("/v1/tickets").await.status, stranger.get("/v1/users/me").await.status), (401, 401));
    let elsewhere = Person { base: format!("{}/t/{}", world.url(), DISTRICTS[1]), ..enterprise.clone() };
    assert_eq!(elsewhere.get("/v1/tickets").await.reason(), "TENANT_MISMATCH");
    let nowhere = Person { base: format!("{}/t/999999", world.url()), ..enterprise };
    assert_eq!(nowhere.get("/v1/tickets").await.reason(), "TENANT_UNKNOWN");
}

#[tokio::test]
async fn sessions_lock_refresh_and_end() {
    let world = world();
    let person = world.sign_in(HERE, "leader").await;
    let sign_in = |password: &str| json!({ "login": "clerk", "password": password });
    let stranger = Person { token: String::new(), ..person.clone() };
    for _ in 0..5 {
        assert_eq!(stranger.post("/v1/sessions", sign_in("wrong-password")).await.reason(), "SIGN_IN_FAILED");
    }
    let locked = stranger.post("/v1/sessions", sign_in(drumtower_tests::world::PASSWORD)).await;
    assert_eq!((locked.status, locked.reason()), (429, "LOCKED"));
    assert_eq!(stranger.post("/v1/sessions", json!({ "login": "nobody-here", "password": "x" })).await.reason(), "SIGN_IN_FAILED");

    let answer = stranger.post("/v1/sessions", json!({ "login": "leader", "password": drumtower_tests::world::PASSWORD })).await.ok();
    let first = answer["refresh_token"].clone();
    let refresh = |token: &Value| stranger.post("/v1/sessions:refresh", json!({ "refresh_token": token }));
    let second = refresh(&first).await.ok();
    let lost = refresh(&first).await.ok();
    assert_ne!(second["refresh_token"], lost["refresh_token"], "the answer was lost: its successor is replaced");
    assert_eq!(refresh(&second["refresh_token"]).await.reason(), "SESSION_OVER");
    let third = refresh(&lost["refresh_token"]).await.ok();
    assert_eq!(refresh(&first).await.reason(), "SESSION_OVER", "used twice: the family ends");
    assert_eq!(refresh(&third["refresh_token"]).await.reason(), "SESSION_OVER");

    let out = world.sign_in(HERE, "leader").await;
    out.get("/v1/users/me").await.ok();
    out.send(reqwest::Method::DELETE, "/v1/sessions/current", None, None).await.ok();
    for _ in 0..50 {
        if out.get("/v1/units").await.status == 401 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a session that ended is still believed after five seconds");
}

#[tokio::test]
async fn guesses_at_the_same_time_are_counted_one_by_one() {
    let world = world();
    let guess = || {
        let url = format!("{}/t/{HERE}/v1/sessions", world.url());
        tokio::spawn(async move {
            let body = json!({ "login": "guessed-at", "password": "Wrong-guess-1" });
            let answer = reqwest::Client::new().post(url).json(&body).send().await.expect("an answer");
            answer.text().await.expect("its text")
        })
    };
    let guesses: Vec<_> = (0..24).map(|_| guess()).collect();
    let mut answers = Vec::new();
    for guess in guesses {
        answers.push(guess.await.expect("answered"));
    }
    let saying = |reason: &str| answers.iter().filter(|answer| answer.contains(reason)).count();
    let (judged, locked) = (saying("SIGN_IN_FAILED"), saying("LOCKED"));
    assert_eq!(judged, 5, "five guesses are judged, {locked} refused: {answers:?}");
    assert!(locked > 0 && guess().await.expect("answered").contains("LOCKED"));
}

#[tokio::test]
async fn the_three_officers_are_three_people_and_a_role_ends_at_once() {
    let world = world();
    let (secadmin, sysadmin) = tokio::join!(world.sign_in(HERE, "secadmin"), world.sign_in(HERE, "sysadmin"));
    let audit = world.sign_in(HERE, "auditadmin").await;
    let officer = sysadmin.get("/v1/users/me").await.ok();
    let grant = |user: &Value, role: &str| secadmin.post("/v1/assignments", json!({ "user_id": user, "role": role }));
    assert_eq!(grant(&officer["id"], "AUDITADMIN").await.reason(), "THREE_OFFICERS");
    let me = secadmin.get("/v1/users/me").await.ok();
    assert_eq!(grant(&me["id"], "DISPATCHER").await.reason(), "ONESELF");
    assert_eq!(sysadmin.post("/v1/assignments", json!({ "user_id": me["id"], "role": "DISPATCHER" })).await.status, 403);

    let body = json!({ "login": format!("temp-{}", &uuid::Uuid::now_v7().to_string()[24..]), "name": "临时", "password": drumtower_tests::world::PASSWORD });
    let user = sysadmin.post("/v1/users", body.clone()).await.ok();
    let granted = grant(&user["id"], "TICKET_AUDITOR").await.ok();
    let person = world.sign_in(HERE, body["login"].as_str().unwrap_or_default()).await;
    assert_eq!(person.get("/v1/tickets?page_size=1").await.status, 200);
    secadmin.post(&format!("/v1/assignments/{}:end", granted["id"].as_str().unwrap_or_default()), json!({})).await.ok();
    let mut ended = false;
    for _ in 0..50 {
        ended = person.get("/v1/tickets?page_size=1").await.status == 401;
        if ended {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ended, "a role that was taken away is still believed after five seconds");
    let log = audit.get("/v1/audit/identity/events?page_size=200").await.ok();
    assert!(log["events"].as_array().is_some_and(|events| events.len() > 50));
    assert_eq!(sysadmin.get("/v1/audit/identity/events").await.status, 403);
}

#[tokio::test]
async fn companies_are_found_by_two_characters_and_imports_are_idempotent() {
    let world = world();
    let registrar = world.sign_in(HERE, "registrar").await;
    let all = registrar.get("/v1/enterprises?page_size=200").await.ok();
    let companies = all["enterprises"].as_array().cloned().unwrap_or_default();
    assert_eq!(companies.len(), 40);
    let name: Vec<char> = companies[7]["name"].as_str().unwrap_or_default().chars().collect();
    let infix: String = name[3..5].iter().collect();
    let found = registrar.get(&format!("/v1/enterprises?query={infix}&page_size=200")).await.ok();
    let expected = companies
        .iter()
        .filter(|company| company["name"].as_str().is_some_and(|name| name.replace(['(', ')', '（', '）'], "").contains(&infix)))
        .count();
    assert!(expected > 0 && found["enterprises"].as_array().map(Vec::len) >= Some(expected), "{infix}: {found}");
    let code = companies[3]["credit_code"].as_str().unwrap_or_default();
    assert_eq!(registrar.get(&format!("/v1/enterprises?query={code}")).await.ok()["enterprises"][0]["id"], companies[3]["id"]);
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let page = registrar.get(&format!("/v1/enterprises?query={}&page_size=3&page_token={token}", "公司")).await.ok();
        pages.extend(page["enterprises"].as_array().cloned().unwrap_or_default());
        token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
    }
    let mut ids: Vec<&str> = pages.iter().filter_map(|company| company["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), pages.len(), "pages do not repeat a company");
    assert_eq!(ids.len(), 40);

    let csv = std::fs::read(world.dir.join("demo").join(HERE).join("enterprises.csv")).expect("the file");
    let again = registrar.post("/v1/enterprises:import", json!({ "csv": base64(&csv) })).await.ok();
    assert_eq!((again["read"].as_i64(), again["unchanged"].as_i64(), again["created"].as_i64()), (Some(40), Some(40), Some(0)), "{again}");
    let bad = "uscc,name\n91350203M0001QAY9B,旧证\n,\n9.13502E+17,四舍五入\n";
    let report = registrar.post("/v1/enterprises:import", json!({ "csv": base64(bad.as_bytes()), "preview": true })).await.ok();
    let codes: Vec<&str> = report["problems"].as_array().into_iter().flatten().filter_map(|problem| problem["code"].as_str()).collect();
    assert_eq!((report["rejected"].as_i64(), codes), (Some(2), vec!["USCC_CHECK", "USCC_PRECISION_LOST"]));
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}

#[tokio::test]
async fn obligations_are_evaluated_reminded_once_and_waived() {
    let world = world();
    let committee = world.sign_in(HERE, "committee").await;
    committee.post("/v1/obligations:evaluate", json!({})).await.ok();
    let open = committee.get("/v1/obligations?page_size=200").await.ok();
    let first = open["obligations"][0].clone();
    assert!(first["due_on"].is_string(), "the demonstration branches owe something: {open}");
    let again = committee.post("/v1/obligations:evaluate", json!({})).await.ok();
    assert_eq!((again["created"].as_i64(), again["reminded"].as_i64()), (Some(0), Some(0)), "a second evaluation changes nothing: {again}");
    let waive = format!("/v1/obligations/{}:waive", first["id"].as_str().unwrap_or_default());
    let waived = committee.post(&waive, json!({ "reason": "党员集中外出学习", "until": "2027-06-30" })).await.ok();
    assert_eq!(waived["state"], "WAIVED");
    let rules = committee.get("/v1/rules").await.ok();
    let codes: Vec<&str> = rules["rules"].as_array().into_iter().flatten().filter_map(|rule| rule["code"].as_str()).collect();
    for code in ["M1", "M2", "M3", "M4", "E1", "E3", "O5"] {
        assert!(codes.contains(&code), "{codes:?}");
    }
}
