//! Numbers for people, YYYYMMDD-NNNN. A process takes a block of them at a time, so that submissions do not queue for one row; a process
//! that ends leaves a gap, never a number twice.

use std::{collections::HashMap, time::Duration};

use drumtower_runtime::{Call, Db, Fault};
use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx as _;
use tokio::sync::Mutex;

/// Numbers taken at a time.
const BLOCK: i32 = 20;

/// Numbers taken and not given yet, by district.
#[derive(Debug, Default)]
pub struct Numbers(Mutex<HashMap<i32, (Date, i32, i32)>>);

impl Numbers {
    /// The next number of a district on the day of an instant in China.
    pub async fn next(&self, db: &Db, tenant: i32, at: Timestamp) -> Result<String, Fault> {
        let day = drumtower_runtime::calendar::today(at);
        let mut taken = self.0.lock().await;
        let block = match taken.get(&tenant) {
            Some((of, next, end)) if *of == day && next < end => (day, *next, *end),
            _ => {
                let end = take(db, tenant, day, at).await?;
                (day, end - BLOCK, end)
            }
        };
        taken.insert(tenant, (block.0, block.1 + 1, block.2));
        Ok(format!("{}-{:04}", day.strftime("%Y%m%d"), block.1))
    }
}

/// Takes a block; the number after its last.
#[tracing::instrument(name = "db.ticket.take_numbers", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn take(db: &Db, tenant: i32, day: Date, at: Timestamp) -> Result<i32, Fault> {
    let call = Call::of_service("ticketing", tenant, at, Duration::from_secs(2));
    let mut tx = db.write(&call).await?;
    let (end,): (i32,) = sqlx::query_as(
        "insert into ticket_number as n (tenant_id, day, next) values ($1, $2, 1 + $3)
         on conflict (tenant_id, day) do update set next = n.next + $3 returning next",
    )
    .bind(tx.tenant())
    .bind(day.to_sqlx())
    .bind(BLOCK)
    .fetch_one(tx.conn())
    .await?;
    tx.done().await?;
    Ok(end)
}
