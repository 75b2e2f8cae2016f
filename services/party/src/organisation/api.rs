//! RPCs of organisations.

use drumtower_proto::party::{
    CreateOrganisationRequest, GetOrganisationRequest, ListOrganisationsRequest, ListOrganisationsResponse, LookupOrganisationRequest,
    MoveOrganisationRequest, Organisation, organisation_service_server::OrganisationService,
};
use drumtower_runtime::{
    Call, Db, Fault, Kind, Refusal, TenantTx,
    calendar::today,
    call::{id, needed_id},
    log::NewEvent,
    peers::Peers,
};
use serde_json::json;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    rules::{Move, Reached, relocate, shown},
    store::{self, New, Row},
};
use crate::{day, obligation, others};

/// Organisations.
#[derive(Debug)]
pub struct Organisations {
    /// The database.
    pub db: Db,
    /// To ask whether a company is on the register.
    pub peers: Peers,
}

/// Which organisations a permission of the caller reaches today: the nodes of the roles with everything below them, and for members the
/// organisation they belong to.
pub async fn reached(tx: &mut TenantTx, call: &Call, permission: &str) -> Result<Reached, Fault> {
    let reach = call.reach(permission);
    if reach.all {
        return Ok(Reached::All);
    }
    let on = today(call.now);
    let mut some = if reach.nodes.is_empty() { Default::default() } else { store::below(tx, &reach.nodes, on).await? };
    if let Some(own) = reach.own {
        some.extend(store::of_account(tx, own, on).await?);
    }
    Ok(Reached::Some(some))
}

fn answer(row: Row, call: &Call) -> Organisation {
    Organisation {
        id: row.id.to_string(),
        parent_id: row.parent_id.map(|id| id.to_string()).unwrap_or_default(),
        kind: i32::from(row.kind),
        form: i32::from(row.form),
        founded_on: row.founded_on.to_jiff().to_string(),
        dissolved_on: day::text(row.dissolved_on.map(jiff_sqlx::Date::to_jiff)),
        enterprise_id: row.enterprise_id.map(|id| id.to_string()).unwrap_or_default(),
        full_members: shown(row.full_members, call.may("member.read")),
        code: row.code,
        name: row.name,
    }
}

impl Organisations {
    async fn create(&self, request: Request<CreateOrganisationRequest>) -> Result<Response<Organisation>, Fault> {
        let (call, ask) = Call::take(request)?;
        let parent = id("parent_id", &ask.parent_id)?;
        let founded_on = day::past("founded_on", &ask.founded_on, call.now)?;
        let new = New {
            id: Uuid::now_v7(),
            code: &ask.code,
            name: &ask.name,
            kind: i16::try_from(ask.kind).unwrap_or_default(),
            form: i16::try_from(ask.form).unwrap_or_default(),
            founded_on,
            enterprise_id: id("enterprise_id", &ask.enterprise_id)?,
        };
        others::enterprise_exists(&self.peers, &call, &ask.enterprise_id).await?;
        let mut tx = self.db.write(&call).await?;
        if let Some(parent) = parent {
            let life = store::life(&mut tx, parent).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
            life.must_cover("founded_on", founded_on)?;
        }
        if !store::insert(&mut tx, &new).await? {
            return Err(Refusal::new(Kind::Exists, "CODE_TAKEN", "组织编码已存在", "the code is taken").into());
        }
        if let Some(parent) = parent {
            store::begin_edge(&mut tx, new.id, parent, founded_on).await?;
        }
        let row = store::by_id(&mut tx, new.id, today(call.now)).await?.ok_or_else(|| Fault::broken("an organisation vanished"))?;
        obligation::store::changed(&mut tx).await?;
        tx.emit(NewEvent::new("organisation.created", new.id, 1).facts(json!({ "code": ask.code, "kind": ask.kind, "parent": parent })));
        tx.commit(answer(row, &call)).await
    }

    async fn get(&self, request: Request<GetOrganisationRequest>) -> Result<Response<Organisation>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("organisation_id", &ask.organisation_id)?;
        let on = day::or_today("on", &ask.on, call.now)?;
        let mut tx = self.db.read(&call).await?;
        let row = store::by_id(&mut tx, id, on).await?;
        let row = row.filter(|row| row.life().founded_on <= on).ok_or_else(|| Refusal::not_found("organisation"))?;
        Ok(Response::new(answer(row, &call)))
    }

    async fn list(&self, request: Request<ListOrganisationsRequest>) -> Result<Response<ListOrganisationsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let on = day::or_today("on", &ask.on, call.now)?;
        let rows = store::tree(&mut self.db.read(&call).await?, on).await?;
        Ok(Response::new(ListOrganisationsResponse { organisations: rows.into_iter().map(|row| answer(row, &call)).collect() }))
    }

    async fn relocate(&self, request: Request<MoveOrganisationRequest>) -> Result<Response<Organisation>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("organisation_id", &ask.organisation_id)?;
        let parent = needed_id("parent_id", &ask.parent_id)?;
        let from = day::needed("from", &ask.from)?;
        let mut tx = self.db.write(&call).await?;
        let life = store::lock(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
        // Locks the district's row until the commit: moves happen one after the other, or two could close a cycle together. After the
        // organisation, as everywhere: the other way round two writers wait for each other.
        obligation::store::changed(&mut tx).await?;
        let above = store::life(&mut tx, parent).await?.ok_or_else(|| Refusal::not_found("organisation"))?;
        life.must_cover("from", from)?;
        above.must_cover("from", from)?;
        match relocate(&store::edges_since(&mut tx, from).await?, id, parent, from)? {
            Move::Begin => store::begin_edge(&mut tx, id, parent, from).await?,
            Move::Replace => store::replace_edge(&mut tx, id, parent).await?,
            Move::Follow => {
                store::end_edge(&mut tx, id, from).await?;
                store::begin_edge(&mut tx, id, parent, from).await?;
            }
        }
        let version = store::moved(&mut tx, id).await?;
        let on = from.max(today(call.now));
        let row = store::by_id(&mut tx, id, on).await?.ok_or_else(|| Fault::broken("an organisation vanished"))?;
        tx.emit(NewEvent::new("organisation.moved", id, version).facts(json!({ "parent": parent, "from": from })));
        tx.commit(answer(row, &call)).await
    }
}

#[tonic::async_trait]
impl OrganisationService for Organisations {
    async fn create_organisation(&self, request: Request<CreateOrganisationRequest>) -> Result<Response<Organisation>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_organisation(&self, request: Request<GetOrganisationRequest>) -> Result<Response<Organisation>, Status> {
        Ok(self.get(request).await?)
    }

    async fn lookup_organisation(&self, request: Request<LookupOrganisationRequest>) -> Result<Response<Organisation>, Status> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("organisation_id", &ask.organisation_id).map_err(Fault::from)?;
        let mut tx = self.db.read(&call).await?;
        let row = store::by_id(&mut tx, id, today(call.now)).await.map_err(Fault::from)?;
        let row = row.ok_or_else(|| Fault::from(Refusal::not_found("organisation")))?;
        Ok(Response::new(answer(row, &call)))
    }

    async fn list_organisations(&self, request: Request<ListOrganisationsRequest>) -> Result<Response<ListOrganisationsResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn move_organisation(&self, request: Request<MoveOrganisationRequest>) -> Result<Response<Organisation>, Status> {
        Ok(self.relocate(request).await?)
    }
}
