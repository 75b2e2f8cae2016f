//! A storm of clocks: very many that run out at the same moment, two workers, one of them killed midway.

use std::time::{Duration, Instant};

use crate::world::{World, block_on};

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Clocks that have their mark.
    pub fired: i64,
    /// Events in the histories.
    pub events: i64,
    /// From the first second until the last mark.
    pub took: Duration,
    /// How long a single clock of the first district waited, and how many of the storm had their mark by then.
    pub single: Option<(Duration, i64)>,
}

/// Requests that nobody accepted, each with a clock that ran out a minute ago, written past the services into a district.
pub fn requests(tenant: i32, count: i64) -> String {
    format!(
        "insert into ticketing.ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id, enterprise_name, place,
           contact_name, contact_phone, requester_id, result, result_text, score, return_count, redo_count, arbitrated, danger, imported,
           refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at, updated_at, machine, side, supervision,
           excluded, waits)
         select {tenant}, gen_random_uuid(), 'S' || n, 1, 2, 0, '风暴', '', gen_random_uuid(), '', '', '', '', gen_random_uuid(), 0, '', 0, 0, 0,
           false, false, false, 0, '{{}}', '{{}}', 0, false, 1, now(), now(), 'default@1', '{{}}', 0, false, '{{}}'
         from generate_series(1, {count}) n;
         insert into ticketing.clock (tenant_id, ticket_id, name, round, started_at, due_at, provisional, fires_at, policy, facts)
         select tenant_id, id, 'C1', 1, now() - interval '11 minutes', now() - interval '1 minute', false, now() - interval '1 minute', '',
           json_build_object('name', 'C1', 'round', 1, 'started_at', to_char(now() at time zone 'UTC' - interval '11 minutes', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
             'span', json_build_object('natural', 600), 'due_at', to_char(now() at time zone 'UTC' - interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
             'provisional', false, 'stopped_at', null, 'breached_at', null)::text
         from ticketing.ticket where tenant_id = {tenant} and number like 'S%'"
    )
}

/// Lets a storm loose and waits until it is over, or for so long.
pub fn run(world: &World, count: i64, patience: Duration) -> Outcome {
    let beside = world.serve_beside("ticketing");
    block_on(async || {
        let mut admin = world.admin().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(requests(2, count))).execute(&mut admin).await.expect("written");
        let began = Instant::now();
        // Late to the storm, and of another district: it does not wait for the storm to pass.
        sqlx::raw_sql(sqlx::AssertSqlSafe(requests(1, 1))).execute(&mut admin).await.expect("written");
        let mut single = None;
        let mut beside = Some(beside);
        let marked = "select count(*) from ticketing.clock c join ticketing.ticket t on t.tenant_id = c.tenant_id and t.id = c.ticket_id
                      where c.tenant_id = 2 and t.number like 'S%' and c.breached_at is not null";
        let mut fired: i64 = 0;
        while fired < count && began.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(200)).await;
            fired = sqlx::query_scalar(marked).fetch_one(&mut admin).await.expect("counted");
            let alone = "select count(*) from ticketing.clock c join ticketing.ticket t on t.tenant_id = c.tenant_id and t.id = c.ticket_id
                         where c.tenant_id = 1 and t.number = 'S1' and c.breached_at is not null";
            let alone: i64 = sqlx::query_scalar(alone).fetch_one(&mut admin).await.expect("counted");
            if alone == 1 {
                single.get_or_insert((began.elapsed(), fired));
            }
            if fired > count / 3
                && let Some(mut worker) = beside.take()
            {
                worker.kill().and_then(|()| worker.wait()).expect("killed");
            }
        }
        let took = began.elapsed();
        if let Some(mut worker) = beside.take() {
            worker.kill().and_then(|()| worker.wait()).expect("killed");
        }
        let events: i64 = sqlx::query_scalar(
            "select count(*) from ticketing.ticket_event e join ticketing.ticket t on t.tenant_id = e.tenant_id and t.id = e.ticket_id
             where e.tenant_id = 2 and t.number like 'S%' and e.verb = 'breach'",
        )
        .fetch_one(&mut admin)
        .await
        .expect("counted");
        Outcome { fired, events, took, single }
    })
}
