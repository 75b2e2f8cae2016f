//! Counters for the wall: what happened today, what is going on, and what came of everything so far. Cheap enough to be asked for every few
//! seconds: today's are counted by index, those of all time from what was added up.

use drumtower_proto::ticketing::{GetLiveCountersRequest, LiveCounters, ticket};
use drumtower_runtime::{
    Call, Fault, TenantTx,
    calendar::{start_of, today},
    clock::to_proto,
};
use jiff::{
    Timestamp,
    civil::{Date, date},
};
use jiff_sqlx::ToSqlx as _;
use tonic::{Request, Response};

use super::{
    api::Figures,
    rollup::{self, SUBMIT},
    rules::ADDED_UP,
};
use crate::ticket::{rules::State, store::small, watch};

/// Facts that are told of today.
const TODAY: [&str; 4] = ["ACCEPT", "ARRIVE", "SIGN", "SIGN_OFF"];
/// Before everything that ever happened.
const BEGINNING: Date = date(1, 1, 1);
/// The lowest score that is no bad rating, as in the figure `satisfaction`.
const SATISFIED: i32 = 3;

impl Figures {
    pub(super) async fn live(&self, request: Request<GetLiveCountersRequest>) -> Result<Response<LiveCounters>, Fault> {
        let (call, _) = Call::take(request)?;
        let mut tx = self.db.read(&call).await?;
        // The cursor first: what comes after it may be in the numbers already, and nothing is missed.
        rollup::at_one_moment(&mut tx).await?;
        let cursor = watch::head(&mut tx).await?;
        let began = start_of(today(call.now));
        let today = happened(&mut tx, began).await?;
        let now = going_on(&mut tx, began).await?;
        let ever = ever(&mut tx).await?;
        let of_today = |name: &str| today.iter().find(|(fact, _)| fact == name).map_or(0, |(_, requests)| *requests);
        let of_all = |name: &str, values: std::ops::RangeInclusive<i32>| {
            ever.iter().filter(|(fact, value, _)| fact == name && values.contains(value)).map(|(_, _, count)| count).sum::<i64>()
        };
        let solved = ticket::Result::Resolved as i32;
        Ok(Response::new(LiveCounters {
            cursor,
            at: Some(to_proto(call.now)),
            submitted_today: now.submitted,
            accepted_today: of_today("ACCEPT"),
            signed_today: of_today("SIGN"),
            visited_today: of_today("ARRIVE"),
            resolved_today: of_today("SIGN_OFF"),
            on_site: now.on_site,
            overdue: now.overdue,
            submitted: of_all(SUBMIT, 0..=0),
            solved: of_all("ARCHIVE", solved..=solved) - of_all("UNSOLVE", 1..=1),
            rated: of_all("RATE", 1..=5),
            satisfied: of_all("RATE", SATISFIED..=5),
        }))
    }
}

/// To how many requests something happened since an instant, by what.
#[tracing::instrument(name = "db.fact.happened", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn happened(tx: &mut TenantTx, since: Timestamp) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("select name, count(distinct ticket_id) from fact where tenant_id = $1 and name = any($2) and at >= $3 group by name")
        .bind(tx.tenant())
        .bind(TODAY)
        .bind(since.to_sqlx())
        .fetch_all(tx.conn())
        .await
}

/// What is going on.
#[derive(Debug, sqlx::FromRow)]
struct GoingOn {
    submitted: i64,
    on_site: i64,
    overdue: i64,
}

#[tracing::instrument(name = "db.ticket.going_on", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn going_on(tx: &mut TenantTx, since: Timestamp) -> sqlx::Result<GoingOn> {
    sqlx::query_as(
        "select (select count(*) from ticket where tenant_id = $1 and submitted_at >= $2) as submitted,
           (select count(*) from ticket where tenant_id = $1 and state = $3) as on_site,
           (select count(*) from ticket where tenant_id = $1 and overdue) as overdue",
    )
    .bind(tx.tenant())
    .bind(since.to_sqlx())
    .bind(small(State::OnSite as i32))
    .fetch_one(tx.conn())
    .await
}

/// Facts of all time, by name and value: what was added up, what came late of those days, what happened since.
#[tracing::instrument(name = "db.fact.ever", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn ever(tx: &mut TenantTx) -> sqlx::Result<Vec<(String, i32, i64)>> {
    let until = rollup::until(tx).await?.unwrap_or(BEGINNING);
    sqlx::query_as(
        "select name, value, sum(count)::int8 from (
           select d.name, d.value, d.count from fact_sum d where d.tenant_id = $1
           union all select l.name, l.value, l.count from fact_late l where l.tenant_id = $1 and l.day < $2
           union all select f.name, f.value, count(*) from fact f
             where f.tenant_id = $1 and f.name = any($3) and f.at >= $4 group by f.name, f.value
           union all select $5, 0, count(*) from ticket t where t.tenant_id = $1 and t.submitted_at >= $4) a
         group by name, value",
    )
    .bind(tx.tenant())
    .bind(until.to_sqlx())
    .bind(ADDED_UP)
    .bind(start_of(until).to_sqlx())
    .bind(SUBMIT)
    .fetch_all(tx.conn())
    .await
}
