//! A submission, whoever makes it in whose name: a company itself, a dispatcher who splits a request, a named contact, a service day's desk.

use drumtower_proto::ticketing::ticket::Source;
use drumtower_runtime::{
    Call, Fault, TenantTx,
    log::{NewEvent, to_role},
    seal::Sealer,
};
use uuid::Uuid;

use super::{
    api::Tickets,
    rules::{self, Change, Kind, Position, Ticket},
    shown::place,
    store::{self, Matter},
};
use crate::{
    clock::rules::{Matter as Promised, Name},
    setting::Setting,
};

/// What is to be submitted.
#[derive(Debug)]
pub struct Draft {
    pub title: String,
    pub description: String,
    /// None for what concerns no company.
    pub enterprise: Option<Uuid>,
    pub building: Option<Uuid>,
    /// Where it is, when no building says so.
    pub at: Option<Position>,
    pub place: String,
    /// Whom to contact; what is empty is as identity knows the requester.
    pub contact_name: String,
    pub contact_phone: String,
    pub requester: Uuid,
    pub source: Source,
}

/// How its course begins.
#[derive(Debug, Clone, Copy)]
pub struct Submission {
    pub kind: Kind,
    pub danger: bool,
    pub requester: Uuid,
    pub enterprise: Option<Uuid>,
}

/// The blind index of a number to contact; none for an empty one.
pub fn caller(sealer: &Sealer, phone: &str) -> Option<Vec<u8>> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    sealer.blind("ticket.caller", &digits)
}

impl Tickets {
    /// What a request will be about, with a number of its own. Asks other services: before a transaction begins.
    pub async fn drafted(&self, call: &Call, draft: Draft) -> Result<Matter, Fault> {
        let enterprise_name = match draft.enterprise {
            Some(enterprise) => self.cards.enterprise(call, enterprise).await?.name,
            None => String::new(),
        };
        let building = match draft.building {
            Some(building) => Some(self.cards.building(call, building).await?),
            None => None,
        };
        let standing = building.as_ref().map(|card| Position { latitude: card.latitude, longitude: card.longitude });
        let at = standing.or(draft.at);
        let (name, phone) = self.contact(call, &draft).await?;
        let sealer = self.sealers.of(&self.db, call).await?;
        let setting = self.settings.of(call).await?;
        let id = Uuid::now_v7();
        let row = id.to_string();
        Ok(Matter {
            id,
            number: self.numbers.next(&self.db, call.tenant, call.now).await?,
            title: draft.title,
            description: draft.description,
            enterprise_name,
            building: building.as_ref().and_then(|building| Uuid::try_parse(&building.id).ok()),
            zone: building.as_ref().and_then(|building| Uuid::try_parse(&building.zone_id).ok()),
            parent: None,
            latitude: at.map(|at| at.latitude),
            longitude: at.map(|at| at.longitude),
            place: draft.place,
            contact_name: sealer.seal(place("contact_name", &row), &name)?,
            contact_phone: sealer.seal(place("contact_phone", &row), &phone)?,
            source: draft.source as i32,
            caller: caller(&sealer, &phone),
            imported: false,
            result_text: String::new(),
            machine: setting.machine().version.clone(),
        })
    }

    /// Whom to contact: as said, else the requester as identity knows them.
    async fn contact(&self, call: &Call, draft: &Draft) -> Result<(String, String), Fault> {
        if !draft.contact_name.is_empty() && !draft.contact_phone.is_empty() {
            return Ok((draft.contact_name.clone(), draft.contact_phone.clone()));
        }
        let card = self.cards.user(call, draft.requester).await?;
        let or = |said: &str, known: String| if said.is_empty() { known } else { said.to_owned() };
        Ok((or(&draft.contact_name, card.name), or(&draft.contact_phone, card.phone)))
    }
}

/// A request with its first clock and its first event.
pub async fn submit(
    tx: &mut TenantTx,
    setting: &Setting,
    matter: Matter,
    submission: Submission,
    actor: &str,
) -> Result<(Matter, Ticket), Fault> {
    let Submission { kind, danger, requester, enterprise } = submission;
    let promised = Promised { kind, urgency: rules::Urgency::Unspecified, danger };
    let clocks = vec![setting.book(&matter.machine).promises.start(Name::C1, 1, promised, tx.now())];
    let change = Change::Submitted { kind: kind as i32, danger, requester, enterprise, clocks };
    let ticket = Ticket::begin(&change, tx.now()).ok_or_else(|| Fault::broken("a submission begins a request"))?;
    store::insert(tx, &matter, &ticket, actor, &change, setting.policy_version()).await?;
    Ok((matter, ticket))
}

/// Tells the dispatchers of a new request.
pub fn submitted(matter: &Matter, ticket: &Ticket) -> NewEvent {
    let facts = serde_json::json!({ "number": matter.number, "state": ticket.state.as_str_name(), "enterprise": ticket.enterprise });
    let (zh, en) = (format!("新诉求 {} 待受理", matter.number), format!("{}: a new request", matter.number));
    NewEvent::new("ticket.submitted", matter.id, 1).facts(facts).tell(to_role("DISPATCHER", None, "ticket.submitted", zh, en))
}
