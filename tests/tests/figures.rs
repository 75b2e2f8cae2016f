//! The numbers a district publishes, over real rows: Gao'an's published rate comes out of its counts, a report stays as it was, the rows
//! behind a figure are as many as it says.

use std::sync::OnceLock;

use drumtower_tests::world::{DISTRICTS, Person, Wanted, World};
use serde_json::{Value, json};

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::start(&Wanted::default()))
}

/// November 2023 in 高安: 1,833 requests closed, 1,774 of them assessed (the others left out or not reached), 1,273 solved
/// (ticketing.md §2.1 M1). Written past the services into a time of which the district has nothing else.
const GAOAN: &str = "
  insert into ticketing.ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id, enterprise_name, place,
    contact_name, contact_phone, requester_id, result, result_text, score, return_count, redo_count, arbitrated, danger, imported,
    refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at, updated_at, machine, side, supervision, excluded,
    waits, archived_at)
  select 1, gen_random_uuid(), 'G' || n, 10, 2, 3, '', '', gen_random_uuid(), '', '', '', '', gen_random_uuid(), 1, '', 0, 0, 0, false,
    false, true, 0, '{}', '{}', 0, false, 9, '2023-11-01', '2023-11-20', 'default@1', '{}', 0, false, '{}', '2023-11-20'
  from generate_series(1, 1833) n;
  insert into ticketing.fact (tenant_id, ticket_id, version, place, name, value, at)
  select 1, id, 8, 0, 'CALLBACK', case when n <= 1273 then 1 when n <= 1774 then 2 when n <= 1800 then 4 else 1 end, '2023-11-20'
  from (select id, substr(number, 2)::int n from ticketing.ticket where tenant_id = 1 and number like 'G%') t;
  insert into ticketing.fact (tenant_id, ticket_id, version, place, name, value, at)
  select 1, id, 9, 0, 'EXCLUDE', 1, '2023-12-05' from (select id, substr(number, 2)::int n from ticketing.ticket where tenant_id = 1 and number like 'G%') t where n > 1800;";

fn figure(answer: &Value, code: &str, group: &str) -> Value {
    let all = answer["figures"].as_array().into_iter().flatten();
    let found = all.clone().find(|figure| figure["code"] == code && figure["group"] == group).cloned();
    found.unwrap_or_else(|| panic!("no {code} of {group:?} in {answer}"))
}

async fn people() -> [Person; 2] {
    [world().sign_in(DISTRICTS[0], "supervisor").await, world().sign_in(DISTRICTS[0], "enterprise").await]
}

#[tokio::test]
async fn a_published_rate_comes_out_of_its_counts() {
    let [supervisor, _] = people().await;
    sqlx::raw_sql(GAOAN).execute(&mut world().admin().await).await.expect("written");
    let november = supervisor.get("/v1/figures?from=2023-11-01&to=2023-11-30&code=resolution").await.ok();
    let counted = figure(&november, "resolution", "");
    assert_eq!((counted["numerator"].as_str(), counted["denominator"].as_str()), (Some("1273"), Some("1774")));
    let with = (counted["numerator_with_excluded"].as_str(), counted["denominator_with_excluded"].as_str());
    assert_eq!(with, (Some("1306"), Some("1807")), "with what was left out");
    assert_eq!(counted["percent"], "71.76");
}

#[tokio::test]
async fn figures_of_the_demonstration_year_have_their_rows_behind_them() {
    let [supervisor, enterprise] = people().await;
    assert_eq!(enterprise.get("/v1/figures?from=2026-01-01&to=2026-11-30").await.status, 403);
    assert_eq!(supervisor.get("/v1/figures?from=2026-01-01&to=2025-11-30").await.reason(), "PERIOD");
    let definitions = supervisor.get("/v1/figures/definitions").await.ok();
    let year = supervisor.get("/v1/figures?from=2026-01-01&to=2026-11-30").await.ok();
    assert_eq!(year["figures"].as_array().map(Vec::len), definitions["definitions"].as_array().map(Vec::len));
    let solved = figure(&year, "solved", "");
    assert!(solved["numerator"].as_str().and_then(|count| count.parse::<i64>().ok()).is_some_and(|count| count > 0), "{solved}");
    for code in ["solved", "response", "resolve_on_time", "satisfaction", "arrival_on_time"] {
        let (mut rows, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/figures/{code}/rows?from=2026-01-01&to=2026-11-30&page_size=100&page_token={token}");
            let page = supervisor.get(&path).await.ok();
            rows.extend(page["rows"].as_array().cloned().unwrap_or_default());
            token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
            if token.is_empty() {
                break;
            }
        }
        let said = figure(&year, code, "");
        assert_eq!(said["denominator_with_excluded"], rows.len().to_string(), "{code}");
        let counts = rows.iter().filter(|row| row["counts"] == true).count();
        assert_eq!(said["numerator_with_excluded"], counts.to_string(), "{code}");
    }
    // The units' parts make the whole.
    let by_unit = supervisor.get("/v1/figures?from=2026-01-01&to=2026-11-30&by=UNIT&code=resolve_on_time").await.ok();
    let sum: i64 = by_unit["figures"].as_array().into_iter().flatten().filter_map(|f| f["denominator"].as_str()?.parse::<i64>().ok()).sum();
    assert_eq!(figure(&year, "resolve_on_time", "")["denominator"], sum.to_string());
    // As known on the last day of last year nothing of this year had happened.
    let before = supervisor.get("/v1/figures?from=2026-01-01&to=2026-11-30&as_of=2025-12-31").await.ok();
    assert_eq!(figure(&before, "satisfaction", "")["denominator"], "0");
}

#[tokio::test]
async fn a_report_is_published_once_and_stays_as_it_was() {
    let [supervisor, enterprise] = people().await;
    assert_eq!(supervisor.post("/v1/reports", json!({ "month": "2099-01" })).await.reason(), "NOT_OVER");
    assert_eq!(enterprise.post("/v1/reports", json!({ "month": "2026-09" })).await.status, 403);
    let report = supervisor.post("/v1/reports", json!({ "month": "2026-09" })).await.ok();
    let solved = figure(&report, "solved", "");
    assert_eq!(supervisor.post("/v1/reports", json!({ "month": "2026-09" })).await.reason(), "PUBLISHED");
    // Something happens to September afterwards; the report does not move.
    let mut admin = world().admin().await;
    sqlx::raw_sql(
        "insert into ticketing.fact (tenant_id, ticket_id, version, place, name, value, at)
         select tenant_id, ticket_id, version + 100, 9, 'EXCLUDE', 1, at from ticketing.fact
         where tenant_id = 1 and name = 'ARCHIVE' and at >= '2026-09-01' and at < '2026-09-30'",
    )
    .execute(&mut admin)
    .await
    .expect("written");
    let now = supervisor.get("/v1/figures?from=2026-09-01&to=2026-09-30&code=solved").await.ok();
    assert_ne!(figure(&now, "solved", "")["numerator"], solved["numerator"]);
    let again = supervisor.get("/v1/reports/2026-09").await.ok();
    assert_eq!(again["figures"], report["figures"]);
    let rows = supervisor.get("/v1/reports/2026-09/figures/solved/rows?page_size=200").await.ok();
    assert_eq!(
        rows["rows"].as_array().map(Vec::len).unwrap_or_default().to_string(),
        solved["denominator_with_excluded"].as_str().unwrap_or_default()
    );
    assert_eq!(supervisor.get("/v1/reports/2026-08").await.status, 404);
}

/// In the other district, for its facts are dropped.
#[tokio::test]
async fn facts_are_made_again_from_the_events_alone() {
    let mut admin = world().admin().await;
    let digest =
        "select coalesce(md5(string_agg(f::text, '|' order by f::text)), '') || count(*) from ticketing.fact f where tenant_id = 2";
    let before: String = sqlx::query_scalar(digest).fetch_one(&mut admin).await.expect("a digest");
    sqlx::raw_sql("delete from ticketing.fact where tenant_id = 2; update ticketing.ticket set counted = false where tenant_id = 2")
        .execute(&mut admin)
        .await
        .expect("dropped");
    for _ in 0..200 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let left: i64 = sqlx::query_scalar("select count(*) from ticketing.ticket where tenant_id = 2 and not counted")
            .fetch_one(&mut admin)
            .await
            .expect("counted");
        if left == 0 {
            break;
        }
    }
    let again: String = sqlx::query_scalar(digest).fetch_one(&mut admin).await.expect("a digest");
    assert_eq!(again, before);
    // Clocks of before clocks had units say the same.
    let supervisor = world().sign_in(DISTRICTS[1], "supervisor").await;
    let year = async || supervisor.get("/v1/figures?from=2026-01-01&to=2026-11-30").await.ok();
    let with_units = year().await;
    assert_ne!(figure(&with_units, "sign_on_time", "")["numerator"], "0");
    sqlx::raw_sql("update ticketing.clock set unit_id = null where tenant_id = 2").execute(&mut admin).await.expect("dropped");
    assert_eq!(year().await, with_units);
}

#[tokio::test]
async fn weights_make_a_composite_and_clocks_say_how_long_they_ran() {
    let [supervisor, _] = people().await;
    let sysadmin = world().sign_in(DISTRICTS[0], "sysadmin").await;
    let publish =
        async |content: Value| sysadmin.post("/v1/settings", json!({ "kind": "FIGURE_WEIGHTS", "content": content.to_string() })).await;
    assert_eq!(publish(json!({ "weights": { "luck": 1 } })).await.reason(), "UNKNOWN_FIGURE");
    publish(json!({ "weights": { "satisfaction": 100 } })).await.ok();
    let year = supervisor.get("/v1/figures?from=2026-01-01&to=2026-11-30").await.ok();
    assert_eq!(figure(&year, "composite", "")["percent"], figure(&year, "satisfaction", "")["percent"]);
    // Nothing was weighed last year.
    let before = supervisor.get("/v1/figures?from=2026-01-01&to=2026-11-30&as_of=2026-06-30").await.ok();
    assert!(before["figures"].as_array().into_iter().flatten().all(|figure| figure["code"] != "composite"));
    let lasted = supervisor.get("/v1/figures/durations?from=2026-01-01&to=2026-11-30").await.ok();
    let c5 = lasted["durations"].as_array().into_iter().flatten().find(|duration| duration["clock"] == "C5").cloned().unwrap_or_default();
    let seconds = |field: &str| c5[field].as_str().and_then(|seconds| seconds.parse::<i64>().ok()).unwrap_or_default();
    assert!(seconds("median_seconds") > 0 && seconds("p90_seconds") >= seconds("median_seconds"), "{lasted}");
}
