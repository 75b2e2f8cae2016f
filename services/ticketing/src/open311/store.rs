//! Questions to the requests that Open311 clients brought.

use drumtower_runtime::TenantTx;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

/// A request as a client may see it.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub number: String,
    pub topic: String,
    pub state: i16,
    pub result_text: String,
    pub description: String,
    pub lead_unit_id: Option<Uuid>,
    pub submitted_at: jiff_sqlx::Timestamp,
    pub updated_at: jiff_sqlx::Timestamp,
    pub due_at: Option<jiff_sqlx::Timestamp>,
    pub place: String,
    pub building_id: Option<Uuid>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    pub topics: &'a [String],
    pub span: (Timestamp, Timestamp),
    pub open: bool,
    pub closed: bool,
    pub limit: i64,
    pub offset: i64,
}

/// Requests of a channel, newest first.
#[tracing::instrument(name = "db.open311.requests", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn requests(tx: &mut TenantTx, channel: Uuid, asked: &Asked<'_>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select t.number, ct.topic, t.state, t.result_text, t.description, t.lead_unit_id, t.submitted_at, t.updated_at, t.due_at, t.place,
           t.building_id, t.latitude, t.longitude
         from channel_ticket ct join ticket t on t.tenant_id = $1 and t.id = ct.ticket_id
         where ct.tenant_id = $1 and ct.channel_id = $2 and ct.submitted_at >= $3 and ct.submitted_at <= $4
           and ($5::text[] = '{}' or ct.topic = any($5))
           and (($6 and t.state not in (10, 11, 12, 13)) or ($7 and t.state in (10, 11, 12, 13)))
         order by ct.submitted_at desc, ct.ticket_id desc limit $8 offset $9",
    )
    .bind(tx.tenant())
    .bind(channel)
    .bind(asked.span.0.to_sqlx())
    .bind(asked.span.1.to_sqlx())
    .bind(asked.topics)
    .bind(asked.open)
    .bind(asked.closed)
    .bind(asked.limit)
    .bind(asked.offset)
    .fetch_all(tx.conn())
    .await
}

/// Requests of a channel by their numbers.
#[tracing::instrument(name = "db.open311.by_number", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_number(tx: &mut TenantTx, channel: Uuid, numbers: &[String]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select t.number, ct.topic, t.state, t.result_text, t.description, t.lead_unit_id, t.submitted_at, t.updated_at, t.due_at, t.place,
           t.building_id, t.latitude, t.longitude
         from ticket t join channel_ticket ct on ct.tenant_id = $1 and ct.ticket_id = t.id and ct.channel_id = $2
         where t.tenant_id = $1 and t.number = any($3) order by t.submitted_at desc, t.id desc",
    )
    .bind(tx.tenant())
    .bind(channel)
    .bind(numbers)
    .fetch_all(tx.conn())
    .await
}

/// The number of the request that a token stands for.
#[tracing::instrument(name = "db.open311.of_token", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_token(tx: &mut TenantTx, channel: Uuid, token: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "select t.number from channel_ticket ct join ticket t on t.tenant_id = $1 and t.id = ct.ticket_id
         where ct.tenant_id = $1 and ct.ticket_id = $3 and ct.channel_id = $2",
    )
    .bind(tx.tenant())
    .bind(channel)
    .bind(token)
    .fetch_optional(tx.conn())
    .await
}
