//! Questions to the table of facts.

use drumtower_proto::ticketing::FigureGroup;
use drumtower_runtime::{Fault, TenantTx};
use jiff_sqlx::ToSqlx as _;
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::{self, Counted, Definition, Period};
use crate::ticket::rules::{Change, Fact, Moved, Ticket, facts, moved};

/// What happened in one version of a request.
#[derive(Debug, Clone)]
pub struct Happened {
    pub ticket: Uuid,
    pub version: i64,
    pub at: jiff::Timestamp,
    pub facts: Vec<Fact>,
    pub moved: Vec<Moved>,
}

impl Happened {
    /// What a change that was just made brought about.
    pub fn of(ticket: Uuid, before: &Ticket, after: &Ticket, change: &Change) -> Self {
        let (version, at) = (after.version, after.updated_at);
        Self { ticket, version, at, facts: facts(before, after, change), moved: moved(before, after) }
    }
}

/// Keeps what happened in some versions of requests. What is kept already stays as it is.
pub async fn insert(tx: &mut TenantTx, happened: &[Happened]) -> sqlx::Result<()> {
    let now = tx.now();
    let (late, lately): (Vec<&Happened>, Vec<&Happened>) = happened.iter().partition(|one| rules::late(one.at, now));
    insert_facts(tx, &lately, false).await?;
    insert_facts(tx, &late, true).await?;
    insert_moved(tx, happened).await
}

/// Facts. Of days that may have been added up already, what is new is noted to be added.
#[tracing::instrument(name = "db.fact.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn insert_facts(tx: &mut TenantTx, happened: &[&Happened], late: bool) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    let rows: Vec<_> = happened.iter().flat_map(|one| one.facts.iter().zip(0i16..).map(move |(fact, place)| (one, fact, place))).collect();
    for chunk in rows.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new(if late { "with f as (" } else { "" });
        insert.push("insert into fact (tenant_id, ticket_id, version, place, name, unit_id, value, at) ");
        insert.push_values(chunk, |mut row, (one, fact, place)| {
            row.push_bind(tenant).push_bind(one.ticket).push_bind(one.version).push_bind(place).push_bind(fact.name);
            row.push_bind(fact.unit).push_bind(fact.value).push_bind(one.at.to_sqlx());
        });
        insert.push(" on conflict do nothing");
        if late {
            insert
                .push(" returning name, value, at) insert into fact_late (tenant_id, id, name, value, day, count) select ")
                .push_bind(tenant);
            insert.push(", ").push_bind(Uuid::now_v7());
            insert.push(", name, value, (at at time zone 'Asia/Shanghai')::date as day, count(*) from f where name = any(");
            insert.push_bind(rules::ADDED_UP).push(") group by name, value, day");
        }
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

#[tracing::instrument(name = "db.clock.past", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn insert_moved(tx: &mut TenantTx, happened: &[Happened]) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    let rows: Vec<_> = happened.iter().flat_map(|one| one.moved.iter().map(move |moved| (one, moved))).collect();
    for chunk in rows.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new("insert into clock_past (tenant_id, ticket_id, name, round, until, due_at) ");
        insert.push_values(chunk, |mut row, (one, moved)| {
            row.push_bind(tenant).push_bind(one.ticket).push_bind(moved.name.text()).push_bind(moved.round);
            row.push_bind(one.at.to_sqlx()).push_bind(moved.due_at.map(|at| at.to_sqlx()));
        });
        // Two in the same moment: what was due until then is what the first says.
        insert.push(" on conflict do nothing");
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

/// A row behind a figure.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub ticket_id: Uuid,
    pub number: String,
    pub unit_id: Option<Uuid>,
    pub at: jiff_sqlx::Timestamp,
    pub counts: bool,
    pub excluded: bool,
}

/// The rows of a figure with what is needed to group them. Built of constants only.
pub fn rows(figure: &Definition) -> String {
    format!(
        "select r.ticket_id, t.number, r.unit_id, r.at, r.counts, t.kind, t.building_id, t.zone_id,
           exists (select 1 from fact x where x.tenant_id = $1 and x.ticket_id = r.ticket_id and x.name = 'EXCLUDE' and x.at <= $4) as excluded
         from ({}) r join ticket t on t.tenant_id = $1 and t.id = r.ticket_id",
        figure.rows
    )
}

/// Counts of a figure, by group.
#[tracing::instrument(name = "db.figure.count", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn count(tx: &mut TenantTx, figure: &Definition, period: Period, by: FigureGroup) -> sqlx::Result<Vec<(String, Counted)>> {
    let text = format!(
        "select {} as key, count(*) filter (where counts and not excluded), count(*) filter (where not excluded),
           count(*) filter (where counts), count(*) from ({}) g group by key order by key",
        group(by),
        rows(figure)
    );
    let found: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(AssertSqlSafe(text))
        .bind(tx.tenant())
        .bind(period.from.to_sqlx())
        .bind(period.before.to_sqlx())
        .bind(period.as_of.to_sqlx())
        .fetch_all(tx.conn())
        .await?;
    let counted = |(key, numerator, denominator, numerator_all, denominator_all)| {
        (key, Counted { numerator, denominator, numerator_all, denominator_all })
    };
    Ok(found.into_iter().map(counted).collect())
}

/// A clock's name, the group, how many, median and 90th percentile in seconds.
pub type Lasted = (String, String, i64, i64, i64);

/// How long clocks ran that stopped in a time.
#[tracing::instrument(name = "db.figure.durations", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn durations(tx: &mut TenantTx, period: Period, by: FigureGroup) -> sqlx::Result<Vec<Lasted>> {
    let text = format!(
        "select name, {} as key, count(*), percentile_disc(0.5) within group (order by seconds), percentile_disc(0.9) within group (order by seconds)
         from (select c.name, coalesce(c.unit_id, t.lead_unit_id) as unit_id, t.kind, t.building_id, t.zone_id,
                 extract(epoch from c.stopped_at - c.started_at)::int8 as seconds
               from clock c join ticket t on t.tenant_id = $1 and t.id = c.ticket_id
               where c.tenant_id = $1 and c.stopped_at >= $2 and c.stopped_at < $3 and c.name = any($4)) d
         group by name, key order by name, key",
        group(by)
    );
    let names = ["C1", "C2", "C3", "C4", "C5", "C7", "C8", "C9", "B1", "B4"];
    sqlx::query_as(AssertSqlSafe(text))
        .bind(tx.tenant())
        .bind(period.from.to_sqlx())
        .bind(period.before.to_sqlx())
        .bind(names)
        .fetch_all(tx.conn())
        .await
}

/// What rows are grouped by.
fn group(by: FigureGroup) -> &'static str {
    match by {
        FigureGroup::Unspecified => "''",
        FigureGroup::Unit => "coalesce(unit_id::text, '')",
        FigureGroup::Kind => "kind::text",
        FigureGroup::Building => "coalesce(building_id::text, '')",
        FigureGroup::Zone => "coalesce(zone_id::text, '')",
    }
}

/// Where a page of rows begins: after this request, time and unit.
pub type After = Option<(Uuid, jiff::Timestamp, Uuid)>;

/// A page of the rows behind a figure, by request.
#[tracing::instrument(name = "db.figure.list", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn list(tx: &mut TenantTx, figure: &Definition, period: Period, after: After, limit: i64) -> Result<Vec<Row>, Fault> {
    let text = format!(
        "select ticket_id, number, unit_id, at, counts, excluded from ({}) g
         where $5::uuid is null or (ticket_id, at, coalesce(unit_id, $8)) > ($5, $6::timestamptz, $7::uuid)
         order by ticket_id, at, coalesce(unit_id, $8) limit $9",
        rows(figure)
    );
    let (ticket, at, unit) = after.map_or((None, None, None), |(ticket, at, unit)| (Some(ticket), Some(at.to_sqlx()), Some(unit)));
    Ok(sqlx::query_as(AssertSqlSafe(text))
        .bind(tx.tenant())
        .bind(period.from.to_sqlx())
        .bind(period.before.to_sqlx())
        .bind(period.as_of.to_sqlx())
        .bind(ticket)
        .bind(at)
        .bind(unit)
        .bind(Uuid::nil())
        .bind(limit)
        .fetch_all(tx.conn())
        .await?)
}

/// Requests of before facts were kept, after an id; some.
#[tracing::instrument(name = "db.fact.uncounted", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn uncounted(tx: &mut TenantTx, after: Uuid, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar("select id from ticket where tenant_id = $1 and not counted and id > $2 order by id limit $3")
        .bind(tx.tenant())
        .bind(after)
        .bind(limit)
        .fetch_all(tx.conn())
        .await
}

#[tracing::instrument(name = "db.fact.counted", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn counted(tx: &mut TenantTx, ticket: Uuid) -> sqlx::Result<()> {
    sqlx::query("update ticket set counted = true where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(ticket)
        .execute(tx.conn())
        .await?;
    Ok(())
}
