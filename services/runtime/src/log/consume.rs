//! Reading another service's log. A consumer keeps its cursor in its own database, in the transaction of its effect: every event takes
//! effect exactly once, whatever dies. A follower keeps none: it hears what happens from now on, for caches and revocation.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use drumtower_proto::log::{Event, ListHeadsRequest, ReadRequest, log_service_client::LogServiceClient};
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument as _;

use crate::{
    call::Call,
    clock::{Clock, to_proto},
    db::{Db, TenantTx},
    fault::Fault,
    peers::Peers,
    refusal::Kind,
    telemetry,
};

/// Attempts at one event before it is set aside.
const ATTEMPTS: u32 = 8;
const BATCH: i32 = 100;
/// How long to wait for what rings in the same moment.
const GATHER: Duration = Duration::from_millis(5);
/// How far the clocks of two machines may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(20);

/// What a service does with another service's events.
pub trait Consumer: Send + Sync + 'static {
    /// Name of the cursor.
    fn name(&self) -> &'static str;
    /// Whose log.
    fn source(&self) -> &'static str;
    /// The effect of one event, inside the transaction that moves the cursor.
    fn take(&self, tx: &mut TenantTx, event: &Event) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Runs a consumer until the process ends.
pub async fn consume<C: Consumer>(consumer: C, db: Db, peers: Peers, clock: Clock) {
    let mut reader = Reader::new(consumer.source(), &db, peers, clock.clone());
    let mut failed: HashMap<i32, u32> = HashMap::new();
    loop {
        for tenant in reader.wake().await {
            let mut more = true;
            while more {
                more = match batch(&consumer, &db, &reader, tenant, &clock, &mut failed).await {
                    Ok(more) => more,
                    Err(error) => {
                        tracing::warn!(consumer = consumer.name(), tenant, error = ?error, "an event is tried again later");
                        reader.again(tenant);
                        false
                    }
                };
            }
        }
    }
}

/// One batch of one district; whether there may be more. All of it in one transaction; only if that fails, event by event, so that the
/// one at fault is found.
async fn batch<C: Consumer>(
    consumer: &C,
    db: &Db,
    reader: &Reader,
    tenant: i32,
    clock: &Clock,
    failed: &mut HashMap<i32, u32>,
) -> Result<bool, Fault> {
    let call = Call::of_service(db.service(), tenant, clock.now(), Duration::from_secs(20));
    let after = cursor(db, &call, consumer.name()).await?;
    let events = reader.read(&call, after).await?;
    let full = events.len() == BATCH as usize;
    if events.is_empty() || many(consumer, db, tenant, clock, &events).await.is_ok() {
        failed.remove(&tenant);
        return Ok(full);
    }
    for event in events {
        let taken = many(consumer, db, tenant, clock, std::slice::from_ref(&event)).await;
        let Err(error) = taken else {
            failed.remove(&tenant);
            continue;
        };
        if passes(&error) {
            return Err(error);
        }
        let attempts = failed.entry(tenant).or_default();
        *attempts += 1;
        if *attempts < ATTEMPTS {
            return Err(error);
        }
        set_aside(consumer, db, tenant, clock, &event, &error).await?;
        failed.remove(&tenant);
    }
    Ok(full)
}

/// A fault of the moment, which is no fault of the event: it is tried again for as long as it takes.
fn passes(fault: &Fault) -> bool {
    match fault {
        Fault::Refused(refusal) => matches!(refusal.kind(), Kind::Unavailable | Kind::Deadline | Kind::Stale | Kind::Exhausted),
        Fault::Peer(_) => true,
        Fault::Repeated | Fault::Broken(_) => false,
    }
}

/// Effects and cursor in one transaction. The cursor moves only from the number before, so that a second runner changes nothing.
async fn many<C: Consumer>(consumer: &C, db: &Db, tenant: i32, clock: &Clock, events: &[Event]) -> Result<(), Fault> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
    let call = Call::of_service(db.service(), tenant, clock.now(), Duration::from_secs(10));
    let mut tx = db.write(&call).await?;
    if !advance(&mut tx, consumer.name(), first.seq, last.seq).await? {
        return Ok(());
    }
    for event in events {
        let span = telemetry::span_of_event(consumer.name(), event, tenant);
        consumer.take(&mut tx, event).instrument(span).await?;
    }
    tx.done().await
}

async fn set_aside<C: Consumer>(consumer: &C, db: &Db, tenant: i32, clock: &Clock, event: &Event, error: &Fault) -> Result<(), Fault> {
    tracing::error!(consumer = consumer.name(), tenant, seq = event.seq, error = ?error, "an event is set aside");
    let call = Call::of_service(db.service(), tenant, clock.now(), Duration::from_secs(10));
    let mut tx = db.write(&call).await?;
    if !advance(&mut tx, consumer.name(), event.seq, event.seq).await? {
        return Ok(());
    }
    sqlx::query("insert into dead_letter (tenant_id, consumer, seq, event_id, error) values ($1, $2, $3, $4, $5) on conflict do nothing")
        .bind(tenant)
        .bind(consumer.name())
        .bind(event.seq)
        .bind(&event.event_id)
        .bind(format!("{error:?}"))
        .execute(tx.conn())
        .await?;
    tx.done().await
}

async fn cursor(db: &Db, call: &Call, consumer: &str) -> Result<i64, Fault> {
    let mut tx = db.read(call).await?;
    let seq: Option<(i64,)> = sqlx::query_as("select seq from cursor where tenant_id = $1 and consumer = $2")
        .bind(tx.tenant())
        .bind(consumer)
        .fetch_optional(tx.conn())
        .await?;
    Ok(seq.map_or(0, |(seq,)| seq))
}

/// Moves the cursor to `last` if it stands right before `first`.
async fn advance(tx: &mut TenantTx, consumer: &str, first: i64, last: i64) -> Result<bool, Fault> {
    let moved = sqlx::query("update cursor set seq = $4 where tenant_id = $1 and consumer = $2 and seq = $3 - 1")
        .bind(tx.tenant())
        .bind(consumer)
        .bind(first)
        .bind(last)
        .execute(tx.conn())
        .await?;
    if moved.rows_affected() == 1 || first != 1 {
        return Ok(moved.rows_affected() == 1);
    }
    let begun = sqlx::query("insert into cursor (tenant_id, consumer, seq) values ($1, $2, $3) on conflict do nothing")
        .bind(tx.tenant())
        .bind(consumer)
        .bind(last)
        .execute(tx.conn())
        .await?;
    Ok(begun.rows_affected() == 1)
}

/// What a follower is told.
#[derive(Debug)]
pub enum Follow<'a> {
    /// Something happened in a district.
    Event(i32, &'a Event),
    /// The log was read to its end at this instant.
    CaughtUp(Instant),
}

/// Follows a log from a little before now on, without a cursor: what it builds is lost with the process and may see an event twice.
pub async fn follow(source: &'static str, back: i64, db: Db, peers: Peers, clock: Clock, mut hear: impl FnMut(Follow<'_>) + Send) {
    let mut reader = Reader::new(source, &db, peers, clock.clone());
    let mut cursors: BTreeMap<i32, i64> = BTreeMap::new();
    loop {
        let mut whole = true;
        for tenant in reader.wake().await {
            let from = cursors.get(&tenant).copied().unwrap_or_else(|| (reader.head(tenant) - back).max(0));
            match read_to_end(&reader, &db, &clock, tenant, from, &mut hear).await {
                Ok(seq) => {
                    cursors.insert(tenant, seq);
                }
                Err(_) => {
                    whole = false;
                    reader.again(tenant);
                }
            }
        }
        if whole && reader.reachable {
            hear(Follow::CaughtUp(Instant::now()));
        }
    }
}

async fn read_to_end(
    reader: &Reader,
    db: &Db,
    clock: &Clock,
    tenant: i32,
    mut seq: i64,
    hear: &mut (impl FnMut(Follow<'_>) + Send),
) -> Result<i64, Fault> {
    loop {
        let call = Call::of_service(db.service(), tenant, clock.now(), Duration::from_secs(5));
        let events = reader.read(&call, seq).await?;
        for event in &events {
            hear(Follow::Event(tenant, event));
            seq = event.seq;
        }
        if events.len() < BATCH as usize {
            return Ok(seq);
        }
    }
}

/// From when on heads are asked for. A head carries the instant at which its move began, on another machine, and shows when it ends.
fn since(answered: Timestamp) -> Timestamp {
    answered - super::sequence::SLOWEST_MOVE - SKEW
}

/// Finds out which districts have news: at once by the bell, and once a second by asking.
struct Reader {
    source: &'static str,
    topic: String,
    peers: Peers,
    service: &'static str,
    clock: Clock,
    bell: tokio::sync::broadcast::Receiver<crate::redis::Rung>,
    heads: Arc<std::sync::Mutex<BTreeMap<i32, i64>>>,
    asked: Option<Instant>,
    /// When the last ask began that was answered.
    answered: Option<Timestamp>,
    retry: BTreeSet<i32>,
    reachable: bool,
}

impl Reader {
    fn new(source: &'static str, db: &Db, peers: Peers, clock: Clock) -> Self {
        Self {
            source,
            topic: format!("log:{source}"),
            peers,
            service: db.service(),
            clock,
            bell: db.bell().listen(),
            heads: Arc::default(),
            asked: None,
            answered: None,
            retry: BTreeSet::new(),
            reachable: false,
        }
    }

    fn again(&mut self, tenant: i32) {
        self.retry.insert(tenant);
    }

    fn head(&self, tenant: i32) -> i64 {
        self.heads.lock().map(|heads| heads.get(&tenant).copied().unwrap_or(0)).unwrap_or(0)
    }

    /// Waits for the bell or a second, whichever comes first, and says which districts have news.
    async fn wake(&mut self) -> BTreeSet<i32> {
        let due = self.asked.map_or(Duration::ZERO, |asked| Duration::from_secs(1).saturating_sub(asked.elapsed()));
        let mut tenants = BTreeSet::new();
        if let Ok(Ok(rung)) = tokio::time::timeout(due, self.bell.recv()).await
            && rung.topic == self.topic
        {
            tenants.insert(rung.tenant);
            self.gather(&mut tenants).await;
        }
        if self.asked.is_none_or(|asked| asked.elapsed() >= Duration::from_secs(1)) {
            self.asked = Some(Instant::now());
            tenants.append(&mut self.retry);
            let found = self.ask().await;
            self.reachable = found.is_ok();
            tenants.extend(found.unwrap_or_default());
        }
        tenants
    }

    /// What rings in the same moment is taken together: fewer, fuller transactions.
    async fn gather(&mut self, tenants: &mut BTreeSet<i32>) {
        tokio::time::sleep(GATHER).await;
        while let Ok(more) = self.bell.try_recv() {
            if more.topic == self.topic {
                tenants.insert(more.tenant);
            }
        }
    }

    /// All heads the first time, afterwards those that moved since shortly before the last answer, however long ago that is; the districts
    /// whose head is not the one we knew.
    async fn ask(&mut self) -> Result<Vec<i32>, Fault> {
        let now = self.clock.now();
        let call = Call::of_service(self.service, 0, now, Duration::from_secs(2));
        let moved_after = self.answered.map(|answered| to_proto(since(answered)));
        let request = ListHeadsRequest { moved_after };
        let answer = LogServiceClient::new(self.peers.to(self.source, &call)?).list_heads(request).await?;
        self.answered = Some(now);
        let mut heads = self.heads.lock().map_err(|_| Fault::broken("a follower panicked"))?;
        let news = answer.into_inner().heads.into_iter().filter(|head| heads.insert(head.tenant, head.seq) != Some(head.seq));
        let news = news.map(|head| head.tenant);
        Ok(news.collect())
    }

    async fn read(&self, call: &Call, after: i64) -> Result<Vec<Event>, Fault> {
        let request = ReadRequest { after, limit: BATCH };
        let answer = LogServiceClient::new(self.peers.to(self.source, call)?).read(request).await?;
        Ok(answer.into_inner().events)
    }
}
