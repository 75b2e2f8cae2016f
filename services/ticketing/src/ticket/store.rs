//! Questions to the tables of requests: the row, its events, its units' parts and its clocks.

use drumtower_proto::ticketing::{assignment, call_back_ticket_request::Outcome, refuse_ticket_request::Reason, ticket};
use drumtower_runtime::{Fault, Refusal, TenantTx};
use jiff_sqlx::ToSqlx as _;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::rules::{Assignment, Change, Event, Kind, State, Ticket, Urgency};
use crate::clock::{self, rules::Clock};

/// What a request is about, beside its course: never changes after submission, but for the words of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Matter {
    pub id: Uuid,
    pub number: String,
    pub title: String,
    pub description: String,
    pub enterprise_name: String,
    pub building: Option<Uuid>,
    pub zone: Option<Uuid>,
    pub parent: Option<Uuid>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub place: String,
    pub contact_name: Vec<u8>,
    pub contact_phone: Vec<u8>,
    /// The way it came, as in `Ticket.Source`.
    pub source: i32,
    /// Blind index of the number to contact: kept when it is submitted, not read back with the request.
    pub caller: Option<Vec<u8>>,
    pub imported: bool,
    pub result_text: String,
    /// The version of the machine that it began under.
    pub machine: String,
}

#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub id: Uuid,
    number: String,
    state: i16,
    kind: i16,
    urgency: i16,
    title: String,
    description: String,
    /// The nil id for none: programs of before read an id here.
    enterprise_id: Uuid,
    enterprise_name: String,
    building_id: Option<Uuid>,
    zone_id: Option<Uuid>,
    parent_id: Option<Uuid>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    place: String,
    contact_name: Vec<u8>,
    contact_phone: Vec<u8>,
    requester_id: Uuid,
    lead_unit_id: Option<Uuid>,
    result: i16,
    result_text: String,
    score: i16,
    return_count: i16,
    redo_count: i16,
    arbitrated: bool,
    danger: bool,
    imported: bool,
    refuse_reason: i16,
    handled_by: Vec<Uuid>,
    unreached: Vec<String>,
    last_callback: i16,
    urged_at: Option<jiff_sqlx::Timestamp>,
    pub due_at: Option<jiff_sqlx::Timestamp>,
    machine: String,
    side: String,
    source: i16,
    version: i64,
    pub submitted_at: jiff_sqlx::Timestamp,
    updated_at: jiff_sqlx::Timestamp,
}

/// The columns of [`Row`], for statements built at run time.
pub const COLUMNS: &str = "t.id, t.number, t.state, t.kind, t.urgency, t.title, t.description, t.enterprise_id, t.enterprise_name, \
     t.building_id, t.zone_id, t.parent_id, t.latitude, t.longitude, t.place, t.contact_name, t.contact_phone, t.requester_id, t.lead_unit_id, t.result, \
     t.result_text, t.score, t.return_count, t.redo_count, t.arbitrated, t.danger, t.imported, t.refuse_reason, t.handled_by, t.unreached, \
     t.last_callback, t.urged_at, t.due_at, t.machine, t.side, t.source, t.version, t.submitted_at, t.updated_at";

impl Row {
    /// Splits the row into what the machine knows and what the request is about; parts and clocks come from their own tables.
    pub fn split(self, assignments: Vec<Assignment>, clocks: Vec<Clock>) -> Result<(Matter, Ticket), Fault> {
        let side = serde_json::from_str(&self.side).map_err(|error| Fault::broken(error.to_string()))?;
        let ticket = Ticket {
            state: State::try_from(i32::from(self.state)).unwrap_or_default(),
            kind: Kind::try_from(i32::from(self.kind)).unwrap_or_default(),
            urgency: Urgency::try_from(i32::from(self.urgency)).unwrap_or_default(),
            danger: self.danger,
            requester: self.requester_id,
            enterprise: Some(self.enterprise_id).filter(|id| !id.is_nil()),
            submitted_at: self.submitted_at.to_jiff(),
            lead: self.lead_unit_id,
            assignments,
            clocks,
            result: ticket::Result::try_from(i32::from(self.result)).unwrap_or_default(),
            score: i32::from(self.score),
            return_count: i32::from(self.return_count),
            redo_count: i32::from(self.redo_count),
            arbitrated: self.arbitrated,
            refuse_reason: Reason::try_from(i32::from(self.refuse_reason)).ok().filter(|reason| *reason != Reason::Unspecified),
            handled_by: self.handled_by,
            unreached: self.unreached,
            last_callback: Outcome::try_from(i32::from(self.last_callback)).ok().filter(|outcome| *outcome != Outcome::Unspecified),
            urged_at: self.urged_at.map(|at| at.to_jiff()),
            side,
            version: self.version,
            updated_at: self.updated_at.to_jiff(),
        };
        let matter = Matter {
            id: self.id,
            number: self.number,
            title: self.title,
            description: self.description,
            enterprise_name: self.enterprise_name,
            building: self.building_id,
            zone: self.zone_id,
            parent: self.parent_id,
            latitude: self.latitude,
            longitude: self.longitude,
            place: self.place,
            contact_name: self.contact_name,
            contact_phone: self.contact_phone,
            source: i32::from(self.source),
            caller: None,
            imported: self.imported,
            result_text: self.result_text,
            machine: self.machine,
        };
        Ok((matter, ticket))
    }
}

/// A request with its parts and clocks in one answer: each round trip costs more than the reading.
#[derive(Debug, sqlx::FromRow)]
struct Whole {
    #[sqlx(flatten)]
    row: Row,
    parts: Option<String>,
    clocks: Option<String>,
}

/// Everything of one request.
const WHOLE: &str =
    "select t.id, t.number, t.state, t.kind, t.urgency, t.title, t.description, t.enterprise_id, t.enterprise_name, t.building_id, t.zone_id, t.parent_id,
               t.latitude, t.longitude, t.place, t.contact_name, t.contact_phone, t.requester_id, t.lead_unit_id, t.result, t.result_text,
               t.score, t.return_count, t.redo_count, t.arbitrated, t.danger, t.imported, t.refuse_reason, t.handled_by, t.unreached,
               t.last_callback, t.urged_at, t.due_at, t.machine, t.side, t.source, t.version, t.submitted_at, t.updated_at,
               (select json_agg(json_build_array(a.unit_id, a.kind, a.state, a.handler_id) order by a.kind, a.unit_id)::text
                from assignment a where a.tenant_id = $1 and a.ticket_id = $2) as parts,
               (select json_agg(c.facts::json order by c.started_at, c.name, c.round)::text
                from clock c where c.tenant_id = $1 and c.ticket_id = $2) as clocks
             from ticket t where t.tenant_id = $1 and t.id = $2";

/// A request as it stands.
#[tracing::instrument(name = "db.ticket.by_id", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn by_id(tx: &mut TenantTx, id: Uuid) -> Result<(Matter, Ticket), Fault> {
    let found: Option<Whole> = sqlx::query_as(WHOLE).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    let found = found.ok_or_else(|| Refusal::not_found("ticket"))?;
    let parts: Vec<(Uuid, i16, i16, Option<Uuid>)> = list(found.parts)?;
    found.row.split(parts.into_iter().map(part).collect(), list(found.clocks)?)
}

/// A request as it stands, locked until the transaction ends. Locked first and read then: what a waiting reader gets beside the row
/// must not be older than the row.
pub async fn lock(tx: &mut TenantTx, id: Uuid) -> Result<(Matter, Ticket), Fault> {
    let there: Option<(i64,)> = sqlx::query_as("select version from ticket where tenant_id = $1 and id = $2 for update")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    there.ok_or_else(|| Refusal::not_found("ticket"))?;
    by_id(tx, id).await
}

/// States of requests that are over.
pub fn over() -> [i16; 4] {
    [State::Archived, State::Refused, State::Withdrawn, State::Merged].map(|state| small(state as i32))
}

/// A request as it stands, which stays until the transaction ends: what refers to it is written next. Taken before anything that all
/// districts' writers share, for whoever changes a request keeps it for itself.
#[tracing::instrument(name = "db.ticket.hold", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn hold(tx: &mut TenantTx, id: Uuid) -> Result<(Matter, Ticket), Fault> {
    sqlx::query("select 1 from ticket where tenant_id = $1 and id = $2 for key share")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    by_id(tx, id).await
}

/// How many parts of a request are not over.
#[tracing::instrument(name = "db.ticket.parts_open", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn parts_open(tx: &mut TenantTx, parent: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from ticket where tenant_id = $1 and parent_id = $2 and state <> all($3)")
        .bind(tx.tenant())
        .bind(parent)
        .bind(over())
        .fetch_one(tx.conn())
        .await
}

/// Those of some requests that nobody else holds, locked until the transaction ends.
#[tracing::instrument(name = "db.ticket.lock_free", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn lock_free(tx: &mut TenantTx, ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar("select id from ticket where tenant_id = $1 and id = any($2) order by id for update skip locked")
        .bind(tx.tenant())
        .bind(ids)
        .fetch_all(tx.conn())
        .await
}

fn list<T: serde::de::DeserializeOwned>(json: Option<String>) -> Result<Vec<T>, Fault> {
    let Some(json) = json else { return Ok(Vec::new()) };
    serde_json::from_str(&json).map_err(|error| Fault::broken(error.to_string()))
}

fn part((unit, kind, state, handler): (Uuid, i16, i16, Option<Uuid>)) -> Assignment {
    Assignment {
        unit,
        kind: assignment::Kind::try_from(i32::from(kind)).unwrap_or_default(),
        state: assignment::State::try_from(i32::from(state)).unwrap_or_default(),
        handler,
    }
}

/// One event of a request as stored.
#[derive(Debug, sqlx::FromRow)]
pub struct Told {
    pub version: i64,
    pub verb: String,
    pub state: i16,
    pub actor: String,
    pub unit_id: Option<Uuid>,
    pub text: String,
    pub facts: String,
    pub at: jiff_sqlx::Timestamp,
}

#[tracing::instrument(name = "db.ticket.events", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn events(tx: &mut TenantTx, ticket: Uuid) -> sqlx::Result<Vec<Told>> {
    sqlx::query_as(
        "select version, verb, state, actor, unit_id, text, facts, at from ticket_event
         where tenant_id = $1 and ticket_id = $2 order by version",
    )
    .bind(tx.tenant())
    .bind(ticket)
    .fetch_all(tx.conn())
    .await
}

/// One event with the words and the actor that the history keeps.
#[derive(Debug)]
pub struct History<'a> {
    pub event: &'a Event,
    pub actor: &'a str,
    pub text: &'a str,
}

/// A new request with its first event and first clock, in one statement.
#[tracing::instrument(name = "db.ticket.insert", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn insert(tx: &mut TenantTx, matter: &Matter, ticket: &Ticket, actor: &str, change: &Change, policy: &str) -> Result<(), Fault> {
    let clock = ticket.clocks.first().ok_or_else(|| Fault::broken("a submission starts a clock"))?;
    let facts = facts(change)?;
    sqlx::query(
        "with t as (insert into ticket (tenant_id, id, number, state, kind, urgency, title, description, enterprise_id, enterprise_name,
             building_id, latitude, longitude, place, contact_name, contact_phone, requester_id, result, result_text, score, return_count,
             redo_count, arbitrated, danger, imported, refuse_reason, handled_by, unreached, last_callback, overdue, version, submitted_at,
             updated_at, machine, side, supervision, excluded, waits, zone_id, parent_id, source, caller)
           values ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, '', 0, 0, 0, false, $17, false, 0, '{}', '{}',
             0, false, 1, $18, $18, $26, '{}', 0, false, '{}', $29, $30, $31, $32)),
         c as (insert into clock (tenant_id, ticket_id, name, round, started_at, due_at, provisional, fires_at, policy, facts)
           values ($1, $2, $19, $20, $18, $21, $22, $27, $23, $28))
         insert into ticket_event (tenant_id, ticket_id, version, verb, state, actor, text, facts, at)
         values ($1, $2, 1, 'submit', $4, $24, '', $25, $18)",
    )
    .bind(tx.tenant())
    .bind(matter.id)
    .bind(&matter.number)
    .bind(small(ticket.state as i32))
    .bind(small(ticket.kind as i32))
    .bind(&matter.title)
    .bind(&matter.description)
    .bind(ticket.enterprise.unwrap_or_default())
    .bind(&matter.enterprise_name)
    .bind(matter.building)
    .bind(matter.latitude)
    .bind(matter.longitude)
    .bind(&matter.place)
    .bind(&matter.contact_name)
    .bind(&matter.contact_phone)
    .bind(ticket.requester)
    .bind(ticket.danger)
    .bind(ticket.submitted_at.to_sqlx())
    .bind(clock.name.text())
    .bind(clock.round)
    .bind(clock.due_at.to_sqlx())
    .bind(clock.provisional)
    .bind(policy)
    .bind(actor)
    .bind(facts)
    .bind(&matter.machine)
    .bind(clock.fires_at().map(|at| at.to_sqlx()))
    .bind(clock.facts())
    .bind(matter.zone)
    .bind(matter.parent)
    .bind(small(matter.source))
    .bind(&matter.caller)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Saves a request after one event: the row, the event, and those of the parts and clocks that changed.
pub async fn save(
    tx: &mut TenantTx,
    matter: &Matter,
    before: &Ticket,
    ticket: &Ticket,
    history: &History<'_>,
    policy: &str,
) -> Result<(), Fault> {
    update(tx, matter, ticket, history).await?;
    let changed = ticket.assignments.iter().filter(|part| !before.assignments.contains(part));
    let parts: Vec<Part<'_>> = changed.map(|part| (matter.id, ticket.submitted_at, part)).collect();
    save_parts(tx, &parts).await?;
    let clocks: Vec<(Uuid, &Clock)> =
        ticket.clocks.iter().filter(|clock| !before.clocks.contains(clock)).map(|clock| (matter.id, clock)).collect();
    clock::store::save(tx, &clocks, policy).await?;
    Ok(())
}

#[tracing::instrument(name = "db.ticket.update", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
async fn update(tx: &mut TenantTx, matter: &Matter, ticket: &Ticket, history: &History<'_>) -> Result<(), Fault> {
    let facts = facts(&history.event.change)?;
    let overdue = overdue(ticket);
    sqlx::query(
        "with t as (update ticket set state = $3, kind = $4, urgency = $5, lead_unit_id = $6, result = $7, result_text = $8, score = $9,
             return_count = $10, redo_count = $11, arbitrated = $12, refuse_reason = $13, handled_by = $14, unreached = $15,
             last_callback = $16, urged_at = $17, due_at = $18, overdue = $19, version = $20, updated_at = $21, side = $27,
             supervision = $28, excluded = $29, waits = $30, archived_at = $31
           where tenant_id = $1 and id = $2)
         insert into ticket_event (tenant_id, ticket_id, version, verb, state, actor, unit_id, text, facts, at)
         values ($1, $2, $20, $22, $3, $23, $24, $25, $26, $21)",
    )
    .bind(tx.tenant())
    .bind(matter.id)
    .bind(small(ticket.state as i32))
    .bind(small(ticket.kind as i32))
    .bind(small(ticket.urgency as i32))
    .bind(ticket.lead)
    .bind(small(ticket.result as i32))
    .bind(&matter.result_text)
    .bind(small(ticket.score))
    .bind(small(ticket.return_count))
    .bind(small(ticket.redo_count))
    .bind(ticket.arbitrated)
    .bind(small(ticket.refuse_reason.map_or(0, |reason| reason as i32)))
    .bind(&ticket.handled_by)
    .bind(&ticket.unreached)
    .bind(small(ticket.last_callback.map_or(0, |outcome| outcome as i32)))
    .bind(ticket.urged_at.map(|at| at.to_sqlx()))
    .bind(ticket.due_at().map(|at| at.to_sqlx()))
    .bind(overdue)
    .bind(ticket.version)
    .bind(ticket.updated_at.to_sqlx())
    .bind(history.event.verb)
    .bind(history.actor)
    .bind(history.event.unit)
    .bind(history.text)
    .bind(facts)
    .bind(side(ticket)?)
    .bind(small(ticket.side.supervision))
    .bind(ticket.side.excluded)
    .bind(waits(ticket))
    .bind(ticket.side.archived_at.map(|at| at.to_sqlx()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A unit's part in a request, with when that was submitted.
pub type Part<'a> = (Uuid, jiff::Timestamp, &'a Assignment);

/// Units' parts of some requests, as they now are.
#[tracing::instrument(name = "db.ticket.save_parts", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn save_parts(tx: &mut TenantTx, parts: &[Part<'_>]) -> sqlx::Result<()> {
    let tenant = tx.tenant();
    for chunk in parts.chunks(5000) {
        let mut insert =
            QueryBuilder::<Postgres>::new("insert into assignment (tenant_id, ticket_id, unit_id, kind, state, handler_id, submitted_at) ");
        insert.push_values(chunk, |mut row, (ticket, submitted_at, part)| {
            row.push_bind(tenant).push_bind(ticket).push_bind(part.unit).push_bind(small(part.kind as i32));
            row.push_bind(small(part.state as i32)).push_bind(part.handler).push_bind(submitted_at.to_sqlx());
        });
        insert.push(
            " on conflict (tenant_id, ticket_id, unit_id) do update
              set kind = excluded.kind, state = excluded.state, handler_id = excluded.handler_id",
        );
        insert.build().execute(tx.conn()).await?;
    }
    Ok(())
}

/// One of these numbers that this platform gave out itself.
#[tracing::instrument(name = "db.ticket.given", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn given(tx: &mut TenantTx, numbers: &[&str]) -> sqlx::Result<Option<String>> {
    let found: Option<(String,)> =
        sqlx::query_as("select number from ticket where tenant_id = $1 and number = any($2) and not imported order by number limit 1")
            .bind(tx.tenant())
            .bind(numbers)
            .fetch_optional(tx.conn())
            .await?;
    Ok(found.map(|(number,)| number))
}

/// Somebody arrived.
#[derive(Debug)]
pub struct Arrival<'a> {
    pub visit: i32,
    pub user: Uuid,
    pub unit: Uuid,
    pub latitude: f64,
    pub longitude: f64,
    pub distance_m: Option<i32>,
    pub clock_skewed: bool,
    pub how: &'a str,
    pub offline: bool,
    pub arrived_at: Option<jiff::Timestamp>,
    pub photo: Option<Uuid>,
}

#[tracing::instrument(name = "db.ticket.check_in", skip_all, fields(otel.kind = "client", db.system.name = "postgresql"), err(level = "debug", Debug))]
pub async fn check_in(tx: &mut TenantTx, ticket: Uuid, arrival: &Arrival<'_>, at: jiff::Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "insert into check_in (tenant_id, ticket_id, visit, user_id, unit_id, latitude, longitude, distance_m, clock_skewed, at, how, offline,
           arrived_at, photo_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(tx.tenant())
    .bind(ticket)
    .bind(arrival.visit)
    .bind(arrival.user)
    .bind(arrival.unit)
    .bind(arrival.latitude)
    .bind(arrival.longitude)
    .bind(arrival.distance_m)
    .bind(arrival.clock_skewed)
    .bind(at.to_sqlx())
    .bind(arrival.how)
    .bind(arrival.offline)
    .bind(arrival.arrived_at.map(|at| at.to_sqlx()))
    .bind(arrival.photo)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What runs beside the main state, as the row keeps it.
pub fn side(ticket: &Ticket) -> Result<String, Fault> {
    serde_json::to_string(&ticket.side).map_err(|error| Fault::broken(error.to_string()))
}

/// Kinds of what was asked for and waits.
pub fn waits(ticket: &Ticket) -> Vec<i16> {
    ticket.side.waiting().map(|ask| small(ask.asked.sought() as i32)).collect()
}

/// Whether the promise to resolve was broken.
pub fn overdue(ticket: &Ticket) -> bool {
    ticket.running(clock::rules::Name::C5).is_some_and(|clock| clock.breached_at.is_some())
}

pub fn facts(change: &Change) -> Result<String, Fault> {
    serde_json::to_string(change).map_err(|error| Fault::broken(error.to_string()))
}

/// Enumerations and counts are kept small.
pub fn small(number: i32) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}
