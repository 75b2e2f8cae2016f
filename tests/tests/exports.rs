//! Exports through the gateway: a file of what a list shows, made by a worker that may die in the middle; masked, tame, its purpose in it and in
//! the log; nobody else's, and gone after its time.

use std::{sync::OnceLock, time::Duration};

use drumtower_tests::world::{ALONE, DISTRICTS, Person, Wanted, World};
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

async fn start(person: &Person, filter: &str, purpose: &str) -> Value {
    person.post("/v1/exports", json!({ "what": "TICKETS", "filter": filter, "purpose": purpose })).await.ok()
}

/// Waits until an export stands somewhere.
async fn until(person: &Person, export: &Value, state: &str) -> Value {
    let mut found = Value::Null;
    for _ in 0..600 {
        found = person.get(&format!("/v1/exports/{}", text(&export["id"]))).await.ok();
        if found["state"] == state {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not {state}: {found}");
}

async fn file(person: &Person, export: &Value) -> String {
    let link = person.post(&format!("/v1/exports/{}:link", text(&export["id"])), json!({})).await.ok();
    // No sign-in: the link is the proof.
    let answer = world().nobody(DISTRICTS[0]).http.get(format!("{}{}", person.base, text(&link["path"]))).send().await.expect("answered");
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    answer.text().await.expect("a text")
}

#[tokio::test]
async fn what_a_list_shows_is_exported_masked_and_tame_with_its_purpose() {
    let _alone = ALONE.lock().await;
    let (enterprise, dispatcher, supervisor) = (person("enterprise").await, person("dispatcher").await, person("supervisor").await);
    let body = json!({
        "title": "=HYPERLINK(\"http://evil.example\")", "description": "两行\n\"引号\"，逗号", "kind": "HELP",
        "contact_name": "王小波", "contact_phone": "19900001234",
    });
    let ticket = enterprise.post("/v1/tickets", body).await.ok();
    let filter = format!("number = \"{}\"", text(&ticket["number"]));

    let masked = until(&supervisor, &start(&supervisor, &filter, "周报核对").await, "READY").await;
    assert_eq!((masked["rows"].as_i64(), masked["total"].as_i64(), &masked["unmasked"]), (Some(1), Some(1), &json!(false)));
    let content = file(&supervisor, &masked).await;
    assert_eq!(masked["size_bytes"], content.len().to_string());
    let lines: Vec<&str> = content.split("\r\n").collect();
    assert!(
        lines[0].starts_with("\u{feff}\"导出人：") && lines[0].contains("(supervisor)") && lines[0].contains("用途：周报核对"),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("\"编号\",\"状态\""), "{}", lines[1]);
    assert!(
        lines[2].contains("\"'=HYPERLINK(\"\"http://evil.example\"\")\"") && lines[2].contains("\"两行\n\"\"引号\"\"，逗号\""),
        "{}",
        lines[2]
    );
    assert!(lines[2].contains("\"王*波\",\"199****1234\"") && !content.contains("19900001234"), "{}", lines[2]);
    // The dispatcher sees numbers elsewhere too, and in the file.
    let open = until(&dispatcher, &start(&dispatcher, &filter, "电话回访").await, "READY").await;
    assert_eq!(open["unmasked"], true);
    assert!(file(&dispatcher, &open).await.contains("\"王小波\",\"19900001234\""));

    // Nobody else's, and who may not export does not.
    let path = format!("/v1/exports/{}", text(&open["id"]));
    assert_eq!(supervisor.get(&path).await.status, 404);
    assert_eq!(supervisor.post(&format!("{path}:link"), json!({})).await.status, 404);
    for login in ["enterprise", "handler", "sysadmin"] {
        let body = json!({ "what": "TICKETS", "purpose": "周报" });
        assert_eq!(person(login).await.post("/v1/exports", body).await.status, 403, "{login}");
    }
    let unsaid = json!({ "what": "TICKETS", "purpose": "  " });
    assert_eq!(dispatcher.post("/v1/exports", unsaid).await.reason(), "PURPOSE");
    let bad = json!({ "what": "TICKETS", "filter": "title = x", "purpose": "周报" });
    assert_eq!(dispatcher.post("/v1/exports", bad).await.reason(), "FILTER_FIELD");
    audited(&masked).await;
}

/// The audit administrator reads who exported what for which purpose, and that the file was fetched.
async fn audited(export: &Value) {
    let audit = person("auditadmin").await;
    for _ in 0..100 {
        let (mut after, mut kinds) = (0, Vec::new());
        loop {
            let log = audit.get(&format!("/v1/audit/ticketing/events?page_size=200&after={after}")).await.ok();
            let events = log["events"].as_array().cloned().unwrap_or_default();
            for event in events.iter().filter(|event| event["subject"] == export["id"]) {
                kinds.push(text(&event["type"]).to_owned());
                assert!(event["type"] != "export.started" || text(&event["payload"]).contains("周报核对"), "{event}");
            }
            match events.last() {
                Some(last) => after = text(&last["seq"]).parse().expect("a number"),
                None => break,
            }
        }
        if kinds == ["export.started", "export.finished", "export.fetched"] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the log does not tell of it");
}

#[tokio::test]
async fn a_unit_exports_what_is_its_own_and_two_at_a_time() {
    let _alone = ALONE.lock().await;
    let (liaison, dispatcher) = (person("liaison").await, person("dispatcher").await);
    let own = until(&liaison, &start(&liaison, "", "单位台账").await, "READY").await;
    let whole = until(&dispatcher, &start(&dispatcher, "", "全区台账").await, "READY").await;
    assert!(own["rows"].as_i64() < whole["rows"].as_i64() && own["rows"].as_i64() > Some(0), "{own} {whole}");
    let leader = person("leader").await;
    let mut begun = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let leader = leader.clone();
        begun.spawn(async move { leader.post("/v1/exports", json!({ "what": "TICKETS", "purpose": "并发" })).await });
    }
    let begun = begun.join_all().await;
    let good = begun.iter().filter(|answer| answer.status == 200).count();
    assert!((1..=2).contains(&good), "{good} begun at once");
    assert!(begun.iter().filter(|answer| answer.status != 200).all(|answer| answer.reason() == "TOO_MANY_EXPORTS"));
    let export = begun.into_iter().find(|answer| answer.status == 200).expect("one").ok();
    let ready = until(&leader, &export, "READY").await;
    // Taken away before its time: the link is of no use any more.
    let path = format!("/v1/exports/{}", text(&ready["id"]));
    let link = leader.post(&format!("{path}:link"), json!({})).await.ok();
    assert_eq!(leader.post(&format!("{path}:cancel"), json!({})).await.ok()["state"], "CANCELLED");
    assert_eq!(leader.get(text(&link["path"])).await.reason(), "BAD_LINK");
    assert_eq!(leader.post(&format!("{path}:link"), json!({})).await.reason(), "NOT_READY");
    assert_eq!(leader.post(&format!("{path}:cancel"), json!({})).await.reason(), "OVER");
    assert_eq!(world().nobody(DISTRICTS[1]).get(text(&link["path"])).await.reason(), "BAD_LINK");
}

/// In the other district, for this one's lists are looked at elsewhere.
#[tokio::test]
async fn an_export_goes_on_where_it_was_when_its_worker_dies_and_its_file_goes_in_time() {
    let _alone = ALONE.lock().await;
    let mut admin = world().admin().await;
    let many = "insert into ticketing.ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id, enterprise_name,
        place, contact_name, contact_phone, requester_id, result, result_text, score, return_count, redo_count, arbitrated, danger, imported,
        refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at, updated_at, machine, side, supervision, excluded,
        waits)
      select 2, gen_random_uuid(), 'M' || n, 10, 2, 3, 'many', '', gen_random_uuid(), '', '', '', '', gen_random_uuid(), 0, '', 0, 0, 0, false,
        false, true, 0, '{}', '{}', 0, false, 1, now() - make_interval(secs => n), now(), 'default@1', '{}', 0, false, '{}'
      from generate_series(1, 20000) n";
    sqlx::raw_sql(many).execute(&mut admin).await.expect("written");
    let dispatcher = world().sign_in(DISTRICTS[1], "dispatcher").await;
    let export = start(&dispatcher, "state = \"ARCHIVED\"", "全量核对").await;
    let id = uuid::Uuid::parse_str(text(&export["id"])).expect("an id");
    for _ in 0..600 {
        let rows: i32 = sqlx::query_scalar("select rows from ticketing.export where tenant_id = 2 and id = $1")
            .bind(id)
            .fetch_one(&mut admin)
            .await
            .expect("asked");
        if rows > 0 {
            assert!(rows < 20_000, "it was too quick for this test");
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world().kill("ticketing");
    // Nobody waits a minute for a lease in a test.
    sqlx::query("update ticketing.export set due_at = now() where tenant_id = 2 and id = $1")
        .bind(id)
        .execute(&mut admin)
        .await
        .expect("due");
    world().serve("ticketing");
    world().wait_ready();
    let ready = until(&dispatcher, &export, "READY").await;
    let link = dispatcher.post(&format!("/v1/exports/{id}:link"), json!({})).await.ok();
    let content = dispatcher.get(text(&link["path"])).await.text;
    let numbers: Vec<&str> = content.split("\r\n").skip(2).filter_map(|line| line.strip_prefix("\"M")?.split('"').next()).collect();
    let wanted: Vec<String> = (1..=20_000).map(|number| number.to_string()).collect();
    assert!(numbers == wanted, "each once, newest first: {} of them", numbers.len());
    assert!(ready["rows"].as_i64() >= Some(20_000));

    sqlx::query("update ticketing.export set due_at = now() where tenant_id = 2 and id = $1")
        .bind(id)
        .execute(&mut admin)
        .await
        .expect("due");
    let expired = until(&dispatcher, &export, "EXPIRED").await;
    assert!(expired["expires_at"].is_null(), "{expired}");
    assert_eq!(dispatcher.get(text(&link["path"])).await.reason(), "BAD_LINK");
    let folder = world().dir.join("store/2/upload").join(id.to_string());
    assert!(folder.exists(), "its objects go last");
    sqlx::query("update ticketing.export set due_at = now() where tenant_id = 2 and id = $1")
        .bind(id)
        .execute(&mut admin)
        .await
        .expect("due");
    for _ in 0..100 {
        let left = std::fs::read_dir(&folder).map_or(0, Iterator::count);
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("its objects are still there");
}
