//! Redis is the bell and the shared cache, never the book: every use has an answer for the time it is away. Short timeouts and a
//! breaker keep an outage from slowing anything down.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use ::redis::{
    AsyncCommands as _, Client, Cmd, FromRedisValue, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use futures::StreamExt as _;
use tokio::sync::broadcast;

/// Failures in a row after which Redis is left alone for a second.
const BREAKS_AFTER: u32 = 5;

/// A shared connection, or none.
#[derive(Clone)]
pub struct Redis(Option<Arc<Inner>>);

struct Inner {
    client: Client,
    manager: ConnectionManager,
    failures: AtomicU32,
    open_until: AtomicI64,
    born: Instant,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redis({})", if self.0.is_some() { "configured" } else { "none" })
    }
}

impl Redis {
    /// No Redis: everything works, slower.
    pub fn none() -> Self {
        Self(None)
    }

    /// Connects lazily, so that a start never waits for Redis.
    pub fn connect(url: Option<&str>) -> RedisResult<Self> {
        let Some(url) = url else { return Ok(Self::none()) };
        let client = Client::open(url)?;
        let settings = ConnectionManagerConfig::new()
            .set_response_timeout(Some(Duration::from_millis(100)))
            .set_connection_timeout(Some(Duration::from_millis(200)))
            .set_number_of_retries(1);
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), settings)?;
        let inner = Inner { client, manager, failures: AtomicU32::new(0), open_until: AtomicI64::new(0), born: Instant::now() };
        Ok(Self(Some(Arc::new(inner))))
    }

    /// Whether a Redis is configured.
    pub fn configured(&self) -> bool {
        self.0.is_some()
    }

    /// Runs a command; `None` when Redis is away.
    pub async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        let inner = self.ready()?;
        let answer = command.query_async::<T>(&mut inner.manager.clone()).await;
        inner.note(answer)
    }

    /// Runs a script; `None` when Redis is away.
    pub async fn script(&self, script: &Script, keys: &[String], arguments: &[String]) -> Option<Vec<i64>> {
        let inner = self.ready()?;
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(key);
        }
        for argument in arguments {
            call.arg(argument);
        }
        let answer = call.invoke_async::<Vec<i64>>(&mut inner.manager.clone()).await;
        inner.note(answer)
    }

    /// Reads a value.
    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let inner = self.ready()?;
        let answer: RedisResult<Option<Vec<u8>>> = inner.manager.clone().get(key).await;
        inner.note(answer).flatten()
    }

    /// Writes a value for a time.
    pub async fn set(&self, key: &str, value: &[u8], ttl: Duration) {
        let Some(inner) = self.ready() else { return };
        let answer: RedisResult<()> = inner.manager.clone().set_ex(key, value, ttl.as_secs().max(1)).await;
        inner.note(answer);
    }

    /// Drops a value.
    pub async fn forget(&self, key: &str) {
        let Some(inner) = self.ready() else { return };
        let answer: RedisResult<()> = inner.manager.clone().del(key).await;
        inner.note(answer);
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Option<String> {
        self.run(&::redis::cmd("PING")).await
    }

    /// The names of all keys, for tests and operators.
    pub async fn keys(&self) -> Option<Vec<String>> {
        self.run(::redis::cmd("KEYS").arg("*")).await
    }

    /// Empties it, for tests and operators: nothing is lost but time.
    pub async fn flush(&self) -> Option<String> {
        self.run(&::redis::cmd("FLUSHALL")).await
    }

    fn ready(&self) -> Option<&Arc<Inner>> {
        let inner = self.0.as_ref()?;
        let now = i64::try_from(inner.born.elapsed().as_millis()).unwrap_or(i64::MAX);
        (now >= inner.open_until.load(Ordering::Relaxed)).then_some(inner)
    }
}

impl Inner {
    /// Counts failures; after a few in a row Redis is left alone for a second, then one call tries again.
    fn note<T>(&self, answer: RedisResult<T>) -> Option<T> {
        match answer {
            Ok(value) => {
                self.failures.store(0, Ordering::Relaxed);
                Some(value)
            }
            Err(error) => {
                if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= BREAKS_AFTER {
                    let now = i64::try_from(self.born.elapsed().as_millis()).unwrap_or(0);
                    self.open_until.store(now + 1000, Ordering::Relaxed);
                    tracing::warn!(error = %error, "Redis is away; left alone for a second");
                }
                None
            }
        }
    }
}

/// The bell: a tiny publish that wakes readers, in this process at once and in others through Redis. A bell that is not heard costs
/// time, never an event: every listener also looks once a second.
#[derive(Debug, Clone)]
pub struct Bell {
    redis: Redis,
    local: broadcast::Sender<Rung>,
}

/// What rang, and for which district.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// For example `log:ticketing`.
    pub topic: String,
    /// The district.
    pub tenant: i32,
}

const CHANNEL: &str = "drumtower:bell";

impl Bell {
    /// A bell over Redis; listens for as long as the process lives.
    pub fn new(redis: Redis) -> Self {
        let (local, _) = broadcast::channel(4096);
        let bell = Self { redis, local };
        if bell.redis.configured() {
            tokio::spawn(bell.clone().relay());
        }
        bell
    }

    /// Rings, without waiting.
    pub fn ring(&self, topic: &str, tenant: i32) {
        let rung = Rung { topic: topic.to_owned(), tenant };
        let _nobody_listens = self.local.send(rung);
        if !self.redis.configured() {
            return;
        }
        let redis = self.redis.clone();
        let message = format!("{topic} {tenant}");
        tokio::spawn(async move {
            let _heard: Option<i64> = redis.run(::redis::cmd("PUBLISH").arg(CHANNEL).arg(message)).await;
        });
    }

    /// Hears everything that rings from now on.
    pub fn listen(&self) -> broadcast::Receiver<Rung> {
        self.local.subscribe()
    }

    async fn relay(self) {
        loop {
            if let Err(error) = self.relay_once().await {
                tracing::debug!(error = %error, "the bell is silent; readers look once a second meanwhile");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn relay_once(&self) -> RedisResult<()> {
        let Some(inner) = &self.redis.0 else { return Ok(()) };
        let mut subscription = inner.client.get_async_pubsub().await?;
        subscription.subscribe(CHANNEL).await?;
        let mut messages = subscription.on_message();
        while let Some(message) = messages.next().await {
            let text: String = message.get_payload()?;
            if let Some((topic, tenant)) = text.split_once(' ')
                && let Ok(tenant) = tenant.parse()
            {
                let _nobody_listens = self.local.send(Rung { topic: topic.to_owned(), tenant });
            }
        }
        Ok(())
    }
}
