//! Questions to the table of qualifications.

use drumtower_proto::enterprise::Qualification;
use drumtower_runtime::TenantTx;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::New;
use crate::{day, import::rules::Held};

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    id: Uuid,
    pub enterprise_id: Uuid,
    pub kind: i16,
    level: String,
    basis: i16,
    certificate_no: String,
    issuer: String,
    pub valid_from: jiff_sqlx::Date,
    pub valid_to: Option<jiff_sqlx::Date>,
    pub revoked_on: Option<jiff_sqlx::Date>,
    revocation_reason: String,
}

impl From<Row> for Qualification {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            enterprise_id: row.enterprise_id.to_string(),
            kind: i32::from(row.kind),
            level: row.level,
            basis: i32::from(row.basis),
            certificate_no: row.certificate_no,
            issuer: row.issuer,
            valid_from: row.valid_from.to_jiff().to_string(),
            valid_to: day::text(row.valid_to),
            revoked_on: day::text(row.revoked_on),
            revocation_reason: row.revocation_reason,
        }
    }
}

impl From<Row> for Held {
    fn from(row: Row) -> Self {
        Self {
            level: row.level,
            basis: i32::from(row.basis),
            certificate_no: row.certificate_no,
            issuer: row.issuer,
            from: row.valid_from.to_jiff(),
            to: row.valid_to.map(|day| day.to_jiff()),
            said: None,
        }
    }
}

#[tracing::instrument(name = "db.qualification.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &[New]) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    for chunk in new.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new(
            "insert into qualification (tenant_id, id, enterprise_id, kind, level, basis, certificate_no, issuer, valid_from, valid_to) ",
        );
        insert.push_values(chunk, |mut row, new| {
            row.push_bind(tenant).push_bind(new.id).push_bind(new.enterprise).push_bind(small(new.kind)).push_bind(&new.level);
            row.push_bind(small(new.basis)).push_bind(&new.certificate_no).push_bind(&new.issuer);
            row.push_bind(new.valid_from.to_sqlx()).push_bind(new.valid_to.map(|day| day.to_sqlx()));
        });
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

#[tracing::instrument(name = "db.qualification.of_enterprises", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_enterprises(tx: &mut TenantTx, enterprises: &[Uuid]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, enterprise_id, kind, level, basis, certificate_no, issuer, valid_from, valid_to, revoked_on, revocation_reason
         from qualification where tenant_id = $1 and enterprise_id = any($2) order by valid_from desc, id desc",
    )
    .bind(tx.tenant())
    .bind(enterprises)
    .fetch_all(tx.conn())
    .await
}

/// One, which nobody else changes until the transaction ends.
#[tracing::instrument(name = "db.qualification.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select id, enterprise_id, kind, level, basis, certificate_no, issuer, valid_from, valid_to, revoked_on, revocation_reason
         from qualification where tenant_id = $1 and id = $2 for update",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

/// It no longer holds from the day on.
#[tracing::instrument(name = "db.qualification.revoke", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn revoke(tx: &mut TenantTx, id: Uuid, on: Date, reason: &str) -> sqlx::Result<Row> {
    sqlx::query_as(
        "update qualification set valid_to = $3, revoked_on = $3, revocation_reason = $4 where tenant_id = $1 and id = $2
         returning id, enterprise_id, kind, level, basis, certificate_no, issuer, valid_from, valid_to, revoked_on, revocation_reason",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(on.to_sqlx())
    .bind(reason)
    .fetch_one(tx.conn())
    .await
}

/// Distinct companies that hold each kind on a day.
#[tracing::instrument(name = "db.qualification.count", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn count(tx: &mut TenantTx, on: Date) -> sqlx::Result<Vec<(i16, i64)>> {
    sqlx::query_as(
        "select kind, count(distinct enterprise_id) from qualification
         where tenant_id = $1 and valid_from <= $2 and (valid_to is null or valid_to > $2) group by kind order by kind",
    )
    .bind(tx.tenant())
    .bind(on.to_sqlx())
    .fetch_all(tx.conn())
    .await
}

/// Distinct companies that hold any kind on a day, and companies present on it.
#[tracing::instrument(name = "db.qualification.count_all", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn count_all(tx: &mut TenantTx, on: Date) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "select (select count(distinct enterprise_id) from qualification
                 where tenant_id = $1 and valid_from <= $2 and (valid_to is null or valid_to > $2)),
                (select count(distinct enterprise_id) from presence
                 where tenant_id = $1 and since <= $2 and (until is null or until > $2))",
    )
    .bind(tx.tenant())
    .bind(on.to_sqlx())
    .fetch_one(tx.conn())
    .await
}

fn small(number: i32) -> i16 {
    i16::try_from(number).unwrap_or_default()
}
