//! RPCs of companies.

use std::sync::Arc;

use drumtower_proto::enterprise::{
    CreateEnterpriseRequest, Enterprise, GetEnterpriseRequest, ImportEnterprisesRequest, ImportEnterprisesResponse,
    ListEnterpriseChangesRequest, ListEnterpriseChangesResponse, ListEnterprisesRequest, ListEnterprisesResponse, LookupEnterpriseRequest,
    UpdateEnterpriseRequest, enterprise::Status as Standing, enterprise_service_server::EnterpriseService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, call, log::NewEvent, page};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    code,
    rules::{self, Company},
    store,
};
use crate::{day, import};

/// Companies.
#[derive(Debug)]
pub struct Enterprises {
    pub db: Db,
}

/// Permissions whose holders work with companies' cards.
const SEES_ALL: [&str; 7] =
    ["enterprise.read", "ticket.accept", "ticket.dispatch", "ticket.sign", "ticket.handle", "ticket.sign_off", "ticket.call_back"];

impl Enterprises {
    async fn create(&self, request: Request<CreateEnterpriseRequest>) -> Result<Response<Enterprise>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (credit_code, code_state) = rules::credit_code(&ask.credit_code, ask.code_state())?;
        let status = if ask.status() == Standing::Unspecified { Standing::Operating } else { ask.status() };
        let company = Company {
            id: Uuid::now_v7(),
            credit_code,
            code_state: code_state as i32,
            name: rules::name("name", &ask.name)?,
            short_name: rules::short_name("short_name", &ask.short_name)?,
            kind: ask.kind,
            status: status as i32,
            industry: ask.industry,
            capital_wan: ask.capital_wan,
            established_on: day::read("established_on", &ask.established_on)?,
            former: String::new(),
            version: 1,
        };
        let mut tx = self.db.write(&call).await?;
        store::write(&mut tx, std::slice::from_ref(&company)).await?;
        let row = store::by_id(&mut tx, company.id).await?.ok_or_else(|| Fault::broken("the company just written is not there"))?;
        tx.emit(NewEvent::new("enterprise.created", company.id, 1));
        tx.commit(row.into()).await
    }

    /// Somebody who does not work with companies sees their own only; any other answers like one that does not exist.
    async fn get(&self, request: Request<GetEnterpriseRequest>) -> Result<Response<Enterprise>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("enterprise_id", &ask.enterprise_id)?;
        if !SEES_ALL.iter().any(|permission| call.may(permission)) && call.person()?.ent != Some(id) {
            return Err(Refusal::not_found("enterprise").into());
        }
        self.one(&call, id).await
    }

    async fn one(&self, call: &Arc<Call>, id: Uuid) -> Result<Response<Enterprise>, Fault> {
        let row = store::by_id(&mut self.db.read(call).await?, id).await?.ok_or_else(|| Refusal::not_found("enterprise"))?;
        Ok(Response::new(row.into()))
    }

    async fn lookup(&self, request: Request<LookupEnterpriseRequest>) -> Result<Response<Enterprise>, Fault> {
        let (call, ask) = Call::take(request)?;
        if let Some(id) = call::id("enterprise_id", &ask.enterprise_id)? {
            return self.one(&call, id).await;
        }
        let code = code::normalise(&ask.credit_code);
        let row = store::by_code(&mut self.db.read(&call).await?, &code).await?.ok_or_else(|| Refusal::not_found("enterprise"))?;
        Ok(Response::new(row.into()))
    }

    async fn list(&self, request: Request<ListEnterprisesRequest>) -> Result<Response<ListEnterprisesResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let size = page::size(ask.page_size, 20);
        let query = rules::normalise(&ask.query);
        let among = store::Among {
            building: call::id("building_id", &ask.building_id)?,
            zone: call::id("zone_id", &ask.zone_id)?,
            status: i16::try_from(ask.status).unwrap_or_default(),
            qualification: i16::try_from(ask.qualification).unwrap_or_default(),
        };
        let question = format!("enterprises {query} among {among:?}");
        let after: Option<store::After> = page::after(&question, &ask.page_token)?;
        let mut tx = self.db.read(&call).await?;
        let found = if !query.is_empty() {
            store::search(&mut tx, &query, &code::normalise(&ask.query), among, after, size + 1).await?
        } else if ask.query.trim().is_empty() {
            store::page(&mut tx, among, after, size + 1).await?
        } else {
            // Brackets and blanks alone stand in no name for comparing: they find nothing, not everything.
            Vec::new()
        };
        let (found, next_page_token) = page::cut(found, size, &question, store::Found::place);
        Ok(Response::new(ListEnterprisesResponse {
            enterprises: found.into_iter().map(|found| found.row.into()).collect(),
            next_page_token,
        }))
    }

    async fn changes(&self, request: Request<ListEnterpriseChangesRequest>) -> Result<Response<ListEnterpriseChangesResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("enterprise_id", &ask.enterprise_id)?;
        let question = format!("changes of {id}");
        let (size, before) = (page::size(ask.page_size, 50), page::after(&question, &ask.page_token)?);
        let mut tx = self.db.read(&call).await?;
        store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("enterprise"))?;
        let rows = store::changes(&mut tx, id, before, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, store::Change::place);
        Ok(Response::new(ListEnterpriseChangesResponse { changes: rows.into_iter().map(Into::into).collect(), next_page_token }))
    }

    async fn update(&self, request: Request<UpdateEnterpriseRequest>) -> Result<Response<Enterprise>, Fault> {
        let (call, ask) = Call::take(request)?;
        let wanted = ask.enterprise.unwrap_or_default();
        let mask = ask.update_mask.map(|mask| mask.paths).unwrap_or_default();
        let id = call::needed_id("enterprise.id", &wanted.id)?;
        let mut tx = self.db.write(&call).await?;
        let before = store::lock(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("enterprise"))?;
        if !wanted.etag.is_empty() && wanted.etag != before.version.to_string() {
            return Err(Refusal::stale(before.version.to_string()).into());
        }
        if let Some((after, changes)) = before.becomes(rules::masked(before.clone(), &wanted, &mask)?) {
            store::write(&mut tx, std::slice::from_ref(&after)).await?;
            store::write_changes(&mut tx, &call.actor_name(), &changes).await?;
            let fields: Vec<&str> = changes.iter().map(|changed| changed.field).collect();
            tx.emit(NewEvent::new("enterprise.changed", id, after.version).facts(serde_json::json!({ "fields": fields })));
        }
        let row = store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("enterprise"))?;
        tx.commit(row.into()).await
    }

    async fn import(&self, request: Request<ImportEnterprisesRequest>) -> Result<Response<ImportEnterprisesResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let table = import::rules::table(&ask.csv)?;
        let mut tx = self.db.write(&call).await?;
        let answer = import::api::enterprises(&mut tx, &table, &call.actor_name(), ask.preview).await?;
        if ask.preview {
            return Ok(Response::new(answer));
        }
        tx.commit(answer).await
    }
}

#[tonic::async_trait]
impl EnterpriseService for Enterprises {
    async fn create_enterprise(&self, request: Request<CreateEnterpriseRequest>) -> Result<Response<Enterprise>, Status> {
        Ok(self.create(request).await?)
    }

    async fn get_enterprise(&self, request: Request<GetEnterpriseRequest>) -> Result<Response<Enterprise>, Status> {
        Ok(self.get(request).await?)
    }

    async fn list_enterprises(&self, request: Request<ListEnterprisesRequest>) -> Result<Response<ListEnterprisesResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn list_enterprise_changes(
        &self,
        request: Request<ListEnterpriseChangesRequest>,
    ) -> Result<Response<ListEnterpriseChangesResponse>, Status> {
        Ok(self.changes(request).await?)
    }

    async fn update_enterprise(&self, request: Request<UpdateEnterpriseRequest>) -> Result<Response<Enterprise>, Status> {
        Ok(self.update(request).await?)
    }

    async fn import_enterprises(&self, request: Request<ImportEnterprisesRequest>) -> Result<Response<ImportEnterprisesResponse>, Status> {
        Ok(self.import(request).await?)
    }

    async fn lookup_enterprise(&self, request: Request<LookupEnterpriseRequest>) -> Result<Response<Enterprise>, Status> {
        Ok(self.lookup(request).await?)
    }
}
