//! RPCs of requests. Every verb goes the same way: load and lock, decide, apply, save, tell.

use std::sync::Arc;

use drumtower_proto::ticketing::{
    self as wire, AcceptTicketRequest, CallBackTicketRequest, CheckInTicketRequest, ContactTicketRequest, CreateTicketRequest,
    DispatchTicketRequest, GetTicketRequest, ImportTicketsRequest, ImportTicketsResponse, ListTicketEventsRequest,
    ListTicketEventsResponse, ListTicketsRequest, ListTicketsResponse, RateTicketRequest, RedoTicketRequest, RefuseTicketRequest,
    ReportDoneTicketRequest, ReturnTicketRequest, SendBackTicketRequest, SignOffTicketRequest, SignTicketRequest, TransferTicketRequest,
    UrgeTicketRequest, VisitTicketRequest, WithdrawTicketRequest, ticket::Source, ticket_service_server::TicketService,
};
use drumtower_runtime::{
    Call, Db, Fault, Reach, Refusal,
    call::{id, needed_id},
    clock::{from_proto, to_proto},
    log::NewEvent,
    page,
    seal::{Sealer, Sealers},
};
use jiff::Timestamp;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    cards::Cards,
    change::{Said, change},
    import,
    number::Numbers,
    query::{self, Filter},
    rules::{self, Command, Position, Proof, Who},
    shown::{shown, told, told_outside},
    store,
    submit::{self, Draft, Submission},
};
use crate::{attachment, dispatch::auto, setting::Settings};

/// Requests for help.
#[derive(Debug)]
pub struct Tickets {
    pub db: Db,
    pub sealers: Sealers,
    pub cards: Cards,
    pub numbers: Numbers,
    pub settings: Settings,
}

/// A verb on its way: what is wanted, the words that go with it, the version the caller saw.
pub(super) struct Verb {
    pub ticket: Uuid,
    pub etag: String,
    pub permission: &'static str,
    pub command: Command,
    pub text: String,
}

impl Tickets {
    async fn create(&self, request: Request<CreateTicketRequest>) -> Result<Response<wire::Ticket>, Fault> {
        let (call, ask) = Call::take(request)?;
        let person = call.person()?.clone();
        let reach = call.reach("ticket.submit");
        let source = source_of(&call, &reach, &ask)?;
        let enterprise = if for_nobody(source, &ask) { None } else { Some(enterprise_of(&call, &reach, &ask.enterprise_id)?) };
        let attachments = ids("attachment_ids", &ask.attachment_ids)?;
        let draft = Draft {
            title: ask.title,
            description: ask.description,
            enterprise,
            building: id("building_id", &ask.building_id)?,
            at: None,
            source,
            place: ask.place,
            contact_name: ask.contact_name,
            contact_phone: ask.contact_phone,
            requester: person.sub,
        };
        let matter = self.drafted(&call, draft).await?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let setting = self.settings.of(&call).await?;
        let kind = rules::Kind::try_from(ask.kind).unwrap_or_default();
        let submission = Submission { kind, danger: ask.danger, requester: person.sub, enterprise };
        let mut tx = self.db.write(&call).await?;
        let (matter, ticket) = submit::submit(&mut tx, &setting, matter, submission, &call.actor_name()).await?;
        attachment::api::claim(&mut tx, &call, matter.id, &attachments).await?;
        tx.emit(submit::submitted(&matter, &ticket));
        let answer = shown(&sealer, &setting, query::is_inside(&reach, &ticket), matter, ticket)?;
        tx.commit(answer).await
    }

    /// One verb: load and lock, decide, apply, save, tell, in one transaction.
    pub(super) async fn perform(&self, call: &Arc<Call>, verb: Verb) -> Result<Response<wire::Ticket>, Fault> {
        let sealer = self.sealers.of(&self.db, call).await?;
        let setting = self.settings.of(call).await?;
        let reach = call.reach(verb.permission);
        let who = who(call, &reach)?;
        let mut tx = self.db.write(call).await?;
        let found = store::lock(&mut tx, verb.ticket).await?;
        query::reaches(&reach, &found.1)?;
        if !verb.etag.is_empty() && verb.etag != found.1.version.to_string() {
            return Err(Refusal::stale(found.1.version.to_string()).into());
        }
        let accepts = matches!(verb.command, Command::Accept { .. });
        let said = Said { by: &call.actor_name(), text: &verb.text };
        let mut changed = change(&mut tx, call, &setting, &who, found, verb.command, said).await?;
        if accepts {
            changed = auto::dispatched(&mut tx, call, &setting, &self.cards, changed).await?;
        }
        let (matter, ticket) = changed;
        let answer = shown(&sealer, &setting, query::is_inside(&reach, &ticket), matter, ticket)?;
        tx.commit(answer).await
    }

    async fn get(&self, request: Request<GetTicketRequest>) -> Result<Response<wire::Ticket>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("ticket_id", &ask.ticket_id)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let setting = self.settings.of(&call).await?;
        let (matter, ticket) = store::by_id(&mut self.db.read(&call).await?, id).await?;
        let reach = call.reach("ticket.read");
        query::reaches(&reach, &ticket)?;
        Ok(Response::new(shown(&sealer, &setting, query::is_inside(&reach, &ticket), matter, ticket)?))
    }

    async fn list(&self, request: Request<ListTicketsRequest>) -> Result<Response<ListTicketsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let filter = Filter::read(&ask.filter)?;
        let size = page::size(ask.page_size, 20);
        let question = format!("tickets {}", ask.filter);
        let after: query::After = page::after(&question, &ask.page_token)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let setting = self.settings.of(&call).await?;
        let reach = call.reach("ticket.read");
        let rows = query::page(&mut self.db.read(&call).await?, &filter, &reach, after, size + 1).await?;
        let (rows, next_page_token) = page::cut(rows, size, &question, |row| (row.submitted_at.to_jiff(), row.id));
        let tickets = rows
            .into_iter()
            .map(|row| {
                let due_at = row.due_at.map(|at| to_proto(at.to_jiff()));
                let (matter, ticket) = row.split(Vec::new(), Vec::new())?;
                Ok(wire::Ticket { due_at, ..shown(&sealer, &setting, query::lists_inside(&reach), matter, ticket)? })
            })
            .collect::<Result<_, Fault>>()?;
        Ok(Response::new(ListTicketsResponse { tickets, next_page_token }))
    }

    async fn events(&self, request: Request<ListTicketEventsRequest>) -> Result<Response<ListTicketEventsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("ticket_id", &ask.ticket_id)?;
        let mut tx = self.db.read(&call).await?;
        let (_, ticket) = store::by_id(&mut tx, id).await?;
        let reach = call.reach("ticket.read");
        query::reaches(&reach, &ticket)?;
        let events = store::events(&mut tx, id).await?.into_iter();
        let events = match query::is_inside(&reach, &ticket) {
            true => events.map(told).collect(),
            false => events.filter_map(|event| told_outside(event, &call.actor_name())).collect(),
        };
        Ok(Response::new(ListTicketEventsResponse { events }))
    }

    async fn import(&self, request: Request<ImportTicketsRequest>) -> Result<Response<ImportTicketsResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        let setting = self.settings.of(&call).await?;
        let book = setting.book(&setting.machine().version);
        let mut past = Vec::with_capacity(ask.tickets.len());
        for (place, ticket) in ask.tickets.iter().enumerate() {
            past.push(import::read(place, ticket, &call, &self.cards, &sealer, book).await?);
        }
        let mut tx = self.db.write(&call).await?;
        let created = import::save(&mut tx, &past, &call.actor_name(), setting.policy_version()).await?;
        let unchanged = past.len() - created;
        tx.emit(
            NewEvent::new("ticket.import_finished", call.tenant, 0)
                .facts(serde_json::json!({ "created": created, "unchanged": unchanged })),
        );
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        tx.commit(ImportTicketsResponse { created: count(created), unchanged: count(unchanged) }).await
    }
}

/// The way a request came. Who submits for anybody says how they heard of it; what channels bring says so itself.
fn source_of(call: &Call, reach: &Reach, ask: &CreateTicketRequest) -> Result<Source, Refusal> {
    match ask.source() {
        Source::Unspecified | Source::Web => Ok(Source::Web),
        by_hand @ (Source::Phone | Source::Window | Source::Proxy) if reach.all => Ok(by_hand),
        // Identity takes what people write in WeChat.
        Source::Wechat if call.caller == "identity" => Ok(Source::Wechat),
        _ => Err(Refusal::invalid("source", "NOT_YOUR_CHANNEL", "不能使用该来源", "is not a way that you submit by")),
    }
}

/// Who calls may be of no company; whom to contact is said then.
fn for_nobody(source: Source, ask: &CreateTicketRequest) -> bool {
    matches!(source, Source::Phone | Source::Window | Source::Proxy) && ask.enterprise_id.is_empty() && !ask.contact_phone.is_empty()
}

/// The company that a request is for: as said, if the caller may speak for it, else the caller's own.
pub fn enterprise_of(call: &Call, reach: &Reach, said: &str) -> Result<Uuid, Refusal> {
    match (id("enterprise_id", said)?, call.person()?.ent) {
        (Some(said), own) if reach.all || own == Some(said) => Ok(said),
        (None, Some(own)) => Ok(own),
        (Some(_), _) => Err(Refusal::not_found("enterprise")),
        (None, None) => Err(Refusal::invalid("enterprise_id", "REQUIRED", "请选择企业", "which company?")),
    }
}

/// Who asks, with what the permission reaches.
pub(crate) fn who(call: &Call, reach: &Reach) -> Result<Who, Refusal> {
    Ok(Who {
        user: call.person()?.sub,
        units: (!reach.all).then(|| reach.nodes.clone()),
        arbiter: call.may("ticket.arbitrate"),
        chief: call.may("ticket.instruct"),
        supervisor: call.may("ticket.supervise") && !call.may("ticket.instruct"),
        importing: false,
    })
}

/// The code of a building's sign: nobody makes one up, and one district's is none of another's.
pub(super) fn code_of(sealer: &Sealer, building: Uuid) -> String {
    let mark = sealer.blind("building.check_in_code", &building.to_string()).unwrap_or_default();
    format!("DT1.{}.{}", building.simple(), hex::encode(mark.get(..12).unwrap_or_default()))
}

/// Reads a verb's request into what is wanted of which request, under which permission.
pub(super) trait Wanted {
    const PERMISSION: &'static str;
    fn ticket_id(&self) -> &str;
    fn etag(&self) -> &str;
    fn text(&self) -> &str;
    fn command(&self) -> Result<Command, Refusal>;
}

macro_rules! wanted {
    ($($request:ident $permission:literal $text:ident |$ask:ident| $command:expr;)*) => {$(
        impl Wanted for $request {
            const PERMISSION: &'static str = $permission;
            fn ticket_id(&self) -> &str { &self.ticket_id }
            fn etag(&self) -> &str { &self.etag }
            fn text(&self) -> &str { wanted!(@text self $text) }
            fn command(&self) -> Result<Command, Refusal> { let $ask = self; Ok($command) }
        }
    )*};
    (@text $self:ident none) => { "" };
    (@text $self:ident $text:ident) => { &$self.$text };
}

pub(super) fn ids(field: &'static str, ids: &[String]) -> Result<Vec<Uuid>, Refusal> {
    ids.iter().map(|id| needed_id(field, id)).collect()
}

pub(super) fn instant(field: &'static str, at: Option<&prost_types::Timestamp>) -> Result<Option<Timestamp>, Refusal> {
    let Some(at) = at else { return Ok(None) };
    from_proto(at).map(Some).ok_or_else(|| Refusal::invalid(field, "OUT_OF_RANGE", "时间超出范围", "is out of range"))
}

pub(crate) fn needed_instant(field: &'static str, at: Option<&prost_types::Timestamp>) -> Result<Timestamp, Refusal> {
    instant(field, at)?.ok_or_else(|| Refusal::invalid(field, "REQUIRED", "必填", "is required"))
}

pub(super) use wanted;

wanted! {
    AcceptTicketRequest "ticket.accept" none |ask| Command::Accept {
        kind: rules::Kind::try_from(ask.kind).ok().filter(|kind| *kind != rules::Kind::Unspecified),
        urgency: rules::Urgency::try_from(ask.urgency).unwrap_or_default(),
    };
    RefuseTicketRequest "ticket.refuse" text |ask| Command::Refuse { reason: ask.reason() };
    DispatchTicketRequest "ticket.dispatch" text |ask| Command::Dispatch {
        lead: needed_id("lead_unit_id", &ask.lead_unit_id)?,
        support: ids("support_unit_ids", &ask.support_unit_ids)?,
    };
    SignTicketRequest "ticket.sign" none |_ask| Command::Sign;
    ReturnTicketRequest "ticket.return" clause |ask| Command::Return {
        clause: ask.clause.clone(),
        suggested: needed_id("suggested_unit_id", &ask.suggested_unit_id)?,
        attachments: ids("attachment_ids", &ask.attachment_ids)?,
    };
    ContactTicketRequest "ticket.handle" text |_ask| Command::Contact;
    VisitTicketRequest "ticket.handle" none |ask| Command::Visit { planned_at: instant("planned_at", ask.planned_at.as_ref())? };
    CheckInTicketRequest "ticket.handle" override_reason |ask| Command::CheckIn {
        at: Position { latitude: ask.latitude, longitude: ask.longitude },
        building: None,
        device_time: instant("device_time", ask.device_time.as_ref())?,
        proof: Proof {
            code: None,
            reason: ask.override_reason.clone(),
            taken_at: instant("taken_at", ask.taken_at.as_ref())?,
            photo: id("photo_id", &ask.photo_id)?,
        },
    };
    ReportDoneTicketRequest "ticket.handle" text |ask| Command::ReportDone { result: ask.result(), waive_support: ask.waive_support, parts_open: 0, evidence: 0 };
    SignOffTicketRequest "ticket.sign_off" text |_ask| Command::SignOff;
    SendBackTicketRequest "ticket.sign_off" reason |_ask| Command::SendBack;
    CallBackTicketRequest "ticket.call_back" text |ask| Command::CallBack { outcome: ask.outcome() };
    RedoTicketRequest "ticket.call_back" reason |_ask| Command::Redo;
    RateTicketRequest "ticket.rate" text |ask| Command::Rate {
        score: ask.score,
        tags: ask.tags.clone(),
        attachments: ids("attachment_ids", &ask.attachment_ids)?,
    };
    WithdrawTicketRequest "ticket.withdraw" reason |_ask| Command::Withdraw;
    UrgeTicketRequest "ticket.urge" text |_ask| Command::Urge;
}

impl Tickets {
    pub(super) async fn verb<R: Wanted>(&self, request: Request<R>) -> Result<Response<wire::Ticket>, Fault> {
        let (call, ask) = Call::take(request)?;
        let command = ask.command()?;
        let units = command.units();
        if !units.is_empty() {
            self.cards.open_units(&call, &units).await?;
        }
        let verb = Verb {
            ticket: needed_id("ticket_id", ask.ticket_id())?,
            etag: ask.etag().to_owned(),
            permission: R::PERMISSION,
            command,
            text: ask.text().to_owned(),
        };
        self.perform(&call, verb).await
    }

    /// A building's code is checked before anything is locked: which building a request is of never changes.
    async fn check_in(&self, request: Request<CheckInTicketRequest>) -> Result<Response<wire::Ticket>, Fault> {
        let (call, ask) = Call::take(request)?;
        let ticket = needed_id("ticket_id", &ask.ticket_id)?;
        let mut command = ask.command()?;
        if let Command::CheckIn { proof, .. } = &mut command
            && !ask.building_code.is_empty()
        {
            let (matter, _) = store::by_id(&mut self.db.read(&call).await?, ticket).await?;
            let sealer = self.sealers.of(&self.db, &call).await?;
            proof.code = Some(matter.building.is_some_and(|building| code_of(&sealer, building) == ask.building_code));
        }
        self.perform(&call, Verb { ticket, etag: ask.etag, permission: "ticket.handle", command, text: ask.override_reason }).await
    }

    /// The handler's unit is asked of identity, before anything is locked.
    async fn transfer(&self, request: Request<TransferTicketRequest>) -> Result<Response<wire::Ticket>, Fault> {
        let (call, ask) = Call::take(request)?;
        let handler = needed_id("handler_id", &ask.handler_id)?;
        let card = self.cards.user(&call, handler).await?;
        let mut handler_units: Vec<Uuid> = id("unit_id", &card.unit_id)?.into_iter().collect();
        for held in &card.assignments {
            handler_units.extend(id("node_id", &held.node_id)?);
        }
        let command = Command::Transfer { handler, handler_units };
        let ticket = needed_id("ticket_id", &ask.ticket_id)?;
        self.perform(&call, Verb { ticket, etag: ask.etag, permission: "ticket.transfer", command, text: String::new() }).await
    }
}

macro_rules! verbs {
    ($($rpc:ident $request:ident;)*) => {
        #[tonic::async_trait]
        impl TicketService for Tickets {
            $(async fn $rpc(&self, request: Request<$request>) -> Result<Response<wire::Ticket>, Status> {
                Ok(self.verb(request).await?)
            })*

            async fn create_ticket(&self, request: Request<CreateTicketRequest>) -> Result<Response<wire::Ticket>, Status> {
                Ok(self.create(request).await?)
            }

            async fn get_ticket(&self, request: Request<GetTicketRequest>) -> Result<Response<wire::Ticket>, Status> {
                Ok(self.get(request).await?)
            }

            async fn list_tickets(&self, request: Request<ListTicketsRequest>) -> Result<Response<ListTicketsResponse>, Status> {
                Ok(self.list(request).await?)
            }

            async fn list_ticket_events(&self, request: Request<ListTicketEventsRequest>) -> Result<Response<ListTicketEventsResponse>, Status> {
                Ok(self.events(request).await?)
            }

            async fn check_in_ticket(&self, request: Request<CheckInTicketRequest>) -> Result<Response<wire::Ticket>, Status> {
                Ok(self.check_in(request).await?)
            }

            async fn transfer_ticket(&self, request: Request<TransferTicketRequest>) -> Result<Response<wire::Ticket>, Status> {
                Ok(self.transfer(request).await?)
            }

            async fn import_tickets(&self, request: Request<ImportTicketsRequest>) -> Result<Response<ImportTicketsResponse>, Status> {
                Ok(self.import(request).await?)
            }
        }
    };
}

verbs! {
    accept_ticket AcceptTicketRequest;
    refuse_ticket RefuseTicketRequest;
    dispatch_ticket DispatchTicketRequest;
    sign_ticket SignTicketRequest;
    return_ticket ReturnTicketRequest;
    contact_ticket ContactTicketRequest;
    visit_ticket VisitTicketRequest;
    report_done_ticket ReportDoneTicketRequest;
    sign_off_ticket SignOffTicketRequest;
    send_back_ticket SendBackTicketRequest;
    call_back_ticket CallBackTicketRequest;
    redo_ticket RedoTicketRequest;
    rate_ticket RateTicketRequest;
    withdraw_ticket WithdrawTicketRequest;
    urge_ticket UrgeTicketRequest;
}
