//! The only way to the database: a transaction of one district, made from a verified call. PostgreSQL proves the district again by
//! row-level security; the transaction ends with the deadline of the call.

use std::time::{Duration, Instant};

use jiff_sqlx::ToSqlx as _;
use secrecy::ExposeSecret as _;
use sqlx::{
    AssertSqlSafe, PgConnection, Postgres, QueryBuilder,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use tonic::Response;

use crate::{
    call::{Actor, Call, Key},
    config::Config,
    fault::{Fault, unavailable},
    log::NewEvent,
    redis::Bell,
    resting::Resting,
    seal::{Kek, Place},
};

/// A service's database: its own schema, its own login role, which owns nothing.
#[derive(Debug, Clone)]
pub struct Db {
    service: &'static str,
    pool: PgPool,
    sweep: PgPool,
    bell: Bell,
    kek: Kek,
    resting: Resting,
}

impl Db {
    /// Pools that connect when first used.
    pub fn connect(config: &Config, service: &'static str, bell: Bell) -> Result<Self, Fault> {
        let pool = pool(config, &format!("dt_{service}"), config.database.pool)?;
        let sweep = pool_of_sweep(config, service)?;
        let kek = Kek::new(config.secret("kek").map_err(|error| Fault::broken(error.to_string()))?)?;
        Ok(Self { service, pool, sweep, bell, kek, resting: Resting::default() })
    }

    /// The service's name.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// The bell that this database's commits ring.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Which districts rest.
    pub fn resting(&self) -> &Resting {
        &self.resting
    }

    /// A transaction that reads. Dropping it is all it needs.
    pub async fn read(&self, call: &Call) -> Result<TenantTx, Fault> {
        self.begin(call, "BEGIN READ ONLY").await
    }

    /// A transaction that writes. Nothing stays unless it is committed with the answer.
    pub async fn write(&self, call: &Call) -> Result<TenantTx, Fault> {
        self.begin(call, "BEGIN").await
    }

    /// One round trip: begin, say the district, bound the time. The district is a number, so the text cannot be bent.
    #[tracing::instrument(name = "db.begin", skip_all, fields(otel.kind = "client", db.system.name = "postgresql", tenant.id = call.tenant))]
    async fn begin(&self, call: &Call, begin: &str) -> Result<TenantTx, Fault> {
        let millis = call.remaining().as_millis().clamp(1, 30_000);
        let conn = tokio::time::timeout(call.remaining(), self.pool.acquire()).await.map_err(|_| unavailable())??;
        let text = format!("{begin}; SET LOCAL drumtower.tenant_id='{}'; SET LOCAL statement_timeout='{millis}'", call.tenant);
        // Made first: a caller that gives up while BEGIN is on its way leaves a connection that is rolled back, not one in a transaction.
        let mut tx = TenantTx {
            conn: Some(conn),
            tenant: call.tenant,
            service: self.service,
            principal: principal(call),
            actor: call.actor_name(),
            traceparent: call.traceparent.clone(),
            key: call.key.clone(),
            now: call.now,
            deadline: call.deadline,
            events: Vec::new(),
            bell: self.bell.clone(),
            kek: self.kek.clone(),
        };
        sqlx::raw_sql(AssertSqlSafe(text)).execute(tx.conn()).await?;
        Ok(tx)
    }

    /// The answer that an earlier attempt with the same key committed: `Ok(None)` when there is none.
    pub async fn answer_of(&self, call: &Call) -> Result<Option<([u8; 32], Vec<u8>)>, Fault> {
        let Some(key) = &call.key else { return Ok(None) };
        let mut tx = self.read(call).await?;
        let row: Option<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as("select hash, answer from request_key where tenant_id = $1 and principal = $2 and key = $3")
                .bind(call.tenant)
                .bind(principal(call))
                .bind(&key.key)
                .fetch_optional(tx.conn())
                .await?;
        let Some((hash, sealed)) = row else { return Ok(None) };
        let answer = self.kek.of_tenant(call.tenant, ANSWERS)?.open_bytes(place_of_answer(&key.key), &sealed)?;
        Ok(Some((hash.try_into().map_err(|_| Fault::broken("a key's hash has another length"))?, answer)))
    }

    /// Districts that a sweep over all of them found, by a statement that reads only columns declared as swept.
    pub async fn sweep(&self, statement: &'static str, at: jiff::Timestamp) -> Result<Vec<(i32, i64)>, Fault> {
        Ok(sqlx::query_as(statement).bind(at.to_sqlx()).fetch_all(&self.sweep).await?)
    }

    /// Like [`Db::sweep`], without the districts that rest: for what would tell somebody, or change something by itself.
    pub async fn sweep_at_work(&self, statement: &'static str, at: jiff::Timestamp) -> Result<Vec<(i32, i64)>, Fault> {
        let mut found = self.sweep(statement, at).await?;
        found.retain(|(tenant, _)| !self.resting.rests(*tenant));
        Ok(found)
    }

    /// Takes or renews a lease in the table of leases; the fencing number, or `None` while somebody else holds it.
    pub async fn lease(&self, name: &str, holder: &str, now: jiff::Timestamp, length: Duration) -> Result<Option<i64>, Fault> {
        let until = now + jiff::SignedDuration::try_from(length).unwrap_or(jiff::SignedDuration::from_secs(5));
        let row: Option<(i64,)> = sqlx::query_as(
            "insert into lease as held (name, holder, fence, until) values ($1, $2, 1, $4)
             on conflict (name) do update set holder = excluded.holder, until = excluded.until,
               fence = held.fence + case when held.holder = excluded.holder then 0 else 1 end
             where held.holder = excluded.holder or held.until < $3
             returning fence",
        )
        .bind(name)
        .bind(holder)
        .bind(now.to_sqlx())
        .bind(until.to_sqlx())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(fence,)| fence))
    }

    /// The pool, for tables that belong to no district (leases, the list of districts). Named so that it stands out.
    pub fn beyond_tenants(&self) -> &PgPool {
        &self.pool
    }
}

fn pool(config: &Config, role: &str, size: u32) -> Result<PgPool, Fault> {
    let password = config.secret(role).map_err(|error| Fault::broken(error.to_string()))?;
    let options: PgConnectOptions = config.database.url.parse::<PgConnectOptions>()?;
    let options = options.username(role).password(password.expose_secret()).application_name(role);
    Ok(PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(3))
        // A ping on every acquire costs a third of a short read; a dead connection shows at BEGIN.
        .test_before_acquire(false)
        .connect_lazy_with(options))
}

fn pool_of_sweep(config: &Config, service: &str) -> Result<PgPool, Fault> {
    pool(config, &format!("dt_{service}_sweep"), 2)
}

/// Events written in one statement.
const MANY_EVENTS: usize = 5000;

/// Salt of the key that seals kept answers.
const ANSWERS: &[u8] = b"answers";

/// Where a kept answer belongs. It may hold personal data, so it is sealed like a field.
fn place_of_answer(key: &str) -> Place<'_> {
    Place { table: "request_key", column: "answer", row: key }
}

/// Whose idempotency keys these are.
fn principal(call: &Call) -> String {
    match &call.actor {
        Actor::Nobody => format!("address:{}", call.address),
        _ => call.actor_name(),
    }
}

/// A transaction of one district.
#[derive(Debug)]
pub struct TenantTx {
    conn: Option<PoolConnection<Postgres>>,
    tenant: i32,
    service: &'static str,
    principal: String,
    actor: String,
    traceparent: String,
    key: Option<Key>,
    now: jiff::Timestamp,
    deadline: Instant,
    events: Vec<NewEvent>,
    bell: Bell,
    kek: Kek,
}

impl TenantTx {
    /// The district, to bind as `$1` in every statement.
    pub fn tenant(&self) -> i32 {
        self.tenant
    }

    /// From here on statements are planned once for all values, by index. For one of many small parts, each with an index of its own: to plan it anew
    /// for each call takes several times as long as to run it, and a plan made without its values guesses too many rows and would read them all.
    pub async fn by_index(&mut self) -> Result<(), Fault> {
        let text = "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; \
                    SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off";
        sqlx::raw_sql(text).execute(self.conn()).await?;
        Ok(())
    }

    /// When the call arrived.
    pub fn now(&self) -> jiff::Timestamp {
        self.now
    }

    /// The connection to run a statement on.
    pub fn conn(&mut self) -> &mut PgConnection {
        self.conn.as_mut().expect("the connection is taken only when the transaction ends")
    }

    /// Says that something happened; written with the commit.
    pub fn emit(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    /// Commits with the answer: events, the idempotency key with its answer, and the rows, together or not at all.
    pub async fn commit<T: prost::Message>(self, answer: T) -> Result<Response<T>, Fault> {
        let bytes = if self.key.is_some() { answer.encode_to_vec() } else { Vec::new() };
        self.finish(&bytes).await?;
        Ok(Response::new(answer))
    }

    /// Commits without an answer: a worker's transaction, or what is kept of a refusal. The call's key stays unused, for only an answer
    /// may be given again.
    pub async fn done(mut self) -> Result<(), Fault> {
        self.key = None;
        self.finish(&[]).await
    }

    #[tracing::instrument(name = "db.commit", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"))]
    async fn finish(mut self, answer: &[u8]) -> Result<(), Fault> {
        self.write_key_and_events(answer).await?;
        if Instant::now() >= self.deadline {
            return Err(unavailable().into());
        }
        let committed = sqlx::raw_sql("COMMIT").execute(self.conn()).await;
        let rings = !self.events.is_empty();
        match committed {
            // The connection broke with the COMMIT on its way: the outcome is unknown, the same key finds out.
            Err(error) => {
                tracing::warn!(error = %error, "the outcome of a commit is unknown");
                if let Some(mut conn) = self.conn.take() {
                    conn.close_on_drop();
                }
                Err(unavailable().into())
            }
            Ok(_) => {
                drop(self.conn.take());
                if rings {
                    self.bell.ring(&format!("outbox:{}", self.service), self.tenant);
                }
                Ok(())
            }
        }
    }

    /// Key and events in one statement. Another attempt that committed the same key first makes this one void.
    async fn write_key_and_events(&mut self, answer: &[u8]) -> Result<(), Fault> {
        let key = self.key.take();
        if key.is_none() && self.events.is_empty() {
            return Ok(());
        }
        // A statement takes 65,535 values; an import may say more in one transaction.
        let rest = self.events.len().saturating_sub(MANY_EVENTS);
        for chunk in self.events[..rest].chunks(MANY_EVENTS) {
            let mut statement = QueryBuilder::<Postgres>::new("");
            self.push_events(&mut statement, chunk);
            let conn = self.conn.as_mut().expect("the connection is taken only when the transaction ends");
            statement.build().execute(&mut **conn).await?;
        }
        let mut statement = QueryBuilder::<Postgres>::new("");
        if !self.events.is_empty() {
            statement.push(if key.is_some() { "with events as (" } else { "" });
            self.push_events(&mut statement, &self.events[rest..]);
            statement.push(if key.is_some() { ") " } else { "" });
        }
        if let Some(key) = &key {
            let answer = self.kek.of_tenant(self.tenant, ANSWERS)?.seal_bytes(place_of_answer(&key.key), answer)?;
            statement.push("insert into request_key (tenant_id, principal, key, hash, answer, at) values (").push_bind(self.tenant);
            statement.push(", ").push_bind(self.principal.clone()).push(", ").push_bind(key.key.clone());
            statement.push(", ").push_bind(key.hash.to_vec()).push(", ").push_bind(answer);
            statement.push(", ").push_bind(self.now.to_sqlx()).push(") on conflict (tenant_id, principal, key) do nothing");
        }
        let written = statement.build().execute(self.conn()).await?;
        if key.is_some() && written.rows_affected() == 0 { Err(Fault::Repeated) } else { Ok(()) }
    }

    fn push_events(&self, statement: &mut QueryBuilder<Postgres>, events: &[NewEvent]) {
        statement.push("insert into outbox (tenant_id, id, type, subject, version, payload, actor, at, traceparent, notify) ");
        statement.push_values(events, |mut row, event| {
            row.push_bind(self.tenant).push_bind(event.id).push_bind(event.kind.clone().into_owned()).push_bind(event.subject.clone());
            row.push_bind(event.version).push_bind(event.payload.clone()).push_bind(self.actor.clone());
            row.push_bind(event.at.unwrap_or(self.now).to_sqlx()).push_bind(self.traceparent.clone()).push_bind(event.notify_text());
        });
    }
}

impl Drop for TenantTx {
    /// A transaction that was not committed is rolled back off the caller's path. One that ran past its deadline may still have a
    /// statement running: its connection is closed, not returned.
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else { return };
        if Instant::now() >= self.deadline {
            conn.close_on_drop();
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            conn.close_on_drop();
            return;
        };
        runtime.spawn(async move {
            let rolled_back = tokio::time::timeout(Duration::from_secs(3), sqlx::raw_sql("ROLLBACK").execute(&mut *conn)).await;
            if !matches!(rolled_back, Ok(Ok(_))) {
                conn.close_on_drop();
            }
        });
    }
}
