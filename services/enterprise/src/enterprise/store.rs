//! Questions to the tables of companies.

use std::collections::BTreeSet;

use drumtower_proto::enterprise::{Enterprise, EnterpriseChange};
use drumtower_runtime::{TenantTx, calendar, clock::to_proto};
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::{self, Changed, Company, grams, normalise, telling};
use crate::day;

/// A company as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    pub credit_code: Option<String>,
    pub code_state: i16,
    pub name: String,
    pub short_name: String,
    pub kind: i16,
    pub status: i16,
    pub industry: String,
    pub capital_wan: f64,
    pub established_on: Option<jiff_sqlx::Date>,
    former: String,
    pub version: i64,
    updated_at: jiff_sqlx::Timestamp,
    building_id: Option<Uuid>,
}

impl From<Row> for Enterprise {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            credit_code: row.credit_code.unwrap_or_default(),
            code_state: i32::from(row.code_state),
            name: row.name,
            short_name: row.short_name,
            kind: i32::from(row.kind),
            status: i32::from(row.status),
            industry: row.industry,
            capital_wan: row.capital_wan,
            established_on: day::text(row.established_on),
            building_id: row.building_id.map(|id| id.to_string()).unwrap_or_default(),
            etag: row.version.to_string(),
            updated_at: Some(to_proto(row.updated_at.to_jiff())),
        }
    }
}

impl From<Row> for Company {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            credit_code: row.credit_code,
            code_state: i32::from(row.code_state),
            name: row.name,
            short_name: row.short_name,
            kind: i32::from(row.kind),
            status: i32::from(row.status),
            industry: row.industry,
            capital_wan: row.capital_wan,
            established_on: row.established_on.map(|day| day.to_jiff()),
            former: row.former,
            version: row.version,
        }
    }
}

#[tracing::instrument(name = "db.enterprise.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry, e.capital_wan, e.established_on,
           e.former, e.version, e.updated_at,
           (select p.building_id from presence p
            where p.tenant_id = $1 and p.enterprise_id = e.id and p.since <= $2 and (p.until is null or p.until > $2)
            order by (p.kind in (2, 3)) desc, p.since desc, p.id desc limit 1) as building_id
         from enterprise e where e.tenant_id = $1 and e.id = $3",
    )
    .bind(tx.tenant())
    .bind(today(tx))
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

#[tracing::instrument(name = "db.enterprise.by_code", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_code(tx: &mut TenantTx, code: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry, e.capital_wan, e.established_on,
           e.former, e.version, e.updated_at,
           (select p.building_id from presence p
            where p.tenant_id = $1 and p.enterprise_id = e.id and p.since <= $2 and (p.until is null or p.until > $2)
            order by (p.kind in (2, 3)) desc, p.since desc, p.id desc limit 1) as building_id
         from enterprise e where e.tenant_id = $1 and e.credit_code = $3",
    )
    .bind(tx.tenant())
    .bind(today(tx))
    .bind(code)
    .fetch_optional(tx.conn())
    .await
}

/// The record of a company, which nobody else changes until the transaction ends.
#[tracing::instrument(name = "db.enterprise.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Company>> {
    let row: Option<Row> = sqlx::query_as(
        "select e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry, e.capital_wan, e.established_on,
           e.former, e.version, e.updated_at, null::uuid as building_id
         from enterprise e where e.tenant_id = $1 and e.id = $2 for update",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Company::from))
}

/// The records of companies by their codes, which nobody else changes until the transaction ends. Locked in one order, so that two
/// imports wait for each other and do not lock each other out.
#[tracing::instrument(name = "db.enterprise.lock_by_codes", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock_by_codes(tx: &mut TenantTx, codes: &[String]) -> sqlx::Result<Vec<Company>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry, e.capital_wan, e.established_on,
           e.former, e.version, e.updated_at, null::uuid as building_id
         from enterprise e where e.tenant_id = $1 and e.credit_code = any($2) order by e.id for update",
    )
    .bind(tx.tenant())
    .bind(codes)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Company::from).collect())
}

/// The ids of companies by their codes.
#[tracing::instrument(name = "db.enterprise.ids_by_codes", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn ids_by_codes(tx: &mut TenantTx, codes: &[String]) -> sqlx::Result<Vec<(String, Uuid)>> {
    sqlx::query_as("select credit_code, id from enterprise where tenant_id = $1 and credit_code = any($2)")
        .bind(tx.tenant())
        .bind(codes)
        .fetch_all(tx.conn())
        .await
}

/// The day that says which presences are current.
fn today(tx: &TenantTx) -> jiff_sqlx::Date {
    calendar::today(tx.now()).to_sqlx()
}

/// What a list is narrowed to; none of it leaves everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Among {
    /// Only companies that sit in the building today.
    pub building: Option<Uuid>,
    /// Only companies that sit in the zone today.
    pub zone: Option<Uuid>,
    /// Only companies of the standing; 0 for all.
    pub status: i16,
    /// Only companies that hold the qualification today; 0 for all.
    pub qualification: i16,
}

/// The conditions of [`Among`], its parts being the parameters from the third on. Each list of ids is read once and then looked up.
macro_rules! among {
    () => {
        " and ($3::uuid is null or e.id in (select p.enterprise_id from presence p
             where p.tenant_id = $1 and p.building_id = $3 and p.since <= $2 and (p.until is null or p.until > $2)))
          and ($4::uuid is null or e.id in (select p.enterprise_id from presence p join building b on b.tenant_id = $1 and b.id = p.building_id
             where p.tenant_id = $1 and b.zone_id = $4 and p.since <= $2 and (p.until is null or p.until > $2)))
          and ($5::int2 = 0 or e.status = $5)
          and ($6::int2 = 0 or e.id in (select q.enterprise_id from qualification q
             where q.tenant_id = $1 and q.kind = $6 and q.valid_from <= $2 and (q.valid_to is null or q.valid_to > $2)))"
    };
}

/// Where a page of a search ended: class, length of the name, name, id.
pub type After = (i32, i32, String, Uuid);

/// A company found, with its place in the order.
#[derive(Debug, sqlx::FromRow)]
pub struct Found {
    class: i32,
    size: i32,
    norm: String,
    #[sqlx(flatten)]
    pub row: Row,
}

impl Found {
    /// Its place in the order.
    pub fn place(&self) -> After {
        (self.class, self.size, self.norm.clone(), self.row.id)
    }
}

/// Companies that a text finds, best first: the very name or code, then a beginning, then anywhere, former names too; shorter names
/// first. Two characters and more go through the pairs, fewer through the beginnings. Both work under row-level security, for `=` and
/// `between` leak nothing; whether the text really stands in a name is asked of the few found.
#[tracing::instrument(name = "db.enterprise.search", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn search(
    tx: &mut TenantTx,
    query: &str,
    code: &str,
    among: Among,
    after: Option<After>,
    limit: i64,
) -> sqlx::Result<Vec<Found>> {
    let pairs: Vec<i64> = telling(query).into_iter().collect();
    let (class, size, norm, id) = after.unwrap_or((-1, 0, String::new(), Uuid::nil()));
    sqlx::query_as(concat!(
        "with found as (
           select g.enterprise_id as id from enterprise_gram g where g.tenant_id = $1 and g.gram = any($9)
           group by g.enterprise_id having count(*) = cardinality($9::int8[])
           union select c.id from enterprise c where c.tenant_id = $1 and c.norm between $7 and $7 || chr(1114111)
           union select c.id from enterprise c where c.tenant_id = $1 and c.short_norm between $7 and $7 || chr(1114111)
           union select c.id from enterprise c where c.tenant_id = $1 and $8 <> '' and c.credit_code between $8 and $8 || chr(1114111)),
         ranked as (
           select e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry, e.capital_wan, e.established_on,
           e.former, e.version, e.updated_at, e.norm, length(e.norm) as size,
             case when e.norm = $7 or e.short_norm = $7 or e.credit_code = $8 then 0
                  when starts_with(e.norm, $7) or starts_with(e.short_norm, $7) or ($8 <> '' and starts_with(e.credit_code, $8)) then 1
                  when strpos(e.norm, $7) > 0 or strpos(e.short_norm, $7) > 0 or strpos(e.former, $7) > 0 then 2 end as class
           from enterprise e join found f on f.id = e.id where e.tenant_id = $1 ",
        among!(),
        ")
         select class, size, norm, id, credit_code, code_state, name, short_name, kind, status, industry, capital_wan, established_on,
           former, version, updated_at,
           (select p.building_id from presence p
            where p.tenant_id = $1 and p.enterprise_id = ranked.id and p.since <= $2 and (p.until is null or p.until > $2)
            order by (p.kind in (2, 3)) desc, p.since desc, p.id desc limit 1) as building_id
         from ranked where (class, size, norm, id) > ($10, $11, $12, $13) order by class, size, norm, id limit $14",
    ))
    .bind(tx.tenant())
    .bind(today(tx))
    .bind(among.building)
    .bind(among.zone)
    .bind(among.status)
    .bind(among.qualification)
    .bind(query)
    .bind(code)
    .bind(pairs)
    .bind(class)
    .bind(size)
    .bind(norm)
    .bind(id)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// All companies by name, from one on.
#[tracing::instrument(name = "db.enterprise.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page(tx: &mut TenantTx, among: Among, after: Option<After>, limit: i64) -> sqlx::Result<Vec<Found>> {
    let (_, _, norm, id) = after.unwrap_or((0, 0, String::new(), Uuid::nil()));
    sqlx::query_as(concat!(
        "select 0 as class, 0 as size, e.norm, e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry, e.capital_wan, e.established_on,
           e.former, e.version, e.updated_at,
           (select p.building_id from presence p
            where p.tenant_id = $1 and p.enterprise_id = e.id and p.since <= $2 and (p.until is null or p.until > $2)
            order by (p.kind in (2, 3)) desc, p.since desc, p.id desc limit 1) as building_id
         from enterprise e where e.tenant_id = $1 and (e.norm, e.id) > ($7, $8) ",
        among!(),
        " order by e.norm, e.id limit $9",
    ))
    .bind(tx.tenant())
    .bind(today(tx))
    .bind(among.building)
    .bind(among.zone)
    .bind(among.status)
    .bind(among.qualification)
    .bind(norm)
    .bind(id)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// Adds or rewrites companies in few statements. Pairs of former names stay: they still find the company.
#[tracing::instrument(name = "db.enterprise.write", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn write(tx: &mut TenantTx, companies: &[Company]) -> sqlx::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now().to_sqlx());
    for chunk in companies.chunks(1000) {
        let mut insert = QueryBuilder::<Postgres>::new(
            "insert into enterprise (tenant_id, id, credit_code, code_state, name, norm, short_name, short_norm, kind, status, industry,
               capital_wan, established_on, former, version, updated_at) ",
        );
        insert.push_values(chunk, |mut row, company| {
            row.push_bind(tenant).push_bind(company.id).push_bind(&company.credit_code).push_bind(small(company.code_state));
            row.push_bind(&company.name).push_bind(normalise(&company.name)).push_bind(&company.short_name);
            row.push_bind(normalise(&company.short_name)).push_bind(small(company.kind)).push_bind(small(company.status));
            row.push_bind(&company.industry).push_bind(company.capital_wan).push_bind(company.established_on.map(|day| day.to_sqlx()));
            row.push_bind(&company.former).push_bind(company.version).push_bind(now);
        });
        insert.push(
            " on conflict (tenant_id, id) do update set name = excluded.name, norm = excluded.norm, short_name = excluded.short_name,
                short_norm = excluded.short_norm, kind = excluded.kind, status = excluded.status, industry = excluded.industry,
                capital_wan = excluded.capital_wan, established_on = excluded.established_on, former = excluded.former,
                version = excluded.version, updated_at = excluded.updated_at",
        );
        insert.build().execute(tx.conn()).await?;
    }
    write_grams(tx, companies).await
}

async fn write_grams(tx: &mut TenantTx, companies: &[Company]) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    let mut pairs: Vec<(i64, Uuid)> = Vec::new();
    for company in companies {
        let mut own: BTreeSet<i64> = grams(&normalise(&company.name));
        own.extend(grams(&normalise(&company.short_name)));
        pairs.extend(own.into_iter().map(|gram| (gram, company.id)));
    }
    pairs.sort_unstable();
    for chunk in pairs.chunks(10_000) {
        let mut insert = QueryBuilder::<Postgres>::new("insert into enterprise_gram (tenant_id, gram, enterprise_id) ");
        insert.push_values(chunk, |mut row, (gram, id)| {
            row.push_bind(tenant).push_bind(gram).push_bind(id);
        });
        insert.push(" on conflict (tenant_id, gram, enterprise_id) do nothing");
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

#[tracing::instrument(name = "db.enterprise.write_changes", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn write_changes(tx: &mut TenantTx, actor: &str, changes: &[Changed]) -> sqlx::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now().to_sqlx());
    for chunk in changes.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new(
            "insert into enterprise_change (tenant_id, enterprise_id, version, field, before, after, actor, at) ",
        );
        insert.push_values(chunk, |mut row, changed| {
            row.push_bind(tenant).push_bind(changed.id).push_bind(changed.version).push_bind(changed.field);
            row.push_bind(&changed.before).push_bind(&changed.after).push_bind(actor).push_bind(now);
        });
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

/// A field that changed.
#[derive(Debug, sqlx::FromRow)]
pub struct Change {
    version: i64,
    field: String,
    before: String,
    after: String,
    actor: String,
    at: jiff_sqlx::Timestamp,
}

impl Change {
    /// Its place in the order.
    pub fn place(&self) -> (i64, String) {
        (self.version, self.field.clone())
    }
}

impl From<Change> for EnterpriseChange {
    fn from(row: Change) -> Self {
        let shown = |text: String| rules::shown(&row.field, text);
        Self {
            version: row.version,
            before: shown(row.before),
            after: shown(row.after),
            // A service writes its name, a person an id.
            user_id: row.actor.parse::<Uuid>().map(|id| id.to_string()).unwrap_or_default(),
            at: Some(to_proto(row.at.to_jiff())),
            field: row.field,
        }
    }
}

/// What was changed of a company, newest first, a page of it.
#[tracing::instrument(name = "db.enterprise.changes", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn changes(tx: &mut TenantTx, id: Uuid, before: Option<(i64, String)>, limit: i64) -> sqlx::Result<Vec<Change>> {
    let (version, field) = before.unwrap_or((i64::MAX, String::new()));
    sqlx::query_as(
        "select version, field, before, after, actor, at from enterprise_change
         where tenant_id = $1 and enterprise_id = $2 and (version, field) < ($3, $4) order by version desc, field desc limit $5",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(version)
    .bind(field)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

fn small(number: i32) -> i16 {
    i16::try_from(number).unwrap_or_default()
}
