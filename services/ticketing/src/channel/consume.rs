//! Hears in this service's own log what happened to requests that the hotline brought, and queues what it is told.

use drumtower_proto::{
    log::Event,
    ticketing::{channel::Kind, ticket::State},
};
use drumtower_runtime::{
    Fault, TenantTx,
    delivery::{self, Parcel},
    log::Consumer,
};
use uuid::Uuid;

use super::{
    rules::{Hotline, Settings},
    send::route,
    store::{self, Told},
};

/// Name of the cursor.
pub const NAME: &str = "courses of the hotline's requests";

/// Verbs whose words are meant for who asked. A report is told when it is signed off, and as it stands then.
const FOR_THE_REQUESTER: [&str; 3] = ["refuse", "answer", "rectifyRating"];

/// Tells the hotline.
#[derive(Debug)]
pub struct Courses;

impl Consumer for Courses {
    fn name(&self) -> &'static str {
        NAME
    }

    fn source(&self) -> &'static str {
        "ticketing"
    }

    async fn take(&self, tx: &mut TenantTx, event: &Event) -> Result<(), Fault> {
        let Some(ticket) = event.r#type.strip_prefix("ticket.").and_then(|_| Uuid::try_parse(&event.subject).ok()) else { return Ok(()) };
        let Some(told) = store::told(tx, Kind::Hotline, ticket, event.version).await? else { return Ok(()) };
        // Settings were in order when they were kept.
        let Ok(Settings::Hotline(hotline)) = Settings::read(Kind::Hotline, &told.settings) else { return Ok(()) };
        let Some(body) = message(&hotline, &told, event.version) else { return Ok(()) };
        let id = Uuid::try_parse(&event.event_id).map_err(|error| Fault::broken(error.to_string()))?;
        let parcel = Parcel { id, route: route(told.channel_id), body: body.to_string(), at: tx.now() };
        let now = tx.now();
        Ok(delivery::queue(tx, &[(parcel, now)]).await?)
    }
}

/// What the hotline is told of a change; nothing where it has no word for the state, or no address.
fn message(hotline: &Hotline, told: &Told, version: i64) -> Option<serde_json::Value> {
    if hotline.url.is_empty() {
        return None;
    }
    let state = State::try_from(i32::from(told.state)).unwrap_or_default();
    let state_text = hotline.states.get(state.as_str_name())?;
    let text = match told.verb.as_str() {
        "signOff" => told.result_text.as_str(),
        verb if FOR_THE_REQUESTER.contains(&verb) => told.text.as_str(),
        _ => "",
    };
    Some(serde_json::json!({
        "type": "request.updated",
        "data": {
            "request_id": told.foreign_key,
            "number": told.number,
            "version": version,
            "event": told.verb,
            "state": state.as_str_name(),
            "state_text": state_text,
            "text": text,
            "at": told.at.to_jiff().to_string(),
        },
    }))
}
