//! Redis is the bell and the shared cache, never the book: every use has an answer for the time it is away. Short timeouts and a
//! breaker keep an outage from slowing anything down. One server, a master that Sentinels watch and a Cluster look the same from here.

mod address;
mod bell;
mod link;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use ::redis::{Cmd, FromRedisValue, RedisResult, Script};

pub use self::bell::{Bell, Rung};
use self::{
    address::Address,
    link::{Link, Question},
};

/// Failures in a row after which Redis is left alone for a second.
const BREAKS_AFTER: u32 = 5;

/// A shared connection, or none.
#[derive(Clone)]
pub struct Redis(Option<Arc<Inner>>);

struct Inner {
    link: Link,
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

    /// Connects lazily, so that a start never waits for Redis. The forms of a URL are in `docs/operations.md`.
    pub fn connect(url: Option<&str>) -> RedisResult<Self> {
        let Some(url) = url else { return Ok(Self::none()) };
        let link = Link::new(&Address::parse(url)?)?;
        Ok(Self(Some(Arc::new(Inner { link, failures: AtomicU32::new(0), open_until: AtomicI64::new(0), born: Instant::now() }))))
    }

    /// Whether a Redis is configured.
    pub fn configured(&self) -> bool {
        self.0.is_some()
    }

    /// Runs a command; `None` when Redis is away.
    pub async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        self.ask(Question::Command(command)).await
    }

    /// Runs a script; `None` when Redis is away.
    pub async fn script(&self, script: &Script, keys: &[String], arguments: &[String]) -> Option<Vec<i64>> {
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(key);
        }
        for argument in arguments {
            call.arg(argument);
        }
        self.ask(Question::Script(&call)).await
    }

    /// Reads a value.
    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.run::<Option<Vec<u8>>>(&Cmd::get(key)).await.flatten()
    }

    /// Writes a value for a time.
    pub async fn set(&self, key: &str, value: &[u8], ttl: Duration) {
        let _kept: Option<()> = self.run(&Cmd::set_ex(key, value, ttl.as_secs().max(1))).await;
    }

    /// Drops a value.
    pub async fn forget(&self, key: &str) {
        let _gone: Option<()> = self.run(&Cmd::del(key)).await;
    }

    /// Asks whether it answers, without sparing it; the error says what is wrong.
    pub async fn ping(&self) -> RedisResult<()> {
        let Some(inner) = &self.0 else { return Ok(()) };
        inner.link.ask(Question::Command(&::redis::cmd("PING"))).await.map(drop)
    }

    /// The names of all keys, for tests and operators.
    pub async fn keys(&self) -> Option<Vec<String>> {
        self.run(::redis::cmd("KEYS").arg("*")).await
    }

    /// Empties it, for tests and operators: nothing is lost but time.
    pub async fn flush(&self) -> Option<String> {
        self.run(&::redis::cmd("FLUSHALL")).await
    }

    /// Asks, unless Redis is being left alone.
    async fn ask<T: FromRedisValue>(&self, question: Question<'_>) -> Option<T> {
        let inner = self.0.as_ref()?;
        let now = i64::try_from(inner.born.elapsed().as_millis()).unwrap_or(i64::MAX);
        if now < inner.open_until.load(Ordering::Relaxed) {
            return None;
        }
        let answer = inner.link.ask(question).await;
        inner.note(answer.and_then(|value| Ok(T::from_redis_value(value)?)))
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
