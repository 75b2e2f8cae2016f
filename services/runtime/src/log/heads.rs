//! Every minute the heads of the chains that grew are signed with the service's own key and sent away with its log lines: a chain that
//! is rewritten as a whole no longer fits what was sent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{call::Call, clock::Clock, db::Db, fault::Fault, peers::Peers};

const EVERY: Duration = Duration::from_secs(60);

/// Runs until the process ends.
pub async fn sign_heads(db: Db, peers: Peers, clock: Clock) {
    let mut since = clock.now() - SignedDuration::from_secs(60);
    loop {
        tokio::time::sleep(EVERY).await;
        let now = clock.now();
        match sign(&db, &peers, now, since).await {
            Ok(()) => since = now - SignedDuration::from_secs(5),
            Err(error) => tracing::warn!(?error, "the heads of the log are signed later"),
        }
    }
}

async fn sign(db: &Db, peers: &Peers, now: Timestamp, since: Timestamp) -> Result<(), Fault> {
    let heads = db.sweep("select tenant_id, seq from log_head where moved_at > $1 and seq > 0 order by tenant_id", since).await?;
    for (tenant, _) in heads {
        let call = Call::of_service(db.service(), tenant, now, Duration::from_secs(5));
        let mut tx = db.read(&call).await?;
        let head: Option<(i64, Vec<u8>)> =
            sqlx::query_as("select seq, hash from log_head where tenant_id = $1").bind(tx.tenant()).fetch_optional(tx.conn()).await?;
        let Some((seq, hash)) = head else { continue };
        let text = format!("{}|{tenant}|{seq}|{}|{}", db.service(), hex::encode(&hash), now.as_microsecond());
        let signature = hex::encode(peers.sign(text.as_bytes()));
        tracing::info!(target: "audit.head", head = text, signature, "signed head");
    }
    Ok(())
}
