//! The bell.

use std::time::Duration;

use ::redis::RedisResult;
use futures::StreamExt as _;
use tokio::sync::broadcast;

use super::Redis;

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
/// After so much silence the bell is hung up anew.
const SILENT: Duration = Duration::from_secs(30);

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
        let mut subscription = inner.link.subscription().await?;
        subscription.subscribe(CHANNEL).await?;
        let mut messages = subscription.on_message();
        // A connection whose other end is gone without a word is silent too: after some silence another is made.
        while let Ok(Some(message)) = tokio::time::timeout(SILENT, messages.next()).await {
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
