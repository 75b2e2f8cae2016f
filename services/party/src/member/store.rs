//! Questions to members, memberships and looks behind the mask.

use drumtower_runtime::TenantTx;
use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use super::rules::{Membership, Standing};

/// A member as stored, with the organisation of a day.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    pub name: Vec<u8>,
    pub phone: Vec<u8>,
    pub id_number: Vec<u8>,
    pub status: i16,
    pub joined_on: jiff_sqlx::Date,
    pub full_on: Option<jiff_sqlx::Date>,
    pub version: i64,
    pub organisation_id: Uuid,
}

/// A member to be added, sealed.
#[derive(Debug)]
pub struct New {
    pub id: Uuid,
    pub name: Vec<u8>,
    pub phone: Vec<u8>,
    pub id_number: Vec<u8>,
    pub id_number_index: Option<Vec<u8>>,
    pub standing: Standing,
    pub user_id: Option<Uuid>,
}

/// A member with the organisation of a day.
#[tracing::instrument(name = "db.member.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid, on: Date) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select p.id, p.name, p.phone, p.id_number, p.status, p.joined_on, p.full_on, p.version, m.organisation_id
         from member p join membership m on m.tenant_id = $1 and m.member_id = p.id
         where p.tenant_id = $1 and p.id = $2 and m.valid_from <= $3 and (m.valid_to is null or m.valid_to > $3)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(on.to_sqlx())
    .fetch_optional(tx.conn())
    .await
}

/// Members of an organisation on a day, a page of them.
#[tracing::instrument(name = "db.member.of_organisation", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_organisation(tx: &mut TenantTx, organisation: Uuid, on: Date, after: Option<Uuid>, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select p.id, p.name, p.phone, p.id_number, p.status, p.joined_on, p.full_on, p.version, m.organisation_id
         from membership m join member p on p.tenant_id = $1 and p.id = m.member_id
         where m.tenant_id = $1 and m.organisation_id = $2 and m.valid_from <= $3 and (m.valid_to is null or m.valid_to > $3)
           and ($4::uuid is null or m.member_id > $4)
         order by m.member_id limit $5",
    )
    .bind(tx.tenant())
    .bind(organisation)
    .bind(on.to_sqlx())
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// Those who vote in an organisation on a day: its full members of that day.
#[tracing::instrument(name = "db.member.voting", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn voting(tx: &mut TenantTx, organisation: Uuid, on: Date) -> sqlx::Result<Vec<Uuid>> {
    let rows: Vec<(Uuid,)> = sqlx::query_as(
        "select p.id from membership m join member p on p.tenant_id = $1 and p.id = m.member_id
         where m.tenant_id = $1 and m.organisation_id = $2 and m.valid_from <= $3 and (m.valid_to is null or m.valid_to > $3)
           and p.status = 2 and p.full_on <= $3
         order by p.id",
    )
    .bind(tx.tenant())
    .bind(organisation)
    .bind(on.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Nobody else transfers the member until this transaction ends.
#[tracing::instrument(name = "db.member.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = sqlx::query_as("select version from member where tenant_id = $1 and id = $2 for update")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|(version,)| version))
}

/// The membership that began last; it is open.
#[tracing::instrument(name = "db.member.last_membership", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn last_membership(tx: &mut TenantTx, member: Uuid) -> sqlx::Result<Option<Membership>> {
    let row: Option<(Uuid, jiff_sqlx::Date, Option<jiff_sqlx::Date>)> = sqlx::query_as(
        "select organisation_id, valid_from, valid_to from membership
         where tenant_id = $1 and member_id = $2 order by valid_from desc limit 1",
    )
    .bind(tx.tenant())
    .bind(member)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|(organisation, from, to)| Membership { organisation, from: from.to_jiff(), to: to.map(jiff_sqlx::Date::to_jiff) }))
}

/// Whether the member was new; an identity number or account that another member has adds nothing.
#[tracing::instrument(name = "db.member.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &New) -> sqlx::Result<bool> {
    let row: Option<(Uuid,)> = sqlx::query_as(
        "insert into member (tenant_id, id, name, phone, id_number, id_number_index, status, joined_on, full_on, user_id, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1) on conflict do nothing returning id",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(&new.name)
    .bind(&new.phone)
    .bind(&new.id_number)
    .bind(&new.id_number_index)
    .bind(new.standing.status as i16)
    .bind(new.standing.joined_on.to_sqlx())
    .bind(new.standing.full_on.map(|day| day.to_sqlx()))
    .bind(new.user_id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.is_some())
}

#[tracing::instrument(name = "db.member.begin", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn begin(tx: &mut TenantTx, member: Uuid, membership: &Membership) -> sqlx::Result<()> {
    sqlx::query("insert into membership (tenant_id, member_id, organisation_id, valid_from, valid_to) values ($1, $2, $3, $4, $5)")
        .bind(tx.tenant())
        .bind(member)
        .bind(membership.organisation)
        .bind(membership.from.to_sqlx())
        .bind(membership.to.map(|day| day.to_sqlx()))
        .execute(tx.conn())
        .await?;
    Ok(())
}

#[tracing::instrument(name = "db.member.end", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn end(tx: &mut TenantTx, member: Uuid, membership: &Membership) -> sqlx::Result<()> {
    sqlx::query("update membership set valid_to = $4 where tenant_id = $1 and member_id = $2 and valid_from = $3")
        .bind(tx.tenant())
        .bind(member)
        .bind(membership.from.to_sqlx())
        .bind(membership.to.map(|day| day.to_sqlx()))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Its version after a transfer.
#[tracing::instrument(name = "db.member.transferred", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn transferred(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<i64> {
    let (version,): (i64,) = sqlx::query_as("update member set version = version + 1 where tenant_id = $1 and id = $2 returning version")
        .bind(tx.tenant())
        .bind(id)
        .fetch_one(tx.conn())
        .await?;
    Ok(version)
}

#[tracing::instrument(name = "db.member.looked_up", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn looked_up(tx: &mut TenantTx, id: Uuid, member: Uuid, user: Uuid, reason: &str, at: Timestamp) -> sqlx::Result<()> {
    sqlx::query("insert into lookup (tenant_id, id, member_id, user_id, reason, at) values ($1, $2, $3, $4, $5, $6)")
        .bind(tx.tenant())
        .bind(id)
        .bind(member)
        .bind(user)
        .bind(reason)
        .bind(at.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Who looked at the member with this account, why and when; newest first.
#[tracing::instrument(name = "db.member.lookups_of_account", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lookups_of_account(tx: &mut TenantTx, user: Uuid) -> sqlx::Result<Vec<(Uuid, String, Timestamp)>> {
    let rows: Vec<(Uuid, String, jiff_sqlx::Timestamp)> = sqlx::query_as(
        "select l.user_id, l.reason, l.at from member p join lookup l on l.tenant_id = $1 and l.member_id = p.id
         where p.tenant_id = $1 and p.user_id = $2 order by l.at desc, l.id desc limit 1000",
    )
    .bind(tx.tenant())
    .bind(user)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(user, reason, at)| (user, reason, at.to_jiff())).collect())
}
