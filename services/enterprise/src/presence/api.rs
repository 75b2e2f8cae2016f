//! RPCs of presences.

use drumtower_proto::enterprise::{
    CreatePresenceRequest, EndPresenceRequest, ListPresencesRequest, ListPresencesResponse, Presence,
    presence_service_server::PresenceService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, call, log::NewEvent};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{rules, store};
use crate::{building, day, enterprise};

/// Presences.
#[derive(Debug)]
pub struct Presences {
    pub db: Db,
}

impl Presences {
    async fn create(&self, request: Request<CreatePresenceRequest>) -> Result<Response<Presence>, Fault> {
        let (call, ask) = Call::take(request)?;
        let new = rules::New {
            id: Uuid::now_v7(),
            enterprise: call::needed_id("enterprise_id", &ask.enterprise_id)?,
            building: call::needed_id("building_id", &ask.building_id)?,
            kind: ask.kind,
            since: day::needed("since", &ask.since)?,
        };
        let mut tx = self.db.write(&call).await?;
        enterprise::store::by_id(&mut tx, new.enterprise).await?.ok_or_else(|| Refusal::not_found("enterprise"))?;
        building::store::by_id(&mut tx, new.building).await?.ok_or_else(|| Refusal::not_found("building"))?;
        store::insert(&mut tx, &[new]).await?;
        let row = store::by_id(&mut tx, new.id).await?.ok_or_else(|| Fault::broken("the presence just written is not there"))?;
        tx.emit(NewEvent::new("presence.created", new.id, 1).facts(serde_json::json!({ "enterprise": new.enterprise })));
        tx.commit(row.into()).await
    }

    async fn end(&self, request: Request<EndPresenceRequest>) -> Result<Response<Presence>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("presence_id", &ask.presence_id)?;
        let until = day::needed("until", &ask.until)?;
        let mut tx = self.db.write(&call).await?;
        let row = store::lock(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("presence"))?;
        if row.until.is_some() {
            return Err(Refusal::state("ENDED", "该入驻记录已结束", "ended already").into());
        }
        rules::ends_after(row.since.to_jiff(), until)?;
        store::end(&mut tx, id, until).await?;
        tx.emit(NewEvent::new("presence.ended", id, 2).facts(serde_json::json!({ "enterprise": row.enterprise_id })));
        let row = store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("presence"))?;
        tx.commit(row.into()).await
    }

    async fn list(&self, request: Request<ListPresencesRequest>) -> Result<Response<ListPresencesResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("enterprise_id", &ask.enterprise_id)?;
        let mut tx = self.db.read(&call).await?;
        enterprise::store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("enterprise"))?;
        let presences = store::of_enterprises(&mut tx, &[id]).await?.into_iter().map(Into::into).collect();
        Ok(Response::new(ListPresencesResponse { presences }))
    }
}

#[tonic::async_trait]
impl PresenceService for Presences {
    async fn create_presence(&self, request: Request<CreatePresenceRequest>) -> Result<Response<Presence>, Status> {
        Ok(self.create(request).await?)
    }

    async fn end_presence(&self, request: Request<EndPresenceRequest>) -> Result<Response<Presence>, Status> {
        Ok(self.end(request).await?)
    }

    async fn list_presences(&self, request: Request<ListPresencesRequest>) -> Result<Response<ListPresencesResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
