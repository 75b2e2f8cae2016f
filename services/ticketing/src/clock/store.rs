//! Questions to the table of clocks.

use drumtower_runtime::TenantTx;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::Clock;

/// Clocks of some requests, as they now are.
#[tracing::instrument(name = "db.clock.save", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn save(tx: &mut TenantTx, clocks: &[(Uuid, &Clock)], policy: &str) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    for chunk in clocks.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new(
            "insert into clock as c (tenant_id, ticket_id, name, round, unit_id, started_at, due_at, provisional, stopped_at, breached_at,
               fires_at, policy, facts, still) ",
        );
        insert.push_values(chunk, |mut row, (ticket, clock)| {
            row.push_bind(tenant).push_bind(ticket).push_bind(clock.name.text()).push_bind(clock.round).push_bind(clock.unit);
            row.push_bind(clock.started_at.to_sqlx()).push_bind(clock.due_at.to_sqlx()).push_bind(clock.provisional);
            row.push_bind(clock.stopped_at.map(|at| at.to_sqlx())).push_bind(clock.breached_at.map(|at| at.to_sqlx()));
            row.push_bind(clock.fires_at().map(|at| at.to_sqlx())).push_bind(policy).push_bind(clock.facts());
            row.push_bind(clock.paused());
        });
        insert.push(
            " on conflict (tenant_id, ticket_id, name, round) do update
              set unit_id = excluded.unit_id, due_at = excluded.due_at, provisional = excluded.provisional, stopped_at = excluded.stopped_at,
                breached_at = excluded.breached_at, fires_at = excluded.fires_at, facts = excluded.facts, still = excluded.still
              where c.facts <> excluded.facts",
        );
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

/// Requests with a clock that runs, by id; a page.
#[tracing::instrument(name = "db.clock.running_after", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn running_after(tx: &mut TenantTx, after: Uuid, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select distinct ticket_id from clock where tenant_id = $1 and fires_at is not null and ticket_id > $2 order by ticket_id limit $3",
    )
    .bind(tx.tenant())
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// Clocks of the district that have something to say, oldest first.
#[tracing::instrument(name = "db.clock.speaking", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn speaking(tx: &mut TenantTx, limit: i64) -> sqlx::Result<Vec<(Uuid, String, i32)>> {
    let now = tx.now().to_sqlx();
    sqlx::query_as(
        "select ticket_id, name, round from clock
         where tenant_id = $1 and fires_at <= $2 order by fires_at limit $3",
    )
    .bind(tx.tenant())
    .bind(now)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}
