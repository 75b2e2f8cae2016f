//! A district that has been at work for a while is brought up to date: its rows are carried over, and are protected afterwards.

use drumtower::database::{self, Admin};
use drumtower_runtime::migrate::{Service, migrate};
use drumtower_tests::world::{Wanted, World};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// A request on its second visit, and one that is archived, as the first version kept them.
const ROWS: &str = "
  insert into ticketing.ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id, enterprise_name, place,
    contact_name, contact_phone, requester_id, result, result_text, score, return_count, redo_count, arbitrated, danger, imported,
    refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at, updated_at)
  select t, ('00000000-0000-0000-0000-00000000000' || s)::uuid, '20260302-000' || s, s, 2, 3, '漏水', '', gen_random_uuid(), '', '', '', '',
    gen_random_uuid(), 0, '', 0, 0, 0, false, false, false, 0, '{}', '{}', 0, false, 1, '2026-03-02', '2026-03-02'
  from generate_series(1, 2) t, unnest(array[5, 8]) s;
  update ticketing.ticket set state = 10 where state = 8;
  insert into ticketing.ticket_event (tenant_id, ticket_id, version, verb, state, actor, text, facts, at)
  select tenant_id, id, 1, 'callBack', 10, '', '', '', '2026-03-04 02:00:00Z' from ticketing.ticket where state = 10;
  insert into ticketing.clock (tenant_id, ticket_id, name, round, started_at, due_at, provisional, stopped_at, policy)
  select tenant_id, id, name, round, '2026-03-02 01:00:00Z', '2026-03-09 10:00:00Z', false, case when name = 'C5' then null else now() end, ''
  from ticketing.ticket, (values ('C5', 1), ('C7', 1), ('C7', 2)) c (name, round) where state = 5;
  insert into ticketing.assignment (tenant_id, ticket_id, unit_id, kind, state)
  select tenant_id, id, gen_random_uuid(), 1, 3 from ticketing.ticket;
  insert into ticketing.check_in (tenant_id, ticket_id, user_id, unit_id, latitude, longitude, clock_skewed, at, visit)
  select tenant_id, id, '00000000-0000-0000-0000-0000000000aa', gen_random_uuid(), 0, 0, false, now(), 2 from ticketing.ticket where state = 5";

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_every_district_are_carried_over() {
    let world = tokio::task::spawn_blocking(|| World::start(&Wanted { bare: true, ..Wanted::default() })).await.expect("a world");
    let url = world.postgres.admin_url("old");
    let admin = Admin::from_url(&url).expect("a URL");
    let old = Service { name: "ticketing", migrations: &drumtower_ticketing::SCHEMA.migrations[..2] };
    // The same server, another database: what belongs to the whole of it is there, the schema is of the first version.
    database::prepare_only(&admin, &world.config, &[old]).await.expect("the first version");
    let mut connection = PgConnection::connect(&url).await.expect("connected");
    sqlx::raw_sql(ROWS).execute(&mut connection).await.expect("rows");

    migrate(&mut connection, &drumtower_ticketing::SCHEMA).await.expect("brought up to date");
    let ask = async |connection: &mut PgConnection, question: &str| -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(question.to_owned())).fetch_all(connection).await.expect("asked")
    };
    let visits =
        ask(&mut connection, "select side::json ->> 'visits' || (side::json -> 'checked_in')::text from ticketing.ticket where state = 5")
            .await;
    assert_eq!(visits, [r#"2["00000000-0000-0000-0000-0000000000aa"]"#; 2]);
    let closed =
        ask(&mut connection, "select side::json ->> 'first_closed_at' from ticketing.ticket where archived_at = '2026-03-04 02:00:00Z'")
            .await;
    assert_eq!(closed, ["2026-03-04T02:00:00.000000Z"; 2]);
    let clocks =
        ask(&mut connection, "select (facts::json -> 'span')::text || fires_at::timestamptz(0) from ticketing.clock where name = 'C5'")
            .await;
    assert!(
        clocks.len() == 2
            && clocks.iter().all(|clock| clock.starts_with(r#"{"work_days" : 5}"#) || clock.starts_with(r#"{"work_days": 5}"#)),
        "{clocks:?}"
    );
    let parts = ask(&mut connection, "select to_char(submitted_at, 'YYYY-MM-DD') from ticketing.assignment").await;
    assert_eq!(parts, ["2026-03-02"; 4]);
    let open = ask(&mut connection, "select relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where nspname = 'ticketing' and relrowsecurity and not relforcerowsecurity").await;
    assert!(open.is_empty(), "left open: {open:?}");
}
