//! The side roads of a request through the gateway, with the people who take them: more time and a pause, a consultation, a merger, an
//! appeal, a request brought back; and who is told.

use std::{sync::OnceLock, time::Duration};

use drumtower_tests::world::{Answer, DISTRICTS, Person, Wanted, World};
use jiff::Timestamp;
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

async fn people<const N: usize>(logins: [&str; N]) -> [Person; N] {
    let mut people = Vec::with_capacity(N);
    for login in logins {
        people.push(world().sign_in(DISTRICTS[0], login).await);
    }
    people.try_into().unwrap_or_else(|_| unreachable!("as many as were asked for"))
}

async fn unit(person: &Person, code: &str) -> String {
    let units = person.get("/v1/units").await.ok();
    let found = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == code).cloned();
    found.unwrap_or_else(|| panic!("no unit {code}"))["id"].as_str().unwrap_or_default().to_owned()
}

async fn verb(person: &Person, ticket: &Value, verb: &str, body: Value) -> Answer {
    person.post(&format!("/v1/tickets/{}:{verb}", ticket["id"].as_str().unwrap_or_default()), body).await
}

async fn submit(enterprise: &Person, kind: &str) -> Value {
    enterprise.post("/v1/tickets", json!({ "title": "三楼走廊漏水", "description": "持续滴水", "kind": kind })).await.ok()
}

/// A request that its lead unit has signed.
async fn handling(enterprise: &Person, dispatcher: &Person, liaison: &Person) -> Value {
    let ticket = submit(enterprise, "HELP").await;
    verb(dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    verb(dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": unit(dispatcher, "market").await })).await.ok();
    verb(liaison, &ticket, "sign", json!({})).await.ok()
}

/// What happened to a request, as somebody sees it.
async fn events(person: &Person, ticket: &Value) -> Vec<Value> {
    let history = person.get(&format!("/v1/tickets/{}/events", ticket["id"].as_str().unwrap_or_default())).await.ok();
    history["events"].as_array().cloned().unwrap_or_default()
}

fn verbs(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["verb"].as_str()).collect()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is not a time"))
}

async fn told(person: &Person, kind: &str, ticket: &Value) {
    for _ in 0..100 {
        let notices = person.get("/v1/users/me/notices").await.ok();
        let about = |notice: &&Value| notice["kind"] == kind && notice["subject"] == ticket["id"];
        if notices["notices"].as_array().into_iter().flatten().any(|notice| about(&notice)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody told of {kind}");
}

#[tokio::test]
async fn more_time_is_asked_for_and_granted_and_the_requester_hears_of_it() {
    let [enterprise, dispatcher, liaison, approver] = people(["enterprise", "dispatcher", "liaison", "approver"]).await;
    let ticket = handling(&enterprise, &dispatcher, &liaison).await;
    let extension = json!({ "matter": "EXTENSION", "count": 2, "text": "需等待配件" });
    assert_eq!(verb(&enterprise, &ticket, "ask", extension.clone()).await.status, 403);
    let asked = verb(&liaison, &ticket, "ask", extension.clone()).await.ok();
    assert_eq!(asked["asks"][0]["state"], "ASKED");
    assert_eq!(verb(&liaison, &ticket, "ask", extension).await.reason(), "ASKED_ALREADY");
    told(&approver, "ticket.asked", &ticket).await;
    let waiting = approver.get("/v1/tickets?filter=waits%20%3D%20%22EXTENSION%22").await.ok();
    assert!(waiting["tickets"].as_array().into_iter().flatten().any(|found| found["id"] == ticket["id"]), "{waiting}");
    let granted = verb(&approver, &ticket, "decide", json!({ "number": 1, "granted": true })).await.ok();
    assert_eq!(granted["asks"][0]["state"], "GRANTED");
    assert!(time(&granted["due_at"]) > time(&ticket["due_at"]));
    assert_eq!(verb(&approver, &ticket, "decide", json!({ "number": 1, "granted": true })).await.reason(), "NOT_WAITING");
    told(&enterprise, "ticket.extended", &ticket).await;

    verb(&liaison, &ticket, "ask", json!({ "matter": "HOLD", "hold_reason": "MATERIAL", "text": "已书面要求补充材料" })).await.ok();
    let held = verb(&approver, &ticket, "decide", json!({ "number": 2, "granted": true })).await.ok();
    assert_eq!(held["hold_reason"], "MATERIAL");
    let c5 = held["clocks"].as_array().into_iter().flatten().find(|clock| clock["kind"] == "C5").cloned().unwrap_or_default();
    assert_eq!(c5["paused"], true);
    let resumed = verb(&liaison, &ticket, "resume", json!({})).await.ok();
    assert_eq!(resumed["hold_reason"], "HOLD_REASON_UNSPECIFIED");
    let all = ["submit", "accept", "dispatch", "sign", "ask", "decide", "ask", "decide", "resume"];
    assert_eq!(verbs(&events(&liaison, &ticket).await), all);
    assert_eq!(verbs(&events(&enterprise, &ticket).await), ["submit", "accept", "dispatch", "sign", "resume"], "the rest is between units");
    let outside = enterprise.get(&format!("/v1/tickets/{}", ticket["id"].as_str().unwrap_or_default())).await.ok();
    assert_eq!((outside["asks"].as_array().map(Vec::len), resumed["asks"].as_array().map(Vec::len)), (Some(0), Some(2)));
}

#[tokio::test]
async fn units_are_called_together_and_what_they_decide_is_carried_out() {
    let [enterprise, dispatcher, liaison, handler] = people(["enterprise", "dispatcher", "liaison", "handler"]).await;
    let ticket = handling(&enterprise, &dispatcher, &liaison).await;
    let (market, fire) = (unit(&dispatcher, "market").await, unit(&dispatcher, "fire").await);
    let meets_at = drumtower_runtime::Clock::system().now() + jiff::SignedDuration::from_hours(4);
    let consult = json!({ "unit_ids": [fire], "meets_at": meets_at.to_string(), "place": "园区二楼会议室", "text": "共商漏水处置" });
    assert_eq!(verb(&enterprise, &ticket, "consult", consult.clone()).await.status, 403);
    let called = verb(&handler, &ticket, "consult", consult).await.ok();
    assert_eq!((called["state"].as_str(), called["consultations"][0]["called"][0]["unit_id"].as_str()), (Some("CONSULTING"), Some(&*fire)));
    assert_eq!(verb(&handler, &ticket, "attend", json!({})).await.reason(), "NOT_CALLED");
    let due = meets_at + jiff::SignedDuration::from_hours(48);
    let decision = json!({ "unit_id": market, "text": "更换防水层", "due_at": due.to_string() });
    let concluded = verb(&handler, &ticket, "conclude", json!({ "minutes": "由市监局牵头修复", "decisions": [decision] })).await.ok();
    assert_eq!(
        (concluded["state"].as_str(), concluded["consultations"][0]["called"][0]["absent"].as_bool()),
        (Some("HANDLING"), Some(true))
    );
    let done = json!({ "result": "RESOLVED", "text": "已修复", "waive_support": true });
    assert_eq!(verb(&handler, &ticket, "reportDone", done.clone()).await.reason(), "TASKS_OPEN");
    verb(&handler, &ticket, "finishTask", json!({ "number": 1, "text": "已更换" })).await.ok();
    assert_eq!(verb(&handler, &ticket, "reportDone", done).await.ok()["state"], "REVIEW");
    what_units_say_stays_among_them(&enterprise, &handler, &ticket).await;
}

/// The company sees that there is a consultation, not what was said there.
async fn what_units_say_stays_among_them(enterprise: &Person, handler: &Person, ticket: &Value) {
    let (inside, outside) = (events(handler, ticket).await, events(enterprise, ticket).await);
    let seen: Vec<&Value> = inside.iter().filter(|event| event["internal"] == false).map(|event| &event["version"]).collect();
    assert_eq!(outside.iter().map(|event| &event["version"]).collect::<Vec<_>>(), seen);
    assert_eq!(verbs(&outside), ["submit", "accept", "dispatch", "sign", "consult", "conclude", "reportDone"]);
    let path = format!("/v1/tickets/{}", ticket["id"].as_str().unwrap_or_default());
    let list = format!("/v1/tickets?filter=number%20%3D%20%22{}%22", ticket["number"].as_str().unwrap_or_default());
    let urged = verb(enterprise, ticket, "urge", json!({ "text": "请尽快" })).await.ok();
    let shown = [enterprise.get(&path).await.ok(), enterprise.get(&list).await.ok(), urged, json!(outside)];
    for shown in shown.map(|shown| shown.to_string()) {
        for words in ["共商漏水处置", "由市监局牵头修复", "更换防水层", "已更换"] {
            assert!(!shown.contains(words), "{words} in {shown}");
        }
    }
    let whole = handler.get(&path).await.ok();
    assert_eq!(whole["consultations"][0]["minutes"], "由市监局牵头修复");
    assert_eq!(events(enterprise, ticket).await.last().map(|event| event["text"].clone()), Some(json!("请尽快")), "its own words it reads");
}

#[tokio::test]
async fn two_requests_become_one_and_a_third_is_answered_at_once() {
    let [enterprise, dispatcher] = people(["enterprise", "dispatcher"]).await;
    let (first, second) = (submit(&enterprise, "HELP").await, submit(&enterprise, "HELP").await);
    let into = json!({ "into_id": first["id"], "text": "同一处漏水" });
    assert_eq!(verb(&dispatcher, &first, "merge", into.clone()).await.reason(), "SAME_TICKET");
    // Two mergers the other way round at once: one of them finds its target over, and neither waits for ever.
    let back = json!({ "into_id": second["id"], "text": "同一处漏水" });
    let (one, other) = tokio::join!(verb(&dispatcher, &second, "merge", into), verb(&dispatcher, &first, "merge", back));
    let merged: Vec<&Answer> = [&one, &other].into_iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(merged.len(), 1, "{} {}", one.status, other.status);
    let question = submit(&enterprise, "CONSULT").await;
    let answered = verb(&dispatcher, &question, "answer", json!({ "text": "请登录政务服务网办理" })).await.ok();
    assert_eq!((answered["state"].as_str(), answered["result_text"].as_str()), (Some("ARCHIVED"), Some("请登录政务服务网办理")));
    verb(&enterprise, &question, "rate", json!({ "score": 5 })).await.ok();
    let reopened = verb(&enterprise, &question, "reopen", json!({ "text": "未说明所需材料" })).await.ok();
    assert_eq!((reopened["state"].as_str(), reopened["score"].as_i64()), (Some("SUBMITTED"), Some(5)));
}

#[tokio::test]
async fn a_refusal_is_appealed_against_once_and_a_leader_shortens_the_time() {
    let [enterprise, dispatcher, liaison, leader, supervisor, subcentre] =
        people(["enterprise", "dispatcher", "liaison", "leader", "supervisor", "subcentre"]).await;
    let ticket = submit(&enterprise, "HELP").await;
    verb(&dispatcher, &ticket, "refuse", json!({ "reason": "OUT_OF_SCOPE", "text": "不属本区职责" })).await.ok();
    verb(&enterprise, &ticket, "appeal", json!({ "text": "楼宇在本区" })).await.ok();
    assert_eq!(verb(&dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.reason(), "SEPARATION_OF_DUTIES");
    verb(&subcentre, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    let market = unit(&dispatcher, "market").await;
    let called =
        verb(&subcentre, &ticket, "callUp", json!({ "lead_unit_id": market, "text": "分中心已现场查看，需职能部门处置" })).await.ok();
    assert_eq!(called["state"], "DISPATCHED");
    let signed = verb(&liaison, &ticket, "sign", json!({})).await.ok();
    let soon = time(&signed["due_at"]) - jiff::SignedDuration::from_hours(20);
    let instructed = verb(&leader, &ticket, "instruct", json!({ "due_at": soon.to_string(), "text": "请尽快解决" })).await.ok();
    assert_eq!(time(&instructed["due_at"]), soon);
    let order = json!({ "level": 3, "reply_due": soon.to_string(), "text": "请书面答复" });
    assert_eq!(verb(&liaison, &ticket, "supervise", order.clone()).await.status, 403);
    let supervised = verb(&supervisor, &ticket, "supervise", order).await.ok();
    let number = format!("DB-{}-1", ticket["number"].as_str().unwrap_or_default());
    assert_eq!((supervised["supervision"].as_i64(), supervised["order_number"].as_str()), (Some(3), Some(&*number)));
    assert_eq!(verb(&leader, &ticket, "supervise", json!({ "level": 0, "text": "已答复" })).await.reason(), "ONLY_SUPERVISORS_LOWER");
    // What a unit has signed is taken back with its consent.
    assert_eq!(verb(&enterprise, &ticket, "withdraw", json!({ "reason": "已自行解决" })).await.ok()["withdrawal_asked"], true);
    told(&liaison, "ticket.withdrawal_asked", &ticket).await;
    assert_eq!(verb(&liaison, &ticket, "consent", json!({ "agreed": true })).await.ok()["state"], "WITHDRAWN");
}

/// In the other district, for what is published holds for everybody there.
#[tokio::test]
async fn a_district_publishes_its_own_machine_promises_and_calendar() {
    let mut people = Vec::new();
    for login in ["sysadmin", "enterprise", "dispatcher", "liaison"] {
        people.push(world().sign_in(DISTRICTS[1], login).await);
    }
    let [sysadmin, enterprise, dispatcher, liaison] = <[Person; 4]>::try_from(people).unwrap_or_else(|_| unreachable!("four"));
    let old = handling(&enterprise, &dispatcher, &liaison).await;
    let publish = async |kind: &str, content: &str| sysadmin.post("/v1/settings", json!({ "kind": kind, "content": content })).await;
    let stranded = r#"{"without":[{"verb":"accept","from":["SUBMITTED"]}]}"#;
    assert_eq!(publish("MACHINE", stranded).await.reason(), "UNREACHABLE_STATE");
    assert_eq!(sysadmin.post("/v1/settings:check", json!({ "kind": "MACHINE", "content": stranded })).await.reason(), "UNREACHABLE_STATE");
    assert_eq!(dispatcher.post("/v1/settings", json!({ "kind": "MACHINE", "content": "{}" })).await.status, 403);
    let stricter = r#"{"without":[{"verb":"withdraw","from":["ACCEPTED","DISPATCHED"]}]}"#;
    assert_eq!(publish("MACHINE", stricter).await.ok()["number"], 1);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let new = submit(&enterprise, "HELP").await;
    assert_eq!((old["machine"].as_str(), new["machine"].as_str()), (Some("default@1"), Some("machine@1")));
    verb(&dispatcher, &new, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    assert_eq!(verb(&enterprise, &new, "withdraw", json!({})).await.reason(), "ILLEGAL_TRANSITION");

    let overlapping = r#"{"name":"区","week":{"mon":["09:00-12:00","11:00-13:00"]}}"#;
    assert_eq!(publish("CALENDAR", overlapping).await.reason(), "CALENDAR");
    // Five days off from tomorrow on: what is due in working days moves.
    let day = |days: i64| {
        let at = drumtower_runtime::Clock::system().now() + jiff::SignedDuration::from_hours(24 * days);
        json!({ "date": drumtower_runtime::calendar::today(at).to_string(), "day": "off" })
    };
    let layer = json!({ "name": "区", "source": "测试", "days": (1..=5).map(day).collect::<Vec<_>>() });
    let published = publish("CALENDAR", &layer.to_string()).await.ok();
    assert!(published["applied_at"].is_null(), "{published}");
    let path = format!("/v1/tickets/{}", old["id"].as_str().unwrap_or_default());
    let mut moved = Value::Null;
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if !sysadmin.get("/v1/settings?kind=CALENDAR").await.ok()["settings"][0]["applied_at"].is_null() {
            moved = enterprise.get(&path).await.ok();
            break;
        }
    }
    assert!(time(&moved["due_at"]) > time(&old["due_at"]), "{} {}", moved["due_at"], old["due_at"]);
    let history = enterprise.get(&format!("{path}/events")).await.ok();
    let last = history["events"].as_array().and_then(|events| events.last()).cloned().unwrap_or_default();
    assert_eq!((last["verb"].as_str(), last["actor_id"].as_str()), (Some("reckon"), Some("")));
    let never = r#"{"promises":[{"clock":"C5","unit":"work_days","count":0,"source":"x"}]}"#;
    assert_eq!(publish("CLOCK_POLICY", never).await.reason(), "COUNT");
    let quick = r#"{"promises":[{"clock":"C1","unit":"minutes","count":5,"warn":[50],"source":"本区承诺"}]}"#;
    publish("CLOCK_POLICY", quick).await.ok();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let quicker = submit(&enterprise, "HELP").await;
    let c1 = &quicker["clocks"][0];
    // A calendar counts in whole seconds.
    let promised = time(&c1["due_at"]).duration_since(time(&c1["started_at"])).as_secs();
    assert!((299..=300).contains(&promised), "{promised}");
}

#[tokio::test]
async fn a_bad_rating_by_invitation_is_put_right_and_followed_up() {
    let [enterprise, dispatcher, liaison, handler, lead, callback, rating] =
        people(["enterprise", "dispatcher", "liaison", "handler", "lead", "callback", "rating"]).await;
    let ticket = handling(&enterprise, &dispatcher, &liaison).await;
    assert_eq!(verb(&callback, &ticket, "inviteRating", json!({})).await.reason(), "NOT_TO_BE_RATED");
    verb(&handler, &ticket, "reportDone", json!({ "result": "RESOLVED", "text": "已修复" })).await.ok();
    verb(&lead, &ticket, "signOff", json!({})).await.ok();
    assert_eq!(verb(&handler, &ticket, "inviteRating", json!({})).await.status, 403, "nobody invites themselves to rate their own work");
    let void = verb(&callback, &ticket, "inviteRating", json!({})).await.ok()["token"].clone();
    let token = verb(&callback, &ticket, "inviteRating", json!({})).await.ok()["token"].clone();
    // Whoever holds the invitation needs no account.
    let anybody = world().nobody(DISTRICTS[0]);
    let rate = async |token: &Value, tags: Value| {
        anybody.post("/v1/ratings", json!({ "token": token, "score": 1, "tags": tags, "text": "又漏了" })).await
    };
    assert_eq!(rate(&void, json!(["UNSOLVED"])).await.reason(), "UNKNOWN_INVITATION", "a new invitation voids the old");
    assert_eq!(rate(&token, json!([])).await.reason(), "REQUIRED");
    assert_eq!(rate(&token, json!(["QUICK"])).await.reason(), "TAG_DOES_NOT_FIT");
    let (one, other) = tokio::join!(rate(&token, json!(["UNSOLVED"])), rate(&token, json!(["SLOW"])));
    let mut told_of = [one.reason(), other.reason()].map(str::to_owned);
    told_of.sort();
    assert_eq!(told_of, ["", "INVITATION_USED"]);
    assert_eq!(verb(&enterprise, &ticket, "rate", json!({ "score": 5 })).await.reason(), "ALREADY_RATED");
    told(&callback, "ticket.rated", &ticket).await;
    assert_eq!(
        verb(&liaison, &ticket, "appealRating", json!({ "text": "现场照片显示已修复" })).await.ok()["rating_case"]["appeal"],
        "PENDING"
    );
    assert_eq!(verb(&liaison, &ticket, "decideRatingAppeal", json!({ "upheld": true, "text": "成立" })).await.status, 403);
    let denied = verb(&rating, &ticket, "decideRatingAppeal", json!({ "upheld": false, "text": "证据不足" })).await.ok();
    assert_eq!(denied["rating_case"]["state"], "RECTIFYING");
    let answered = verb(&handler, &ticket, "rectifyRating", json!({ "text": "已返工并回访确认" })).await.ok();
    assert_eq!((answered["rating_case"]["state"].as_str(), answered["score"].as_i64()), (Some("ANSWERED"), Some(1)));
    told(&enterprise, "rating.rectified", &ticket).await;
    let followed = verb(&enterprise, &ticket, "followUpRating", json!({ "score": 4 })).await.ok();
    assert_eq!((followed["rating_case"]["follow_up"].as_i64(), followed["score"].as_i64()), (Some(4), Some(1)), "the original stays");
    let history = liaison.get(&format!("/v1/tickets/{}/events", ticket["id"].as_str().unwrap_or_default())).await.ok();
    let rated = history["events"].as_array().into_iter().flatten().find(|event| event["verb"] == "rate").cloned().unwrap_or_default();
    assert_eq!(rated["actor_id"], "", "nobody learns who rated");
}

/// In the other district, for rules hold for everybody there.
#[tokio::test]
async fn what_looks_the_same_is_shown_and_rules_are_tried_before_they_hold() {
    let mut people = Vec::new();
    for login in ["sysadmin", "enterprise", "dispatcher"] {
        people.push(world().sign_in(DISTRICTS[1], login).await);
    }
    let [sysadmin, enterprise, dispatcher] = <[Person; 3]>::try_from(people).unwrap_or_else(|_| unreachable!("three"));
    let leak = json!({ "title": "五楼消防栓漏水严重", "description": "消防栓持续漏水", "kind": "HELP" });
    let first = enterprise.post("/v1/tickets", leak).await.ok();
    let again = json!({ "title": "五楼消防栓又漏水", "description": "消防栓还在漏" });
    let similar = enterprise.post("/v1/tickets:findSimilar", again).await.ok();
    assert_eq!(similar["tickets"][0]["ticket_id"], first["id"], "{similar}");
    let other =
        enterprise.post("/v1/tickets:findSimilar", json!({ "title": "申请人才公寓名额", "description": "今年新入职博士" })).await.ok();
    assert!(other["tickets"].as_array().into_iter().flatten().all(|found| found["ticket_id"] != first["id"]), "{other}");

    let (fire, market) = (unit(&dispatcher, "fire").await, unit(&dispatcher, "market").await);
    let rules = json!({ "rules": [{ "name": "消防设施", "clause": "消防法第二十八条", "words": ["消防"], "lead_unit_id": fire, "support_unit_ids": [market] }] });
    let publish =
        async |content: &Value| sysadmin.post("/v1/settings", json!({ "kind": "DISPATCH_RULES", "content": content.to_string() })).await;
    let dangling = json!({ "rules": [{ "name": "x", "clause": "y", "words": ["消防"], "lead_unit_id": first["id"] }] });
    assert_eq!(publish(&dangling).await.status, 404, "{}", publish(&dangling).await.body);
    let ask = json!({ "content": rules.to_string(), "from": "2026-01-01", "to": "2026-11-30" });
    let tried = sysadmin.post("/v1/settings:tryDispatchRules", ask).await.ok();
    let number = |field: &str| tried[field].as_i64().unwrap_or_default();
    assert!(number("tried") > 0 && number("tried") == number("silent") + number("right") + number("wrong"), "{tried}");
    publish(&rules).await.ok();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let about = json!({ "title": "六楼消防栓漏水", "description": "一直滴水", "kind": "HELP" });
    let foreseen = enterprise.post("/v1/tickets:foresee", about).await.ok();
    assert_eq!((foreseen["lead_unit_id"].as_str(), foreseen["source"].as_str()), (Some(&*fire), Some("RULE")), "{foreseen}");
    assert!(foreseen["lead_unit_name"].as_str().is_some_and(|name| !name.is_empty()), "{foreseen}");
    assert!(foreseen["accept_by"].as_str() < foreseen["resolve_by"].as_str(), "{foreseen}");
    let path = format!("/v1/tickets/{}/dispatchSuggestion", first["id"].as_str().unwrap_or_default());
    assert_eq!(enterprise.get(&path).await.status, 403);
    let suggested = dispatcher.get(&path).await.ok();
    assert_eq!(
        (suggested["suggestions"][0]["lead_unit_id"].as_str(), suggested["suggestions"][0]["source"].as_str()),
        (Some(&*fire), Some("RULE"))
    );
    assert!(suggested["suggestions"][0]["reason"].as_str().is_some_and(|reason| reason.contains("消防法")));
}

#[tokio::test]
async fn a_live_view_misses_nothing_and_goes_on_where_it_was() {
    let [enterprise, dispatcher, handler] = people(["enterprise", "dispatcher", "handler"]).await;
    let watch = async |person: &Person, cursor: i64, seconds: i32| -> Vec<Value> {
        let text = person.get(&format!("/v1/tickets:watch?cursor={cursor}&seconds={seconds}")).await.text;
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    };
    let cursor = |change: &Value| change["cursor"].as_str().and_then(|cursor| cursor.parse::<i64>().ok()).unwrap_or_default();
    assert_eq!(dispatcher.get("/v1/tickets:watch?cursor=999999999&seconds=1").await.text.matches("UNKNOWN_CURSOR").count(), 1);
    let begin = watch(&dispatcher, 0, 1).await.last().map(cursor).unwrap_or_default();
    let live = tokio::spawn({
        let dispatcher = dispatcher.clone();
        async move { dispatcher.get(&format!("/v1/tickets:watch?cursor={begin}&seconds=4")).await.text }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ticket = submit(&enterprise, "HELP").await;
    verb(&dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    verb(&enterprise, &ticket, "withdraw", json!({})).await.ok();
    let live: Vec<Value> = live.await.expect("watched").lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_ticket = |changes: &[Value]| -> Vec<(i64, String)> {
        let own = changes.iter().filter(|change| change["ticket_id"] == ticket["id"]);
        own.map(|change| (cursor(change), change["event"].as_str().unwrap_or_default().to_owned())).collect()
    };
    let seen = of_ticket(&live);
    assert_eq!(
        seen.iter().map(|(_, event)| event.as_str()).collect::<Vec<_>>(),
        ["ticket.submitted", "ticket.accepted", "ticket.withdrawn"]
    );
    // It broke off after the first: the rest comes once, in order.
    assert_eq!(of_ticket(&watch(&dispatcher, seen[0].0, 1).await), seen[1..]);
    assert_eq!(of_ticket(&watch(&enterprise, begin, 1).await), seen, "its company sees it");
    assert!(of_ticket(&watch(&handler, begin, 1).await).is_empty(), "a unit that has no part in it does not");
}

#[tokio::test]
async fn a_buildings_sign_proves_the_place_and_another_buildings_does_not() {
    let [enterprise, dispatcher, liaison, handler, registrar] =
        people(["enterprise", "dispatcher", "liaison", "handler", "registrar"]).await;
    let buildings = registrar.get("/v1/buildings?page_size=2").await.ok();
    let id = |place: usize| buildings["buildings"][place]["id"].as_str().unwrap_or_default().to_owned();
    let body = json!({ "title": "三楼走廊漏水", "description": "持续滴水", "kind": "HELP", "building_id": id(0) });
    let ticket = enterprise.post("/v1/tickets", body).await.ok();
    verb(&dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await.ok();
    verb(&dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": unit(&dispatcher, "market").await })).await.ok();
    verb(&liaison, &ticket, "sign", json!({})).await.ok();
    verb(&handler, &ticket, "visit", json!({})).await.ok();
    let code = async |building: &str| registrar.get(&format!("/v1/buildings/{building}/checkInCode")).await.ok()["code"].clone();
    assert_eq!(handler.get(&format!("/v1/buildings/{}/checkInCode", id(0))).await.status, 403);
    let (own, other) = (code(&id(0)).await, code(&id(1)).await);
    assert_ne!(own, other);
    let away = |code: &Value| json!({ "latitude": 25.0, "longitude": 118.0, "building_code": code });
    assert_eq!(verb(&handler, &ticket, "checkIn", json!({ "latitude": 25.0, "longitude": 118.0 })).await.reason(), "OUTSIDE_FENCE");
    assert_eq!(verb(&handler, &ticket, "checkIn", away(&other)).await.reason(), "WRONG_CODE");
    let arrived = verb(&handler, &ticket, "checkIn", away(&own)).await.ok();
    assert_eq!(arrived["assignments"][0]["state"], "ARRIVED");
    assert_eq!(verb(&handler, &ticket, "checkIn", away(&own)).await.reason(), "ALREADY_CHECKED_IN");
}

#[tokio::test]
async fn a_request_is_split_and_ends_after_its_parts() {
    let [enterprise, dispatcher, liaison, handler] = people(["enterprise", "dispatcher", "liaison", "handler"]).await;
    let ticket = handling(&enterprise, &dispatcher, &liaison).await;
    let parts = json!([{ "title": "更换防水层", "description": "三楼走廊", "urgency": "NORMAL" }, { "title": "检修消防栓", "description": "三楼", "urgency": "LIVELIHOOD" }]);
    assert_eq!(verb(&liaison, &ticket, "split", json!({ "parts": parts, "text": "分属两家" })).await.status, 403);
    let split = verb(&dispatcher, &ticket, "split", json!({ "parts": parts, "text": "分属两家" })).await.ok();
    let (first, second) = (split["parts"][0].clone(), split["parts"][1].clone());
    assert_eq!((first["state"].as_str(), &first["parent_id"]), (Some("ACCEPTED"), &ticket["id"]));
    assert_eq!((second["urgency"].as_str(), &second["requester_id"]), (Some("LIVELIHOOD"), &ticket["requester_id"]));
    assert_eq!(split["ticket"]["child_ids"], json!([first["id"], second["id"]]));
    let of_whole = format!("/v1/tickets?filter=parent_id%20%3D%20%22{}%22", ticket["id"].as_str().unwrap_or_default());
    assert_eq!(enterprise.get(&of_whole).await.ok()["tickets"].as_array().map(Vec::len), Some(2));
    let done = json!({ "result": "RESOLVED", "text": "已修复" });
    assert_eq!(verb(&handler, &ticket, "reportDone", done.clone()).await.reason(), "PARTS_OPEN");
    for part in [&first, &second] {
        verb(&enterprise, part, "withdraw", json!({})).await.ok();
    }
    assert_eq!(verb(&handler, &ticket, "reportDone", done).await.ok()["state"], "REVIEW");
}

#[tokio::test]
async fn a_units_list_is_its_own_newest_first_page_by_page() {
    let [enterprise, dispatcher, liaison] = people(["enterprise", "dispatcher", "liaison"]).await;
    for _ in 0..3 {
        handling(&enterprise, &dispatcher, &liaison).await;
    }
    let all = async |filter: &str| {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let page = liaison.get(&format!("/v1/tickets?page_size=2&filter={filter}&page_token={token}")).await.ok();
            found.extend(page["tickets"].as_array().cloned().unwrap_or_default());
            token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
            if token.is_empty() {
                return found;
            }
        }
    };
    let market = unit(&dispatcher, "market").await;
    let mine = all("").await;
    assert!(mine.len() >= 3);
    let order: Vec<(Timestamp, &str)> =
        mine.iter().map(|ticket| (time(&ticket["submitted_at"]), ticket["id"].as_str().unwrap_or_default())).collect();
    assert!(order.windows(2).all(|two| two[0] > two[1]), "newest first, each once");
    let mut at_work = all("state%20%3D%20%22HANDLING%22").await;
    at_work.retain(|ticket| ticket["lead_unit_id"] == *market);
    let wanted = mine.iter().filter(|ticket| ticket["state"] == "HANDLING" && ticket["lead_unit_id"] == *market).count();
    assert!(at_work.len() >= 3 && at_work.len() >= wanted, "{} {wanted}", at_work.len());
}
