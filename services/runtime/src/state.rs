//! How this service does its work for a district, told to identity: what is not numbered yet, how far its consumers have read, what waits to go
//! out, what is late.

use drumtower_proto::log::{Deliveries, Dues, GetStateRequest, GetStateResponse, Reading, state_service_server::StateService};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use tonic::{Request, Response, Status};

use crate::{
    call::Call,
    clock::to_proto,
    db::{Db, TenantTx},
    delivery::GIVEN_UP,
    fault::Fault,
    server::Parts,
};

/// What is due for less than that is taken in a moment.
const MOMENT: SignedDuration = SignedDuration::from_secs(10);

/// What a service does beside answering calls.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Whose log is read, with the name of the consumer.
    pub consumers: &'static [(&'static str, &'static str)],
    /// What has a time of its own: a name, and how many of a district `$1` are due since before `$2`, with the time of the first.
    pub dues: &'static [(&'static str, &'static str)],
}

impl Work {
    /// Of a service that only answers.
    pub const NONE: Self = Self { consumers: &[], dues: &[] };
}

/// The state of one service.
#[derive(Debug, Clone)]
pub struct States {
    db: Db,
    started: Timestamp,
    work: Work,
}

impl States {
    /// Of the service that these parts are of.
    pub fn new(parts: &Parts, work: Work) -> Self {
        Self { db: parts.db.clone(), started: parts.started, work }
    }

    async fn state(&self, call: &Call) -> Result<GetStateResponse, Fault> {
        let mut tx = self.db.read(call).await?;
        let (head, unnumbered) = log(&mut tx).await?;
        let read = readings(&mut tx).await?;
        let of = |name: &str| read.iter().find(|(consumer, ..)| consumer == name).map_or((0, 0), |(_, seq, aside)| (*seq, *aside));
        let readings = self.work.consumers.iter().map(|(source, consumer)| {
            let (seq, set_aside) = of(consumer);
            Reading { consumer: (*consumer).to_owned(), source: (*source).to_owned(), seq, set_aside }
        });
        let readings = readings.collect();
        let deliveries = Some(deliveries(&mut tx).await?);
        let mut dues = Vec::with_capacity(self.work.dues.len());
        for (name, question) in self.work.dues {
            let (late, oldest) = late(&mut tx, question, call.now - MOMENT).await?;
            dues.push(Dues { name: (*name).to_owned(), late, oldest_at: oldest.map(to_proto) });
        }
        let (version, started_at) = (env!("CARGO_PKG_VERSION").to_owned(), Some(to_proto(self.started)));
        Ok(GetStateResponse { version, started_at, head, unnumbered, readings, deliveries, dues })
    }
}

/// Where the district's log ends, and how much is on its way there.
#[tracing::instrument(name = "db.state.log", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn log(tx: &mut TenantTx) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "select coalesce((select seq from log_head where tenant_id = $1), 0), (select count(*) from outbox where tenant_id = $1)",
    )
    .bind(tx.tenant())
    .fetch_one(tx.conn())
    .await
}

/// How far each consumer has read, and what it set aside.
#[tracing::instrument(name = "db.state.readings", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn readings(tx: &mut TenantTx) -> sqlx::Result<Vec<(String, i64, i64)>> {
    sqlx::query_as(
        "select c.consumer, c.seq, (select count(*) from dead_letter d where d.tenant_id = $1 and d.consumer = c.consumer)
         from cursor c where c.tenant_id = $1",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await
}

/// What waits to go out, and what was given up.
#[tracing::instrument(name = "db.state.deliveries", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn deliveries(tx: &mut TenantTx) -> sqlx::Result<Deliveries> {
    let (waiting, failing, given_up, oldest): (i64, i64, i64, Option<jiff_sqlx::Timestamp>) = sqlx::query_as(
        "select count(*), count(*) filter (where attempts > 0), (select count(*) from delivery where tenant_id = $1 and state = $2),
           min(created_at)
         from delivery where tenant_id = $1 and due_at is not null",
    )
    .bind(tx.tenant())
    .bind(GIVEN_UP)
    .fetch_one(tx.conn())
    .await?;
    Ok(Deliveries { waiting, failing, given_up, oldest_at: oldest.map(|at| to_proto(at.to_jiff())) })
}

/// How much of one kind is late, since when.
#[tracing::instrument(name = "db.state.late", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn late(tx: &mut TenantTx, question: &'static str, before: Timestamp) -> sqlx::Result<(i64, Option<Timestamp>)> {
    let (late, oldest): (i64, Option<jiff_sqlx::Timestamp>) =
        sqlx::query_as(question).bind(tx.tenant()).bind(before.to_sqlx()).fetch_one(tx.conn()).await?;
    Ok((late, oldest.map(|at| at.to_jiff())))
}

#[tonic::async_trait]
impl StateService for States {
    async fn get_state(&self, request: Request<GetStateRequest>) -> Result<Response<GetStateResponse>, Status> {
        let (call, _) = Call::take(request)?;
        Ok(Response::new(self.state(&call).await?))
    }
}
