//! A service serves its own log to the others.

use std::time::Duration;

use drumtower_proto::log::{Event, Head, ListHeadsRequest, ListHeadsResponse, ReadRequest, ReadResponse, log_service_server::LogService};
use tonic::{Request, Response, Status};

use super::{Row, StoredNotify};
use crate::{
    call::Call,
    clock::{from_proto, to_proto},
    db::{Db, TenantTx},
    fault::Fault,
};

/// The log of one service.
#[derive(Debug, Clone)]
pub struct Log {
    db: Db,
}

impl Log {
    /// Over the service's database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}

#[derive(Debug, sqlx::FromRow)]
struct Numbered {
    seq: i64,
    prev: Vec<u8>,
    hash: Vec<u8>,
    #[sqlx(flatten)]
    row: Row,
}

/// Events of a district after a number.
#[tracing::instrument(name = "db.log.after", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn after(tx: &mut TenantTx, after: i64, limit: i64) -> sqlx::Result<Vec<Numbered>> {
    sqlx::query_as(
        "select seq, prev, hash, id, type, subject, version, payload, actor, at, traceparent, notify
         from log where tenant_id = $1 and seq > $2 order by seq limit $3",
    )
    .bind(tx.tenant())
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

impl From<Numbered> for Event {
    fn from(numbered: Numbered) -> Self {
        let row = numbered.row;
        let notify: Vec<StoredNotify> = serde_json::from_str(&row.notify).unwrap_or_default();
        Self {
            seq: numbered.seq,
            prev: numbered.prev,
            hash: numbered.hash,
            event_id: row.id.to_string(),
            r#type: row.kind,
            subject: row.subject,
            version: row.version,
            payload: row.payload,
            actor: row.actor,
            at: Some(to_proto(row.at.to_jiff())),
            traceparent: row.traceparent,
            notify: notify.into_iter().map(Into::into).collect(),
        }
    }
}

#[tonic::async_trait]
impl LogService for Log {
    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<ReadResponse>, Status> {
        let (call, ask) = Call::take(request)?;
        Ok(Response::new(ReadResponse { events: self.events(&call, ask.after, ask.limit).await? }))
    }

    async fn list_heads(&self, request: Request<ListHeadsRequest>) -> Result<Response<ListHeadsResponse>, Status> {
        let (_, ask) = Call::take(request)?;
        let since = ask.moved_after.as_ref().and_then(from_proto).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let heads = self.db.sweep("select tenant_id, seq from log_head where moved_at > $1 and seq > 0 order by tenant_id", since).await?;
        Ok(Response::new(ListHeadsResponse { heads: heads.into_iter().map(|(tenant, seq)| Head { tenant, seq }).collect() }))
    }
}

impl Log {
    /// Events of the call's district after a number.
    pub async fn events(&self, call: &Call, after_seq: i64, limit: i32) -> Result<Vec<Event>, Fault> {
        let limit = if limit == 0 { 200 } else { i64::from(limit) };
        let mut tx = self.db.read(call).await?;
        Ok(after(&mut tx, after_seq, limit).await?.into_iter().map(Into::into).collect())
    }

    /// Events of this service's own log for a worker in the same process.
    pub async fn own(&self, tenant: i32, after_seq: i64, now: jiff::Timestamp) -> Result<Vec<Event>, Fault> {
        self.events(&Call::of_service(self.db.service(), tenant, now, Duration::from_secs(5)), after_seq, 200).await
    }
}
