//! Questions to the tables of channels.

use drumtower_proto::ticketing::{channel::Kind, channel_message::Outcome};
use drumtower_runtime::{Fault, Refusal, TenantTx};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use crate::ticket::{rules::Position, store::small};

/// A channel as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    kind: i16,
    pub name: String,
    pub account_id: Uuid,
    pub settings: String,
    pub secret: Vec<u8>,
    pub open: bool,
    pub version: i64,
    pub created_at: jiff_sqlx::Timestamp,
}

impl Row {
    /// What it is.
    pub fn kind(&self) -> Kind {
        Kind::try_from(i32::from(self.kind)).unwrap_or_default()
    }
}

/// A channel to open.
#[derive(Debug)]
pub struct New<'a> {
    pub id: Uuid,
    pub kind: Kind,
    pub name: &'a str,
    pub account: Uuid,
    pub settings: &'a str,
    pub secret: &'a [u8],
    pub secret_hash: &'a [u8],
}

#[tracing::instrument(name = "db.channel.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, new: &New<'_>) -> sqlx::Result<Row> {
    let now = tx.now().to_sqlx();
    sqlx::query_as(
        "insert into channel (tenant_id, id, kind, name, account_id, settings, secret, secret_hash, open, version, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, true, 1, $9)
         returning id, kind, name, account_id, settings, secret, open, version, created_at",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(small(new.kind as i32))
    .bind(new.name)
    .bind(new.account)
    .bind(new.settings)
    .bind(new.secret)
    .bind(new.secret_hash)
    .bind(now)
    .fetch_one(tx.conn())
    .await
}

/// A channel; one that is not there is refused.
#[tracing::instrument(name = "db.channel.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> Result<Row, Fault> {
    let found: Option<Row> = sqlx::query_as(
        "select id, kind, name, account_id, settings, secret, open, version, created_at from channel where tenant_id = $1 and id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    found.ok_or_else(|| Refusal::not_found("channel").into())
}

/// The open channel that a secret belongs to.
#[tracing::instrument(name = "db.channel.by_secret", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_secret(tx: &mut TenantTx, hash: &[u8]) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "select id, kind, name, account_id, settings, secret, open, version, created_at from channel
         where tenant_id = $1 and secret_hash = $2 and open",
    )
    .bind(tx.tenant())
    .bind(hash)
    .fetch_optional(tx.conn())
    .await
}

/// All channels, oldest first: a district has a handful.
#[tracing::instrument(name = "db.channel.all", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn all(tx: &mut TenantTx) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "select id, kind, name, account_id, settings, secret, open, version, created_at from channel
         where tenant_id = $1 order by created_at, id limit 200",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await
}

/// Locks a channel until the transaction ends: what cameras see at once is judged one after another. Its key stays free: messages that
/// were just noted refer to it.
#[tracing::instrument(name = "db.channel.lock", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("select 1 from channel where tenant_id = $1 and id = $2 for no key update")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Changes a channel that still has a version; `None` when somebody was first.
#[tracing::instrument(name = "db.channel.update", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn update(tx: &mut TenantTx, id: Uuid, version: i64, name: &str, settings: &str, open: bool) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "update channel set name = $4, settings = $5, open = $6, version = version + 1 where tenant_id = $1 and id = $2 and version = $3
         returning id, kind, name, account_id, settings, secret, open, version, created_at",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(version)
    .bind(name)
    .bind(settings)
    .bind(open)
    .fetch_optional(tx.conn())
    .await
}

#[tracing::instrument(name = "db.channel.new_secret", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn new_secret(tx: &mut TenantTx, id: Uuid, secret: &[u8], hash: &[u8]) -> sqlx::Result<Row> {
    sqlx::query_as(
        "update channel set secret = $3, secret_hash = $4, version = version + 1 where tenant_id = $1 and id = $2
         returning id, kind, name, account_id, settings, secret, open, version, created_at",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(secret)
    .bind(hash)
    .fetch_one(tx.conn())
    .await
}

/// A message that was taken before.
#[derive(Debug, sqlx::FromRow)]
pub struct Taken {
    pub key: String,
    pub hash: Vec<u8>,
    outcome: i16,
    pub ticket_id: Option<Uuid>,
    pub at: jiff_sqlx::Timestamp,
}

impl Taken {
    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        Outcome::try_from(i32::from(self.outcome)).unwrap_or_default()
    }
}

/// Notes that a message is taken now; what was noted when it was taken before. One that is older than `good_for` is another message.
/// Two at once: the second waits and finds the first.
#[tracing::instrument(name = "db.channel.take", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn take(
    tx: &mut TenantTx,
    channel: Uuid,
    key: &str,
    hash: &[u8],
    good_for: Option<SignedDuration>,
) -> sqlx::Result<Option<Taken>> {
    let now = tx.now();
    let forgotten = good_for.map(|good_for| (now - good_for).to_sqlx());
    let noted = sqlx::query(
        "insert into channel_message as m (tenant_id, channel_id, key, hash, outcome, at) values ($1, $2, $3, $4, 0, $5)
         on conflict (tenant_id, channel_id, key) do update set hash = excluded.hash, outcome = 0, ticket_id = null, at = excluded.at
         where m.at < $6",
    )
    .bind(tx.tenant())
    .bind(channel)
    .bind(key)
    .bind(hash)
    .bind(now.to_sqlx())
    .bind(forgotten)
    .execute(tx.conn())
    .await?;
    if noted.rows_affected() == 1 {
        return Ok(None);
    }
    taken(tx, channel, key).await
}

/// A message that was taken before.
#[tracing::instrument(name = "db.channel.taken", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn taken(tx: &mut TenantTx, channel: Uuid, key: &str) -> sqlx::Result<Option<Taken>> {
    sqlx::query_as("select key, hash, outcome, ticket_id, at from channel_message where tenant_id = $1 and channel_id = $2 and key = $3")
        .bind(tx.tenant())
        .bind(channel)
        .bind(key)
        .fetch_optional(tx.conn())
        .await
}

/// What became of a message.
#[tracing::instrument(name = "db.channel.became", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn became(tx: &mut TenantTx, channel: Uuid, key: &str, outcome: Outcome, ticket: Option<Uuid>) -> sqlx::Result<()> {
    sqlx::query("update channel_message set outcome = $4, ticket_id = $5 where tenant_id = $1 and channel_id = $2 and key = $3")
        .bind(tx.tenant())
        .bind(channel)
        .bind(key)
        .bind(small(outcome as i32))
        .bind(ticket)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Messages of a channel before one, newest first.
#[tracing::instrument(name = "db.channel.messages", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn messages(tx: &mut TenantTx, channel: Uuid, before: Option<(Timestamp, String)>, limit: i64) -> sqlx::Result<Vec<Taken>> {
    let (at, key) = before.unzip();
    sqlx::query_as(
        "select key, hash, outcome, ticket_id, at from channel_message
         where tenant_id = $1 and channel_id = $2 and ($3::timestamptz is null or (at, key) < ($3, $4))
         order by at desc, key desc limit $5",
    )
    .bind(tx.tenant())
    .bind(channel)
    .bind(at.map(|at| at.to_sqlx()))
    .bind(key)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// Remembers what a request is called in a channel.
#[tracing::instrument(name = "db.channel.link", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn link(tx: &mut TenantTx, channel: Uuid, ticket: Uuid, foreign: &str, topic: &str) -> sqlx::Result<()> {
    let now = tx.now().to_sqlx();
    sqlx::query(
        "insert into channel_ticket (tenant_id, ticket_id, channel_id, foreign_key, topic, submitted_at) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tx.tenant())
    .bind(ticket)
    .bind(channel)
    .bind(foreign)
    .bind(topic)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The request that a channel calls so.
#[tracing::instrument(name = "db.channel.called", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn called(tx: &mut TenantTx, channel: Uuid, foreign: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar("select ticket_id from channel_ticket where tenant_id = $1 and channel_id = $2 and foreign_key = $3")
        .bind(tx.tenant())
        .bind(channel)
        .bind(foreign)
        .fetch_optional(tx.conn())
        .await
}

/// A change of a request that a channel brought, with what the channel needs to be told of it.
#[derive(Debug, sqlx::FromRow)]
pub struct Told {
    pub channel_id: Uuid,
    pub foreign_key: String,
    pub number: String,
    pub settings: String,
    pub verb: String,
    pub state: i16,
    pub text: String,
    pub result_text: String,
    pub at: jiff_sqlx::Timestamp,
}

/// One change of a request, when a channel of a kind brought it. What a closed one is to be told waits until it is open.
#[tracing::instrument(name = "db.channel.told", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn told(tx: &mut TenantTx, kind: Kind, ticket: Uuid, version: i64) -> sqlx::Result<Option<Told>> {
    sqlx::query_as(
        "select ct.channel_id, ct.foreign_key, t.number, c.settings, e.verb, e.state, e.text, t.result_text, e.at
         from channel_ticket ct
         join channel c on c.tenant_id = $1 and c.id = ct.channel_id and c.kind = $2
         join ticket t on t.tenant_id = $1 and t.id = ct.ticket_id
         join ticket_event e on e.tenant_id = $1 and e.ticket_id = ct.ticket_id and e.version = $4
         where ct.tenant_id = $1 and ct.ticket_id = $3",
    )
    .bind(tx.tenant())
    .bind(small(kind as i32))
    .bind(ticket)
    .bind(version)
    .fetch_optional(tx.conn())
    .await
}

/// What a camera saw.
#[derive(Debug)]
pub struct Seen<'a> {
    pub key: &'a str,
    pub what: &'a str,
    pub at: Position,
    pub confidence: f64,
    pub seen_at: Timestamp,
    pub ticket: Option<Uuid>,
}

#[tracing::instrument(name = "db.channel.saw", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn saw(tx: &mut TenantTx, channel: Uuid, seen: &Seen<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into sighting (tenant_id, channel_id, key, type, latitude, longitude, confidence, seen_at, ticket_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tx.tenant())
    .bind(channel)
    .bind(seen.key)
    .bind(seen.what)
    .bind(seen.at.latitude)
    .bind(seen.at.longitude)
    .bind(seen.confidence)
    .bind(seen.seen_at.to_sqlx())
    .bind(seen.ticket)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Where and when something like it was seen.
#[derive(Debug)]
pub struct Around<'a> {
    pub what: &'a str,
    pub at: Position,
    pub radius_m: u32,
    pub seen_at: Timestamp,
    pub window: SignedDuration,
}

/// What was seen of a type around a place and an instant and is a request that is open, the latest first. The place is a box that holds
/// the circle; how far each is away is reckoned by the rules.
#[tracing::instrument(name = "db.channel.lately", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lately(tx: &mut TenantTx, channel: Uuid, around: &Around<'_>) -> sqlx::Result<Vec<(Uuid, Position)>> {
    // A degree of latitude is 111 km; one of longitude shrinks towards the poles.
    let degrees = f64::from(around.radius_m) / 111_000.0;
    let wide = degrees / around.at.latitude.to_radians().cos().max(0.01);
    let rows: Vec<(Uuid, f64, f64)> = sqlx::query_as(
        "select s.ticket_id, s.latitude, s.longitude from sighting s
         join ticket t on t.tenant_id = $1 and t.id = s.ticket_id and t.state not in (10, 11, 12, 13)
         where s.tenant_id = $1 and s.channel_id = $2 and s.type = $3 and s.ticket_id is not null and s.seen_at >= $4 and s.seen_at <= $5
           and s.latitude between $6 and $7 and s.longitude between $8 and $9
         order by s.seen_at desc limit 500",
    )
    .bind(tx.tenant())
    .bind(channel)
    .bind(around.what)
    .bind((around.seen_at - around.window).to_sqlx())
    .bind((around.seen_at + around.window).to_sqlx())
    .bind(around.at.latitude - degrees)
    .bind(around.at.latitude + degrees)
    .bind(around.at.longitude - wide)
    .bind(around.at.longitude + wide)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(ticket, latitude, longitude)| (ticket, Position { latitude, longitude })).collect())
}

/// A request of whoever calls.
#[derive(Debug, sqlx::FromRow)]
pub struct Earlier {
    pub id: Uuid,
    pub number: String,
    pub title: String,
    pub state: i16,
    pub enterprise_id: Uuid,
    pub enterprise_name: String,
    pub submitted_at: jiff_sqlx::Timestamp,
}

/// The latest requests with a number to contact.
#[tracing::instrument(name = "db.channel.earlier", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn earlier(tx: &mut TenantTx, caller: &[u8]) -> sqlx::Result<Vec<Earlier>> {
    sqlx::query_as(
        "select id, number, title, state, enterprise_id, enterprise_name, submitted_at from ticket
         where tenant_id = $1 and caller = $2 order by submitted_at desc, id desc limit 10",
    )
    .bind(tx.tenant())
    .bind(caller)
    .fetch_all(tx.conn())
    .await
}
