//! Questions to meetings and their rolls.

use drumtower_runtime::TenantTx;
use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::Roll;

/// A meeting.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    pub organisation_id: Uuid,
    pub kinds: Vec<i16>,
    pub held_at: jiff_sqlx::Timestamp,
    pub place: String,
    pub minutes: String,
    pub due: i32,
    pub present: i32,
}

/// A meeting to be recorded.
#[derive(Debug)]
pub struct New<'a> {
    pub id: Uuid,
    pub organisation: Uuid,
    pub kinds: Vec<i16>,
    pub held_at: Timestamp,
    pub held_on: Date,
    pub place: &'a str,
    pub minutes: &'a str,
}

#[tracing::instrument(name = "db.meeting.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("select id, organisation_id, kinds, held_at, place, minutes, due, present from meeting where tenant_id = $1 and id = $2")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await
}

/// Meetings of an organisation, newest first, a page of them.
#[tracing::instrument(name = "db.meeting.of_organisation", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn of_organisation(
    tx: &mut TenantTx,
    organisation: Uuid,
    before: Option<(Timestamp, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Row>> {
    let (at, id) = before.unzip();
    sqlx::query_as(
        "select id, organisation_id, kinds, held_at, place, minutes, due, present from meeting
         where tenant_id = $1 and organisation_id = $2 and ($3::timestamptz is null or (held_at, id) < ($3, $4::uuid))
         order by held_at desc, id desc limit $5",
    )
    .bind(tx.tenant())
    .bind(organisation)
    .bind(at.map(|at| at.to_sqlx()))
    .bind(id)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

#[tracing::instrument(name = "db.meeting.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &New<'_>, roll: &Roll) -> sqlx::Result<Row> {
    sqlx::query_as(
        "insert into meeting (tenant_id, id, organisation_id, kinds, held_at, held_on, place, minutes, due, present)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         returning id, organisation_id, kinds, held_at, place, minutes, due, present",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.organisation)
    .bind(&new.kinds)
    .bind(new.held_at.to_sqlx())
    .bind(new.held_on.to_sqlx())
    .bind(new.place)
    .bind(new.minutes)
    .bind(roll.due())
    .bind(roll.present())
    .fetch_one(tx.conn())
    .await
}

#[tracing::instrument(name = "db.meeting.insert_roll", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert_roll(tx: &mut TenantTx, meeting: Uuid, roll: &Roll) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    for entries in roll.entries.chunks(5_000) {
        let mut insert = QueryBuilder::<Postgres>::new("insert into roll_entry (tenant_id, meeting_id, member_id, present) ");
        insert.push_values(entries, |mut row, (member, present)| {
            row.push_bind(tenant).push_bind(meeting).push_bind(*member).push_bind(*present);
        });
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}
