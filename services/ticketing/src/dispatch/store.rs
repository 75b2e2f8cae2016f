//! Questions to requests for likeness: few, by company, building or kind, and newest first; the words are compared here, not in SQL.

use drumtower_runtime::{Reach, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{figure::rules::Period, ticket::query::within};

/// A request to compare with.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    pub number: String,
    pub title: String,
    pub description: String,
    pub state: i16,
    pub kind: i16,
    pub urgency: i16,
    pub building_id: Option<Uuid>,
    pub zone_id: Option<Uuid>,
    pub lead_unit_id: Option<Uuid>,
    pub submitted_at: jiff_sqlx::Timestamp,
}

/// Requests that are compared, at most.
const COMPARED: i64 = 300;

/// Requests since a time of the same company or building that the caller may read.
#[tracing::instrument(name = "db.dispatch.near", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn near(
    tx: &mut TenantTx,
    reach: &Reach,
    enterprise: Option<Uuid>,
    building: Option<Uuid>,
    since: Timestamp,
) -> sqlx::Result<Vec<Row>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select t.id, t.number, t.title, t.description, t.state, t.kind, t.urgency, t.building_id, t.zone_id, t.lead_unit_id, t.submitted_at
         from ticket t where t.tenant_id = ",
    );
    query.push_bind(tx.tenant()).push(" and t.submitted_at >= ").push_bind(since.to_sqlx());
    query.push(" and (t.enterprise_id = ").push_bind(enterprise).push(" or t.building_id = ").push_bind(building).push(")");
    within(&mut query, tx.tenant(), reach, false);
    query.push(" order by t.submitted_at desc, t.id desc limit ").push_bind(COMPARED);
    query.build_query_as().fetch_all(tx.conn()).await
}

/// The newest requests of a kind that some unit leads or led.
#[tracing::instrument(name = "db.dispatch.led", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn led(tx: &mut TenantTx, kind: i16, but: Uuid) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, number, title, description, state, kind, urgency, building_id, zone_id, lead_unit_id, submitted_at from ticket
         where tenant_id = $1 and kind = $2 and id <> $3 and lead_unit_id is not null order by submitted_at desc, id desc limit $4",
    )
    .bind(tx.tenant())
    .bind(kind)
    .bind(but)
    .bind(COMPARED)
    .fetch_all(tx.conn())
    .await
}

/// Requests submitted in a time that were dispatched, newest first.
#[tracing::instrument(name = "db.dispatch.dispatched", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn dispatched(tx: &mut TenantTx, period: Period, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, number, title, description, state, kind, urgency, building_id, zone_id, lead_unit_id, submitted_at from ticket
         where tenant_id = $1 and submitted_at >= $2 and submitted_at < $3 and lead_unit_id is not null
         order by submitted_at desc, id desc limit $4",
    )
    .bind(tx.tenant())
    .bind(period.from.to_sqlx())
    .bind(period.before.to_sqlx())
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}
