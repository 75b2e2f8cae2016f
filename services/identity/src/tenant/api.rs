//! RPCs of districts.

use drumtower_proto::identity::{
    GetTenantRequest, ListTenantsRequest, ListTenantsResponse, ResolveTenantRequest, Tenant, tenant_service_server::TenantService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal};
use tonic::{Request, Response, Status};

use super::store;

/// Districts.
#[derive(Debug)]
pub struct Tenants {
    /// The database.
    pub db: Db,
}

#[tonic::async_trait]
impl TenantService for Tenants {
    async fn resolve_tenant(&self, request: Request<ResolveTenantRequest>) -> Result<Response<Tenant>, Status> {
        let (_, ask) = Call::take(request)?;
        let found = store::by_code_or_host(&self.db, &ask.code, &ask.host).await.map_err(Fault::from)?;
        Ok(Response::new(found.ok_or_else(|| Fault::from(Refusal::not_found("tenant")))?.into()))
    }

    async fn list_tenants(&self, request: Request<ListTenantsRequest>) -> Result<Response<ListTenantsResponse>, Status> {
        Call::take(request)?;
        let all = store::all(&self.db).await.map_err(Fault::from)?;
        Ok(Response::new(ListTenantsResponse { tenants: all.into_iter().map(Into::into).collect() }))
    }

    async fn get_tenant(&self, request: Request<GetTenantRequest>) -> Result<Response<Tenant>, Status> {
        let (call, _) = Call::take(request)?;
        let found = store::by_number(&self.db, call.tenant).await.map_err(Fault::from)?;
        Ok(Response::new(found.ok_or_else(|| Fault::from(Refusal::not_found("tenant")))?.into()))
    }
}
