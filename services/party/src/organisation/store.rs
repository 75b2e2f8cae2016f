//! Questions to the dated tree.

use std::collections::BTreeSet;

use drumtower_runtime::TenantTx;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use super::rules::{Edge, Life};

/// An organisation as of a day.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    pub parent_id: Option<Uuid>,
    pub code: String,
    pub name: String,
    pub kind: i16,
    pub form: i16,
    pub founded_on: jiff_sqlx::Date,
    pub dissolved_on: Option<jiff_sqlx::Date>,
    pub enterprise_id: Option<Uuid>,
    pub full_members: i64,
}

impl Row {
    /// While it exists.
    pub fn life(&self) -> Life {
        Life { founded_on: self.founded_on.to_jiff(), dissolved_on: self.dissolved_on.map(jiff_sqlx::Date::to_jiff) }
    }
}

/// An organisation to be founded.
#[derive(Debug)]
pub struct New<'a> {
    pub id: Uuid,
    pub code: &'a str,
    pub name: &'a str,
    pub kind: i16,
    pub form: i16,
    pub founded_on: Date,
    pub enterprise_id: Option<Uuid>,
}

/// The organisation as of a day, whether it exists then or not.
#[tracing::instrument(name = "db.organisation.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid, on: Date) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select o.id, e.parent_id, o.code, o.name, o.kind, o.form, o.founded_on, o.dissolved_on, o.enterprise_id,
                (select count(*) from membership m join member p on p.tenant_id = $1 and p.id = m.member_id
                 where m.tenant_id = $1 and m.organisation_id = o.id and m.valid_from <= $3 and (m.valid_to is null or m.valid_to > $3)
                   and p.status = 2 and p.full_on <= $3) as full_members
         from organisation o left join org_edge e on e.tenant_id = $1 and e.child_id = o.id
           and e.valid_from <= $3 and (e.valid_to is null or e.valid_to > $3)
         where o.tenant_id = $1 and o.id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(on.to_sqlx())
    .fetch_optional(tx.conn())
    .await
}

/// First day and first day after the end, as stored.
type Span = (jiff_sqlx::Date, Option<jiff_sqlx::Date>);

fn span((founded_on, dissolved_on): Span) -> Life {
    Life { founded_on: founded_on.to_jiff(), dissolved_on: dissolved_on.map(jiff_sqlx::Date::to_jiff) }
}

/// Nobody else changes its edges or terms until this transaction ends. Rows that refer to it may still be written.
#[tracing::instrument(name = "db.organisation.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Life>> {
    let row: Option<Span> =
        sqlx::query_as("select founded_on, dissolved_on from organisation where tenant_id = $1 and id = $2 for no key update")
            .bind(tx.tenant())
            .bind(id)
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.map(span))
}

/// While an organisation exists, without locking it.
#[tracing::instrument(name = "db.organisation.life", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn life(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Life>> {
    let row: Option<Span> = sqlx::query_as("select founded_on, dissolved_on from organisation where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(span))
}

/// The tree as of a day, parents before children.
#[tracing::instrument(name = "db.organisation.tree", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn tree(tx: &mut TenantTx, on: Date) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "with recursive tree as (
           select o.id, null::uuid as parent_id, 0 as depth from organisation o
           where o.tenant_id = $1 and not exists (
             select 1 from org_edge e where e.tenant_id = $1 and e.child_id = o.id
               and e.valid_from <= $2 and (e.valid_to is null or e.valid_to > $2))
           union all
           select e.child_id, e.parent_id, t.depth + 1 from org_edge e join tree t on e.tenant_id = $1 and e.parent_id = t.id
           where e.tenant_id = $1 and e.valid_from <= $2 and (e.valid_to is null or e.valid_to > $2) and t.depth < 50),
         counted as (
           select m.organisation_id, count(*) as full_members
           from membership m join member p on p.tenant_id = $1 and p.id = m.member_id
           where m.tenant_id = $1 and m.valid_from <= $2 and (m.valid_to is null or m.valid_to > $2)
             and p.status = 2 and p.full_on <= $2
           group by m.organisation_id)
         select o.id, t.parent_id, o.code, o.name, o.kind, o.form, o.founded_on, o.dissolved_on, o.enterprise_id,
                coalesce(c.full_members, 0) as full_members
         from organisation o join tree t on o.tenant_id = $1 and t.id = o.id
           left join counted c on o.tenant_id = $1 and c.organisation_id = o.id
         where o.tenant_id = $1 and o.founded_on <= $2 and (o.dissolved_on is null or o.dissolved_on > $2)
         order by t.depth, o.code",
    )
    .bind(tx.tenant())
    .bind(on.to_sqlx())
    .fetch_all(tx.conn())
    .await
}

/// Some organisations and everything below them on a day.
#[tracing::instrument(name = "db.organisation.below", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn below(tx: &mut TenantTx, nodes: &[Uuid], on: Date) -> sqlx::Result<BTreeSet<Uuid>> {
    let rows: Vec<(Uuid,)> = sqlx::query_as(
        "with recursive reached as (
           select id from organisation where tenant_id = $1 and id = any($2)
           union
           select e.child_id from org_edge e join reached r on e.tenant_id = $1 and e.parent_id = r.id
           where e.tenant_id = $1 and e.valid_from <= $3 and (e.valid_to is null or e.valid_to > $3))
         select id from reached",
    )
    .bind(tx.tenant())
    .bind(nodes)
    .bind(on.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The organisation that the person with this account belongs to on a day.
#[tracing::instrument(name = "db.organisation.of_account", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_account(tx: &mut TenantTx, user: Uuid, on: Date) -> sqlx::Result<Option<Uuid>> {
    let row: Option<(Uuid,)> = sqlx::query_as(
        "select m.organisation_id from member p join membership m on m.tenant_id = $1 and m.member_id = p.id
         where p.tenant_id = $1 and p.user_id = $2 and m.valid_from <= $3 and (m.valid_to is null or m.valid_to > $3)",
    )
    .bind(tx.tenant())
    .bind(user)
    .bind(on.to_sqlx())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|(id,)| id))
}

/// Every organisation, in a steady order.
#[tracing::instrument(name = "db.organisation.ids", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn ids(tx: &mut TenantTx) -> sqlx::Result<Vec<Uuid>> {
    let rows: Vec<(Uuid,)> =
        sqlx::query_as("select id from organisation where tenant_id = $1 order by id").bind(tx.tenant()).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Edges that hold on a day or later.
#[tracing::instrument(name = "db.organisation.edges_since", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn edges_since(tx: &mut TenantTx, day: Date) -> sqlx::Result<Vec<Edge>> {
    let rows: Vec<(Uuid, Uuid, jiff_sqlx::Date, Option<jiff_sqlx::Date>)> = sqlx::query_as(
        "select child_id, parent_id, valid_from, valid_to from org_edge
         where tenant_id = $1 and (valid_to is null or valid_to > $2)",
    )
    .bind(tx.tenant())
    .bind(day.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    let edge = |(child, parent, from, to): (Uuid, Uuid, jiff_sqlx::Date, Option<jiff_sqlx::Date>)| Edge {
        child,
        parent,
        from: from.to_jiff(),
        to: to.map(jiff_sqlx::Date::to_jiff),
    };
    Ok(rows.into_iter().map(edge).collect())
}

/// Whether it was new; a code that is taken adds nothing.
#[tracing::instrument(name = "db.organisation.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &New<'_>) -> sqlx::Result<bool> {
    let row: Option<(Uuid,)> = sqlx::query_as(
        "insert into organisation (tenant_id, id, code, name, kind, form, founded_on, enterprise_id, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 1) on conflict do nothing returning id",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.code)
    .bind(new.name)
    .bind(new.kind)
    .bind(new.form)
    .bind(new.founded_on.to_sqlx())
    .bind(new.enterprise_id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.is_some())
}

#[tracing::instrument(name = "db.organisation.begin_edge", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn begin_edge(tx: &mut TenantTx, child: Uuid, parent: Uuid, from: Date) -> sqlx::Result<()> {
    sqlx::query("insert into org_edge (tenant_id, child_id, parent_id, valid_from) values ($1, $2, $3, $4)")
        .bind(tx.tenant())
        .bind(child)
        .bind(parent)
        .bind(from.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends the edge that is open.
#[tracing::instrument(name = "db.organisation.end_edge", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn end_edge(tx: &mut TenantTx, child: Uuid, on: Date) -> sqlx::Result<()> {
    sqlx::query("update org_edge set valid_to = $3 where tenant_id = $1 and child_id = $2 and valid_to is null")
        .bind(tx.tenant())
        .bind(child)
        .bind(on.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Another organisation above from the day that the open edge began.
#[tracing::instrument(name = "db.organisation.replace_edge", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn replace_edge(tx: &mut TenantTx, child: Uuid, parent: Uuid) -> sqlx::Result<()> {
    sqlx::query("update org_edge set parent_id = $3 where tenant_id = $1 and child_id = $2 and valid_to is null")
        .bind(tx.tenant())
        .bind(child)
        .bind(parent)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Its version after a change.
#[tracing::instrument(name = "db.organisation.moved", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn moved(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<i64> {
    let (version,): (i64,) =
        sqlx::query_as("update organisation set version = version + 1 where tenant_id = $1 and id = $2 returning version")
            .bind(tx.tenant())
            .bind(id)
            .fetch_one(tx.conn())
            .await?;
    Ok(version)
}
