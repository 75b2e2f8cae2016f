//! The other services: one channel each, and what every call to them carries: who calls, for which district, in whose name, until when,
//! within which trace.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{call::Call, clock::Clock, config::Config, fault::Fault, telemetry, token::Signer};

/// A service's own token is made anew when it is this old.
const REMAKE_AFTER: i64 = 30;

/// Channels to the other services.
#[derive(Debug, Clone)]
pub struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    me: String,
    signer: Signer,
    clock: Clock,
    channels: HashMap<String, Peer>,
}

#[derive(Debug)]
struct Peer {
    channel: Channel,
    token: ArcSwapOption<(Timestamp, MetadataValue<Ascii>)>,
}

/// A channel that says everything a call must say.
pub type Link = InterceptedService<Channel, Outgoing>;

impl Peers {
    /// Channels that connect when first used.
    pub fn new(config: &Config, me: &str, signer: Signer, clock: Clock) -> Result<Self, Fault> {
        let mut channels = HashMap::new();
        for (service, address) in &config.services {
            let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| Fault::broken(error.to_string()))?;
            let channel = endpoint
                .connect_timeout(Duration::from_millis(500))
                .http2_keep_alive_interval(Duration::from_secs(5))
                .keep_alive_timeout(Duration::from_secs(3))
                .tcp_nodelay(true)
                .connect_lazy();
            channels.insert(service.clone(), Peer { channel, token: ArcSwapOption::empty() });
        }
        Ok(Self(Arc::new(Inner { me: me.to_owned(), signer, clock, channels })))
    }

    /// A link to a service for a call: in the person's name if one acts, else on this service's own account.
    pub fn to(&self, service: &str, call: &Call) -> Result<Link, Fault> {
        let peer = self.0.channels.get(service).ok_or_else(|| Fault::broken(format!("no address of {service} is configured")))?;
        let outgoing = Outgoing {
            caller: self.token(service, peer)?,
            tenant: call.tenant,
            bearer: call.bearer.clone(),
            remaining: call.remaining(),
            english: call.english,
        };
        Ok(InterceptedService::new(peer.channel.clone(), outgoing))
    }

    /// The bare channel to a service, for the gateway's pass-through and health checks.
    pub fn channel(&self, service: &str) -> Option<Channel> {
        self.0.channels.get(service).map(|peer| peer.channel.clone())
    }

    /// This service's own token for another.
    pub fn caller_token(&self, service: &str) -> Result<MetadataValue<Ascii>, Fault> {
        let peer = self.0.channels.get(service).ok_or_else(|| Fault::broken(format!("no address of {service} is configured")))?;
        self.token(service, peer)
    }

    /// Signs bytes with this service's own key.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.signer.raw(bytes)
    }

    fn token(&self, service: &str, peer: &Peer) -> Result<MetadataValue<Ascii>, Fault> {
        let now = self.0.clock.now();
        if let Some(made) = peer.token.load().as_deref()
            && now.as_second() - made.0.as_second() < REMAKE_AFTER
            && now >= made.0
        {
            return Ok(made.1.clone());
        }
        let token = self.0.signer.service(&self.0.me, service, now);
        let value = MetadataValue::try_from(token).map_err(|error| Fault::broken(error.to_string()))?;
        peer.token.store(Some(Arc::new((now, value.clone()))));
        Ok(value)
    }
}

/// What a call to another service carries.
#[derive(Debug, Clone)]
pub struct Outgoing {
    caller: MetadataValue<Ascii>,
    tenant: i32,
    bearer: Option<String>,
    remaining: Duration,
    english: bool,
}

impl Interceptor for Outgoing {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        // The answer has to travel back before our own deadline.
        request.set_timeout(self.remaining.saturating_sub(Duration::from_millis(50)).max(Duration::from_millis(1)));
        let metadata = request.metadata_mut();
        metadata.insert("drumtower-caller", self.caller.clone());
        metadata.insert("drumtower-tenant", MetadataValue::from(self.tenant));
        if let Some(bearer) = &self.bearer
            && let Ok(value) = MetadataValue::try_from(format!("Bearer {bearer}"))
        {
            metadata.insert("authorization", value);
        }
        if self.english {
            metadata.insert("accept-language", MetadataValue::from_static("en"));
        }
        if let Some(Ok(value)) = telemetry::current_traceparent().map(MetadataValue::try_from) {
            metadata.insert("traceparent", value);
        }
        Ok(request)
    }
}
