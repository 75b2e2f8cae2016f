//! Questions to the table of clocks.

use drumtower_runtime::TenantTx;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::{Clock, Name};

/// A clock as a request's answer lists it: name, round, started, due, provisional, stopped, breached; times in microseconds.
pub type Listed = (String, i32, i64, i64, bool, Option<i64>, Option<i64>);

/// A clock from its listing; `None` when it is not one of ours.
pub fn listed((name, round, started, due, provisional, stopped, breached): Listed) -> Option<Clock> {
    let time = |micros: i64| Timestamp::from_microsecond(micros).ok();
    Some(Clock {
        name: Name::read(&name)?,
        round,
        started_at: time(started)?,
        due_at: time(due)?,
        provisional,
        stopped_at: stopped.and_then(time),
        breached_at: breached.and_then(time),
    })
}

/// Clocks of some requests, as they now are; a started clock keeps its beginning and its due time.
#[tracing::instrument(name = "db.clock.save", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn save(tx: &mut TenantTx, tickets: &[(Uuid, &[Clock])], policy: &str) -> sqlx::Result<()> {
    let clocks: Vec<(Uuid, &Clock)> = tickets.iter().flat_map(|(id, clocks)| clocks.iter().map(move |clock| (*id, clock))).collect();
    let tenant = tx.tenant();
    for chunk in clocks.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new(
            "insert into clock as c (tenant_id, ticket_id, name, round, started_at, due_at, provisional, stopped_at, breached_at, policy) ",
        );
        insert.push_values(chunk, |mut row, (ticket, clock)| {
            row.push_bind(tenant).push_bind(ticket).push_bind(clock.name.text()).push_bind(clock.round);
            row.push_bind(clock.started_at.to_sqlx()).push_bind(clock.due_at.to_sqlx()).push_bind(clock.provisional);
            row.push_bind(clock.stopped_at.map(|at| at.to_sqlx())).push_bind(clock.breached_at.map(|at| at.to_sqlx())).push_bind(policy);
        });
        insert.push(
            " on conflict (tenant_id, ticket_id, name, round) do update
              set stopped_at = excluded.stopped_at, breached_at = excluded.breached_at
              where c.stopped_at is distinct from excluded.stopped_at or c.breached_at is distinct from excluded.breached_at",
        );
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

/// Clocks of the district that have run out and were not found yet, oldest first.
#[tracing::instrument(name = "db.clock.run_out", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn run_out(tx: &mut TenantTx, limit: i64) -> sqlx::Result<Vec<(Uuid, String, i32)>> {
    let now = tx.now().to_sqlx();
    sqlx::query_as(
        "select ticket_id, name, round from clock
         where tenant_id = $1 and due_at <= $2 and stopped_at is null and breached_at is null order by due_at limit $3",
    )
    .bind(tx.tenant())
    .bind(now)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}
