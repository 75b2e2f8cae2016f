//! RPCs beside the main course. All but merging go the way of every verb; merging touches two requests.

use drumtower_proto::ticketing::{
    self as wire, AnswerTicketRequest, AppealTicketRequest, AskTicketRequest, AttendTicketRequest, CallUpTicketRequest, CheckInCode,
    ConcludeTicketRequest, ConsentTicketRequest, ConsultTicketRequest, DecideTicketRequest, FinishTaskTicketRequest, GetCheckInCodeRequest,
    InstructTicketRequest, MergeTicketRequest, OpineTicketRequest, ReopenTicketRequest, ResumeTicketRequest, SplitTicketRequest,
    SplitTicketResponse, SuperviseTicketRequest, split_ticket_request::Part, ticket_side_service_server::TicketSideService,
};
use drumtower_runtime::{
    Call, Fault, Refusal,
    call::{id, needed_id},
    seal::Sealer,
};
use jiff::civil::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    api::{Tickets, Wanted, code_of, ids, instant, needed_instant, wanted, who},
    change::{Said, change},
    query,
    rules::{self, Asked, Beside, Command, Decision, Sought},
    shown::{place, shown},
    store::{self, Matter},
    submit::{Submission, caller, submit},
};
use crate::setting::Setting;

/// What is asked for; what belongs to another matter is not looked at.
fn sought(ask: &AskTicketRequest) -> Result<Asked, Refusal> {
    let missing = |field: &'static str| Refusal::invalid(field, "REQUIRED", "必填", "is required");
    let counted = || u32::try_from(ask.count).ok().filter(|count| *count > 0).ok_or_else(|| missing("count"));
    Ok(match ask.matter() {
        Sought::Extension => Asked::Extension { count: counted()? },
        Sought::Rectification => Asked::Rectification { count: counted()? },
        Sought::Hold if ask.hold_reason == 0 => return Err(missing("hold_reason")),
        Sought::Hold => Asked::Hold { reason: ask.hold_reason },
        Sought::Exclusion if ask.exclusion_reason == 0 => return Err(missing("exclusion_reason")),
        Sought::Exclusion => Asked::Exclusion { reason: ask.exclusion_reason },
        Sought::Ledger if ask.condition.trim().is_empty() => return Err(missing("condition")),
        Sought::Ledger => {
            let day: Result<Date, _> = ask.review_on.parse();
            let review_on = day.map_err(|_| Refusal::invalid("review_on", "DATE", "须为日期", "is a day, YYYY-MM-DD"))?;
            Asked::Ledger { owner: id("owner_unit_id", &ask.owner_unit_id)?, condition: ask.condition.clone(), review_on }
        }
        Sought::Unspecified => return Err(missing("matter")),
    })
}

wanted! {
    AnswerTicketRequest "ticket.answer" text |_ask| Command::Beside(Beside::Answer);
    AppealTicketRequest "ticket.appeal" text |_ask| Command::Beside(Beside::Appeal);
    CallUpTicketRequest "ticket.call_up" text |ask| Command::CallUp {
        lead: needed_id("lead_unit_id", &ask.lead_unit_id)?,
        support: ids("support_unit_ids", &ask.support_unit_ids)?,
    };
    AskTicketRequest "ticket.ask" text |ask| Command::Beside(Beside::Ask(sought(ask)?));
    DecideTicketRequest "ticket.decide" text |ask| Command::Beside(Beside::Decide { number: ask.number, granted: ask.granted });
    ConsentTicketRequest "ticket.sign" text |ask| Command::Beside(Beside::Consent { agreed: ask.agreed });
    SuperviseTicketRequest "ticket.supervise" text |ask| Command::Beside(Beside::Supervise {
        level: ask.level,
        reply_due: instant("reply_due", ask.reply_due.as_ref())?,
    });
    InstructTicketRequest "ticket.instruct" text |ask| Command::Beside(Beside::Instruct { due_at: instant("due_at", ask.due_at.as_ref())? });
    ReopenTicketRequest "ticket.reopen" text |_ask| Command::Beside(Beside::Reopen);
    ResumeTicketRequest "ticket.resume" text |_ask| Command::Beside(Beside::Resume);
    ConsultTicketRequest "ticket.consult" text |ask| Command::Beside(Beside::Consult {
        units: ids("unit_ids", &ask.unit_ids)?,
        meets_at: needed_instant("meets_at", ask.meets_at.as_ref())?,
        place: ask.place.clone(),
    });
    AttendTicketRequest "ticket.attend" none |_ask| Command::Beside(Beside::Attend);
    OpineTicketRequest "ticket.attend" text |ask| Command::Beside(Beside::Opine { stance: ask.stance, text: ask.text.clone() });
    ConcludeTicketRequest "ticket.consult" minutes |ask| Command::Beside(Beside::Conclude {
        minutes: ask.minutes.clone(),
        decisions: ask.decisions.iter().map(|decision| {
            let due_at = needed_instant("decisions.due_at", decision.due_at.as_ref())?;
            Ok(Decision { unit: needed_id("decisions.unit_id", &decision.unit_id)?, text: decision.text.clone(), due_at })
        }).collect::<Result<_, Refusal>>()?,
    });
    FinishTaskTicketRequest "ticket.attend" text |ask| Command::Beside(Beside::FinishTask { number: ask.number });
}

impl Tickets {
    async fn code(&self, request: Request<GetCheckInCodeRequest>) -> Result<Response<CheckInCode>, Fault> {
        let (call, ask) = Call::take(request)?;
        let building = self.cards.building(&call, needed_id("building_id", &ask.building_id)?).await?;
        let sealer = self.sealers.of(&self.db, &call).await?;
        Ok(Response::new(CheckInCode { code: code_of(&sealer, needed_id("building_id", &building.id)?) }))
    }

    /// The whole and its parts in one transaction. A part is submitted in the requester's name and accepted at once.
    async fn split(&self, request: Request<SplitTicketRequest>) -> Result<Response<SplitTicketResponse>, Fault> {
        let (call, ask) = Call::take(request)?;
        let id = needed_id("ticket_id", &ask.ticket_id)?;
        let (sealer, setting) = (self.sealers.of(&self.db, &call).await?, self.settings.of(&call).await?);
        let reach = call.reach("ticket.split");
        let who = who(&call, &reach)?;
        let mut numbers = Vec::with_capacity(ask.parts.len());
        for _ in &ask.parts {
            numbers.push((Uuid::now_v7(), self.numbers.next(&self.db, call.tenant, call.now).await?));
        }
        let mut tx = self.db.write(&call).await?;
        let whole = store::lock(&mut tx, id).await?;
        query::reaches(&reach, &whole.1)?;
        if !ask.etag.is_empty() && ask.etag != whole.1.version.to_string() {
            return Err(Refusal::stale(whole.1.version.to_string()).into());
        }
        let actor = call.actor_name();
        let said = Said { by: &actor, text: &ask.text };
        let children = numbers.iter().map(|(child, _)| *child).collect();
        let (matter, ticket) = change(&mut tx, &call, &setting, &who, whole, Command::Beside(Beside::Split { children }), said).await?;
        let mut parts = Vec::with_capacity(ask.parts.len());
        for ((child, number), part) in numbers.into_iter().zip(&ask.parts) {
            let own = part_of(&sealer, &setting, &matter, (child, number), part)?;
            let kind = rules::Kind::try_from(part.kind).ok().filter(|kind| *kind != rules::Kind::Unspecified).unwrap_or(ticket.kind);
            let submission = Submission { kind, danger: ticket.danger, requester: ticket.requester, enterprise: ticket.enterprise };
            let begun = submit(&mut tx, &setting, own, submission, &actor).await?;
            let accept = Command::Accept { kind: None, urgency: rules::Urgency::try_from(part.urgency).unwrap_or_default() };
            let (own, accepted) = change(&mut tx, &call, &setting, &who, begun, accept, said).await?;
            parts.push(shown(&sealer, &setting, query::is_inside(&reach, &accepted), own, accepted)?);
        }
        let ticket = Some(shown(&sealer, &setting, query::is_inside(&reach, &ticket), matter, ticket)?);
        tx.commit(SplitTicketResponse { ticket, parts }).await
    }

    /// Two requests in one transaction, locked in the order of their ids, so that two mergers at once do not wait for each other for ever.
    async fn merge(&self, request: Request<MergeTicketRequest>) -> Result<Response<wire::Ticket>, Fault> {
        let (call, ask) = Call::take(request)?;
        let (from, into) = (needed_id("ticket_id", &ask.ticket_id)?, needed_id("into_id", &ask.into_id)?);
        if from == into {
            return Err(Refusal::invalid("into_id", "SAME_TICKET", "不能并入自身", "is another request").into());
        }
        let sealer = self.sealers.of(&self.db, &call).await?;
        let setting = self.settings.of(&call).await?;
        let reach = call.reach("ticket.merge");
        let who = who(&call, &reach)?;
        let mut tx = self.db.write(&call).await?;
        let first = store::lock(&mut tx, from.min(into)).await?;
        let second = store::lock(&mut tx, from.max(into)).await?;
        let (merged, target) = if from < into { (first, second) } else { (second, first) };
        query::reaches(&reach, &merged.1)?;
        query::reaches(&reach, &target.1)?;
        if !ask.etag.is_empty() && ask.etag != merged.1.version.to_string() {
            return Err(Refusal::stale(merged.1.version.to_string()).into());
        }
        let actor = call.actor_name();
        let said = Said { by: &actor, text: &ask.text };
        let absorb =
            Command::Beside(Beside::Absorb { ticket: from, requester: merged.1.requester, followers: merged.1.side.followers.clone() });
        change(&mut tx, &call, &setting, &who, target, absorb, said).await?;
        let merge = Command::Beside(Beside::Merge { into });
        let (matter, ticket) = change(&mut tx, &call, &setting, &who, merged, merge, said).await?;
        let answer = shown(&sealer, &setting, query::is_inside(&reach, &ticket), matter, ticket)?;
        tx.commit(answer).await
    }
}

/// What a part is about, with the contact of the whole's requester.
fn part_of(sealer: &Sealer, setting: &Setting, whole: &Matter, (id, number): (Uuid, String), part: &Part) -> Result<Matter, Fault> {
    let (from, to) = (whole.id.to_string(), id.to_string());
    let again = |column: &str, sealed: &[u8]| sealer.seal(place(column, &to), &sealer.open(place(column, &from), sealed)?);
    let phone = sealer.open(place("contact_phone", &from), &whole.contact_phone)?;
    Ok(Matter {
        id,
        number,
        title: part.title.clone(),
        description: part.description.clone(),
        contact_name: again("contact_name", &whole.contact_name)?,
        contact_phone: again("contact_phone", &whole.contact_phone)?,
        caller: caller(sealer, &phone),
        parent: Some(whole.id),
        imported: false,
        result_text: String::new(),
        machine: setting.machine().version.clone(),
        ..whole.clone()
    })
}

macro_rules! verbs {
    ($($rpc:ident $request:ident;)*) => {
        #[tonic::async_trait]
        impl TicketSideService for Tickets {
            $(async fn $rpc(&self, request: Request<$request>) -> Result<Response<wire::Ticket>, Status> {
                Ok(self.verb(request).await?)
            })*

            async fn get_check_in_code(&self, request: Request<GetCheckInCodeRequest>) -> Result<Response<CheckInCode>, Status> {
                Ok(self.code(request).await?)
            }

            async fn split_ticket(&self, request: Request<SplitTicketRequest>) -> Result<Response<SplitTicketResponse>, Status> {
                Ok(self.split(request).await?)
            }

            async fn merge_ticket(&self, request: Request<MergeTicketRequest>) -> Result<Response<wire::Ticket>, Status> {
                Ok(self.merge(request).await?)
            }
        }
    };
}

verbs! {
    answer_ticket AnswerTicketRequest;
    appeal_ticket AppealTicketRequest;
    call_up_ticket CallUpTicketRequest;
    ask_ticket AskTicketRequest;
    decide_ticket DecideTicketRequest;
    consent_ticket ConsentTicketRequest;
    supervise_ticket SuperviseTicketRequest;
    instruct_ticket InstructTicketRequest;
    reopen_ticket ReopenTicketRequest;
    resume_ticket ResumeTicketRequest;
    consult_ticket ConsultTicketRequest;
    attend_ticket AttendTicketRequest;
    opine_ticket OpineTicketRequest;
    conclude_ticket ConcludeTicketRequest;
    finish_task_ticket FinishTaskTicketRequest;
}
