//! A submission: whoever submits, the same request begins the same way.

use drumtower_proto::{enterprise::Building, ticketing::ticket::Source};
use drumtower_runtime::{
    Call, Fault, Refusal, TenantTx,
    call::needed_id,
    log::{NewEvent, to_role},
    seal::Sealer,
};
use uuid::Uuid;

use super::{
    rules::{self, Change, Position, Ticket},
    shown::place,
    store::{self, Matter},
};
use crate::{
    clock::rules::{Matter as Promised, Name},
    setting::Setting,
};

/// What is submitted, by whom, for whom.
#[derive(Debug)]
pub struct Submission {
    pub id: Uuid,
    pub number: String,
    pub title: String,
    pub description: String,
    pub kind: rules::Kind,
    pub danger: bool,
    pub source: Source,
    pub requester: Uuid,
    /// The company with its name; none for what concerns no company.
    pub enterprise: Option<(Uuid, String)>,
    /// The building with its zone.
    pub building: Option<(Uuid, Uuid)>,
    pub at: Option<Position>,
    pub place: String,
    pub contact_name: String,
    pub contact_phone: String,
    pub parent: Option<Uuid>,
}

/// A building's identity with its zone's, and where it stands.
pub fn standing(card: &Building) -> Result<((Uuid, Uuid), Position), Refusal> {
    let ids = (needed_id("building_id", &card.id)?, needed_id("zone_id", &card.zone_id)?);
    Ok((ids, Position { latitude: card.latitude, longitude: card.longitude }))
}

/// The blind index of a number to contact; none for an empty one.
pub fn caller(sealer: &Sealer, phone: &str) -> Option<Vec<u8>> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    sealer.blind("ticket.caller", &digits)
}

/// Submits a request within a transaction: the row, its first event and clock. Whoever must be told of it is told by [`tell`].
pub async fn submit(
    tx: &mut TenantTx,
    call: &Call,
    sealer: &Sealer,
    setting: &Setting,
    what: Submission,
    actor: &str,
) -> Result<(Matter, Ticket), Fault> {
    let row = what.id.to_string();
    let (enterprise, enterprise_name) = what.enterprise.unzip();
    let (building, zone) = what.building.unzip();
    let matter = Matter {
        id: what.id,
        number: what.number,
        title: what.title,
        description: what.description,
        enterprise_name: enterprise_name.unwrap_or_default(),
        building,
        zone,
        parent: what.parent,
        latitude: what.at.map(|at| at.latitude),
        longitude: what.at.map(|at| at.longitude),
        place: what.place,
        contact_name: sealer.seal(place("contact_name", &row), &what.contact_name)?,
        contact_phone: sealer.seal(place("contact_phone", &row), &what.contact_phone)?,
        source: what.source as i32,
        caller: caller(sealer, &what.contact_phone),
        imported: false,
        result_text: String::new(),
        machine: setting.machine().version.clone(),
    };
    let promised = Promised { kind: what.kind, urgency: rules::Urgency::Unspecified, danger: what.danger };
    let clocks = vec![setting.book(&matter.machine).promises.start(Name::C1, 1, promised, call.now)];
    let (kind, danger, requester) = (what.kind as i32, what.danger, what.requester);
    let change = Change::Submitted { kind, danger, requester, enterprise, clocks };
    let ticket = Ticket::begin(&change, call.now).ok_or_else(|| Fault::broken("a submission begins a request"))?;
    store::insert(tx, &matter, &ticket, actor, &change, setting.policy_version()).await?;
    Ok((matter, ticket))
}

/// Tells the dispatchers of a new request.
pub fn tell(tx: &mut TenantTx, matter: &Matter, ticket: &Ticket) {
    let facts = serde_json::json!({ "number": matter.number, "state": ticket.state.as_str_name(), "enterprise": ticket.enterprise });
    let (zh, en) = (format!("新诉求 {} 待受理", matter.number), format!("{}: a new request", matter.number));
    let told = to_role("DISPATCHER", None, "ticket.submitted", zh, en);
    tx.emit(NewEvent::new("ticket.submitted", matter.id, 1).facts(facts).tell(told));
}
