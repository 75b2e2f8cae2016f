//! Questions to the table of direct lines, and those of calls that only they have.

use drumtower_proto::ticketing as wire;
use drumtower_runtime::{Fault, Reach, TenantTx, clock::to_proto};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// A line as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Line {
    pub id: Uuid,
    pub enterprise_id: Option<Uuid>,
    pub zone_id: Option<Uuid>,
    pub contact_id: Uuid,
    pub unit_id: Uuid,
    pub version: i64,
    pub set_at: jiff_sqlx::Timestamp,
}

impl From<Line> for wire::DirectLine {
    fn from(line: Line) -> Self {
        let text = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        Self {
            id: line.id.to_string(),
            enterprise_id: text(line.enterprise_id),
            zone_id: text(line.zone_id),
            contact_id: line.contact_id.to_string(),
            unit_id: line.unit_id.to_string(),
            contact_name: String::new(),
            etag: line.version.to_string(),
            set_at: Some(to_proto(line.set_at.to_jiff())),
        }
    }
}

/// The line of a company or of a zone, locked until the transaction ends.
#[tracing::instrument(name = "db.direct_line.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, enterprise: Option<Uuid>, zone: Option<Uuid>) -> sqlx::Result<Option<Line>> {
    sqlx::query_as(
        "select id, enterprise_id, zone_id, contact_id, unit_id, version, set_at from direct_line
         where tenant_id = $1 and (enterprise_id = $2 or zone_id = $3) for update",
    )
    .bind(tx.tenant())
    .bind(enterprise)
    .bind(zone)
    .fetch_optional(tx.conn())
    .await
}

/// The line that a company's call takes: its own before its zone's.
#[tracing::instrument(name = "db.direct_line.of", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of(tx: &mut TenantTx, enterprise: Uuid, zone: Option<Uuid>) -> sqlx::Result<Option<Line>> {
    sqlx::query_as(
        "select id, enterprise_id, zone_id, contact_id, unit_id, version, set_at from direct_line
         where tenant_id = $1 and (enterprise_id = $2 or zone_id = $3) order by enterprise_id is null limit 1",
    )
    .bind(tx.tenant())
    .bind(enterprise)
    .bind(zone)
    .fetch_optional(tx.conn())
    .await
}

/// A new line, or one with another contact. Two new ones at once: the second meets the first's key and is refused.
#[tracing::instrument(name = "db.direct_line.save", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn save(tx: &mut TenantTx, line: &Line) -> sqlx::Result<()> {
    sqlx::query(
        "insert into direct_line (tenant_id, id, enterprise_id, zone_id, contact_id, unit_id, version, set_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant_id, id) do update set contact_id = excluded.contact_id, unit_id = excluded.unit_id,
           version = excluded.version, set_at = excluded.set_at",
    )
    .bind(tx.tenant())
    .bind(line.id)
    .bind(line.enterprise_id)
    .bind(line.zone_id)
    .bind(line.contact_id)
    .bind(line.unit_id)
    .bind(line.version)
    .bind(line.set_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends a line; its history stays.
#[tracing::instrument(name = "db.direct_line.end", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn end(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from direct_line where tenant_id = $1 and id = $2").bind(tx.tenant()).bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// One page of lines, oldest first: all, a company's own, or those of units, unit by unit from an index in the list's order.
#[tracing::instrument(name = "db.direct_line.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page(tx: &mut TenantTx, reach: &Reach, after: Option<Uuid>, limit: i64) -> Result<Vec<Line>, Fault> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select l.id, l.enterprise_id, l.zone_id, l.contact_id, l.unit_id, l.version, l.set_at from direct_line l where l.tenant_id = ",
    );
    query.push_bind(tx.tenant());
    query.push(" and l.id > ").push_bind(after.unwrap_or_default());
    match (reach.all, reach.enterprise) {
        (true, _) => {}
        (false, Some(enterprise)) => {
            query.push(" and l.enterprise_id = ").push_bind(enterprise);
        }
        (false, None) => {
            query.push(" and l.id in (select n.id from unnest(").push_bind(reach.nodes.clone());
            query.push("::uuid[]) u (id) cross join lateral (select o.id from direct_line o where o.tenant_id = ").push_bind(tx.tenant());
            query.push(" and o.unit_id = u.id and o.id > ").push_bind(after.unwrap_or_default());
            query.push(" order by o.id limit ").push_bind(limit).push(") n)");
        }
    }
    query.push(" order by l.id limit ").push_bind(limit);
    Ok(query.build_query_as::<Line>().fetch_all(tx.conn()).await?)
}

/// Says which request was made of a call, so that the call is found from it.
#[tracing::instrument(name = "db.direct_call.link", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn link(tx: &mut TenantTx, call: Uuid, ticket: Uuid) -> sqlx::Result<()> {
    sqlx::query("update direct_call set ticket_id = $3 where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(call)
        .bind(ticket)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The call that a request was made of.
#[tracing::instrument(name = "db.direct_call.of_ticket", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_ticket(tx: &mut TenantTx, ticket: Uuid) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar("select id from direct_call where tenant_id = $1 and ticket_id = $2")
        .bind(tx.tenant())
        .bind(ticket)
        .fetch_optional(tx.conn())
        .await
}
