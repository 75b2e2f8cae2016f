//! Reads a service's whole log again and says whether the chain holds: any change, deletion, reorder or fork shows.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use super::{Row, hash, sequence::link};

/// What the reading found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Districts read.
    pub tenants: usize,
    /// Events read.
    pub events: i64,
    /// What does not hold, in words.
    pub problems: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Chained {
    tenant_id: i32,
    seq: i64,
    prev: Vec<u8>,
    hash: Vec<u8>,
    #[sqlx(flatten)]
    row: Row,
}

/// Verifies the log of a service over an administrator's connection; `signed` are heads that were shipped off the machine: (district,
/// number, hash).
pub async fn verify(admin: &mut PgConnection, service: &str, signed: &[(i32, i64, Vec<u8>)]) -> sqlx::Result<Verdict> {
    let mut verdict = Verdict::default();
    let tenants: Vec<(i32, i64, Vec<u8>)> =
        sqlx::query_as(AssertSqlSafe(format!("select tenant_id, seq, hash from {service}.log_head order by tenant_id")))
            .fetch_all(&mut *admin)
            .await?;
    for (tenant, head_seq, head_hash) in tenants {
        verdict.tenants += 1;
        let end = one(admin, service, tenant, signed, &mut verdict).await?;
        if end != (head_seq, head_hash) {
            verdict.problems.push(format!("{service}: district {tenant}: the log ends at {}, its head says {head_seq}", end.0));
        }
    }
    for (tenant, seq, _) in signed.iter().filter(|(_, seq, _)| *seq > 0) {
        let text = format!("select max(seq) from {service}.log where tenant_id = $1");
        let (last,): (Option<i64>,) = sqlx::query_as(AssertSqlSafe(text)).bind(tenant).fetch_one(&mut *admin).await?;
        if last.unwrap_or(0) < *seq {
            verdict.problems.push(format!("{service}: district {tenant}: a signed head says {seq}, the log ends at {}", last.unwrap_or(0)));
        }
    }
    Ok(verdict)
}

async fn one(
    admin: &mut PgConnection,
    service: &str,
    tenant: i32,
    signed: &[(i32, i64, Vec<u8>)],
    verdict: &mut Verdict,
) -> sqlx::Result<(i64, Vec<u8>)> {
    let signed: BTreeMap<i64, &Vec<u8>> = signed.iter().filter(|(t, ..)| *t == tenant).map(|(_, seq, hash)| (*seq, hash)).collect();
    let text = format!(
        "select tenant_id, seq, prev, hash, id, type, subject, version, payload, actor, at, traceparent, notify
         from {service}.log where tenant_id = $1 and seq > $2 order by seq limit 5000"
    );
    let (mut seq, mut prev) = (0, vec![0; 32]);
    loop {
        let rows: Vec<Chained> = sqlx::query_as(AssertSqlSafe(text.clone())).bind(tenant).bind(seq).fetch_all(&mut *admin).await?;
        if rows.is_empty() {
            return Ok((seq, prev));
        }
        for row in rows {
            verdict.events += 1;
            let mut say = |what: &str| verdict.problems.push(format!("{service}: district {tenant}: event {}: {what}", row.seq));
            if row.seq != seq + 1 {
                say(&format!("follows {seq}: events are missing"));
            }
            if row.prev != prev {
                say("does not follow the event before it");
            }
            if hash(&row.prev, &link(row.tenant_id, row.seq, &row.row)).as_slice() != row.hash {
                say("was changed");
            }
            if signed.get(&row.seq).is_some_and(|hash| **hash != row.hash) {
                say("differs from the signed head");
            }
            seq = row.seq;
            prev = row.hash;
        }
    }
}
