//! Questions to the inbox.

use drumtower_proto::{identity::Notice, log::Notify};
use drumtower_runtime::{TenantTx, clock::to_proto};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// A notice as stored.
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    kind: String,
    subject: String,
    text_zh: String,
    text_en: String,
    at: jiff_sqlx::Timestamp,
    read_at: Option<jiff_sqlx::Timestamp>,
}

impl Row {
    /// The notice in the caller's language.
    pub fn told(self, english: bool) -> Notice {
        Notice {
            id: self.id.to_string(),
            kind: self.kind,
            subject: self.subject,
            text: if english { self.text_en } else { self.text_zh },
            at: Some(to_proto(self.at.to_jiff())),
            read_at: self.read_at.map(|at| to_proto(at.to_jiff())),
        }
    }
}

#[tracing::instrument(name = "db.notice.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, users: &[Uuid], notify: &Notify, subject: &str, at: Timestamp) -> sqlx::Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    let tenant = tx.tenant();
    let mut insert = QueryBuilder::<Postgres>::new("insert into notice (tenant_id, id, user_id, kind, subject, text_zh, text_en, at) ");
    insert.push_values(users, |mut row, user| {
        row.push_bind(tenant).push_bind(Uuid::now_v7()).push_bind(user).push_bind(&notify.kind).push_bind(subject);
        row.push_bind(&notify.text_zh).push_bind(&notify.text_en).push_bind(at.to_sqlx());
    });
    insert.build().execute(tx.conn()).await?;
    Ok(())
}

/// Notices of a person before one, newest first.
#[tracing::instrument(name = "db.notice.page", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn page(tx: &mut TenantTx, user: Uuid, unread: bool, before: Uuid, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, kind, subject, text_zh, text_en, at, read_at from notice
         where tenant_id = $1 and user_id = $2 and id < $3 and (not $4 or read_at is null) order by id desc limit $5",
    )
    .bind(tx.tenant())
    .bind(user)
    .bind(before)
    .bind(unread)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// Unread notices of a person, counted up to a thousand.
#[tracing::instrument(name = "db.notice.unread", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn unread(tx: &mut TenantTx, user: Uuid) -> sqlx::Result<i64> {
    let (count,): (i64,) = sqlx::query_as(
        "select count(*) from (select 1 from notice where tenant_id = $1 and user_id = $2 and read_at is null limit 1000) as found",
    )
    .bind(tx.tenant())
    .bind(user)
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Marks a person's own notice read; the first time stays.
#[tracing::instrument(name = "db.notice.mark_read", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn mark_read(tx: &mut TenantTx, user: Uuid, id: Uuid) -> sqlx::Result<Option<Row>> {
    let now = tx.now().to_sqlx();
    sqlx::query_as(
        "update notice set read_at = coalesce(read_at, $4) where tenant_id = $1 and user_id = $2 and id = $3
         returning id, kind, subject, text_zh, text_en, at, read_at",
    )
    .bind(tx.tenant())
    .bind(user)
    .bind(id)
    .bind(now)
    .fetch_optional(tx.conn())
    .await
}
