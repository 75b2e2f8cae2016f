//! Cards of other rooms and services, catalogs, calendars: a near cache in the process, Redis behind it, the loader behind both. Values
//! are protobuf under `{tenant}:service:kind:id`. The log invalidates; the time to live is only the net below it. A hot key that is
//! missing is loaded once, however many ask.

use std::{sync::Arc, time::Duration};

use moka::future::Cache as Near;
use prost::Message;

use crate::{fault::Fault, redis::Redis};

/// A shared cache of one service's process.
#[derive(Debug, Clone)]
pub struct Cache {
    service: &'static str,
    near: Near<String, Arc<Vec<u8>>>,
    redis: Redis,
    ttl: Duration,
}

impl Cache {
    /// A cache whose values live at most a minute.
    pub fn new(service: &'static str, redis: Redis) -> Self {
        let near = Near::builder().max_capacity(20_000).time_to_live(Duration::from_secs(30)).build();
        Self { service, near, redis, ttl: Duration::from_secs(60) }
    }

    /// The value of a key, loaded when nobody has it. An error is not kept.
    pub async fn get<T, F>(&self, tenant: i32, kind: &str, id: &str, load: F) -> Result<T, Fault>
    where
        T: Message + Default,
        F: Future<Output = Result<T, Fault>>,
    {
        let key = self.key(tenant, kind, id);
        let loaded = self
            .near
            .try_get_with(key.clone(), async {
                if let Some(bytes) = self.redis.get(&key).await {
                    return Ok(Arc::new(bytes));
                }
                let bytes = load.await?.encode_to_vec();
                self.redis.set(&key, &bytes, self.ttl).await;
                Ok::<_, Fault>(Arc::new(bytes))
            })
            .await;
        let bytes = loaded.map_err(|shared| Arc::try_unwrap(shared).unwrap_or_else(|fault| again(&fault)))?;
        T::decode(bytes.as_slice()).map_err(|error| Fault::broken(format!("cached {kind}: {error}")))
    }

    /// Drops a value here and in Redis.
    pub async fn forget(&self, tenant: i32, kind: &str, id: &str) {
        let key = self.key(tenant, kind, id);
        self.near.invalidate(&key).await;
        self.redis.forget(&key).await;
    }

    fn key(&self, tenant: i32, kind: &str, id: &str) -> String {
        format!("{{{tenant}}}:{}:{kind}:{id}", self.service)
    }
}

/// Several waited for one load that failed: each gets the same refusal.
fn again(fault: &Fault) -> Fault {
    match fault {
        Fault::Refused(refusal) => Fault::Refused(refusal.clone()),
        Fault::Peer(status) => Fault::Peer(status.clone()),
        Fault::Repeated => Fault::Repeated,
        Fault::Broken(error) => Fault::broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drumtower_proto::identity::Unit;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn a_cold_key_is_loaded_once_and_errors_are_not_kept() {
        let cache = Cache::new("test", Redis::none());
        let loads = Arc::new(AtomicU32::new(0));
        let ask = |fail: bool| {
            let (cache, loads) = (cache.clone(), Arc::clone(&loads));
            async move {
                cache
                    .get(1, "unit", "a", async move {
                        loads.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        if fail { Err(Fault::broken("away")) } else { Ok(Unit { name: "市监局".into(), ..Unit::default() }) }
                    })
                    .await
            }
        };
        assert!(ask(true).await.is_err());
        let many = futures::future::join_all((0..1000).map(|_| ask(false))).await;
        assert!(many.iter().all(|unit: &Result<Unit, Fault>| unit.as_ref().is_ok_and(|unit| unit.name == "市监局")));
        assert_eq!(loads.load(Ordering::SeqCst), 2);
        cache.forget(1, "unit", "a").await;
        assert!(ask(false).await.is_ok());
        assert_eq!(loads.load(Ordering::SeqCst), 3);
    }
}
