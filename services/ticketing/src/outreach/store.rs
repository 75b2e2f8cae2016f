//! Questions to the tables of direct calls, service days and discussions, and to those they share. The table's name is a noun's own constant.

use drumtower_runtime::{Fault, Reach, Refusal, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Kept, Noun};
use crate::ticket::store::small;

/// What happened, and who the history says did it for which unit with which words.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub verb: &'static str,
    pub by: &'a str,
    pub unit: Option<Uuid>,
    pub text: &'a str,
}

/// A row as stored.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: Uuid,
    version: i64,
    facts: String,
}

impl Row {
    fn kept<T: Noun>(self) -> Result<Kept<T>, Fault> {
        let thing = serde_json::from_str(&self.facts).map_err(|error| Fault::broken(error.to_string()))?;
        Ok(Kept { id: self.id, version: self.version, thing })
    }
}

fn facts<T: Noun>(thing: &T) -> Result<String, Fault> {
    serde_json::to_string(thing).map_err(|error| Fault::broken(error.to_string()))
}

/// A new thing with its first event; those concerned see it.
#[tracing::instrument(name = "db.outreach.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert<T: Noun>(tx: &mut TenantTx, id: Uuid, thing: T, said: Said<'_>) -> Result<Kept<T>, Fault> {
    let kept = Kept { id, version: 1, thing };
    let text = format!("insert into {} (tenant_id, id, state, at, facts, version) values ($1, $2, $3, $4, $5, 1)", T::NAME);
    sqlx::query(AssertSqlSafe(text))
        .bind(tx.tenant())
        .bind(id)
        .bind(small(kept.thing.state()))
        .bind(kept.thing.at().to_sqlx())
        .bind(facts(&kept.thing)?)
        .execute(tx.conn())
        .await?;
    admit(tx, &kept, &kept.thing.parties()).await?;
    happened(tx, id, 1, said).await?;
    due(tx, &kept).await?;
    Ok(kept)
}

/// A thing after a change, with the event of it.
#[tracing::instrument(name = "db.outreach.save", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn save<T: Noun>(tx: &mut TenantTx, before: &Kept<T>, after: T, said: Said<'_>) -> Result<Kept<T>, Fault> {
    let kept = Kept { id: before.id, version: before.version + 1, thing: after };
    let text = format!("update {} set state = $3, facts = $4, version = $5 where tenant_id = $1 and id = $2", T::NAME);
    sqlx::query(AssertSqlSafe(text))
        .bind(tx.tenant())
        .bind(kept.id)
        .bind(small(kept.thing.state()))
        .bind(facts(&kept.thing)?)
        .bind(kept.version)
        .execute(tx.conn())
        .await?;
    if kept.thing.state() != before.thing.state() {
        stands(tx, &kept).await?;
    }
    happened(tx, kept.id, kept.version, said).await?;
    due(tx, &kept).await?;
    Ok(kept)
}

/// How it stands now, for the lists of those who see it.
#[tracing::instrument(name = "db.outreach.stands", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn stands<T: Noun>(tx: &mut TenantTx, kept: &Kept<T>) -> sqlx::Result<()> {
    sqlx::query("update outreach_party set state = $3 where tenant_id = $1 and subject_id = $2")
        .bind(tx.tenant())
        .bind(kept.id)
        .bind(small(kept.thing.state()))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Lets units and companies see a thing. Who sees it already does so once.
#[tracing::instrument(name = "db.outreach.admit", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn admit<T: Noun>(tx: &mut TenantTx, kept: &Kept<T>, parties: &[Uuid]) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    for chunk in parties.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new("insert into outreach_party (tenant_id, noun, party_id, at, subject_id, state) ");
        insert.push_values(chunk, |mut row, party| {
            row.push_bind(tenant).push_bind(T::NAME).push_bind(party).push_bind(kept.thing.at().to_sqlx()).push_bind(kept.id);
            row.push_bind(small(kept.thing.state()));
        });
        insert.push(" on conflict do nothing");
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

/// One event of the history.
#[tracing::instrument(name = "db.outreach.happened", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn happened(tx: &mut TenantTx, subject: Uuid, version: i64, said: Said<'_>) -> sqlx::Result<()> {
    let now = tx.now().to_sqlx();
    sqlx::query(
        "insert into outreach_event (tenant_id, subject_id, version, id, verb, actor, unit_id, text, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tx.tenant())
    .bind(subject)
    .bind(version)
    .bind(Uuid::now_v7())
    .bind(said.verb)
    .bind(said.by)
    .bind(said.unit)
    .bind(said.text)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When its clocks next speak.
#[tracing::instrument(name = "db.outreach.due", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn due<T: Noun>(tx: &mut TenantTx, kept: &Kept<T>) -> sqlx::Result<()> {
    let clocks = kept.thing.clocks();
    if clocks.is_empty() {
        return Ok(());
    }
    let tenant = tx.tenant();
    let mut insert = QueryBuilder::<Postgres>::new("insert into outreach_due as d (tenant_id, subject_id, number, noun, fires_at) ");
    insert.push_values(clocks, |mut row, (number, clock)| {
        row.push_bind(tenant).push_bind(kept.id).push_bind(number).push_bind(T::NAME).push_bind(clock.fires_at().map(|at| at.to_sqlx()));
    });
    insert.push(
        " on conflict (tenant_id, subject_id, number) do update set fires_at = excluded.fires_at
          where d.fires_at is distinct from excluded.fires_at",
    );
    insert.build().execute(tx.conn()).await?;
    Ok(())
}

/// A thing as it stands.
#[tracing::instrument(name = "db.outreach.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id<T: Noun>(tx: &mut TenantTx, id: Uuid) -> Result<Kept<T>, Fault> {
    one(tx, format!("select id, version, facts from {} where tenant_id = $1 and id = $2", T::NAME), id).await
}

/// A thing as it stands, locked until the transaction ends.
#[tracing::instrument(name = "db.outreach.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock<T: Noun>(tx: &mut TenantTx, id: Uuid) -> Result<Kept<T>, Fault> {
    one(tx, format!("select id, version, facts from {} where tenant_id = $1 and id = $2 for update", T::NAME), id).await
}

async fn one<T: Noun>(tx: &mut TenantTx, text: String, id: Uuid) -> Result<Kept<T>, Fault> {
    let found: Option<Row> = sqlx::query_as(AssertSqlSafe(text)).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    found.ok_or_else(|| Refusal::not_found(T::NAME))?.kept()
}

/// Those of some things that nobody else holds, locked until the transaction ends.
#[tracing::instrument(name = "db.outreach.lock_free", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock_free<T: Noun>(tx: &mut TenantTx, ids: &[Uuid]) -> Result<Vec<Kept<T>>, Fault> {
    let text =
        format!("select id, version, facts from {} where tenant_id = $1 and id = any($2) order by id for update skip locked", T::NAME);
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(text)).bind(tx.tenant()).bind(ids).fetch_all(tx.conn()).await?;
    rows.into_iter().map(Row::kept).collect()
}

/// Clocks of the district that have something to say, oldest first: of what, their number, which kind of thing.
#[tracing::instrument(name = "db.outreach.speaking", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn speaking(tx: &mut TenantTx, limit: i64) -> sqlx::Result<Vec<(Uuid, i32, String)>> {
    let now = tx.now().to_sqlx();
    sqlx::query_as("select subject_id, number, noun from outreach_due where tenant_id = $1 and fires_at <= $2 order by fires_at limit $3")
        .bind(tx.tenant())
        .bind(now)
        .bind(limit)
        .fetch_all(tx.conn())
        .await
}

/// Things of a kind with a clock that runs, by id; a page.
#[tracing::instrument(name = "db.outreach.running_after", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn running_after(tx: &mut TenantTx, noun: &str, after: Uuid, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select distinct subject_id from outreach_due
         where tenant_id = $1 and noun = $2 and fires_at is not null and subject_id > $3 order by subject_id limit $4",
    )
    .bind(tx.tenant())
    .bind(noun)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// An event as stored.
#[derive(Debug, sqlx::FromRow)]
pub struct Told {
    pub version: i64,
    pub verb: String,
    pub actor: String,
    pub unit_id: Option<Uuid>,
    pub text: String,
    pub at: jiff_sqlx::Timestamp,
}

/// What happened to a thing, oldest first; the first thousand.
#[tracing::instrument(name = "db.outreach.events", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn events(tx: &mut TenantTx, subject: Uuid) -> sqlx::Result<Vec<Told>> {
    sqlx::query_as(
        "select version, verb, actor, unit_id, text, at from outreach_event
         where tenant_id = $1 and subject_id = $2 order by version, id limit 1000",
    )
    .bind(tx.tenant())
    .bind(subject)
    .fetch_all(tx.conn())
    .await
}

/// Where a page begins.
pub type After = Option<(Timestamp, Uuid)>;

/// One page of things, newest first: all, or those that the caller's units and company see, read party by party from an index in the
/// list's order.
#[tracing::instrument(name = "db.outreach.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page<T: Noun>(tx: &mut TenantTx, state: i32, reach: &Reach, after: After, limit: i64) -> Result<Vec<Kept<T>>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(format!("select r.id, r.version, r.facts from {} r where r.tenant_id = ", T::NAME));
    query.push_bind(tx.tenant());
    if reach.all {
        narrowed(&mut query, state, after, ("r.state", "r.at", "r.id"));
    } else {
        let parties: Vec<Uuid> = reach.nodes.iter().copied().chain(reach.enterprise).collect();
        query.push(" and r.id in (select n.subject_id from unnest(").push_bind(parties).push("::uuid[]) u (id)");
        query.push(" cross join lateral (select p.subject_id from outreach_party p where p.tenant_id = ").push_bind(tx.tenant());
        query.push(" and p.noun = ").push_bind(T::NAME).push(" and p.party_id = u.id");
        narrowed(&mut query, state, after, ("p.state", "p.at", "p.subject_id"));
        query.push(" order by p.at desc, p.subject_id desc limit ").push_bind(limit).push(") n)");
    }
    query.push(" order by r.at desc, r.id desc limit ").push_bind(limit);
    let rows = query.build_query_as::<Row>().fetch_all(tx.conn()).await?;
    rows.into_iter().map(Row::kept).collect()
}

fn narrowed(query: &mut QueryBuilder<Postgres>, state: i32, after: After, (of_state, of_at, of_id): (&str, &str, &str)) {
    if state != 0 {
        query.push(format!(" and {of_state} = ")).push_bind(small(state));
    }
    if let Some((at, id)) = after {
        query.push(format!(" and ({of_at}, {of_id}) < (")).push_bind(at.to_sqlx()).push(", ").push_bind(id).push(")");
    }
}
