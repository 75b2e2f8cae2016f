//! Questions to obligations, reminders, and when each district was evaluated.

mod facts;

use std::collections::{BTreeMap, BTreeSet};

use drumtower_proto::party::{Obligation, obligation::State};
use drumtower_runtime::TenantTx;
use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::{New, Reminder, Stored};
use crate::day;

pub use facts::facts;

/// Rows of one statement: far below PostgreSQL's 65,535 parameters.
const ROWS: usize = 2_000;

/// An obligation with the number of its reminders.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    pub rule: String,
    pub organisation_id: Uuid,
    pub period: String,
    pub due_on: jiff_sqlx::Date,
    pub state: i16,
    pub severity: i16,
    pub text_zh: String,
    pub text_en: String,
    pub waiver_reason: String,
    pub waived_until: Option<jiff_sqlx::Date>,
    pub version: i64,
    pub reminders: i64,
}

impl Row {
    /// Where it stands.
    pub fn state(&self) -> State {
        State::try_from(i32::from(self.state)).unwrap_or_default()
    }
}

impl From<Row> for Obligation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            organisation_id: row.organisation_id.to_string(),
            due_on: row.due_on.to_jiff().to_string(),
            state: i32::from(row.state),
            severity: i32::from(row.severity),
            waived_until: day::text(row.waived_until.map(jiff_sqlx::Date::to_jiff)),
            reminders: i32::try_from(row.reminders).unwrap_or(i32::MAX),
            etag: row.version.to_string(),
            rule: row.rule,
            period: row.period,
            text_zh: row.text_zh,
            text_en: row.text_en,
            waiver_reason: row.waiver_reason,
        }
    }
}

/// Which obligations to list.
#[derive(Debug)]
pub struct Asked {
    /// Of every organisation, not only of those named.
    pub all: bool,
    /// Of these organisations.
    pub organisations: Vec<Uuid>,
    /// In these states.
    pub states: Vec<i16>,
    /// Due on this day or later.
    pub due_from: Option<Date>,
    /// After this one.
    pub after: Option<(Date, Uuid)>,
    /// At most so many.
    pub limit: i64,
}

#[tracing::instrument(name = "db.obligation.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select o.id, o.rule, o.organisation_id, o.period, o.due_on, o.state, o.severity, o.text_zh, o.text_en, o.waiver_reason,
                o.waived_until, o.version,
                (select count(*) from reminder r where r.tenant_id = $1 and r.obligation_id = o.id) as reminders
         from obligation o where o.tenant_id = $1 and o.id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// Obligations, those due first.
#[tracing::instrument(name = "db.obligation.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page(tx: &mut TenantTx, asked: &Asked) -> sqlx::Result<Vec<Row>> {
    let (due_on, id) = asked.after.unzip();
    sqlx::query_as(
        "select o.id, o.rule, o.organisation_id, o.period, o.due_on, o.state, o.severity, o.text_zh, o.text_en, o.waiver_reason,
                o.waived_until, o.version,
                (select count(*) from reminder r where r.tenant_id = $1 and r.obligation_id = o.id) as reminders
         from obligation o
         where o.tenant_id = $1 and ($2 or o.organisation_id = any($3)) and o.state = any($4)
           and ($5::date is null or (o.due_on, o.id) > ($5, $6::uuid)) and ($8::date is null or o.due_on >= $8)
         order by o.due_on, o.id limit $7",
    )
    .bind(tx.tenant())
    .bind(asked.all)
    .bind(&asked.organisations)
    .bind(&asked.states)
    .bind(due_on.map(|day| day.to_sqlx()))
    .bind(id)
    .bind(asked.limit)
    .bind(asked.due_from.map(|day| day.to_sqlx()))
    .fetch_all(tx.conn())
    .await
}

/// Nobody else moves it until this transaction ends.
#[tracing::instrument(name = "db.obligation.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = sqlx::query_as("select version from obligation where tenant_id = $1 and id = $2 for update")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|(version,)| version))
}

#[tracing::instrument(name = "db.obligation.waive", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn waive(tx: &mut TenantTx, id: Uuid, reason: &str, by: &str, until: Date) -> sqlx::Result<()> {
    sqlx::query(
        "update obligation set state = $3, waiver_reason = $4, waived_by = $5, waived_until = $6, version = version + 1
         where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(State::Waived as i16)
    .bind(reason)
    .bind(by)
    .bind(until.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[derive(Debug, sqlx::FromRow)]
struct Kept {
    id: Uuid,
    rule: String,
    organisation_id: Uuid,
    period: String,
    due_on: jiff_sqlx::Date,
    state: i16,
    waived_until: Option<jiff_sqlx::Date>,
    version: i64,
}

/// Obligations of some organisations that are not finished or were due since a day, locked until the transaction ends.
#[tracing::instrument(name = "db.obligation.to_look_at", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn to_look_at(tx: &mut TenantTx, organisations: &[Uuid], since: Date) -> sqlx::Result<Vec<Stored>> {
    let rows: Vec<Kept> = sqlx::query_as(
        "select id, rule, organisation_id, period, due_on, state, waived_until, version from obligation
         where tenant_id = $1 and organisation_id = any($2) and (due_on >= $3 or state = any($4))
         order by id for update",
    )
    .bind(tx.tenant())
    .bind(organisations)
    .bind(since.to_sqlx())
    .bind([State::Open as i16, State::Overdue as i16, State::Waived as i16])
    .fetch_all(tx.conn())
    .await?;
    let unfinished = |row: &&Kept| ![State::Fulfilled as i16, State::Superseded as i16].contains(&row.state);
    let ids: Vec<Uuid> = rows.iter().filter(unfinished).map(|row| row.id).collect();
    let mut sent = sent(tx, &ids).await?;
    let stored = |row: Kept| Stored {
        sent: sent.remove(&row.id).unwrap_or_default(),
        id: row.id,
        rule: row.rule,
        organisation: row.organisation_id,
        period: row.period,
        due_on: row.due_on.to_jiff(),
        state: State::try_from(i32::from(row.state)).unwrap_or_default(),
        waived_until: row.waived_until.map(jiff_sqlx::Date::to_jiff),
        version: row.version,
    };
    Ok(rows.into_iter().map(stored).collect())
}

#[tracing::instrument(name = "db.obligation.sent", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn sent(tx: &mut TenantTx, obligations: &[Uuid]) -> sqlx::Result<BTreeMap<Uuid, BTreeSet<String>>> {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("select obligation_id, step from reminder where tenant_id = $1 and obligation_id = any($2)")
            .bind(tx.tenant())
            .bind(obligations)
            .fetch_all(tx.conn())
            .await?;
    let mut sent: BTreeMap<Uuid, BTreeSet<String>> = BTreeMap::new();
    for (obligation, step) in rows {
        sent.entry(obligation).or_default().insert(step);
    }
    Ok(sent)
}

/// Writes obligations down; those that were new indeed.
#[tracing::instrument(name = "db.obligation.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &[New<'_>]) -> sqlx::Result<BTreeSet<Uuid>> {
    let (tenant, now) = (tx.tenant(), tx.now().to_sqlx());
    let mut written = BTreeSet::new();
    for some in new.chunks(ROWS) {
        let mut insert = QueryBuilder::<Postgres>::new(
            "insert into obligation (tenant_id, id, rule, organisation_id, period, due_on, state, severity, text_zh, text_en,
                                     waiver_reason, waived_by, version, created_at) ",
        );
        insert.push_values(some, |mut row, new| {
            row.push_bind(tenant)
                .push_bind(new.id)
                .push_bind(&new.due.rule.code)
                .push_bind(new.due.organisation)
                .push_bind(&new.due.period)
                .push_bind(new.due.due_on.to_sqlx())
                .push_bind(new.state as i16)
                .push_bind(new.due.rule.severity)
                .push_bind(&new.due.rule.text_zh)
                .push_bind(&new.due.rule.text_en)
                .push_bind("")
                .push_bind("")
                .push_bind(1_i64)
                .push_bind(now);
        });
        insert.push(" on conflict (tenant_id, rule, organisation_id, period) do nothing returning id");
        let rows: Vec<(Uuid,)> = insert.build_query_as().fetch_all(tx.conn()).await?;
        written.extend(rows.into_iter().map(|(id,)| id));
    }
    Ok(written)
}

/// Moves obligations, locked before, to another state.
#[tracing::instrument(name = "db.obligation.stand", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn stand(tx: &mut TenantTx, ids: &[Uuid], state: State) -> sqlx::Result<()> {
    sqlx::query("update obligation set state = $3, version = version + 1 where tenant_id = $1 and id = any($2)")
        .bind(tx.tenant())
        .bind(ids)
        .bind(state as i16)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Notes reminders as sent; those that nobody had sent before.
#[tracing::instrument(name = "db.obligation.remind", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn remind(tx: &mut TenantTx, reminders: &[&Reminder]) -> sqlx::Result<BTreeSet<(Uuid, String)>> {
    let (tenant, now) = (tx.tenant(), tx.now().to_sqlx());
    let mut noted = BTreeSet::new();
    for some in reminders.chunks(ROWS) {
        let mut insert = QueryBuilder::<Postgres>::new("insert into reminder (tenant_id, obligation_id, step, sent_at) ");
        insert.push_values(some, |mut row, reminder| {
            row.push_bind(tenant).push_bind(reminder.obligation).push_bind(&reminder.step).push_bind(now);
        });
        insert.push(" on conflict (tenant_id, obligation_id, step) do nothing returning obligation_id, step");
        let rows: Vec<(Uuid, String)> = insert.build_query_as().fetch_all(tx.conn()).await?;
        noted.extend(rows);
    }
    Ok(noted)
}

/// Counts a change of what obligations rest on; locks the district's row until the commit, so it comes last in a transaction.
#[tracing::instrument(name = "db.obligation.changed", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn changed(tx: &mut TenantTx) -> sqlx::Result<()> {
    sqlx::query(
        "insert into evaluation as known (tenant_id, changes, seen, evaluated_at) values ($1, 1, 0, $2)
         on conflict (tenant_id) do update set changes = known.changes + excluded.changes",
    )
    .bind(tx.tenant())
    .bind(Timestamp::UNIX_EPOCH.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many changes were counted.
#[tracing::instrument(name = "db.obligation.changes", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn changes(tx: &mut TenantTx) -> sqlx::Result<i64> {
    let row: Option<(i64,)> =
        sqlx::query_as("select changes from evaluation where tenant_id = $1").bind(tx.tenant()).fetch_optional(tx.conn()).await?;
    Ok(row.map_or(0, |(changes,)| changes))
}

/// The district was evaluated with the changes counted so far; later ones call for another evaluation.
#[tracing::instrument(name = "db.obligation.evaluated", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn evaluated(tx: &mut TenantTx, seen: i64) -> sqlx::Result<()> {
    sqlx::query("update evaluation set seen = $2, evaluated_at = $3 where tenant_id = $1 and evaluated_at <= $3")
        .bind(tx.tenant())
        .bind(seen)
        .bind(tx.now().to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}
