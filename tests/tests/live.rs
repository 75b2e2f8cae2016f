//! Counters for the wall are exact whatever is added up by when, and survive a crash; figures as of a past day go by the due times that were
//! known then.

use std::{sync::OnceLock, time::Duration};

use drumtower_tests::world::{ALONE, DISTRICTS, Person, Wanted, World};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text in {value}"))
}

fn number(value: &Value) -> i64 {
    text(value).parse().unwrap_or_else(|_| panic!("no number in {value}"))
}

async fn unit(person: &Person, code: &str) -> String {
    let units = person.get("/v1/units").await.ok();
    let found = units["units"].as_array().into_iter().flatten().find(|unit| unit["code"] == code).cloned();
    text(&found.unwrap_or_else(|| panic!("no unit {code}"))["id"]).to_owned()
}

async fn verb(person: &Person, ticket: &Value, verb: &str, body: Value) -> Value {
    person.post(&format!("/v1/tickets/{}:{verb}", text(&ticket["id"])), body).await.ok()
}

/// A request that its lead unit has signed.
async fn handling(enterprise: &Person, dispatcher: &Person, liaison: &Person) -> Value {
    let help = json!({ "title": "三楼走廊漏水", "description": "持续滴水", "kind": "HELP" });
    let ticket = enterprise.post("/v1/tickets", help).await.ok();
    verb(dispatcher, &ticket, "accept", json!({ "urgency": "NORMAL" })).await;
    verb(dispatcher, &ticket, "dispatch", json!({ "lead_unit_id": unit(dispatcher, "market").await })).await;
    verb(liaison, &ticket, "sign", json!({})).await
}

async fn one(question: &'static str) -> i64 {
    sqlx::query_scalar(question).fetch_one(&mut world().admin().await).await.expect("a number")
}

/// The counters, which are those of the rows themselves. In a district where nothing else happens.
async fn exact(supervisor: &Person) -> Value {
    let live = supervisor.get("/v1/figures:live").await.ok();
    for (field, question) in [
        ("submitted", "select count(*) from ticketing.ticket where tenant_id = 2"),
        ("solved", "select count(*) from ticketing.ticket where tenant_id = 2 and state = 10 and result = 1"),
        ("rated", "select count(*) from ticketing.ticket where tenant_id = 2 and score > 0"),
        ("satisfied", "select count(*) from ticketing.ticket where tenant_id = 2 and score >= 3"),
        ("on_site", "select count(*) from ticketing.ticket where tenant_id = 2 and state = 5"),
        ("overdue", "select count(*) from ticketing.ticket where tenant_id = 2 and overdue"),
    ] {
        assert_eq!(number(&live[field]), one(question).await, "{field} of {live}");
    }
    live
}

async fn wait_for(what: &str, question: &'static str) {
    for _ in 0..400 {
        if one(question).await > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("waited in vain: {what}");
}

/// A past request, archived as solved.
fn past(number: &str, enterprise: &Person, market: &str) -> Value {
    json!({ "number": number, "enterprise_id": enterprise.me["enterprise_id"], "kind": "HELP", "urgency": "NORMAL", "title": "旧系统的诉求",
        "state": "ARCHIVED", "lead_unit_id": market, "result": "RESOLVED", "callback": "SATISFIED", "score": 5,
        "submitted_at": "2026-03-02T01:00:00Z", "accepted_at": "2026-03-02T01:05:00Z", "dispatched_at": "2026-03-02T01:10:00Z",
        "signed_at": "2026-03-02T01:20:00Z", "contacted_at": "2026-03-02T01:30:00Z", "reported_at": "2026-03-03T01:00:00Z",
        "signed_off_at": "2026-03-03T02:00:00Z", "called_back_at": "2026-03-04T01:00:00Z", "rated_at": "2026-03-05T01:00:00Z" })
}

#[tokio::test]
async fn counters_are_those_of_the_rows_before_and_after_they_are_added_up() {
    let _alone = ALONE.lock().await;
    let mut people = Vec::new();
    for login in ["enterprise", "dispatcher", "liaison", "handler", "lead", "callback", "supervisor", "sysadmin"] {
        people.push(world().sign_in(DISTRICTS[1], login).await);
    }
    let [enterprise, dispatcher, liaison, handler, lead, callback, supervisor, sysadmin] =
        <[Person; 8]>::try_from(people).unwrap_or_else(|_| unreachable!("eight"));
    assert_eq!(enterprise.get("/v1/figures:live").await.status, 403);
    let quiet = "select count(*) where not exists (select 1 from ticketing.clock where tenant_id = 2 and fires_at <= now())";
    wait_for("what ran out before is told", quiet).await;
    let begun = exact(&supervisor).await;
    assert!(number(&begun["solved"]) > 0, "the demonstration year has some: {begun}");
    wait_for("days are added up", "select count(*) from ticketing.fact_until where tenant_id = 2").await;
    assert!(one("select sum(count)::int8 from ticketing.fact_sum where tenant_id = 2 and name = 'SUBMIT'").await > 0);
    exact(&supervisor).await;

    // Loaded into days that were added up: there at once, and added by and by.
    let market = unit(&dispatcher, "market").await;
    let loaded = json!({ "tickets": [past("20260302-9001", &enterprise, &market), past("20260302-9002", &enterprise, &market)] });
    assert_eq!(sysadmin.post("/v1/tickets:import", loaded.clone()).await.ok()["created"], 2);
    assert_eq!(sysadmin.post("/v1/tickets:import", loaded).await.ok()["unchanged"], 2);
    let with_past = exact(&supervisor).await;
    assert_eq!(number(&with_past["solved"]), number(&begun["solved"]) + 2);
    wait_for("what came late is added", "select count(*) where not exists (select 1 from ticketing.fact_late where tenant_id = 2)").await;
    exact(&supervisor).await;
    // Made again from the events of one: nothing is counted twice.
    let again = "delete from ticketing.fact where tenant_id = 2 and name in ('SIGN', 'CALLBACK');
                 update ticketing.ticket set counted = false where tenant_id = 2";
    sqlx::raw_sql(again).execute(&mut world().admin().await).await.expect("dropped");
    wait_for(
        "facts are made again",
        "select count(*) where not exists (select 1 from ticketing.ticket where tenant_id = 2 and not counted)",
    )
    .await;
    exact(&supervisor).await;

    // Today, and a request that is solved, then not, then solved again.
    let ticket = handling(&enterprise, &dispatcher, &liaison).await;
    let done = async |ticket: &Value| {
        verb(&handler, ticket, "contact", json!({ "text": "已联系" })).await;
        verb(&handler, ticket, "reportDone", json!({ "result": "RESOLVED", "text": "已修好" })).await;
        verb(&lead, ticket, "signOff", json!({})).await;
        verb(&callback, ticket, "callBack", json!({ "outcome": "SATISFIED" })).await;
    };
    done(&ticket).await;
    let solved = exact(&supervisor).await;
    for field in ["submitted_today", "accepted_today", "signed_today", "resolved_today", "submitted", "solved"] {
        assert_eq!(number(&solved[field]), number(&with_past[field]) + 1, "{field}");
    }
    assert!(number(&solved["cursor"]) > number(&with_past["cursor"]));
    verb(&enterprise, &ticket, "reopen", json!({ "text": "又漏了" })).await;
    assert_eq!(number(&exact(&supervisor).await["solved"]), number(&with_past["solved"]));
    done(&ticket).await;
    let again = exact(&supervisor).await;
    assert_eq!((&again["solved"], &again["resolved_today"]), (&solved["solved"], &solved["resolved_today"]), "one request, once");
    world().kill("ticketing");
    world().serve("ticketing");
    world().wait_ready();
    assert_eq!(exact(&supervisor).await["solved"], again["solved"]);
}

/// Numerator and denominator of the resolution clocks due from twelve to eight days ago.
async fn on_time(supervisor: &Person, as_of: &str) -> (i64, i64) {
    let path = format!("/v1/figures?from={}&to={}&as_of={as_of}&code=resolve_on_time", days_ago(12), days_ago(8));
    let answer = supervisor.get(&path).await.ok();
    (number(&answer["figures"][0]["numerator"]), number(&answer["figures"][0]["denominator"]))
}

fn days_ago(days: i64) -> String {
    drumtower_runtime::calendar::today(drumtower_runtime::Clock::system().now() - jiff::SignedDuration::from_hours(24 * days)).to_string()
}

#[tokio::test]
async fn a_figure_of_a_past_day_goes_by_the_due_time_of_then() {
    let _alone = ALONE.lock().await;
    let mut people = Vec::new();
    for login in ["enterprise", "dispatcher", "liaison", "approver", "supervisor"] {
        people.push(world().sign_in(DISTRICTS[0], login).await);
    }
    let [enterprise, dispatcher, liaison, approver, supervisor] = <[Person; 5]>::try_from(people).unwrap_or_else(|_| unreachable!("five"));
    let ago = days_ago(7);
    let before = (on_time(&supervisor, &ago).await, on_time(&supervisor, "").await);
    let granted = async |ask: Value| {
        let ticket = handling(&enterprise, &dispatcher, &liaison).await;
        verb(&liaison, &ticket, "ask", ask).await;
        let after = verb(&approver, &ticket, "decide", json!({ "number": 1, "granted": true })).await;
        (uuid::Uuid::parse_str(text(&ticket["id"])).expect("an id"), ticket, after)
    };
    let (extended, first, after) = granted(json!({ "matter": "EXTENSION", "count": 2, "text": "需等待配件" })).await;
    assert_ne!(first["due_at"], after["due_at"]);
    let mut admin = world().admin().await;
    let due: String = sqlx::query_scalar(
        "select to_char(due_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS') from ticketing.clock_past where ticket_id = $1 and name = 'C5'",
    )
    .bind(extended)
    .fetch_one(&mut admin)
    .await
    .expect("what held before is kept, once");
    assert!(text(&first["due_at"]).starts_with(&due), "{} {due}", first["due_at"]);
    // As if it had been due ten days ago and moved five days ago: a week ago it was late, now it is not.
    let moved =
        "update ticketing.clock_past set until = now() - interval '5 days', due_at = now() - interval '10 days' where ticket_id = $1";
    sqlx::query(moved).bind(extended).execute(&mut admin).await.expect("shifted");
    assert_eq!(on_time(&supervisor, &ago).await, (before.0.0, before.0.1 + 1), "known then");
    assert_eq!(on_time(&supervisor, "").await, before.1, "known now");
    let rows = format!("/v1/figures/resolve_on_time/rows?from={}&to={}&as_of={ago}&page_size=200", days_ago(12), days_ago(8));
    let rows = supervisor.get(&rows).await.ok();
    assert!(rows["rows"].as_array().into_iter().flatten().any(|row| row["ticket_id"] == first["id"] && row["counts"] == false));

    // What stands still is owed on no day: neither while it does, nor as of then when it goes on again.
    let (held, ticket, _) = granted(json!({ "matter": "HOLD", "hold_reason": "MATERIAL", "text": "已书面要求补充材料" })).await;
    let still = "update ticketing.clock set due_at = now() - interval '10 days' where ticket_id = $1 and name = 'C5'";
    sqlx::query(still).bind(held).execute(&mut admin).await.expect("shifted");
    assert_eq!(on_time(&supervisor, "").await, before.1, "stands still");
    verb(&liaison, &ticket, "resume", json!({})).await;
    let kept: Vec<(bool,)> =
        sqlx::query_as("select due_at is null from ticketing.clock_past where ticket_id = $1 and name = 'C5' order by until")
            .bind(held)
            .fetch_all(&mut admin)
            .await
            .expect("rows");
    assert_eq!(kept, [(false,), (true,)], "it was due, then stood still");
    let apart = "update ticketing.clock_past set due_at = due_at - interval '1 day' * 30,
        until = case when due_at is null then now() - interval '5 days' else now() - interval '12 days' end where ticket_id = $1";
    sqlx::query(apart).bind(held).execute(&mut admin).await.expect("shifted");
    assert_eq!(on_time(&supervisor, &ago).await, (before.0.0, before.0.1 + 1), "only the one that was moved");
}
