//! A closed loop of clients for a bounded time, and what it measured.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use drumtower_tests::world::Person;

/// A load.
#[derive(Debug)]
pub struct Load<'a> {
    /// As whom.
    pub person: &'a Person,
    /// How many at once.
    pub clients: usize,
    /// How long.
    pub seconds: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Measured {
    /// Successes a second.
    pub rate: f64,
    /// Median, ms.
    pub p50_ms: f64,
    /// 95th percentile, ms.
    pub p95_ms: f64,
    /// 99th percentile, ms.
    pub p99_ms: f64,
    /// Calls that did not succeed.
    pub failed: u64,
}

impl Load<'_> {
    /// Runs the load: every client makes one call after another.
    pub fn run<F>(&self, call: impl Fn(&Person) -> F + Send + Sync) -> Measured
    where
        F: Future<Output = bool> + Send,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let failed = AtomicU64::new(0);
        let began = Instant::now();
        let mut times: Vec<f64> = runtime.block_on(async {
            let clients = (0..self.clients).map(|_| self.client(&call, began, &failed));
            let mut all = Vec::new();
            for times in futures::future::join_all(clients).await {
                all.extend(times);
            }
            all
        });
        let seconds = began.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        let at = |share: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a list")]
            let place = (times.len() as f64 * share) as usize;
            times.get(place).copied().unwrap_or(0.0)
        };
        #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
        let rate = times.len() as f64 / seconds;
        Measured { rate, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), failed: failed.load(Ordering::Relaxed) }
    }

    async fn client<F>(&self, call: &(impl Fn(&Person) -> F + Send + Sync), began: Instant, failed: &AtomicU64) -> Vec<f64>
    where
        F: Future<Output = bool> + Send,
    {
        let mut times = Vec::new();
        while began.elapsed() < self.seconds {
            let asked = Instant::now();
            if call(self.person).await {
                times.push(asked.elapsed().as_secs_f64() * 1000.0);
            } else {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        times
    }
}
