//! RPCs of settings.

use drumtower_proto::ticketing::{
    self as wire, CheckSettingRequest, CheckSettingResponse, ListSettingsRequest, ListSettingsResponse, PublishSettingRequest,
    setting::Kind, setting_service_server::SettingService,
};
use drumtower_runtime::{Call, Db, Fault, Refusal, clock::to_proto, log::NewEvent};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    Settings,
    rules::{self, Content},
    store,
};
use crate::ticket::cards::Cards;

/// Settings in versions.
#[derive(Debug)]
pub struct Versions {
    pub db: Db,
    pub settings: Settings,
    pub cards: Cards,
}

impl Versions {
    async fn publish(&self, request: Request<PublishSettingRequest>) -> Result<Response<wire::Setting>, Fault> {
        let (call, ask) = Call::take(request)?;
        let kind = ask.kind();
        self.units_are_there(&call, &rules::read(kind, 1, &ask.content)?).await?;
        let mut tx = self.db.write(&call).await?;
        let row = store::insert(&mut tx, kind, &ask.content, &call.actor_name()).await.map_err(at_once)?;
        let facts = serde_json::json!({ "kind": kind.as_str_name(), "number": row.number });
        tx.emit(NewEvent::new("setting.published", format!("{}/{}", kind.as_str_name(), row.number), i64::from(row.number)).facts(facts));
        let answer = tx.commit(shown(row)).await?;
        self.settings.changed(call.tenant).await;
        Ok(answer)
    }

    /// Units that rules name exist and are open: nothing dangles.
    async fn units_are_there(&self, call: &Call, content: &Content) -> Result<(), Fault> {
        match content {
            Content::Dispatch(rules) => self.cards.open_units(call, &rules.units()).await,
            _ => Ok(()),
        }
    }

    async fn check(&self, request: Request<CheckSettingRequest>) -> Result<Response<CheckSettingResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        self.units_are_there(&call, &rules::read(ask.kind(), 1, &ask.content)?).await?;
        Ok(Response::new(CheckSettingResponse {}))
    }

    async fn list(&self, request: Request<ListSettingsRequest>) -> Result<Response<ListSettingsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let rows = store::versions(&mut self.db.read(&call).await?, ask.kind()).await?;
        let own = wire::Setting { kind: ask.kind, content: platform(ask.kind()).to_owned(), ..wire::Setting::default() };
        Ok(Response::new(ListSettingsResponse { settings: rows.into_iter().map(shown).chain([own]).collect() }))
    }
}

/// Two that publish at once: the second is told to look at what the first did.
fn at_once(error: sqlx::Error) -> Fault {
    let taken = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
    if taken { Refusal::stale("").into() } else { error.into() }
}

/// The platform's own version.
fn platform(kind: Kind) -> &'static str {
    match kind {
        Kind::Machine => include_str!("../../data/machine.json"),
        Kind::ClockPolicy => include_str!("../../data/clock_policy.json"),
        Kind::Calendar | Kind::Unspecified => "{\"name\":\"全国\"}",
        Kind::DispatchRules => "{\"rules\":[]}",
        Kind::FigureWeights => "{\"weights\":{}}",
    }
}

fn shown(row: store::Row) -> wire::Setting {
    wire::Setting {
        kind: i32::from(row.kind),
        number: row.number,
        content: row.content,
        published_by_id: if Uuid::try_parse(&row.published_by).is_ok() { row.published_by } else { String::new() },
        published_at: Some(to_proto(row.published_at.to_jiff())),
        applied_at: row.applied_at.map(|at| to_proto(at.to_jiff())),
    }
}

#[tonic::async_trait]
impl SettingService for Versions {
    async fn publish_setting(&self, request: Request<PublishSettingRequest>) -> Result<Response<wire::Setting>, Status> {
        Ok(self.publish(request).await?)
    }

    async fn check_setting(&self, request: Request<CheckSettingRequest>) -> Result<Response<CheckSettingResponse>, Status> {
        Ok(self.check(request).await?)
    }

    async fn list_settings(&self, request: Request<ListSettingsRequest>) -> Result<Response<ListSettingsResponse>, Status> {
        Ok(self.list(request).await?)
    }
}
