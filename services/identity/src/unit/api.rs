//! RPCs of units.

use drumtower_proto::identity::{
    CreateUnitRequest, GetUnitRequest, ListUnitsRequest, ListUnitsResponse, LookupUnitsRequest, Unit, unit_service_server::UnitService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, call, log::NewEvent};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::store;

/// Units.
#[derive(Debug)]
pub struct Units {
    /// The database.
    pub db: Db,
}

impl Units {
    async fn create(&self, request: Request<CreateUnitRequest>) -> Result<Response<Unit>, Fault> {
        let (call, ask) = Call::take(request)?;
        let parent = call::id("parent_id", &ask.parent_id)?;
        let mut tx = self.db.write(&call).await?;
        if let Some(parent) = parent {
            store::by_id(&mut tx, parent).await?.ok_or_else(|| Refusal::not_found("unit"))?;
        }
        let unit = store::insert(&mut tx, Uuid::now_v7(), parent, &ask.code, &ask.name, ask.kind).await?;
        let unit = Unit::from(unit);
        tx.emit(NewEvent::new("unit.created", &unit.id, 1).facts(serde_json::json!({ "code": unit.code })));
        tx.commit(unit).await
    }

    async fn get(&self, request: Request<GetUnitRequest>) -> Result<Response<Unit>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("unit_id", &ask.unit_id)?;
        let mut tx = self.db.read(&call).await?;
        let unit = store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("unit"))?;
        Ok(Response::new(unit.into()))
    }

    async fn tree(&self, call: &Call) -> Result<Response<ListUnitsResponse>, Fault> {
        let units = store::tree(&mut self.db.read(call).await?).await?;
        Ok(Response::new(ListUnitsResponse { units: units.into_iter().map(Into::into).collect() }))
    }

    async fn lookup(&self, request: Request<LookupUnitsRequest>) -> Result<Response<ListUnitsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        if ask.unit_ids.is_empty() {
            return self.tree(&call).await;
        }
        let ids = ask.unit_ids.iter().map(|id| call::needed_id("unit_ids", id)).collect::<Result<Vec<Uuid>, _>>()?;
        let units = store::by_ids(&mut self.db.read(&call).await?, &ids).await?;
        Ok(Response::new(ListUnitsResponse { units: units.into_iter().map(Into::into).collect() }))
    }
}

#[tonic::async_trait]
impl UnitService for Units {
    async fn create_unit(&self, request: Request<CreateUnitRequest>) -> Result<Response<Unit>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_unit(&self, request: Request<GetUnitRequest>) -> Result<Response<Unit>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_units(&self, request: Request<ListUnitsRequest>) -> Result<Response<ListUnitsResponse>, Status> {
        let (call, _) = Call::take(request)?;
        Ok(self.tree(&call).await?)
    }

    async fn lookup_units(&self, request: Request<LookupUnitsRequest>) -> Result<Response<ListUnitsResponse>, Status> {
        Ok(self.lookup(request).await?)
    }
}
