//! RPCs of operation.

use std::time::Duration;

use drumtower_proto::{
    identity::{GetOperationRequest, GetTenantOperationRequest, Operation, operation_service_server::OperationService},
    log::{GetStateRequest, GetStateResponse, state_service_client::StateServiceClient},
};
use drumtower_runtime::{Call, Db, Fault, clock::to_proto, config::SERVICES, peers::Peers};
use tonic::{Request, Response, Status};

use super::rules::{self, States};
use crate::tenant::api::{of_code, of_platform};

/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the platform works.
#[derive(Debug)]
pub struct Operations {
    /// The database, for the list of districts.
    pub db: Db,
    /// The services that are asked.
    pub peers: Peers,
}

impl Operations {
    async fn get(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Fault> {
        let (call, _) = Call::take(request)?;
        Ok(Response::new(self.of(&call, call.tenant).await))
    }

    async fn get_of(&self, request: Request<GetTenantOperationRequest>) -> Result<Response<Operation>, Fault> {
        let (call, ask) = Call::take(request)?;
        of_platform(&self.db, &call).await?;
        let tenant = of_code(&self.db, &ask.code).await?.tenant.number;
        Ok(Response::new(self.of(&call, tenant).await))
    }

    /// How each service works for a district.
    async fn of(&self, call: &Call, tenant: i32) -> Operation {
        let mut asked = tokio::task::JoinSet::new();
        for service in SERVICES {
            let (peers, own) = (self.peers.clone(), Call::of_service("identity", tenant, call.now, PATIENCE.min(call.remaining())));
            asked.spawn(async move { (service, state(&peers, service, &own).await) });
        }
        let states: States = asked.join_all().await.into_iter().collect();
        Operation { at: Some(to_proto(call.now)), services: rules::services(&states) }
    }
}

/// The state of a service, or why there is none.
async fn state(peers: &Peers, service: &str, own: &Call) -> Result<GetStateResponse, String> {
    let asked = async {
        let link = peers.to(service, own)?;
        Ok::<_, Fault>(StateServiceClient::new(link).get_state(GetStateRequest {}).await?.into_inner())
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => Err("no answer within a second".to_owned()),
        Ok(Ok(state)) => Ok(state),
        Ok(Err(Fault::Peer(status))) => Err(format!("{:?}", status.code())),
        Ok(Err(fault)) => {
            tracing::warn!(service, ?fault, "a service could not be asked for its state");
            Err("INTERNAL".to_owned())
        }
    }
}

#[tonic::async_trait]
impl OperationService for Operations {
    async fn get_operation(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        Ok(self.get(request).await?)
    }

    async fn get_tenant_operation(&self, request: Request<GetTenantOperationRequest>) -> Result<Response<Operation>, Status> {
        Ok(self.get_of(request).await?)
    }
}
