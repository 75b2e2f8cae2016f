//! RPCs of qualifications.

use drumtower_proto::enterprise::{
    CountQualificationsRequest, CountQualificationsResponse, CreateQualificationRequest, ImportQualificationsRequest,
    ImportQualificationsResponse, ListQualificationsRequest, ListQualificationsResponse, Qualification, QualificationCount,
    RevokeQualificationRequest, qualification_service_server::QualificationService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, calendar, call, log::NewEvent};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{rules, store};
use crate::{day, enterprise, import};

/// Qualifications.
#[derive(Debug)]
pub struct Qualifications {
    pub db: Db,
}

impl Qualifications {
    async fn create(&self, request: Request<CreateQualificationRequest>) -> Result<Response<Qualification>, Fault> {
        let (call, ask) = Call::take(request)?;
        let new = rules::New {
            id: Uuid::now_v7(),
            enterprise: call::needed_id("enterprise_id", &ask.enterprise_id)?,
            kind: ask.kind,
            level: ask.level,
            basis: ask.basis,
            certificate_no: ask.certificate_no,
            issuer: ask.issuer,
            valid_from: day::needed("valid_from", &ask.valid_from)?,
            valid_to: day::read("valid_to", &ask.valid_to)?,
        };
        rules::valid(new.valid_from, new.valid_to)?;
        let mut tx = self.db.write(&call).await?;
        enterprise::store::by_id(&mut tx, new.enterprise).await?.ok_or_else(|| Refusal::not_found("enterprise"))?;
        store::insert(&mut tx, std::slice::from_ref(&new)).await?;
        tx.emit(
            NewEvent::new("qualification.created", new.id, 1).facts(serde_json::json!({ "enterprise": new.enterprise, "kind": new.kind })),
        );
        tx.commit(Qualification {
            id: new.id.to_string(),
            enterprise_id: new.enterprise.to_string(),
            kind: new.kind,
            level: new.level,
            basis: new.basis,
            certificate_no: new.certificate_no,
            issuer: new.issuer,
            valid_from: new.valid_from.to_string(),
            valid_to: new.valid_to.map(|day| day.to_string()).unwrap_or_default(),
            revoked_on: String::new(),
            revocation_reason: String::new(),
        })
        .await
    }

    async fn revoke(&self, request: Request<RevokeQualificationRequest>) -> Result<Response<Qualification>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("qualification_id", &ask.qualification_id)?;
        let on = day::needed("on", &ask.on)?;
        let mut tx = self.db.write(&call).await?;
        let row = store::lock(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("qualification"))?;
        let to = row.valid_to.map(|day| day.to_jiff());
        rules::revoke(row.valid_from.to_jiff(), to, row.revoked_on.is_some(), on, calendar::today(call.now))?;
        let row = store::revoke(&mut tx, id, on, &ask.reason).await?;
        let facts = serde_json::json!({ "enterprise": row.enterprise_id, "kind": row.kind, "on": on });
        tx.emit(NewEvent::new("qualification.revoked", id, 2).facts(facts));
        tx.commit(row.into()).await
    }

    async fn list(&self, request: Request<ListQualificationsRequest>) -> Result<Response<ListQualificationsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = call::needed_id("enterprise_id", &ask.enterprise_id)?;
        let mut tx = self.db.read(&call).await?;
        enterprise::store::by_id(&mut tx, id).await?.ok_or_else(|| Refusal::not_found("enterprise"))?;
        let qualifications = store::of_enterprises(&mut tx, &[id]).await?.into_iter().map(Into::into).collect();
        Ok(Response::new(ListQualificationsResponse { qualifications }))
    }

    async fn count(&self, request: Request<CountQualificationsRequest>) -> Result<Response<CountQualificationsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let on = day::read("on", &ask.on)?.unwrap_or_else(|| calendar::today(call.now));
        let mut tx = self.db.read(&call).await?;
        let number = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        let counts = store::count(&mut tx, on).await?;
        let counts = counts.into_iter().map(|(kind, count)| QualificationCount { kind: i32::from(kind), enterprises: number(count) });
        let (any, enterprises) = store::count_all(&mut tx, on).await?;
        let (any, enterprises) = (number(any), number(enterprises));
        Ok(Response::new(CountQualificationsResponse { on: on.to_string(), counts: counts.collect(), any, enterprises }))
    }

    async fn import(&self, request: Request<ImportQualificationsRequest>) -> Result<Response<ImportQualificationsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let table = import::rules::table(&ask.csv)?;
        let mut tx = self.db.write(&call).await?;
        let answer = import::api::qualifications(&mut tx, &table).await?;
        tx.commit(answer).await
    }
}

#[tonic::async_trait]
impl QualificationService for Qualifications {
    async fn create_qualification(&self, request: Request<CreateQualificationRequest>) -> Result<Response<Qualification>, Status> {
        Ok(self.create(request).await?)
    }

    async fn revoke_qualification(&self, request: Request<RevokeQualificationRequest>) -> Result<Response<Qualification>, Status> {
        Ok(self.revoke(request).await?)
    }

    async fn list_qualifications(
        &self,
        request: Request<ListQualificationsRequest>,
    ) -> Result<Response<ListQualificationsResponse>, Status> {
        Ok(self.list(request).await?)
    }

    async fn count_qualifications(
        &self,
        request: Request<CountQualificationsRequest>,
    ) -> Result<Response<CountQualificationsResponse>, Status> {
        Ok(self.count(request).await?)
    }

    async fn import_qualifications(
        &self,
        request: Request<ImportQualificationsRequest>,
    ) -> Result<Response<ImportQualificationsResponse>, Status> {
        Ok(self.import(request).await?)
    }
}
