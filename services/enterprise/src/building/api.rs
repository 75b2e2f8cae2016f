//! RPCs of buildings.

use drumtower_proto::enterprise::{
    Building, CreateBuildingRequest, GetBuildingRequest, ListBuildingsRequest, ListBuildingsResponse, LookupBuildingRequest,
    building_service_server::BuildingService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, call, log::NewEvent, page};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{rules, store};
use crate::zone;

/// Buildings.
#[derive(Debug)]
pub struct Buildings {
    pub db: Db,
}

impl Buildings {
    async fn create(&self, request: Request<CreateBuildingRequest>) -> Result<Response<Building>, Fault> {
        let (call, ask) = Call::take(request)?;
        let zone = call::needed_id("zone_id", &ask.zone_id)?;
        rules::areas(ask.gross_m2, ask.leasable_m2)?;
        let mut tx = self.db.write(&call).await?;
        zone::store::by_id(&mut tx, zone).await?.ok_or_else(|| Refusal::not_found("zone"))?;
        let building = Building::from(store::insert(&mut tx, Uuid::now_v7(), zone, &ask).await?);
        tx.emit(NewEvent::new("building.created", &building.id, 1).facts(serde_json::json!({ "code": building.code })));
        tx.commit(building).await
    }

    async fn one(&self, call: &Call, id: &str) -> Result<Response<Building>, Fault> {
        let id = call::needed_id("building_id", id)?;
        let building = store::by_id(&mut self.db.read(call).await?, id).await?.ok_or_else(|| Refusal::not_found("building"))?;
        Ok(Response::new(building.into()))
    }

    async fn get(&self, request: Request<GetBuildingRequest>) -> Result<Response<Building>, Fault> {
        let (call, ask) = Call::take(request)?;
        self.one(&call, &ask.building_id).await
    }

    async fn lookup(&self, request: Request<LookupBuildingRequest>) -> Result<Response<Building>, Fault> {
        let (call, ask) = Call::take(request)?;
        self.one(&call, &ask.building_id).await
    }

    async fn list(&self, request: Request<ListBuildingsRequest>) -> Result<Response<ListBuildingsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let zone = call::id("zone_id", &ask.zone_id)?;
        let size = page::size(ask.page_size, 50);
        let question = format!("buildings {zone:?}");
        let after: String = page::after(&question, &ask.page_token)?.unwrap_or_default();
        let rows = store::page(&mut self.db.read(&call).await?, zone, &after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| row.code.clone());
        Ok(Response::new(ListBuildingsResponse { buildings: rows.into_iter().map(Into::into).collect(), next_page_token }))
    }
}

#[tonic::async_trait]
impl BuildingService for Buildings {
    async fn create_building(&self, request: Request<CreateBuildingRequest>) -> Result<Response<Building>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_building(&self, request: Request<GetBuildingRequest>) -> Result<Response<Building>, Status> {
        Ok(self.get(request).await?)
    }

    async fn lookup_building(&self, request: Request<LookupBuildingRequest>) -> Result<Response<Building>, Status> {
        Ok(self.lookup(request).await?)
    }

    async fn list_buildings(&self, request: Request<ListBuildingsRequest>) -> Result<Response<ListBuildingsResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
