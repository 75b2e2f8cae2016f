//! What live counters tell of all time: each day that is over is added up once, an hour after it ended, and what is loaded of earlier days
//! later goes in after it. Who changes a request counts nothing up, so that nobody waits for a counter; a number of all time is what was
//! added up, what came late, and the facts since, seen at one moment.

use std::time::Duration;

use drumtower_runtime::{
    Call, Clock as Time, Db, Fault, TenantTx,
    calendar::{start_of, today},
};
use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Date};
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules;

/// How often days are looked for that are over.
const EVERY: Duration = Duration::from_secs(10);
/// Days added up in one transaction.
const DAYS: i32 = 31;
/// Requests submitted, beside the names of facts.
pub const SUBMIT: &str = "SUBMIT";

/// Runs until the process ends. Of two processes that add up the same the second finds it done.
pub async fn keep_adding(db: Db, time: Time) {
    loop {
        for tenant in districts(&db, &time).await.unwrap_or_default() {
            if let Err(error) = add_up(&db, &time, tenant).await {
                tracing::warn!(tenant, ?error, "days are added up later");
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Districts with requests: from one to the next by the index, whatever each of them holds.
async fn districts(db: &Db, time: &Time) -> Result<Vec<i32>, Fault> {
    let found = db
        .sweep(
            "with recursive d as ((select tenant_id, submitted_at from ticket order by tenant_id limit 1)
             union all select n.tenant_id, n.submitted_at from d cross join lateral
               (select tenant_id, submitted_at from ticket where tenant_id > d.tenant_id order by tenant_id limit 1) n)
             select tenant_id, count(*) from d where submitted_at <= $1 group by tenant_id order by tenant_id",
            time.now() + SignedDuration::from_hours(24),
        )
        .await?;
    Ok(found.into_iter().map(|(tenant, _)| tenant).collect())
}

/// Adds up a district's days until none is left.
async fn add_up(db: &Db, time: &Time, tenant: i32) -> Result<(), Fault> {
    let call = || Call::of_service("ticketing", tenant, time.now(), Duration::from_secs(30));
    // Mostly there is nothing to add, and looking writes nothing.
    if !due(&mut db.read(&call()).await?).await? {
        return Ok(());
    }
    loop {
        let mut tx = db.write(&call()).await?;
        at_one_moment(&mut tx).await?;
        let settled = rules::settled(tx.now());
        let (from, new) = match until_locked(&mut tx).await? {
            Some(from) => (from, false),
            None => (first_day(&mut tx).await?.map_or(settled, |day| day.min(settled)), true),
        };
        let before = settled.min(from.saturating_add(DAYS.days()));
        if new || from < before {
            add_days(&mut tx, from, before).await?;
            move_on(&mut tx, before).await?;
        }
        add_late(&mut tx, from, before).await?;
        tx.done().await?;
        if before == settled {
            return Ok(());
        }
    }
}

/// Whether there are days to add up, or something that came late of those that were.
#[tracing::instrument(name = "db.fact_until.due", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn due(tx: &mut TenantTx) -> sqlx::Result<bool> {
    let settled = rules::settled(tx.now());
    sqlx::query_scalar(
        "select not exists (select 1 from fact_until where tenant_id = $1 and day >= $2)
           or exists (select 1 from fact_late where tenant_id = $1 and day < $2)",
    )
    .bind(tx.tenant())
    .bind(settled.to_sqlx())
    .fetch_one(tx.conn())
    .await
}

/// All questions of a transaction see the same moment.
pub async fn at_one_moment(tx: &mut TenantTx) -> sqlx::Result<()> {
    sqlx::raw_sql("set transaction isolation level repeatable read").execute(tx.conn()).await.map(drop)
}

/// The first day that was not added up, locked until the transaction ends.
#[tracing::instrument(name = "db.fact_until.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn until_locked(tx: &mut TenantTx) -> sqlx::Result<Option<Date>> {
    let day: Option<jiff_sqlx::Date> = sqlx::query_scalar("select day from fact_until where tenant_id = $1 for update")
        .bind(tx.tenant())
        .fetch_optional(tx.conn())
        .await?;
    Ok(day.map(jiff_sqlx::Date::to_jiff))
}

/// The first day that was not added up.
#[tracing::instrument(name = "db.fact_until.day", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn until(tx: &mut TenantTx) -> sqlx::Result<Option<Date>> {
    let day: Option<jiff_sqlx::Date> =
        sqlx::query_scalar("select day from fact_until where tenant_id = $1").bind(tx.tenant()).fetch_optional(tx.conn()).await?;
    Ok(day.map(jiff_sqlx::Date::to_jiff))
}

/// The day of the first request: nothing happened before it.
#[tracing::instrument(name = "db.ticket.first_day", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn first_day(tx: &mut TenantTx) -> sqlx::Result<Option<Date>> {
    let first: Option<jiff_sqlx::Timestamp> =
        sqlx::query_scalar("select min(submitted_at) from ticket where tenant_id = $1").bind(tx.tenant()).fetch_one(tx.conn()).await?;
    Ok(first.map(|at| today(at.to_jiff())))
}

/// Adds up some days. What came late of them is counted with the rest.
#[tracing::instrument(name = "db.fact_sum.add", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn add_days(tx: &mut TenantTx, from: Date, before: Date) -> sqlx::Result<()> {
    sqlx::query(
        "insert into fact_sum as s (tenant_id, name, value, count)
         select f.tenant_id, f.name, f.value, count(*) from fact f
         where f.tenant_id = $1 and f.name = any($2) and f.at >= $3 and f.at < $4 group by f.tenant_id, f.name, f.value
         union all
         select t.tenant_id, $5, 0, count(*) from ticket t
         where t.tenant_id = $1 and t.submitted_at >= $3 and t.submitted_at < $4 group by t.tenant_id
         on conflict (tenant_id, name, value) do update set count = s.count + excluded.count",
    )
    .bind(tx.tenant())
    .bind(rules::ADDED_UP)
    .bind(start_of(from).to_sqlx())
    .bind(start_of(before).to_sqlx())
    .bind(SUBMIT)
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[tracing::instrument(name = "db.fact_until.move_on", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn move_on(tx: &mut TenantTx, before: Date) -> sqlx::Result<()> {
    sqlx::query("insert into fact_until (tenant_id, day) values ($1, $2) on conflict (tenant_id) do update set day = excluded.day")
        .bind(tx.tenant())
        .bind(before.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What came late of days that were added up before `from` goes in; of those that were just added up it is in already.
#[tracing::instrument(name = "db.fact_late.add", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn add_late(tx: &mut TenantTx, from: Date, before: Date) -> sqlx::Result<()> {
    sqlx::query(
        "with gone as (delete from fact_late where tenant_id = $1 and day < $3 returning tenant_id, name, value, day, count)
         insert into fact_sum as s (tenant_id, name, value, count)
         select tenant_id, name, value, sum(count) from gone where tenant_id = $1 and day < $2 group by tenant_id, name, value
         on conflict (tenant_id, name, value) do update set count = s.count + excluded.count",
    )
    .bind(tx.tenant())
    .bind(from.to_sqlx())
    .bind(before.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Past requests were loaded: of days that may have been added up already they are noted to be added.
#[tracing::instrument(name = "db.fact_late.submitted", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn submitted(tx: &mut TenantTx, at: &[Timestamp]) -> sqlx::Result<()> {
    let (tenant, now, id) = (tx.tenant(), tx.now(), Uuid::now_v7());
    let mut days = std::collections::BTreeMap::<Date, i64>::new();
    for at in at.iter().filter(|at| rules::late(**at, now)) {
        *days.entry(today(*at)).or_default() += 1;
    }
    let days: Vec<(Date, i64)> = days.into_iter().collect();
    for chunk in days.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new("insert into fact_late (tenant_id, id, name, value, day, count) ");
        insert.push_values(chunk, |mut row, (day, count)| {
            row.push_bind(tenant).push_bind(id).push_bind(SUBMIT).push_bind(0).push_bind(day.to_sqlx()).push_bind(*count);
        });
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}
