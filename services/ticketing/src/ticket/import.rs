//! Past requests with their own times. Each is led through the same machine by what it says was done when, so that its history, parts
//! and clocks are those it would have had; what does not fit the machine is refused with the row at fault.

use std::collections::HashSet;

use drumtower_proto::ticketing::{PastTicket, refuse_ticket_request::Reason, ticket::Source};
use drumtower_runtime::{
    Call, Fault, Kind, Refusal, TenantTx,
    call::{id, needed_id},
    clock::from_proto,
    log::NewEvent,
    seal::Sealer,
};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{
    cards::Cards,
    rules::{self, Book, Change, Command, Event, Position, Proof, State, Ticket, Who},
    shown::place,
    store::{self, Matter, facts, small},
    submit::caller,
};
use crate::{
    clock::{
        self,
        rules::{Matter as Promised, Name},
    },
    figure::{self, store::Happened},
};

/// A past request, led to where it stands.
#[derive(Debug)]
pub struct Past {
    matter: Matter,
    ticket: Ticket,
    events: Vec<(Event, State)>,
    happened: Vec<Happened>,
}

/// Reads one past request. `row` is its place in the request, for refusals.
pub async fn read(row: usize, past: &PastTicket, call: &Call, cards: &Cards, sealer: &Sealer, book: Book<'_>) -> Result<Past, Fault> {
    let today = drumtower_runtime::calendar::today(call.now).strftime("%Y%m%d").to_string();
    if past.number.as_str() >= today.as_str() {
        return Err(
            at_row(row, bad("number", "must be of a day before today: the platform gives out today's and later ones itself")).into()
        );
    }
    let enterprise = needed_id("enterprise_id", &past.enterprise_id)?;
    let card = cards.enterprise(call, enterprise).await?;
    let building = match id("building_id", &past.building_id)? {
        Some(building) => Some(cards.building(call, building).await?),
        None => None,
    };
    let mut units = Vec::new();
    for (field, unit) in
        std::iter::once(("lead_unit_id", &past.lead_unit_id)).chain(past.support_unit_ids.iter().map(|unit| ("support_unit_ids", unit)))
    {
        units.extend(id(field, unit)?);
    }
    cards.open_units(call, &units).await?;
    let new_id = Uuid::now_v7();
    let key = new_id.to_string();
    let matter = Matter {
        id: new_id,
        number: past.number.clone(),
        title: past.title.clone(),
        description: past.description.clone(),
        enterprise_name: card.name,
        building: building.as_ref().and_then(|building| Uuid::try_parse(&building.id).ok()),
        zone: building.as_ref().and_then(|building| Uuid::try_parse(&building.zone_id).ok()),
        parent: None,
        latitude: building.as_ref().map(|building| building.latitude),
        longitude: building.as_ref().map(|building| building.longitude),
        place: String::new(),
        contact_name: sealer.seal(place("contact_name", &key), &past.contact_name)?,
        contact_phone: sealer.seal(place("contact_phone", &key), &past.contact_phone)?,
        source: Source::Web as i32,
        caller: caller(sealer, &past.contact_phone),
        imported: true,
        result_text: String::new(),
        machine: book.machine.version.clone(),
    };
    let requester = call.person()?.sub;
    let (ticket, events, happened) = lead(new_id, past, enterprise, requester, call.now, book).map_err(|refusal| at_row(row, refusal))?;
    Ok(Past { matter, ticket, events, happened })
}

fn at_row(row: usize, refusal: Refusal) -> Refusal {
    let field = format!("tickets[{row}]");
    let text = format!("{field}: {}", refusal.en());
    Refusal::invalid(field.clone(), "PAST_TICKET", format!("{field}：{}", refusal.zh()), text).fact("reason", refusal.reason())
}

/// Where it stands, how it came there, and what figures count of it.
type Led = (Ticket, Vec<(Event, State)>, Vec<Happened>);

/// Leads a past request through the machine.
fn lead(id: Uuid, past: &PastTicket, enterprise: Uuid, requester: Uuid, now: Timestamp, book: Book<'_>) -> Result<Led, Refusal> {
    let steps = steps(past)?;
    let submitted_at = time(past.submitted_at.as_ref())?.ok_or_else(|| bad("submitted_at", "is required"))?;
    let kind = past.kind();
    let promised = Promised { kind, urgency: rules::Urgency::Unspecified, danger: false };
    let clocks = vec![book.promises.start(Name::C1, 1, promised, submitted_at)];
    let submitted = Change::Submitted { kind: kind as i32, danger: false, requester, enterprise: Some(enterprise), clocks };
    let mut ticket = Ticket::begin(&submitted, submitted_at).ok_or_else(|| bad("submitted_at", "begins nothing"))?;
    let mut events = vec![(Event { version: 1, verb: "submit", at: submitted_at, unit: None, change: submitted }, ticket.state)];
    let mut happened = Vec::new();
    let who = Who { user: requester, arbiter: true, importing: true, ..Who::timer() };
    for (at, command) in steps {
        if at < ticket.updated_at || at > now {
            return Err(bad(command.verb(), "is out of order, or in the future"));
        }
        let change = rules::decide(&ticket, &command, &who, at, book)?;
        let before = ticket.clone();
        ticket.apply(&change, at);
        happened.push(Happened::of(id, &before, &ticket, &change));
        let event = Event { version: ticket.version, verb: command.verb(), at, unit: ticket.lead, change };
        events.push((event, ticket.state));
    }
    if ticket.state != past.state() {
        let (is, said) = (ticket.state.as_str_name(), past.state().as_str_name());
        return Err(bad("state", &format!("its times lead to {is}, not {said}")));
    }
    Ok((ticket, events, happened))
}

/// What was done when, in order.
fn steps(past: &PastTicket) -> Result<Vec<(Timestamp, Command)>, Refusal> {
    let mut steps = Vec::new();
    let here = Position { latitude: 0.0, longitude: 0.0 };
    let mut support = Vec::new();
    for unit in &past.support_unit_ids {
        support.push(needed_id("support_unit_ids", unit)?);
    }
    let signs = support.len() + 1;
    let mut step = |at: Option<Timestamp>, command: Command| {
        if let Some(at) = at {
            steps.push((at, command));
        }
    };
    step(time(past.accepted_at.as_ref())?, Command::Accept { kind: None, urgency: past.urgency() });
    if let Some(at) = time(past.dispatched_at.as_ref())? {
        let lead = needed_id("lead_unit_id", &past.lead_unit_id)?;
        step(Some(at), Command::Dispatch { lead, support });
    }
    let signed_at = time(past.signed_at.as_ref())?;
    for _ in 0..signs {
        step(signed_at, Command::Sign);
    }
    step(time(past.contacted_at.as_ref())?, Command::Contact);
    step(time(past.visit_at.as_ref())?, Command::Visit { planned_at: None });
    step(time(past.arrived_at.as_ref())?, Command::CheckIn { at: here, building: None, device_time: None, proof: Proof::default() });
    step(time(past.reported_at.as_ref())?, Command::ReportDone { result: past.result(), waive_support: true, parts_open: 0, evidence: 0 });
    step(time(past.signed_off_at.as_ref())?, Command::SignOff);
    step(time(past.called_back_at.as_ref())?, Command::CallBack { outcome: past.callback() });
    let rated_at = time(past.rated_at.as_ref())?.filter(|_| past.score > 0);
    step(rated_at, Command::Rate { score: past.score, tags: Vec::new(), attachments: Vec::new() });
    match past.state() {
        State::Refused if past.refuse_reason() != Reason::Unspecified => {
            let reason = past.refuse_reason();
            step(last_of(past)?, Command::Refuse { reason });
        }
        State::Withdrawn => step(last_of(past)?, Command::Withdraw),
        _ => {}
    }
    Ok(steps)
}

/// The last time a request that ended early tells: it ended then, as far as is known.
fn last_of(past: &PastTicket) -> Result<Option<Timestamp>, Refusal> {
    let known = [&past.signed_at, &past.dispatched_at, &past.accepted_at, &past.submitted_at];
    match known.into_iter().flatten().next() {
        Some(at) => time(Some(at)),
        None => Ok(None),
    }
}

fn time(at: Option<&prost_types::Timestamp>) -> Result<Option<Timestamp>, Refusal> {
    let Some(at) = at else { return Ok(None) };
    from_proto(at).map(Some).ok_or_else(|| bad("time", "is out of range"))
}

fn bad(field: &str, what: &str) -> Refusal {
    Refusal::invalid(field, "PAST_TICKET", format!("{field} 有误"), format!("{field} {what}"))
}

/// Saves past requests in a few statements; how many were new. A number that is there already is left alone.
#[tracing::instrument(name = "db.ticket.import", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn save(tx: &mut TenantTx, past: &[Past], actor: &str, policy: &str) -> Result<usize, Fault> {
    let mut new = HashSet::new();
    for chunk in past.chunks(1000) {
        new.extend(insert_rows(tx, chunk).await?);
    }
    let taken: Vec<&str> = past.iter().filter(|past| !new.contains(&past.matter.id)).map(|past| past.matter.number.as_str()).collect();
    if let Some(number) = store::given(tx, &taken).await? {
        let (zh, en) =
            (format!("编号 {number} 已属于本平台的另一诉求"), format!("{number} is the number of another request of this platform"));
        return Err(Refusal::new(Kind::Exists, "NUMBER_TAKEN", zh, en).fact("number", number).into());
    }
    let fresh: Vec<&Past> = past.iter().filter(|past| new.contains(&past.matter.id)).collect();
    insert_events(tx, &fresh, actor).await?;
    let of = |past: &&Past| past.matter.id;
    let parts: Vec<_> =
        fresh.iter().flat_map(|past| past.ticket.assignments.iter().map(move |part| (of(past), past.ticket.submitted_at, part))).collect();
    store::save_parts(tx, &parts).await?;
    let clocks: Vec<_> = fresh.iter().flat_map(|past| past.ticket.clocks.iter().map(move |clock| (of(past), clock))).collect();
    clock::store::save(tx, &clocks, policy).await?;
    let happened: Vec<Happened> = fresh.iter().flat_map(|past| past.happened.iter().cloned()).collect();
    figure::store::insert(tx, &happened).await?;
    let submitted: Vec<Timestamp> = fresh.iter().map(|past| past.ticket.submitted_at).collect();
    figure::rollup::submitted(tx, &submitted).await?;
    for past in &fresh {
        let facts = serde_json::json!({ "number": past.matter.number, "state": past.ticket.state.as_str_name() });
        tx.emit(NewEvent::new("ticket.imported", past.matter.id, past.ticket.version).facts(facts));
    }
    Ok(fresh.len())
}

async fn insert_rows(tx: &mut TenantTx, past: &[Past]) -> Result<Vec<Uuid>, Fault> {
    let tenant = tx.tenant();
    let sides = past.iter().map(|past| store::side(&past.ticket)).collect::<Result<Vec<_>, _>>()?;
    let mut insert = QueryBuilder::<Postgres>::new(
        "insert into ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id, enterprise_name, building_id,
           latitude, longitude, place, contact_name, contact_phone, requester_id, lead_unit_id, result, result_text, score, return_count,
           redo_count, arbitrated, danger, imported, refuse_reason, handled_by, unreached, last_callback, due_at, overdue, version,
           submitted_at, updated_at, machine, side, supervision, excluded, waits, archived_at, zone_id, source, caller) ",
    );
    insert.push_values(past.iter().zip(sides), |mut row, (Past { matter, ticket, .. }, side)| {
        row.push_bind(tenant).push_bind(matter.id).push_bind(&matter.number).push_bind(small(ticket.state as i32));
        row.push_bind(small(ticket.kind as i32)).push_bind(small(ticket.urgency as i32)).push_bind(&matter.title);
        row.push_bind(&matter.description)
            .push_bind(ticket.enterprise.unwrap_or_default())
            .push_bind(&matter.enterprise_name)
            .push_bind(matter.building);
        row.push_bind(matter.latitude).push_bind(matter.longitude).push_bind(&matter.place).push_bind(&matter.contact_name);
        row.push_bind(&matter.contact_phone).push_bind(ticket.requester).push_bind(ticket.lead).push_bind(small(ticket.result as i32));
        row.push_bind(&matter.result_text).push_bind(small(ticket.score)).push_bind(small(ticket.return_count));
        row.push_bind(small(ticket.redo_count)).push_bind(ticket.arbitrated).push_bind(ticket.danger).push_bind(matter.imported);
        row.push_bind(small(ticket.refuse_reason.map_or(0, |reason| reason as i32))).push_bind(&ticket.handled_by);
        row.push_bind(&ticket.unreached).push_bind(small(ticket.last_callback.map_or(0, |outcome| outcome as i32)));
        row.push_bind(ticket.due_at().map(|at| at.to_sqlx())).push_bind(store::overdue(ticket)).push_bind(ticket.version);
        row.push_bind(ticket.submitted_at.to_sqlx()).push_bind(ticket.updated_at.to_sqlx()).push_bind(&matter.machine).push_bind(side);
        row.push_bind(small(ticket.side.supervision)).push_bind(ticket.side.excluded).push_bind(store::waits(ticket));
        row.push_bind(ticket.side.archived_at.map(|at| at.to_sqlx())).push_bind(matter.zone);
        row.push_bind(small(matter.source)).push_bind(&matter.caller);
    });
    insert.push(" on conflict (tenant_id, number) do nothing returning id");
    let rows: Vec<(Uuid,)> = insert.build_query_as().fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

async fn insert_events(tx: &mut TenantTx, past: &[&Past], actor: &str) -> Result<(), Fault> {
    let tenant = tx.tenant();
    let mut rows = Vec::new();
    for past in past {
        for (event, state) in &past.events {
            rows.push((past.matter.id, event, *state, facts(&event.change)?));
        }
    }
    for chunk in rows.chunks(5000) {
        let mut insert = QueryBuilder::<Postgres>::new(
            "insert into ticket_event (tenant_id, ticket_id, version, verb, state, actor, unit_id, text, facts, at) ",
        );
        insert.push_values(chunk, |mut row, (ticket, event, state, facts)| {
            row.push_bind(tenant).push_bind(ticket).push_bind(event.version).push_bind(event.verb).push_bind(small(*state as i32));
            row.push_bind(actor).push_bind(event.unit).push_bind("").push_bind(facts).push_bind(event.at.to_sqlx());
        });
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}
