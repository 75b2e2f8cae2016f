//! Districts that are not in use: their clocks rest and nothing goes out of them. Every process asks identity every few seconds; while identity
//! does not answer, what it said last holds.

use std::{
    collections::BTreeSet,
    sync::{Arc, RwLock},
    time::Duration,
};

use drumtower_proto::identity::{ListRestingRequest, tenant_service_client::TenantServiceClient};

use crate::{call::Call, clock::Clock, fault::Fault, peers::Peers};

/// How often identity is asked.
const EVERY: Duration = Duration::from_secs(5);

/// Which districts rest.
#[derive(Debug, Clone, Default)]
pub struct Resting(Arc<RwLock<BTreeSet<i32>>>);

impl Resting {
    /// Whether a district rests. Until identity was heard all are at work: a clock that speaks is right more often than one that does not.
    pub fn rests(&self, tenant: i32) -> bool {
        self.0.read().is_ok_and(|resting| resting.contains(&tenant))
    }

    /// Asks identity until the process ends.
    pub async fn follow(self, service: &'static str, peers: Peers, clock: Clock) {
        let mut beat = tokio::time::interval(EVERY);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            match ask(service, &peers, &clock).await {
                Ok(now) => _ = self.0.write().map(|mut resting| *resting = now),
                Err(error) => tracing::debug!(?error, "which districts rest is as it was"),
            }
        }
    }
}

async fn ask(service: &'static str, peers: &Peers, clock: &Clock) -> Result<BTreeSet<i32>, Fault> {
    let call = Call::of_service(service, 0, clock.now(), Duration::from_secs(2));
    let answer = TenantServiceClient::new(peers.to("identity", &call)?).list_resting(ListRestingRequest {}).await?;
    Ok(answer.into_inner().numbers.into_iter().collect())
}
