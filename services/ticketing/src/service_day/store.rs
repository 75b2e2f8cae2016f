//! Questions to the tables of invitations and demands.

use drumtower_proto::ticketing as wire;
use drumtower_runtime::{TenantTx, clock::to_proto};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::Reply;
use crate::ticket::store::{over, small};

/// An invitation as stored.
#[derive(Debug, sqlx::FromRow)]
pub struct Invited {
    pub enterprise_id: Uuid,
    enterprise_name: String,
    reply: i16,
    people: i32,
    pub replied_by: Option<Uuid>,
    replied_at: Option<jiff_sqlx::Timestamp>,
}

impl From<Invited> for wire::Invitation {
    fn from(row: Invited) -> Self {
        Self {
            enterprise_id: row.enterprise_id.to_string(),
            enterprise_name: row.enterprise_name,
            reply: i32::from(row.reply),
            people: row.people,
            replied_at: row.replied_at.map(|at| to_proto(at.to_jiff())),
        }
    }
}

/// Invites companies, each with its name; those that were not invited yet.
#[tracing::instrument(name = "db.service_day.invite", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn invite(tx: &mut TenantTx, day: Uuid, companies: &[(Uuid, String)]) -> sqlx::Result<Vec<Uuid>> {
    let tenant = tx.tenant();
    let mut insert = QueryBuilder::<Postgres>::new(
        "insert into service_day_invitation (tenant_id, service_day_id, enterprise_id, enterprise_name, reply, people) ",
    );
    insert.push_values(companies, |mut row, (company, name)| {
        row.push_bind(tenant).push_bind(day).push_bind(company).push_bind(name).push_bind(0i16).push_bind(0i32);
    });
    insert.push(" on conflict do nothing returning enterprise_id");
    insert.build_query_scalar().fetch_all(tx.conn()).await
}

/// Everybody invited.
#[tracing::instrument(name = "db.service_day.invited", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn invited(tx: &mut TenantTx, day: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select enterprise_id from service_day_invitation where tenant_id = $1 and service_day_id = $2 order by enterprise_id",
    )
    .bind(tx.tenant())
    .bind(day)
    .fetch_all(tx.conn())
    .await
}

/// How many are invited, how many of them come, with how many people.
#[tracing::instrument(name = "db.service_day.count", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn count(tx: &mut TenantTx, day: Uuid) -> sqlx::Result<(i64, i64, i64)> {
    sqlx::query_as(
        "select count(*), count(*) filter (where reply = $3), coalesce(sum(people), 0)::int8 from service_day_invitation
         where tenant_id = $1 and service_day_id = $2",
    )
    .bind(tx.tenant())
    .bind(day)
    .bind(small(Reply::Coming as i32))
    .fetch_one(tx.conn())
    .await
}

/// A company's invitation.
#[tracing::instrument(name = "db.service_day.invitation", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn invitation(tx: &mut TenantTx, day: Uuid, enterprise: Uuid) -> sqlx::Result<Option<Invited>> {
    sqlx::query_as(
        "select enterprise_id, enterprise_name, reply, people, replied_by, replied_at from service_day_invitation
         where tenant_id = $1 and service_day_id = $2 and enterprise_id = $3",
    )
    .bind(tx.tenant())
    .bind(day)
    .bind(enterprise)
    .fetch_optional(tx.conn())
    .await
}

/// What a company says; `None` when it was not invited.
#[tracing::instrument(name = "db.service_day.reply", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn reply(tx: &mut TenantTx, day: Uuid, enterprise: Uuid, reply: Reply, people: i32, by: Uuid) -> sqlx::Result<Option<Invited>> {
    let now = tx.now().to_sqlx();
    sqlx::query_as(
        "update service_day_invitation set reply = $4, people = $5, replied_by = $6, replied_at = $7
         where tenant_id = $1 and service_day_id = $2 and enterprise_id = $3
         returning enterprise_id, enterprise_name, reply, people, replied_by, replied_at",
    )
    .bind(tx.tenant())
    .bind(day)
    .bind(enterprise)
    .bind(small(reply as i32))
    .bind(people)
    .bind(by)
    .bind(now)
    .fetch_optional(tx.conn())
    .await
}

/// One page of invitations, by company.
#[tracing::instrument(name = "db.service_day.invitations", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn invitations(tx: &mut TenantTx, day: Uuid, after: Uuid, limit: i64) -> sqlx::Result<Vec<Invited>> {
    sqlx::query_as(
        "select enterprise_id, enterprise_name, reply, people, replied_by, replied_at from service_day_invitation
         where tenant_id = $1 and service_day_id = $2 and enterprise_id > $3 order by enterprise_id limit $4",
    )
    .bind(tx.tenant())
    .bind(day)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// A demand was taken at a desk.
#[tracing::instrument(name = "db.service_day.take", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn take(tx: &mut TenantTx, day: Uuid, ticket: Uuid, desk: i32, settled: bool) -> sqlx::Result<()> {
    let now = tx.now().to_sqlx();
    sqlx::query(
        "insert into service_day_demand (tenant_id, service_day_id, ticket_id, desk, settled, taken_at) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tx.tenant())
    .bind(day)
    .bind(ticket)
    .bind(desk)
    .bind(settled)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many requests of a day's demands are not over.
#[tracing::instrument(name = "db.service_day.open", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn open(tx: &mut TenantTx, day: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from service_day_demand d join ticket t on t.tenant_id = $1 and t.id = d.ticket_id
         where d.tenant_id = $1 and d.service_day_id = $2 and t.state <> all($3)",
    )
    .bind(tx.tenant())
    .bind(day)
    .bind(over())
    .fetch_one(tx.conn())
    .await
}

/// A demand with its request as that stands now.
#[derive(Debug, sqlx::FromRow)]
pub struct Taken {
    pub ticket_id: Uuid,
    number: String,
    title: String,
    desk: i32,
    enterprise_id: Uuid,
    enterprise_name: String,
    settled: bool,
    state: i16,
    lead_unit_id: Option<Uuid>,
    due_at: Option<jiff_sqlx::Timestamp>,
    overdue: bool,
    score: i16,
    pub taken_at: jiff_sqlx::Timestamp,
}

impl From<Taken> for wire::Demand {
    fn from(row: Taken) -> Self {
        Self {
            ticket_id: row.ticket_id.to_string(),
            number: row.number,
            title: row.title,
            desk: row.desk,
            enterprise_id: row.enterprise_id.to_string(),
            enterprise_name: row.enterprise_name,
            settled: row.settled,
            state: i32::from(row.state),
            lead_unit_id: row.lead_unit_id.map(|unit| unit.to_string()).unwrap_or_default(),
            due_at: row.due_at.map(|at| to_proto(at.to_jiff())),
            overdue: row.overdue,
            score: i32::from(row.score),
            taken_at: Some(to_proto(row.taken_at.to_jiff())),
        }
    }
}

/// The demand that a request was made of.
#[tracing::instrument(name = "db.service_day.demand", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn demand(tx: &mut TenantTx, ticket: Uuid) -> sqlx::Result<Taken> {
    sqlx::query_as(
        "select d.ticket_id, t.number, t.title, d.desk, t.enterprise_id, t.enterprise_name, d.settled, t.state, t.lead_unit_id, t.due_at,
           t.overdue, t.score, d.taken_at
         from service_day_demand d join ticket t on t.tenant_id = $1 and t.id = d.ticket_id
         where d.tenant_id = $1 and d.ticket_id = $2",
    )
    .bind(tx.tenant())
    .bind(ticket)
    .fetch_one(tx.conn())
    .await
}

/// One page of demands in the order they were taken; of one company when it is given.
#[tracing::instrument(name = "db.service_day.demands", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn demands(
    tx: &mut TenantTx,
    day: Uuid,
    enterprise: Option<Uuid>,
    after: (Timestamp, Uuid),
    limit: i64,
) -> sqlx::Result<Vec<Taken>> {
    sqlx::query_as(
        "select d.ticket_id, t.number, t.title, d.desk, t.enterprise_id, t.enterprise_name, d.settled, t.state, t.lead_unit_id, t.due_at,
           t.overdue, t.score, d.taken_at
         from service_day_demand d join ticket t on t.tenant_id = $1 and t.id = d.ticket_id
         where d.tenant_id = $1 and d.service_day_id = $2 and ($3::uuid is null or t.enterprise_id = $3)
           and (d.taken_at, d.ticket_id) > ($4, $5)
         order by d.taken_at, d.ticket_id limit $6",
    )
    .bind(tx.tenant())
    .bind(day)
    .bind(enterprise)
    .bind(after.0.to_sqlx())
    .bind(after.1)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}
