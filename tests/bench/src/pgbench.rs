//! The same work in pgbench on the same server: what PostgreSQL alone would do.

use std::{path::Path, process::Command, time::Duration};

use drumtower::local::Postgres;
use drumtower_tests::world::{World, block_on};

/// The transaction of a submission: the rows that the service writes, under row-level security, as the service's login.
const CREATE: &str = "\\set n random(1, 2000000000)
BEGIN; SET LOCAL drumtower.tenant_id='1'; SET LOCAL statement_timeout='2500';
WITH t AS (INSERT INTO ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id, enterprise_name, place, contact_name, contact_phone, requester_id, result, result_text, score, return_count, redo_count, arbitrated, danger, imported, refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at, updated_at, machine, side, supervision, excluded, waits) VALUES (1, gen_random_uuid(), 'P' || gen_random_uuid(), 1, 2, 0, '三楼走廊漏水', '雨后走廊天花板持续滴水，已影响办公。', 'ENTERPRISE', '云栈智能科技有限公司', '', decode(repeat('ab', 40), 'hex'), decode(repeat('ab', 45), 'hex'), gen_random_uuid(), 0, '', 0, 0, 0, false, false, false, 0, '{}', '{}', 0, false, 1, now(), now(), 'default@1', '{}', 0, false, '{}') RETURNING id), c AS (INSERT INTO clock (tenant_id, ticket_id, name, round, started_at, due_at, provisional, fires_at, policy, facts) SELECT 1, id, 'C1', 1, now(), now() + interval '10 days', false, now() + interval '10 days', 'default@2', repeat('x', 330) FROM t), e AS (INSERT INTO ticket_event (tenant_id, ticket_id, version, verb, state, actor, text, facts, at) SELECT 1, id, 1, 'submit', 1, 'pgbench', '', repeat('x', 300), now() FROM t), k AS (INSERT INTO request_key (tenant_id, principal, key, hash, answer, at) VALUES (1, 'pgbench', gen_random_uuid()::text, decode(repeat('ab', 32), 'hex'), decode(repeat('ab', 900), 'hex'), now())) INSERT INTO outbox (tenant_id, id, type, subject, version, payload, actor, at, traceparent, notify) VALUES (1, gen_random_uuid(), 'bench.submitted', gen_random_uuid()::text, 1, repeat('x', 120), 'pgbench', now(), '00-00000000000000000000000000000000-0000000000000000-01', '[]');
COMMIT;
";

const READ: &str = "BEGIN READ ONLY; SET LOCAL drumtower.tenant_id='1';
SELECT * FROM ticket WHERE tenant_id = 1 AND id = 'TICKET';
COMMIT;
";

const LIST: &str = "BEGIN READ ONLY; SET LOCAL drumtower.tenant_id='1';
SELECT * FROM ticket WHERE tenant_id = 1 ORDER BY submitted_at DESC, id DESC LIMIT 21;
COMMIT;
";

/// Submissions a second. What pgbench wrote is cleared away again, so that the services' workers do not busy themselves with it.
pub fn create(world: &World, clients: usize, seconds: Duration, enterprise: &str) -> f64 {
    let rate = run(world, clients, seconds, &CREATE.replace("ENTERPRISE", enterprise));
    block_on(async || {
        let mut admin = world.admin().await;
        for text in [
            "delete from ticketing.outbox where type = 'bench.submitted'",
            "delete from ticketing.clock c using ticketing.ticket t where t.tenant_id = c.tenant_id and t.id = c.ticket_id and t.number like 'P%'",
            "delete from ticketing.ticket_event where actor = 'pgbench'",
            "delete from ticketing.ticket where number like 'P%'",
            "delete from ticketing.request_key where principal = 'pgbench'",
        ] {
            sqlx::raw_sql(text).execute(&mut admin).await.expect("cleared");
        }
        sqlx::raw_sql("vacuum analyze ticketing.ticket").execute(&mut admin).await.expect("vacuumed");
    });
    rate
}

/// Reads of one row a second.
pub fn read(world: &World, clients: usize, seconds: Duration, ticket: &str) -> f64 {
    run(world, clients, seconds, &READ.replace("TICKET", ticket))
}

/// Pages of the list a second.
pub fn list(world: &World, clients: usize, seconds: Duration) -> f64 {
    run(world, clients, seconds, LIST)
}

/// Fills a district with past requests of these numbers, written past the services; a tenth of them were led by a unit.
pub fn fill(world: &World, tenant: i32, numbers: std::ops::RangeInclusive<i64>, unit: Option<&str>) {
    let (from, to) = (numbers.start(), numbers.end());
    let unit = unit.map_or_else(|| "null".to_owned(), |unit| format!("'{unit}'"));
    let text = format!(
        "with t as (insert into ticketing.ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id,
           enterprise_name, place, contact_name, contact_phone, requester_id, lead_unit_id, result, result_text, score, return_count,
           redo_count, arbitrated, danger, imported, refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at,
           updated_at, machine, side, supervision, excluded, waits, archived_at)
         select {tenant}, gen_random_uuid(), 'F' || n, 10, 2, 3, '往年诉求', '已办结', gen_random_uuid(), '某企业', '', '', '',
           gen_random_uuid(), case when n % 10 = 0 then {unit}::uuid end, 1, '', 5, 0, 0, false, false, true, 0, '{{}}', '{{}}', 1, false, 1,
           now() - n * interval '1 minute', now(), 'default@1', '{{}}', 0, false, '{{}}', now()
         from generate_series({from}, {to}) n returning id, lead_unit_id, submitted_at),
         f as (insert into ticketing.fact (tenant_id, ticket_id, version, place, name, value, at)
         select {tenant}, id, 9, 0, 'ARCHIVE', 1, submitted_at + interval '30 seconds' from t)
         insert into ticketing.assignment (tenant_id, ticket_id, unit_id, kind, state, submitted_at)
         select {tenant}, id, lead_unit_id, 1, 5, submitted_at from t where lead_unit_id is not null"
    );
    block_on(async || {
        let mut admin = world.admin().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut admin).await.expect("filled");
    });
}

/// Requests that a unit has in hand: signed, one in ten late.
pub fn open(world: &World, count: i64, unit: &str) {
    let text = format!(
        "with t as (insert into ticketing.ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id,
           enterprise_name, place, contact_name, contact_phone, requester_id, lead_unit_id, result, result_text, score, return_count,
           redo_count, arbitrated, danger, imported, refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at,
           updated_at, machine, side, supervision, excluded, waits, due_at)
         select 1, gen_random_uuid(), 'O' || n, 4, 2, 3, '在办诉求', '办理中', gen_random_uuid(), '某企业', '', '', '', gen_random_uuid(),
           '{unit}', 0, '', 0, 0, 0, false, false, true, 0, '{{}}', '{{}}', 0, n % 10 = 0, 1, now() - n * interval '1 minute', now(),
           'default@1', '{{}}', 0, false, '{{}}', now() + (n % 5) * interval '1 day'
         from generate_series(1, {count}) n returning id, lead_unit_id, submitted_at)
         insert into ticketing.assignment (tenant_id, ticket_id, unit_id, kind, state, submitted_at)
         select 1, id, lead_unit_id, 1, 2, submitted_at from t"
    );
    block_on(async || {
        let mut admin = world.admin().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut admin).await.expect("filled");
    });
}

/// Lets the planner know what is there.
pub fn settle(world: &World) {
    block_on(async || {
        let mut admin = world.admin().await;
        for text in
            ["vacuum analyze ticketing.ticket", "vacuum analyze ticketing.assignment", "vacuum analyze ticketing.fact", "checkpoint"]
        {
            sqlx::raw_sql(text).execute(&mut admin).await.expect("settled");
        }
    });
}

/// Transactions a second of a script, as the service's own login.
fn run(world: &World, clients: usize, seconds: Duration, script: &str) -> f64 {
    let file = world.dir.join("pgbench.sql");
    std::fs::write(&file, script).expect("written");
    let program = Postgres::find().map(|bin| bin.join("pgbench")).expect("PostgreSQL");
    let login = "dt_ticketing";
    let password = std::fs::read_to_string(Path::new(&world.config.secrets).join(login)).expect("a secret");
    let out = Command::new(program)
        .env("PGPASSWORD", password.trim_end())
        .args(["-h", "127.0.0.1", "-U", login, "-n", "-M", "simple", "-j", "2"])
        .args(["-p", &world.postgres.port().to_string(), "-c", &clients.to_string(), "-T", &seconds.as_secs().to_string(), "-f"])
        .arg(&file)
        .arg("drumtower")
        .output()
        .expect("pgbench ran");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    rate.unwrap_or_else(|| panic!("pgbench: {said}{}", String::from_utf8_lossy(&out.stderr)))
}
