//! Questions to the tables of companies.

use std::collections::BTreeSet;

use drumtower_proto::enterprise::Enterprise;
use drumtower_runtime::{TenantTx, clock::to_proto};
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::{grams, normalise};
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

/// What is written of a company.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub id: Uuid,
    pub credit_code: Option<String>,
    pub code_state: i32,
    pub name: String,
    pub short_name: String,
    pub kind: i32,
    pub status: i32,
    pub industry: String,
    pub capital_wan: f64,
    pub established_on: Option<Date>,
    pub version: i64,
}

impl From<Row> for Written {
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
            version: row.version,
        }
    }
}

#[tracing::instrument(name = "db.enterprise.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry, e.capital_wan, e.established_on,
           e.version, e.updated_at,
           (select p.building_id from presence p where p.tenant_id = $1 and p.enterprise_id = e.id and p.until is null
            order by (p.kind in (2, 3)) desc, p.since desc, p.id limit 1) as building_id
         from enterprise e where e.tenant_id = $1 and e.id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// Locks a company's row until the transaction ends; whether there is one.
#[tracing::instrument(name = "db.enterprise.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = sqlx::query_as("select version from enterprise where tenant_id = $1 and id = $2 for update")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.is_some())
}

/// Companies by their codes.
#[tracing::instrument(name = "db.enterprise.by_codes", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_codes(tx: &mut TenantTx, codes: &[String]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry, e.capital_wan, e.established_on,
           e.version, e.updated_at, null::uuid as building_id
         from enterprise e where e.tenant_id = $1 and e.credit_code = any($2)",
    )
    .bind(tx.tenant())
    .bind(codes)
    .fetch_all(tx.conn())
    .await
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

/// Companies that a text finds, best first: the very name or code, then a beginning, then anywhere; shorter names first. Two characters
/// and more go through the pairs, fewer through the beginnings; both work under row-level security, for they only compare.
#[tracing::instrument(name = "db.enterprise.search", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn search(tx: &mut TenantTx, query: &str, code: &str, after: Option<After>, limit: i64) -> sqlx::Result<Vec<Found>> {
    let pairs: Vec<i64> = grams(query).into_iter().collect();
    let (class, size, norm, id) = after.unwrap_or((-1, 0, String::new(), Uuid::nil()));
    sqlx::query_as(
        "with found as (
           select g.enterprise_id as id from enterprise_gram g where g.tenant_id = $1 and g.gram = any($4)
           group by g.enterprise_id having count(*) = cardinality($4::int8[])
           union select c.id from enterprise c where c.tenant_id = $1 and c.norm ^@ $2
           union select c.id from enterprise c where c.tenant_id = $1 and c.short_norm ^@ $2
           union select c.id from enterprise c where c.tenant_id = $1 and $3 <> '' and c.credit_code ^@ $3),
         ranked as (
           select e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry, e.capital_wan, e.established_on,
             e.version, e.updated_at, e.norm, length(e.norm) as size,
             case when e.norm = $2 or e.short_norm = $2 or e.credit_code = $3 then 0
                  when e.norm ^@ $2 or e.short_norm ^@ $2 or e.credit_code ^@ $3 then 1 else 2 end as class
           from enterprise e join found f on f.id = e.id where e.tenant_id = $1)
         select class, size, norm, id, credit_code, code_state, name, short_name, kind, status, industry, capital_wan, established_on,
           version, updated_at,
           (select p.building_id from presence p where p.tenant_id = $1 and p.enterprise_id = ranked.id and p.until is null
            order by (p.kind in (2, 3)) desc, p.since desc, p.id limit 1) as building_id
         from ranked where (class, size, norm, id) > ($5, $6, $7, $8) order by class, size, norm, id limit $9",
    )
    .bind(tx.tenant())
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
pub async fn page(tx: &mut TenantTx, after: Option<After>, limit: i64) -> sqlx::Result<Vec<Found>> {
    let (_, _, norm, id) = after.unwrap_or((0, 0, String::new(), Uuid::nil()));
    sqlx::query_as(
        "select 0 as class, 0 as size, e.norm, e.id, e.credit_code, e.code_state, e.name, e.short_name, e.kind, e.status, e.industry,
           e.capital_wan, e.established_on, e.version, e.updated_at,
           (select p.building_id from presence p where p.tenant_id = $1 and p.enterprise_id = e.id and p.until is null
            order by (p.kind in (2, 3)) desc, p.since desc, p.id limit 1) as building_id
         from enterprise e where e.tenant_id = $1 and (e.norm, e.id) > ($2, $3) order by e.norm, e.id limit $4",
    )
    .bind(tx.tenant())
    .bind(norm)
    .bind(id)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// Adds or rewrites companies in few statements. Pairs of former names stay: they still find the company.
#[tracing::instrument(name = "db.enterprise.write", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn write(tx: &mut TenantTx, companies: &[Written]) -> sqlx::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now().to_sqlx());
    for chunk in companies.chunks(1000) {
        let mut insert = QueryBuilder::<Postgres>::new(
            "insert into enterprise (tenant_id, id, credit_code, code_state, name, norm, short_name, short_norm, kind, status, industry,
               capital_wan, established_on, version, updated_at) ",
        );
        insert.push_values(chunk, |mut row, company| {
            row.push_bind(tenant).push_bind(company.id).push_bind(&company.credit_code).push_bind(small(company.code_state));
            row.push_bind(&company.name).push_bind(normalise(&company.name)).push_bind(&company.short_name);
            row.push_bind(normalise(&company.short_name)).push_bind(small(company.kind)).push_bind(small(company.status));
            row.push_bind(&company.industry).push_bind(company.capital_wan).push_bind(company.established_on.map(|day| day.to_sqlx()));
            row.push_bind(company.version).push_bind(now);
        });
        insert.push(
            " on conflict (tenant_id, id) do update set name = excluded.name, norm = excluded.norm, short_name = excluded.short_name,
                short_norm = excluded.short_norm, kind = excluded.kind, status = excluded.status, industry = excluded.industry,
                capital_wan = excluded.capital_wan, established_on = excluded.established_on, version = excluded.version,
                updated_at = excluded.updated_at",
        );
        insert.build().execute(tx.conn()).await?;
    }
    write_grams(tx, companies).await
}

async fn write_grams(tx: &mut TenantTx, companies: &[Written]) -> sqlx::Result<()> {
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

/// One field that changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    pub id: Uuid,
    pub version: i64,
    pub field: &'static str,
    pub before: String,
    pub after: String,
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

/// What differs between a company before and after.
pub fn differences(before: &Written, after: &Written) -> Vec<Changed> {
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let fields = [
        ("name", before.name.clone(), after.name.clone()),
        ("short_name", before.short_name.clone(), after.short_name.clone()),
        ("kind", before.kind.to_string(), after.kind.to_string()),
        ("status", before.status.to_string(), after.status.to_string()),
        ("industry", before.industry.clone(), after.industry.clone()),
        ("capital_wan", before.capital_wan.to_string(), after.capital_wan.to_string()),
        ("established_on", day(before.established_on), day(after.established_on)),
    ];
    let changed = fields.into_iter().filter(|(_, before, after)| before != after);
    changed.map(|(field, before, after_text)| Changed { id: after.id, version: after.version, field, before, after: after_text }).collect()
}

fn small(number: i32) -> i16 {
    i16::try_from(number).unwrap_or_default()
}
