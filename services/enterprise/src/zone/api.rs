//! RPCs of zones.

use drumtower_proto::enterprise::{
    CreateZoneRequest, GetZoneRequest, ListZonesRequest, ListZonesResponse, Zone, zone_service_server::ZoneService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, call, log::NewEvent};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::store;

/// Zones.
#[derive(Debug)]
pub struct Zones {
    pub db: Db,
}

impl Zones {
    async fn create(&self, request: Request<CreateZoneRequest>) -> Result<Response<Zone>, Fault> {
        let (call, ask) = Call::take(request)?;
        let mut tx = self.db.write(&call).await?;
        let zone = Zone::from(store::insert(&mut tx, Uuid::now_v7(), &ask).await?);
        tx.emit(NewEvent::new("zone.created", &zone.id, 1).facts(serde_json::json!({ "code": zone.code })));
        tx.commit(zone).await
    }

    async fn get(&self, request: Request<GetZoneRequest>) -> Result<Response<Zone>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("zone_id", &ask.zone_id)?;
        let zone = store::by_id(&mut self.db.read(&call).await?, id).await?.ok_or_else(|| Refusal::not_found("zone"))?;
        Ok(Response::new(zone.into()))
    }

    async fn list(&self, request: Request<ListZonesRequest>) -> Result<Response<ListZonesResponse>, Fault> {
        let (call, _) = Call::take(request)?;
        let zones = store::all(&mut self.db.read(&call).await?).await?.into_iter().map(Into::into).collect();
        Ok(Response::new(ListZonesResponse { zones }))
    }
}

#[tonic::async_trait]
impl ZoneService for Zones {
    async fn create_zone(&self, request: Request<CreateZoneRequest>) -> Result<Response<Zone>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_zone(&self, request: Request<GetZoneRequest>) -> Result<Response<Zone>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_zones(&self, request: Request<ListZonesRequest>) -> Result<Response<ListZonesResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
