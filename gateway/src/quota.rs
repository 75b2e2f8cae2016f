//! How much a district and a person may send: two buckets in one Redis call (GCRA, the server's own time), and a bucket in this process
//! for the time that Redis is away. A few requests are taken at a time, so that not every one costs a call to Redis.

use std::{
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use drumtower_runtime::{Kind, Refusal, redis::Redis};
use moka::sync::Cache;
use redis::Script;

/// Each bucket is one time: when it will be empty again. A request moves it on by the pace; too far ahead is too much.
static GCRA: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local t = redis.call('TIME')
         local now = t[1] * 1000000 + t[2]
         local at = {}
         for i, key in ipairs(KEYS) do
           local pace, slack = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
           at[i] = math.max(tonumber(redis.call('GET', key) or '0'), now) + pace
           if at[i] - now > slack then return {i, math.ceil((at[i] - now - slack) / 1000)} end
         end
         for i, key in ipairs(KEYS) do
           redis.call('SET', key, string.format('%.0f', at[i]), 'PX', math.ceil((at[i] - now) / 1000) + 1000)
         end
         return {0, 0}",
    )
});

/// Requests taken of Redis at a time, at most, and never more than an eighth of what a second allows; what is not used within a second
/// is given up.
const AHEAD: i64 = 8;

/// Quotas.
#[derive(Debug)]
pub struct Quota {
    redis: Redis,
    tenant_rate: u32,
    user_rate: u32,
    local: Cache<String, std::sync::Arc<Mutex<i64>>>,
    ahead: Cache<(i32, String), std::sync::Arc<AtomicI64>>,
    born: Instant,
}

impl Quota {
    /// Requests a second for districts and persons; bursts of ten times as many.
    pub fn new(redis: Redis, tenant_rate: u32, user_rate: u32) -> Self {
        let local = Cache::builder().max_capacity(100_000).time_to_idle(Duration::from_secs(60)).build();
        let ahead = Cache::builder().max_capacity(100_000).time_to_live(Duration::from_secs(1)).build();
        Self { ahead, redis, tenant_rate: tenant_rate.max(1), user_rate: user_rate.max(1), local, born: Instant::now() }
    }

    /// Takes one request of a district and of a person (or an address).
    pub async fn take(&self, tenant: i32, who: &str) -> Result<(), Refusal> {
        let ahead = self.ahead.get(&(tenant, who.to_owned()));
        if ahead.is_some_and(|left| left.fetch_sub(1, Ordering::Relaxed) > 0) {
            return Ok(());
        }
        let keys = [format!("{{{tenant}}}:gateway:quota:tenant"), format!("{{{tenant}}}:gateway:quota:{who}")];
        let paces = [pace(self.tenant_rate), pace(self.user_rate)];
        let ahead = (i64::from(self.user_rate) / 8).clamp(1, AHEAD);
        match self.ask(&keys, &paces, ahead).await {
            None => self.take_locally(&keys, &paces),
            Some(Ok(())) if ahead == 1 => Ok(()),
            Some(Ok(())) => {
                self.ahead.insert((tenant, who.to_owned()), std::sync::Arc::new(AtomicI64::new(ahead - 1)));
                Ok(())
            }
            Some(Err(refusal)) if ahead == 1 => Err(refusal),
            // Near the limit every request is asked for by itself.
            Some(Err(_)) => self.ask(&keys, &paces, 1).await.unwrap_or_else(|| self.take_locally(&keys, &paces)),
        }
    }

    /// Takes some requests of both buckets; `None` when Redis is away.
    async fn ask(&self, keys: &[String], paces: &[(i64, i64)], count: i64) -> Option<Result<(), Refusal>> {
        let arguments: Vec<String> = paces.iter().flat_map(|(pace, slack)| [(pace * count).to_string(), slack.to_string()]).collect();
        match self.redis.script(&GCRA, keys, &arguments).await?[..] {
            [0, _] => Some(Ok(())),
            [bucket, wait, ..] => Some(Err(too_many(bucket == 1, wait))),
            _ => None,
        }
    }

    /// The person's bucket comes first: who is refused there takes nothing from the district.
    fn take_locally(&self, keys: &[String], paces: &[(i64, i64)]) -> Result<(), Refusal> {
        let now = i64::try_from(self.born.elapsed().as_micros()).unwrap_or(i64::MAX);
        for (bucket, (key, (pace, slack))) in keys.iter().zip(paces).enumerate().rev() {
            let at = self.local.get_with_by_ref(key, std::sync::Arc::default);
            let Ok(mut at) = at.lock() else { continue };
            let next = (*at).max(now) + pace;
            if next - now > *slack {
                return Err(too_many(bucket == 0, (next - now - slack) / 1000));
            }
            *at = next;
        }
        Ok(())
    }
}

/// Microseconds between two requests, and how far ahead a burst may run.
fn pace(rate: u32) -> (i64, i64) {
    let pace = 1_000_000 / i64::from(rate);
    (pace, pace * i64::from(rate) * 10)
}

fn too_many(district: bool, wait_ms: i64) -> Refusal {
    let (reason, zh, en) = if district {
        ("TENANT_QUOTA", "本区请求过于频繁，请稍后重试", "too many requests of this district")
    } else {
        ("USER_QUOTA", "请求过于频繁，请稍后重试", "too many requests")
    };
    Refusal::new(Kind::Exhausted, reason, zh, en).fact("retry_after_ms", wait_ms.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_redis_the_local_bucket_limits() {
        let quota = Quota::new(Redis::none(), 1000, 2);
        let mut taken = 0;
        while quota.take(1, "someone").await.is_ok() {
            taken += 1;
            assert!(taken < 100, "never limited");
        }
        assert!((20..=22).contains(&taken), "{taken}");
        assert_eq!(quota.take(1, "someone").await.expect_err("refused").reason(), "USER_QUOTA");
        assert!(quota.take(1, "another").await.is_ok());
    }

    #[tokio::test]
    async fn who_is_refused_takes_nothing_from_the_district() {
        let quota = Quota::new(Redis::none(), 3, 2);
        for _ in 0..100 {
            let _refused = quota.take(1, "greedy").await;
        }
        // The district's burst is thirty, of which the greedy one got its own twenty.
        let mut left = 0;
        let refused = loop {
            match quota.take(1, &format!("modest {left}")).await {
                Ok(()) => left += 1,
                Err(refused) => break refused,
            }
        };
        assert!((9..=11).contains(&left), "{left}");
        assert_eq!(refused.reason(), "TENANT_QUOTA");
    }
}
