//! RPCs of districts.

use drumtower_proto::identity::{
    GetStandingRequest, GetTenantRequest, ListRestingRequest, ListRestingResponse, ListTenantsRequest, ListTenantsResponse,
    ResolveTenantRequest, SetStandingRequest, Standing, Tenant, tenant::State, tenant_service_server::TenantService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, log::NewEvent, page};
use tonic::{Request, Response, Status};

use super::{
    rules::{self, PLATFORM},
    store::{self, StandingRow},
};

/// Districts.
#[derive(Debug)]
pub struct Tenants {
    /// The database.
    pub db: Db,
}

/// The role is held in the platform's own house alone; that the caller is of it is proved once more.
pub async fn of_platform(db: &Db, call: &Call) -> Result<(), Fault> {
    let own = store::by_number(db, call.tenant).await?;
    if own.is_some_and(|own| own.code == PLATFORM) { Ok(()) } else { Err(Refusal::denied(call.path).into()) }
}

/// The district of a code.
pub async fn of_code(db: &Db, code: &str) -> Result<StandingRow, Fault> {
    Ok(store::standing(db, code).await?.ok_or_else(|| Refusal::not_found("tenant"))?)
}

impl Tenants {
    async fn list(&self, request: Request<ListTenantsRequest>) -> Result<Response<ListTenantsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        of_platform(&self.db, &call).await?;
        let (question, size) = (format!("tenants {}", ask.text), page::size(ask.page_size, 50));
        let after: String = page::after(&question, &ask.page_token)?.unwrap_or_default();
        let rows = store::page(&self.db, ask.text.trim(), &after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| row.tenant.code.clone());
        Ok(Response::new(ListTenantsResponse { tenants: rows.into_iter().map(Into::into).collect(), next_page_token }))
    }

    async fn standing(&self, request: Request<GetStandingRequest>) -> Result<Response<Standing>, Fault> {
        let (call, ask) = Call::take(request)?;
        of_platform(&self.db, &call).await?;
        Ok(Response::new(of_code(&self.db, &ask.code).await?.into()))
    }

    /// The district's own log has the change in the transaction that makes it; the platform's log follows, with the answer. A process that
    /// dies between the two leaves the first, and the call sent again finds nothing to change and writes the second.
    async fn set(&self, request: Request<SetStandingRequest>) -> Result<Response<Standing>, Fault> {
        let (call, ask) = Call::take(request)?;
        of_platform(&self.db, &call).await?;
        rules::may_set(&ask.code)?;
        let (state, before) = (ask.state(), of_code(&self.db, &ask.code).await?);
        let facts = serde_json::json!({ "code": ask.code, "state": state.as_str_name(), "reason": ask.reason });
        self.change(&call, before.tenant.number, state, &ask.reason, &facts).await?;
        let after = of_code(&self.db, &ask.code).await?;
        let mut tx = self.db.write(&call).await?;
        tx.emit(NewEvent::new("tenant.state_set", &ask.code, 0).facts(facts));
        tx.commit(after.into()).await
    }

    async fn change(&self, call: &Call, tenant: i32, state: State, reason: &str, facts: &serde_json::Value) -> Result<(), Fault> {
        let mut own = Call::of_service("identity", tenant, call.now, call.remaining());
        own.traceparent.clone_from(&call.traceparent);
        let mut tx = self.db.write(&own).await?;
        if store::set_state(&mut tx, state, reason).await? {
            tx.emit(NewEvent::new("tenant.state_set", facts["code"].as_str().unwrap_or_default(), 0).facts(facts.clone()));
        }
        tx.done().await
    }
}

#[tonic::async_trait]
impl TenantService for Tenants {
    async fn resolve_tenant(&self, request: Request<ResolveTenantRequest>) -> Result<Response<Tenant>, Status> {
        let (_, ask) = Call::take(request)?;
        let found = store::by_code_or_host(&self.db, &ask.code, &ask.host).await.map_err(Fault::from)?;
        Ok(Response::new(found.ok_or_else(|| Fault::from(Refusal::not_found("tenant")))?.into()))
    }

    async fn list_resting(&self, request: Request<ListRestingRequest>) -> Result<Response<ListRestingResponse>, Status> {
        Call::take(request)?;
        Ok(Response::new(ListRestingResponse { numbers: store::resting(&self.db).await.map_err(Fault::from)? }))
    }

    async fn get_tenant(&self, request: Request<GetTenantRequest>) -> Result<Response<Tenant>, Status> {
        let (call, _) = Call::take(request)?;
        let found = store::by_number(&self.db, call.tenant).await.map_err(Fault::from)?;
        Ok(Response::new(found.ok_or_else(|| Fault::from(Refusal::not_found("tenant")))?.into()))
    }

    async fn list_tenants(&self, request: Request<ListTenantsRequest>) -> Result<Response<ListTenantsResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn get_standing(&self, request: Request<GetStandingRequest>) -> Result<Response<Standing>, Status> {
        Ok(self.standing(request).await?)
    }

    async fn set_standing(&self, request: Request<SetStandingRequest>) -> Result<Response<Standing>, Status> {
        Ok(self.set(request).await?)
    }
}
