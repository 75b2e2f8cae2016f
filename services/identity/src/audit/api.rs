//! RPCs of the audit page.

use drumtower_proto::{
    identity::{ListAuditEventsRequest, ListAuditEventsResponse, audit_service_server::AuditService},
    log::{ReadRequest, log_service_client::LogServiceClient},
};
use drumtower_runtime::{Call, Fault, peers::Peers};
use tonic::{Request, Response, Status};

/// The audit page.
#[derive(Debug)]
pub struct Audit {
    /// The services whose logs are read.
    pub peers: Peers,
}

impl Audit {
    async fn list(&self, request: Request<ListAuditEventsRequest>) -> Result<Response<ListAuditEventsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let limit = if ask.page_size == 0 { 50 } else { ask.page_size.min(200) };
        let own = Call { bearer: None, ..Call::of_service("identity", call.tenant, call.now, call.remaining()) };
        let mut log = LogServiceClient::new(self.peers.to(&ask.service, &own)?);
        let events = log.read(ReadRequest { after: ask.after, limit }).await?.into_inner().events;
        Ok(Response::new(ListAuditEventsResponse { events }))
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    async fn list_audit_events(&self, request: Request<ListAuditEventsRequest>) -> Result<Response<ListAuditEventsResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
